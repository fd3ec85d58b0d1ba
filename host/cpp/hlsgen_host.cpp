// Runs a design directory on an OpenCL device: a host without Python, to build products on.
//
//   hlsgen_host DESIGN [NAME=]FILE... [--output FOLDER] [--device board|emulator|N]
//               [--repeat N] [--concurrent] [--timeout SECONDS]
//
// FILE holds images (N, ...): a .npy file, or bytes as they are. Outputs are written as NAME.npy,
// images a second are printed. A board runs all kernels at once; other devices run them one after
// another, or all at once with --concurrent.

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "design.hpp"

using namespace hlsgen;
using Clock = std::chrono::steady_clock;

// Batches of a pipelined design are limited on the emulator, whose FIFOs hold whole batches then.
const long BATCH_VALUES = 1L << 25;

double since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

void check(cl_int status, const std::string& what) {
    if (status != CL_SUCCESS)
        throw std::runtime_error(what + ": OpenCL error " + std::to_string(status));
}

// ---- devices

struct Device {
    cl_platform_id platform;
    cl_device_id id;
    std::string name, platform_name;

    bool emulator() const { return has("FPGA") && has("Emulation"); }
    bool board() const { return has("FPGA") && !has("Emulation"); }
    bool has(const char* word) const { return platform_name.find(word) != std::string::npos; }
};

std::vector<Device> devices() {
    cl_uint platforms = 0;
    if (clGetPlatformIDs(0, nullptr, &platforms) != CL_SUCCESS) return {};
    std::vector<cl_platform_id> ids(platforms);
    check(clGetPlatformIDs(platforms, ids.data(), nullptr), "listing platforms");
    std::vector<Device> found;
    for (cl_platform_id platform : ids) {
        char text[1024] = "";
        clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof text, text, nullptr);
        const std::string platform_name = text;
        cl_uint number = 0;
        if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &number) != CL_SUCCESS) continue;
        std::vector<cl_device_id> here(number);
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, number, here.data(), nullptr);
        for (cl_device_id id : here) {
            clGetDeviceInfo(id, CL_DEVICE_NAME, sizeof text, text, nullptr);
            found.push_back({platform, id, text, platform_name});
        }
    }
    return found;
}

Device chosen(const std::string& wanted) {
    const std::vector<Device> found = devices();
    for (size_t n = 0; n < found.size(); ++n)
        if ((wanted == "board" && found[n].board()) || (wanted == "emulator" && found[n].emulator()) ||
            wanted == std::to_string(n))
            return found[n];
    std::string text = "there is no OpenCL device " + wanted + " among";
    for (const Device& device : found) text += "\n  " + device.name + " (" + device.platform_name + ")";
    throw std::runtime_error(text + (found.empty() ? " none" : ""));
}

// ---- a design on a device

class Executor {
public:
    Executor(const std::string& folder, const Device& device, bool concurrent, long images)
        : folder_(folder), manifest_(read_manifest(folder)), device_(device),
          concurrent_(concurrent && find(at(manifest_, "runs"), "concurrent")),
          run_(at(at(manifest_, "runs"), concurrent_ ? "concurrent" : "sequential")),
          batched_(at(manifest_, "batched").get<bool>()), batch_(batch_size(images)) {
        if (const Json* ahead = find(run_, "ahead")) ahead_ = list(*ahead);
        cl_int status;
        context_ = clCreateContext(nullptr, 1, &device_.id, nullptr, nullptr, &status);
        check(status, "creating a context");
        build();
        for (const auto& [name, entry] : at(manifest_, "buffers").get<picojson::object>()) {
            if (flag(entry, "tap")) continue;  // for validation alone
            buffers_[name] = make_buffer(entry);
            if (!ahead_.empty() && flag(entry, "alternating")) other_[name] = make_buffer(entry);
        }
    }

    const Json& manifest() const { return manifest_; }
    long batch() const { return batch_; }

