"""Words that a layer must not be called: they mean something else in the generated OpenCL."""

WORDS = """
    auto bool break case char const continue default do double else enum event_t extern float for
    goto half if image1d_t image2d_t image3d_t inline int intptr_t kernel long private global
    local constant ptrdiff_t register restrict return sampler_t short signed size_t sizeof static
    struct switch typedef uchar uint uintptr_t ulong union unsigned ushort void volatile while
    channel main read_only write_only read_write pipe uniform asm typeof vec lanes

    acos acosh acospi asin asinh asinpi atan atan2 atanh atanpi atan2pi cbrt ceil copysign cos
    cosh cospi erf erfc exp exp2 exp10 expm1 fabs fdim floor fma fmax fmin fmod fract frexp hypot
    ilogb ldexp lgamma lgamma_r log log2 log10 log1p logb mad maxmag minmag modf nan nextafter pow
    pown powr remainder remquo rint rootn round rsqrt sin sincos sinh sinpi sqrt tan tanh tanpi
    tgamma trunc abs abs_diff add_sat hadd rhadd clamp clz max min rotate sub_sat upsample
    popcount mad24 mul24 degrees mix radians step smoothstep sign cross dot distance length
    normalize all any bitselect select isnan isinf isfinite isequal signbit vec_step shuffle
    shuffle2 printf barrier mem_fence prefetch

    feature_reader residual_reader parameter_reader epilogue writer weight_loader read_input
    write_output link_in link_out link_word
"""
# C and OpenCL C keywords and types; built-in functions; kernels that the templates add.
SCALARS = (
    "char",
    "uchar",
    "short",
    "ushort",
    "int",
    "uint",
    "long",
    "ulong",
    "float",
    "double",
    "half",
    "lanes",
)
RESERVED = frozenset(WORDS.split()) | {
    f"{scalar}{n}" for scalar in SCALARS for n in (1, 2, 3, 4, 8, 16)
}
# Families of built-in functions, and kernels that the templates add.
PREFIXES = (
    "as_", "convert_", "native_", "half_", "atomic_", "atom_", "get_", "vload", "vstore", "async_",
    "work_group_", "read_", "write_", "sub_group_", "intel_", "cl_", "weights_bank_",
)  # fmt: skip
# What the templates append to a layer's name to name something of its own.
SUFFIXES = (
    "_weights", "_parts", "_reciprocal", "_rows", "_columns", "_channels", "_other_rows",
    "_other_columns", "_other_channels", "_needed", "_weight", "_vectors", "_collected", "_collect",
    "_filters", "_streamed", "_words", "_room",
)  # fmt: skip
