"""Declares the few built-in functions that kernels call, in place of all of OpenCL's, for the
emulator.

The emulator's compiler parses its header of all functions, 17,000 lines, for every program: 0.13 s,
which is five times what the kernels of a small design take. The header is skipped where the macro
that guards it is defined; types, `as_int` and its like, and printf are in another, small one.
"""

from __future__ import annotations

from collections.abc import Iterator

# The option that makes the compiler skip its header.
SKIP_HEADER = "-D_OPENCL_H_"
WIDTHS = ("", "2", "4", "8", "16")
OF_ONE = ("ceil", "cos", "erf", "exp", "expm1", "fabs", "floor", "log", "log1p", "rint", "rsqrt",
          "sin", "sqrt", "tanh", "trunc")  # fmt: skip
INTEGERS = ("char", "uchar", "short", "ushort", "int", "uint")
OF_TWO = ("fmax", "fmin", "pow", "step")


def signatures() -> Iterator[str]:
    """What is declared, as in the compiler's header."""
    for width in WIDTHS:
        vector = f"float{width}"
        yield from (f"{vector} {name}({vector})" for name in OF_ONE)
        yield from (f"{vector} {name}({vector}, {vector})" for name in OF_TWO)
        yield f"{vector} fma({vector}, {vector}, {vector})"
        for kind in INTEGERS:
            yield f"{vector} convert_float{width}({kind}{width})"
            for suffix in ("", "_rte", "_sat", "_sat_rte"):
                yield f"{kind}{width} convert_{kind}{width}{suffix}({vector})"
            for other in INTEGERS:
                yield f"{kind}{width} convert_{kind}{width}({other}{width})"
                yield f"{kind}{width} convert_{kind}{width}_sat({other}{width})"
        yield f"{vector} select({vector}, {vector}, int{width})"
        if width:
            yield from (f"{vector} {name}({vector}, float)" for name in ("fmax", "fmin"))
            yield f"{vector} step(float, {vector})"
    yield "int max(int, int)"


# Goes before a program's text, whose lines keep their numbers.
DECLARATIONS = "\n".join(
    [
        '#include "opencl-c-base.h"',
        *(f"__attribute__((overloadable, const)) {signature};" for signature in signatures()),
        "__attribute__((overloadable)) void mem_fence(cl_mem_fence_flags);",
        "#line 1\n",
    ]
)