    // Runs batches of inputs, each (images, ...) by name, all of them `repeat` times. Calls `done`
    // with the number of a batch and the seconds of its kernels while its results are in the
    // buffers.
    template <typename Done>
    void execute(const std::vector<std::map<std::string, Array>>& batches, size_t repeat, double timeout,
                 Done done) {
        const size_t runs = repeat * batches.size();
        for (size_t n = 0; n < runs; ++n) {
            const std::map<std::string, Array>& batch = batches[n % batches.size()];
            const long images = batch.begin()->second.shape[0];
            picojson::array launches = list(at(run_, "launches"));
            double prepared = 0;
            if (ahead_.empty()) {
                write_inputs(batch);
            } else {
                // The next batch is prepared while this one is computed.
                if (n == 0) {
                    write_inputs(batch);
                    prepared = launch_all(ahead_, images, timeout);
                }
                for (auto& [name, buffer] : other_) std::swap(buffers_[name], buffer);
                swapped_ = !swapped_;
                if (n + 1 < runs) {
                    write_inputs(batches[(n + 1) % batches.size()]);
                    launches.insert(launches.end(), ahead_.begin(), ahead_.end());
                }
            }
            done(n % batches.size(), prepared + launch_all(launches, images, timeout));
        }
    }

    // An output of image `index` of the batch as an ONNX value (1, ...).
    Array output(const Json& port, long index) {
        const Layout layout(at(port, "layout"));
        const Type& type = type_named(text(buffer_entry(layout.buffer), "dtype"));
        std::string bytes(layout.span() * type.bytes, '\0');
        check(clEnqueueReadBuffer(queue("host"), buffers_.at(layout.buffer), CL_TRUE,
                                  offset(layout, index) * type.bytes, bytes.size(), bytes.data(), 0,
                                  nullptr, nullptr), "reading outputs");
        std::vector<double> memory;
        type.decode(bytes, memory);
        return stepped(layout.unpack(memory), at(port, "steps"));
    }

    const Type& output_type(const Json& port) const {
        return type_named(text(buffer_entry(text(at(port, "layout"), "buffer")), "dtype"));
    }

private:
    std::string folder_;
    Json manifest_;
    Device device_;
    bool concurrent_;
    const Json& run_;
    bool batched_;
    long batch_;
    picojson::array ahead_;
    cl_context context_ = nullptr;
    cl_program program_ = nullptr;
    std::map<std::string, cl_mem> buffers_, other_;
    std::map<std::string, cl_command_queue> queues_;
    // By the text of the launch, and whether the alternating buffers are swapped.
    std::map<std::pair<std::string, bool>, cl_kernel> kernels_;
    bool swapped_ = false, started_ = false;

    const Json& buffer_entry(const std::string& name) const {
        return at(at(manifest_, "buffers"), name);
    }

    long batch_size(long images) const {
        if (!batched_) return find(manifest_, "images") ? integer(manifest_, "images") : 1;
        if (concurrent_) return images;
        long values = 1;
        for (const auto& [name, entry] : at(manifest_, "buffers").get<picojson::object>())
            if (flag(entry, "per_image")) values += integer(entry, "elements");
        return std::max(1L, std::min(images, BATCH_VALUES / values));
    }

    // From aoc's binary on a board, from source elsewhere.
    void build() {
        cl_int status, loaded = CL_SUCCESS;
        std::string options;
        if (device_.board()) {
            const std::string name = folder_ + "/bin/" + text(manifest_, "name") + ".aocx";
            check_bitstream(folder_, name);
            const std::string image = read_file(name);
            const auto* bytes = reinterpret_cast<const unsigned char*>(image.data());
            const size_t size = image.size();
            program_ = clCreateProgramWithBinary(context_, 1, &device_.id, &size, &bytes, &loaded, &status);
            check(loaded, name);
        } else {
            std::string source;
            for (const Json& name : list(at(manifest_, "kernels")))
                source += read_file(folder_ + "/" + name.get<std::string>()) + "\n";
            for (const Json* part : {&at(manifest_, "options"), &at(run_, "options")})
                for (const Json& option : list(*part)) options += option.get<std::string>() + " ";
            if (batched_) options += "-DHLSGEN_IMAGES=" + std::to_string(batch_);
            const char* lines = source.c_str();
            program_ = clCreateProgramWithSource(context_, 1, &lines, nullptr, &status);
        }
        check(status, "loading the program");
        if (clBuildProgram(program_, 1, &device_.id, options.c_str(), nullptr, nullptr) != CL_SUCCESS) {
            size_t size = 0;
            clGetProgramBuildInfo(program_, device_.id, CL_PROGRAM_BUILD_LOG, 0, nullptr, &size);
            std::string log(size, '\0');
            clGetProgramBuildInfo(program_, device_.id, CL_PROGRAM_BUILD_LOG, size, log.data(), nullptr);
            throw std::runtime_error("the kernels do not compile:\n" + log);
        }
    }

