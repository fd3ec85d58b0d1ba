// What stands before a design's text when the audit compiles it: Intel's channels as opaque functions. Every end of a
// channel is a call that is told which channel; the value goes through the pointer that the call gives.
#define channel extern __global
__global void *__read_channel(__global void *end) __attribute__((nomerge));
__global void *__write_channel(__global void *end) __attribute__((nomerge));
#define read_channel_intel(end) (*(__typeof__(&(end)))__read_channel(&(end)))
#define write_channel_intel(end, value) (*(__typeof__(&(end)))__write_channel(&(end)) = (value))
// Of a token only whether it was there matters: it stands for that.
#define read_channel_nb_intel(end, taken) (*(taken) = read_channel_intel(end) != 0)
#define CLK_CHANNEL_MEM_FENCE 4
int get_compute_id(int dimension);

// Comparisons and choices without calls: calls that pass vectors would follow the conventions of the CPU that compiles this.
#undef fmax
#undef fmin
#undef max
#undef min
#define fmax(a, b) ({ __typeof__((a) + (b)) __a = (a), __b = (b); __a > __b ? __a : __b; })
#define fmin(a, b) ({ __typeof__((a) + (b)) __a = (a), __b = (b); __a < __b ? __a : __b; })
#undef select
#undef fabs
#define select(a, b, c) ((c) ? (b) : (a))
#define fabs(a) ({ __typeof__(a) __a = (a); __a < 0 ? -__a : __a; })
#define max(a, b) fmax(a, b)
#undef step
#define step(a, b) ({ __typeof__((a) + (b)) __a = (a), __b = (b); __b < __a ? (__typeof__(__a))(0.0f) : (__typeof__(__a))(1.0f); })
#define min(a, b) fmin(a, b)

// So are conversions, of which kernels have one.
#define convert_uint(x) ((uint)(x))
#define convert_uint2(x) __builtin_convertvector((x), uint2)
#define convert_uint4(x) __builtin_convertvector((x), uint4)
#define convert_uint8(x) __builtin_convertvector((x), uint8)
#define convert_uint16(x) __builtin_convertvector((x), uint16)
#define convert_float(x) ((float)(x))
#define convert_float2(x) __builtin_convertvector((x), float2)
#define convert_float4(x) __builtin_convertvector((x), float4)
#define convert_float8(x) __builtin_convertvector((x), float8)
#define convert_float16(x) __builtin_convertvector((x), float16)
#define convert_int(x) ((int)(x))
#define convert_int2(x) __builtin_convertvector((x), int2)
#define convert_int4(x) __builtin_convertvector((x), int4)
#define convert_int8(x) __builtin_convertvector((x), int8)
#define convert_int16(x) __builtin_convertvector((x), int16)
#define convert_uchar(x) ((uchar)(x))
#define convert_uchar2(x) __builtin_convertvector((x), uchar2)
#define convert_uchar4(x) __builtin_convertvector((x), uchar4)
#define convert_uchar8(x) __builtin_convertvector((x), uchar8)
#define convert_uchar16(x) __builtin_convertvector((x), uchar16)
#define convert_char(x) ((char)(x))
#define convert_char2(x) __builtin_convertvector((x), char2)
#define convert_char4(x) __builtin_convertvector((x), char4)
#define convert_char8(x) __builtin_convertvector((x), char8)
#define convert_char16(x) __builtin_convertvector((x), char16)
#define convert_int_rte(x) convert_int(x)
#define convert_int2_rte(x) convert_int2(x)
#define convert_int4_rte(x) convert_int4(x)
#define convert_int8_rte(x) convert_int8(x)
#define convert_int16_rte(x) convert_int16(x)

// Functions that are units of hardware of their own, lane by lane.
#define __LANES __attribute__((overloadable, always_inline))
#define __UNIT_OF_LANES(f, type) static inline type __LANES f(type x) { return (type)(f(x.lo), f(x.hi)); }
#define __UNIT(name) \
    float __unit_##name(float x) __attribute__((const)); \
    static inline float __LANES __lanes_##name(float x) { return __unit_##name(x); } \
    __UNIT_OF_LANES(__lanes_##name, float2) \
    __UNIT_OF_LANES(__lanes_##name, float4) \
    __UNIT_OF_LANES(__lanes_##name, float8) \
    __UNIT_OF_LANES(__lanes_##name, float16)
#define __UNIT_OF_PAIRS(f, type) static inline type __LANES f(type x, type y) { return (type)(f(x.lo, y.lo), f(x.hi, y.hi)); }
#define __UNIT2(name) \
    float __unit_##name(float x, float y) __attribute__((const)); \
    static inline float __LANES __lanes_##name(float x, float y) { return __unit_##name(x, y); } \
    __UNIT_OF_PAIRS(__lanes_##name, float2) \
    __UNIT_OF_PAIRS(__lanes_##name, float4) \
    __UNIT_OF_PAIRS(__lanes_##name, float8) \
    __UNIT_OF_PAIRS(__lanes_##name, float16)
#define __FMA_OF_LANES(type) \
    static inline type __LANES __lanes_fma(type x, type y, type z) \
    { return (type)(__lanes_fma(x.lo, y.lo, z.lo), __lanes_fma(x.hi, y.hi, z.hi)); }
static inline float __LANES __lanes_fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
__FMA_OF_LANES(float2)
__FMA_OF_LANES(float4)
__FMA_OF_LANES(float8)
__FMA_OF_LANES(float16)
#undef fma
#define fma(x, y, z) __lanes_fma(x, y, z)
#undef exp
__UNIT(exp)
#define exp(x) __lanes_exp(x)
#undef log
__UNIT(log)
#define log(x) __lanes_log(x)
#undef expm1
__UNIT(expm1)
#define expm1(x) __lanes_expm1(x)
#undef log1p
__UNIT(log1p)
#define log1p(x) __lanes_log1p(x)
#undef sqrt
__UNIT(sqrt)
#define sqrt(x) __lanes_sqrt(x)
#undef rsqrt
__UNIT(rsqrt)
#define rsqrt(x) __lanes_rsqrt(x)
#undef tanh
__UNIT(tanh)
#define tanh(x) __lanes_tanh(x)
#undef sin
__UNIT(sin)
#define sin(x) __lanes_sin(x)
#undef cos
__UNIT(cos)
#define cos(x) __lanes_cos(x)
#undef erf
__UNIT(erf)
#define erf(x) __lanes_erf(x)
#undef floor
__UNIT(floor)
#define floor(x) __lanes_floor(x)
#undef ceil
__UNIT(ceil)
#define ceil(x) __lanes_ceil(x)
#undef rint
__UNIT(rint)
#define rint(x) __lanes_rint(x)
#undef trunc
__UNIT(trunc)
#define trunc(x) __lanes_trunc(x)
#undef pow
__UNIT2(pow)
#define pow(x, y) __lanes_pow(x, y)
