// A design directory as its manifest describes it (docs/design-directory.md), arrays in .npy files,
// and how ONNX values lie in device memory. Errors are std::runtime_error.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "picojson.h"

namespace hlsgen {

using Json = picojson::value;
using Shape = std::vector<long>;

// ---- the manifest

inline const Json* find(const Json& object, const std::string& name) {
    if (!object.is<picojson::object>() || !object.contains(name)) return nullptr;
    return &object.get(name);
}

inline const Json& at(const Json& object, const std::string& name) {
    const Json* found = find(object, name);
    if (!found) throw std::runtime_error("design.json: " + name + " is missing");
    return *found;
}

inline const picojson::array& list(const Json& value) { return value.get<picojson::array>(); }

inline std::string text(const Json& object, const std::string& name) {
    return at(object, name).get<std::string>();
}

inline long integer(const Json& object, const std::string& name) {
    return static_cast<long>(at(object, name).get<double>());
}

// Flags that are not set are left out of the manifest.
inline bool flag(const Json& object, const std::string& name) {
    const Json* found = find(object, name);
    return found && found->get<bool>();
}

inline Shape shape_of(const Json& numbers) {
    Shape shape;
    for (const Json& n : list(numbers)) shape.push_back(static_cast<long>(n.get<double>()));
    return shape;
}

inline long count(const Shape& shape) {
    return std::accumulate(shape.begin(), shape.end(), 1L, std::multiplies<long>());
}

inline std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(path + ": cannot be read");
    std::ostringstream content;
    content << file.rdbuf();
    return content.str();
}

inline Json read_manifest(const std::string& folder) {
    Json manifest;
    const std::string wrong = picojson::parse(manifest, read_file(folder + "/design.json"));
    if (!wrong.empty()) throw std::runtime_error("design.json: " + wrong);
    if (integer(manifest, "schema") != 1) throw std::runtime_error("design.json: unknown schema");
    return manifest;
}

// ---- what belongs together (host/hashes.py)