    // Filled from the weights file where the manifest says so.
    cl_mem make_buffer(const Json& entry) {
        const size_t size = integer(entry, "elements") * type_named(text(entry, "dtype")).bytes;
        cl_int status;
        cl_mem buffer;
        // On a board it may lie in a bank of its own: CL_CHANNEL_1_INTELFPGA to 7.
        const long number = find(entry, "bank") ? integer(entry, "bank") : 0;
        const cl_mem_flags bank = device_.board() ? static_cast<cl_mem_flags>(number) << 16 : 0;
        if (const Json* section = find(entry, "section")) {
            std::string bytes = read_section(section->get<std::string>(), size);
            buffer = clCreateBuffer(context_, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR | bank,
                                    size, bytes.data(), &status);
        } else {
            const size_t whole = size * (flag(entry, "per_image") ? batch_ : 1);
            buffer = clCreateBuffer(context_, CL_MEM_READ_WRITE | bank, whole, nullptr, &status);
        }
        check(status, "creating a buffer");
        return buffer;
    }

    std::string read_section(const std::string& name, size_t size) const {
        const Json& weights = at(manifest_, "weights");
        for (const Json& section : list(at(weights, "sections"))) {
            if (text(section, "name") != name) continue;
            std::ifstream file(folder_ + "/" + text(weights, "file"), std::ios::binary);
            std::string bytes(size, '\0');
            file.seekg(integer(section, "offset"));
            if (!file.read(bytes.data(), size)) throw std::runtime_error("weights: they are truncated");
            return bytes;
        }
        throw std::runtime_error("design.json: there is no section " + name);
    }

    // One in-order queue where kernels follow each other, else one a name.
    cl_command_queue queue(const std::string& name) {
        cl_command_queue& found = queues_[concurrent_ ? name : "queue"];
        if (!found) {
            cl_int status;
            found = clCreateCommandQueue(context_, device_.id, 0, &status);
            check(status, "creating a queue");
        }
        return found;
    }

    void write_inputs(const std::map<std::string, Array>& inputs) {
        for (const Json& port : list(at(manifest_, "inputs"))) {
            const Array& images = inputs.at(text(port, "name"));
            const Layout layout(at(port, "layout"));
            const Type& type = type_named(text(buffer_entry(layout.buffer), "dtype"));
            const long last = images.shape[0] - 1, size = count(images.shape) / (last + 1);
            // A design that takes several images a launch gets the last one again where there are
            // fewer.
            for (long index = 0; index < (batched_ ? last + 1 : batch_); ++index) {
                const auto start = images.values.begin() + std::min(index, last) * size;
                Array image{images.shape, std::vector<double>(start, start + size)};
                image.shape[0] = 1;
                prepare(image, find(port, "preparation"));
                std::string bytes;
                type.encode(layout.pack(stepped(image, at(port, "steps"))), bytes);
                check(clEnqueueWriteBuffer(queue("host"), buffers_.at(layout.buffer), CL_TRUE,
                                           offset(layout, index) * type.bytes, bytes.size(),
                                           bytes.data(), 0, nullptr, nullptr), "writing inputs");
            }
        }
    }

    // Where a tensor of image `index` of the batch begins, in elements.
    long offset(const Layout& layout, long index) const {
        const Json& entry = buffer_entry(layout.buffer);
        return layout.first() + (flag(entry, "per_image") ? index * integer(entry, "elements") : 0);
    }