// The SHA-256 of bytes, as sha256sum prints it (FIPS 180-4).
inline std::string sha256(std::string data) {
    static const uint32_t constants[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t hash[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const uint64_t bits = 8 * static_cast<uint64_t>(data.size());
    data.push_back('\x80');
    data.append((120 - data.size() % 64) % 64, '\0');
    for (int n = 7; n >= 0; --n) data.push_back(static_cast<char>(bits >> 8 * n));
    const auto turn = [](uint32_t x, int n) { return x >> n | x << (32 - n); };
    for (size_t at = 0; at < data.size(); at += 64) {
        uint32_t w[64], s[8];
        for (int n = 0; n < 64; ++n) {
            if (n < 16) {
                const auto* b = reinterpret_cast<const uint8_t*>(data.data()) + at + 4 * n;
                w[n] = uint32_t(b[0]) << 24 | uint32_t(b[1]) << 16 | uint32_t(b[2]) << 8 | b[3];
            } else {
                const uint32_t a = w[n - 15], b = w[n - 2];
                w[n] = w[n - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[n - 7] +
                       (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
            }
        }
        std::copy(hash, hash + 8, s);
        for (int n = 0; n < 64; ++n) {
            const uint32_t one = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) +
                                 ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[n] + w[n];
            const uint32_t two = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) +
                                 ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            std::copy_backward(s, s + 7, s + 8);
            s[4] += one;
            s[0] = one + two;
        }
        for (int n = 0; n < 8; ++n) hash[n] += s[n];
    }
    char text[65];
    for (int n = 0; n < 8; ++n) std::snprintf(text + 8 * n, 9, "%08x", hash[n]);
    return text;
}

// Refuses a file of the design that is not the one that build wrote. Hashes that the manifest does
// not name are those of earlier builds.
inline void check_file(const std::string& folder, const Json& manifest, const std::string& name) {
    const Json* hashes = find(manifest, "sha256");
    const Json* known = hashes ? find(*hashes, name) : nullptr;
    if (known && sha256(read_file(folder + "/" + name)) != known->get<std::string>())
        throw std::runtime_error(name + " is not what build wrote (SHA-256): build the design again");
}

// Refuses a bitstream that was compiled from other sources than those that lie here now, where
// `make` noted which they were.
inline void check_bitstream(const std::string& folder, const std::string& image) {
    std::ifstream notes(image + ".sources");
    for (std::string hash, name; notes >> hash >> std::ws && std::getline(notes, name);) {
        if (name[0] == '*') name.erase(0, 1);
        if (sha256(read_file(folder + "/" + name)) != hash)
            throw std::runtime_error(image + " was compiled from another " + name +
                                     ": run `make hardware` again");
    }
}

// ---- values: doubles hold those of every element type that a design has

struct Array {
    Shape shape;
    std::vector<double> values;
};

template <typename T>
void to_bytes(const std::vector<double>& values, std::string& bytes) {
    std::vector<T> typed(values.begin(), values.end());
    bytes.assign(reinterpret_cast<const char*>(typed.data()), typed.size() * sizeof(T));
}

template <typename T>
void from_bytes(const std::string& bytes, std::vector<double>& values) {
    std::vector<T> typed(bytes.size() / sizeof(T));
    std::memcpy(typed.data(), bytes.data(), typed.size() * sizeof(T));
    values.assign(typed.begin(), typed.end());
}

// An element type: numpy's name, the one in .npy files, bytes, conversions.
struct Type {
    const char *name, *code;
    size_t bytes;
    void (*encode)(const std::vector<double>&, std::string&);
    void (*decode)(const std::string&, std::vector<double>&);
};

template <typename T>
Type type_of(const char* name, const char* code) {
    return {name, code, sizeof(T), to_bytes<T>, from_bytes<T>};
}

inline const std::vector<Type>& types() {
    static const std::vector<Type> known = {
        type_of<float>("float32", "<f4"),      type_of<double>("float64", "<f8"),
        type_of<int8_t>("int8", "|i1"),        type_of<uint8_t>("uint8", "|u1"),
        type_of<int16_t>("int16", "<i2"),      type_of<uint16_t>("uint16", "<u2"),
        type_of<int32_t>("int32", "<i4"),      type_of<uint32_t>("uint32", "<u4"),
        type_of<int64_t>("int64", "<i8"),      type_of<uint8_t>("bool", "|b1"),
    };
    return known;
}

inline const Type& type_named(const std::string& name) {
    for (const Type& type : types())
        if (name == type.name || name == type.code) return type;
    throw std::runtime_error("element type " + name + " is not supported");
}

// Beyond it float32, which carries integer inputs, skips whole numbers.
const double LARGEST_INTEGER = 1 << 24;

// ---- files

// What follows `key` in the dictionary at the head of a .npy file.
inline std::string field(const std::string& head, const std::string& key) {
    const size_t place = head.find("'" + key + "':");
    if (place == std::string::npos) throw std::runtime_error("its head has no " + key);
    const size_t first = head.find_first_not_of(' ', place + key.size() + 3);
    const char end = head[first] == '(' ? ')' : ',';
    return head.substr(first, head.find(end, first) - first);
}

inline Array read_npy(const std::string& path, const Type& wanted) {
    const std::string data = read_file(path);
    if (data.compare(0, 6, "\x93NUMPY") != 0) throw std::runtime_error(path + ": no .npy file");
    const bool old = data.at(6) == 1;  // its length has two bytes, later ones' four
    const auto byte = [&](size_t n) { return static_cast<size_t>(static_cast<uint8_t>(data.at(n))); };
    const size_t start = old ? 10 : 12;
    const size_t length = byte(8) + (byte(9) << 8) + (old ? 0 : (byte(10) << 16) + (byte(11) << 24));
    const std::string head = data.substr(start, length);
    if (field(head, "fortran_order") != "False")
        throw std::runtime_error(path + ": save it in C order");
    const std::string code = field(head, "descr");
    const Type& type = type_named(code.substr(1, code.size() - 2));
    const bool floats = type.name[0] == 'f';
    if (type.name != wanted.name && !(floats && wanted.name[0] == 'f'))
        throw std::runtime_error(path + ": is " + type.name + ", the network needs " + wanted.name);
    Array array;
    std::istringstream sizes(field(head, "shape").substr(1));
    for (std::string size; std::getline(sizes, size, ',');)
        if (size.find_first_of("0123456789") != std::string::npos)
            array.shape.push_back(std::stol(size));
    type.decode(data.substr(start + length), array.values);
    if (count(array.shape) != static_cast<long>(array.values.size()))
        throw std::runtime_error(path + ": it is truncated");
    return array;
}

// A batch (N, ...) of images of `shape`, which is led by a 1: from a .npy file, or from the bytes of
// any other one, as they are.
inline Array read_images(const std::string& path, Shape shape, const Type& type) {
    const bool npy = path.size() > 4 && path.compare(path.size() - 4, 4, ".npy") == 0;
    Array array;
    if (npy)
        array = read_npy(path, type);
    else
        type.decode(read_file(path), array.values);
    const long image = count(shape), size = static_cast<long>(array.values.size());
    shape[0] = size / image;
    if (size == 0 || size % image || (npy && array.shape != shape))
        throw std::runtime_error(path + ": does not hold images of the network's shape");
    const bool floats = type.name[0] == 'f';
    for (double value : array.values) {
        if (!std::isfinite(floats ? static_cast<float>(value) : value))
            throw std::runtime_error(path + ": holds NaN or infinities");
        if (!floats && std::abs(value) > LARGEST_INTEGER)
            throw std::runtime_error(path + ": holds integers beyond +-16,777,216, which float32 rounds");
    }
    array.shape = shape;
    return array;
}

inline void write_npy(const std::string& path, const Array& array, const Type& type) {
    std::string head = std::string("{'descr': '") + type.code + "', 'fortran_order': False, 'shape': (";
    for (long size : array.shape) head += std::to_string(size) + ",";
    head += "), }";
    head.append(63 - (10 + head.size()) % 64, ' ').push_back('\n');
    std::string bytes;
    type.encode(array.values, bytes);
    std::ofstream file(path, std::ios::binary);
    file << std::string("\x93NUMPY\x01\x00", 8) << static_cast<char>(head.size() & 255)
         << static_cast<char>(head.size() >> 8) << head << bytes;
    if (!file.flush()) throw std::runtime_error(path + ": cannot be written");
}

// ---- from ONNX values to the canonical (1, C, H, W) array and back

inline Array transposed(const Array& array, const Shape& axes) {
    const size_t rank = axes.size();
    Shape strides(rank, 1);
    for (size_t n = rank - 1; n-- > 0;) strides[n] = strides[n + 1] * array.shape[n + 1];
    Array result{Shape(rank), std::vector<double>(array.values.size())};
    for (size_t n = 0; n < rank; ++n) result.shape[n] = array.shape[axes[n]];
    Shape index(rank, 0);
    for (double& value : result.values) {
        long place = 0;
        for (size_t n = 0; n < rank; ++n) place += index[n] * strides[axes[n]];
        value = array.values[place];
        for (size_t n = rank; n-- > 0 && ++index[n] == result.shape[n];) index[n] = 0;
    }
    return result;
}

// Windows of columns become channels: channel kx * C + c at column x is channel c at column
// x * stride + kx * dilation - left, zero outside.
inline Array columns(const Array& array, const Shape& numbers) {
    const long kernel = numbers[0], stride = numbers[1], dilation = numbers[2], left = numbers[3];
    const long channels = array.shape[1], height = array.shape[2], width = array.shape[3];
    Array result{{1, kernel * channels, height, numbers[4]}, {}};
    for (long kx = 0; kx < kernel; ++kx)
        for (long row = 0; row < channels * height; ++row)
            for (long x = 0; x < numbers[4]; ++x) {
                const long column = x * stride + kx * dilation - left;
                const bool inside = column >= 0 && column < width;
                result.values.push_back(inside ? array.values[row * width + column] : 0.0);
            }
    return result;
}

inline Array stepped(Array array, const Json& steps) {
    for (const Json& step : list(steps)) {
        const std::string kind = step.get(0).get<std::string>();
        const Shape numbers = shape_of(step.get(1));
        if (kind == "reshape")
            array.shape = numbers;
        else if (kind == "transpose")
            array = transposed(array, numbers);
        else if (kind == "columns")
            array = columns(array, numbers);
        else
            throw std::runtime_error("design.json: unknown step " + kind);
    }
    return array;
}

// An integer input in float32: multiplied and shifted along an axis of its ONNX value.
inline void prepare(Array& array, const Json* preparation) {
    if (!preparation) return;
    const long axis = integer(*preparation, "axis"), places = array.shape.at(axis);
    const long inner = count(Shape(array.shape.begin() + axis + 1, array.shape.end()));
    const picojson::array &scale = list(at(*preparation, "scale")),
                          &shift = list(at(*preparation, "shift"));
    for (size_t n = 0; n < array.values.size(); ++n) {
        const long place = static_cast<long>(n) / inner % places;
        const float scaled = static_cast<float>(array.values[n]) *
                             static_cast<float>(scale[place].get<double>());
        array.values[n] = scaled + static_cast<float>(shift[place].get<double>());
    }
}

// Where a canonical tensor lies in a buffer: pixel p's vector c of `lanes` channels at element
// (base + p * stride + c) * lanes.
struct Layout {
    std::string buffer;
    long channels, height, width, lanes, base, stride;

    explicit Layout(const Json& j)
        : buffer(text(j, "buffer")), channels(integer(j, "channels")), height(integer(j, "height")),
          width(integer(j, "width")), lanes(integer(j, "lanes")), base(integer(j, "base")),
          stride(integer(j, "stride")) {}

    long pixels() const { return height * width; }
    long vectors() const { return (channels + lanes - 1) / lanes; }
    long first() const { return base * lanes; }
    long span() const { return ((pixels() - 1) * stride + vectors()) * lanes; }
    long place(long channel, long pixel) const { return pixel * stride * lanes + channel; }

    std::vector<double> pack(const Array& canonical) const {
        std::vector<double> memory(span(), 0.0);
        for (long c = 0; c < channels; ++c)
            for (long p = 0; p < pixels(); ++p) memory[place(c, p)] = canonical.values[c * pixels() + p];
        return memory;
    }

    Array unpack(const std::vector<double>& memory) const {
        Array canonical{{1, channels, height, width}, std::vector<double>(channels * pixels())};
        for (long c = 0; c < channels; ++c)
            for (long p = 0; p < pixels(); ++p) canonical.values[c * pixels() + p] = memory[place(c, p)];
        return canonical;
    }
};

}  // namespace hlsgen