    // The seconds that launches took, those after programming included where they are the first.
    double launch_all(const picojson::array& launches, long images, double timeout) {
        // A blocking write returns when its source may change; other queues do not wait for it.
        check(clFinish(queue("host")), "writing inputs");
        const auto start = Clock::now();
        std::vector<std::pair<std::string, cl_event>> events;
        if (!started_)
            for (const Json& item : list(at(run_, "once"))) events.push_back(launch(item, images));
        started_ = true;
        for (const Json& item : launches) events.push_back(launch(item, images));
        for (auto& [name, queue] : queues_) clFlush(queue);
        for (auto& [name, event] : events) {
            wait(name, event, start, timeout);
            clReleaseEvent(event);
        }
        return since(start);
    }

    std::pair<std::string, cl_event> launch(const Json& item, long images) {
        const std::string name = text(item, "kernel");
        cl_kernel& kernel = kernels_[{item.serialize(), swapped_}];
        cl_int status = CL_SUCCESS;
        if (!kernel) kernel = clCreateKernel(program_, name.c_str(), &status);
        check(status, "kernel " + name);
        set_arguments(kernel, item, images);
        const size_t one = 1;
        cl_event event;
        check(clEnqueueNDRangeKernel(queue(text(item, "queue")), kernel, 1, nullptr, &one, &one, 0,
                                     nullptr, &event), "launching " + name);
        return {name, event};
    }

    // What is launched ahead works on the memories of the next batch.
    void set_arguments(cl_kernel kernel, const Json& item, long images) {
        const bool next = std::find(ahead_.begin(), ahead_.end(), item) != ahead_.end();
        cl_uint position = 0;
        for (const Json& argument : list(at(item, "arguments"))) {
            if (flag(argument, "tap")) continue;
            if (const Json* buffer = find(argument, "buffer")) {
                const std::string name = buffer->get<std::string>();
                const cl_mem memory = next && other_.count(name) ? other_.at(name) : buffers_.at(name);
                check(clSetKernelArg(kernel, position++, sizeof memory, &memory), name);
            } else {
                const Json* number = find(argument, "int");
                const cl_int value = static_cast<cl_int>(number ? number->get<double>() : images);
                check(clSetKernelArg(kernel, position++, sizeof value, &value), "a number");
            }
        }
    }

    // A kernel that waits on a channel for ever would never let clWaitForEvents return.
    static void wait(const std::string& name, cl_event event, Clock::time_point start, double timeout) {
        for (cl_int status = CL_QUEUED; status != CL_COMPLETE;) {
            check(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status,
                                 nullptr), "asking for a kernel");
            if (status < 0) check(status, "kernel " + name);
            if (status != CL_COMPLETE && since(start) > timeout)
                throw std::runtime_error("kernel " + name + " has not finished in time");
            if (status != CL_COMPLETE && since(start) > 0.001)
                std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
    }
};

// ---- the command

struct Options {
    std::string design, device = "board", output;
    std::vector<std::string> inputs;
    long repeat = 1;
    bool concurrent = false;
    double timeout = 120;
};

Options parse(int argc, char** argv) {
    Options options;
    std::vector<std::string> plain;
    for (int n = 1; n < argc; ++n) {
        const std::string word = argv[n];
        const auto value = [&] {
            if (++n == argc) throw std::runtime_error(word + " needs a value");
            return std::string(argv[n]);
        };
        if (word == "--device") options.device = value();
        else if (word == "--output") options.output = value();
        else if (word == "--repeat") options.repeat = std::stol(value());
        else if (word == "--timeout") options.timeout = std::stod(value());
        else if (word == "--concurrent") options.concurrent = true;
        else if (word.compare(0, 2, "--") == 0) throw std::runtime_error("unknown option " + word);
        else plain.push_back(word);
    }
    if (plain.size() < 2 || options.repeat < 1)
        throw std::runtime_error("usage: hlsgen_host DESIGN [NAME=]FILE... [--output FOLDER] "
                                 "[--device board|emulator|N] [--repeat N] [--concurrent] [--timeout S]");
    options.design = plain[0];
    options.inputs.assign(plain.begin() + 1, plain.end());
    return options;
}

// The images of every input by its name, all of the same number.
std::map<std::string, Array> read_inputs(const Options& options, const Json& manifest) {
    std::map<std::string, Array> inputs;
    const picojson::array& ports = list(at(manifest, "inputs"));
    for (const Json& port : ports) {
        const std::string name = text(port, "name");
        for (const std::string& given : options.inputs) {
            const bool named = given.compare(0, name.size() + 1, name + "=") == 0;
            if (!named && ports.size() > 1) continue;
            inputs[name] = read_images(named ? given.substr(name.size() + 1) : given,
                                       shape_of(at(port, "shape")), type_named(text(port, "dtype")));
        }
        if (!inputs.count(name)) throw std::runtime_error("input " + name + " is missing: give " + name + "=FILE");
        if (inputs[name].shape[0] != inputs.begin()->second.shape[0])
            throw std::runtime_error("inputs hold different numbers of images");
    }
    return inputs;
}

// Images `first` to `last` of all inputs.
std::map<std::string, Array> part(const std::map<std::string, Array>& inputs, long first, long last) {
    std::map<std::string, Array> batch;
    for (const auto& [name, array] : inputs) {
        const long image = count(array.shape) / array.shape[0];
        Array& taken = batch[name];
        taken.shape = array.shape;
        taken.shape[0] = last - first;
        taken.values.assign(array.values.begin() + first * image, array.values.begin() + last * image);
    }
    return batch;
}

// Names of outputs may hold what names of files may not.
std::string file_name(std::string name) {
    for (char& c : name)
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-') c = '_';
    return name + ".npy";
}

void append(Array& all, const Array& image) {
    if (all.shape.empty()) {
        all.shape = image.shape;
        all.shape[0] = 0;
    }
    ++all.shape[0];
    all.values.insert(all.values.end(), image.values.begin(), image.values.end());
}

void run(const Options& options) {
    const Json manifest = read_manifest(options.design);
    if (manifest.contains("links"))
        throw std::runtime_error("the design is one board of a system, which the Python host runs");
    if (manifest.contains("cut"))
        std::cerr << "note: the design is a part of its network; head.onnx and tail.onnx are left to you\n";
    check_file(options.design, manifest, text(at(manifest, "weights"), "file"));
    const std::map<std::string, Array> inputs = read_inputs(options, manifest);
    const long images = inputs.begin()->second.shape[0];
    const Device device = chosen(options.device);
    Executor executor(options.design, device, options.concurrent || device.board(), images);
    const picojson::array& ports = list(at(executor.manifest(), "outputs"));
    std::vector<std::map<std::string, Array>> batches;
    for (long first = 0; first < images; first += executor.batch())
        batches.push_back(part(inputs, first, std::min(images, first + executor.batch())));

    std::map<std::string, Array> outputs;
    double kernels = 0;
    long done = 0;
    const auto start = Clock::now();
    executor.execute(batches, options.repeat, options.timeout, [&](size_t n, double seconds) {
        kernels += seconds;
        const long size = batches[n].begin()->second.shape[0];
        for (long index = 0; index < size; ++index, ++done)
            for (const Json& port : ports) {
                const Array value = executor.output(port, index);
                if (done < images) append(outputs[text(port, "name")], value);
            }
    });
    const double whole = since(start);
    if (!options.output.empty())
        for (const Json& port : ports)
            write_npy(options.output + "/" + file_name(text(port, "name")),
                      outputs[text(port, "name")], executor.output_type(port));
    std::printf("%ld images on %s: %.4g images/s (kernels), %.4g with transfers\n", done,
                device.name.c_str(), done / kernels, done / whole);
}

int main(int argc, char** argv) {
    int status = 0;
    try {
        run(parse(argc, argv));
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << std::endl;
        status = 2;
    }
    std::fflush(stdout);
    // Kernels that start by themselves never end: the emulator would wait for them.
    std::_Exit(status);
}
