"""The text from a finished sum to a vector that leaves: factor, bias, activation, channels."""

from __future__ import annotations

from hlsgen.activation import c_float
from hlsgen.kernel.derive import reducing, reduction
from hlsgen.kernel.naming import Instance, element, expression, result_index
from hlsgen.kernel.nest import Conversion, Nest, row_major, size
from hlsgen.kernel.sums_text import accumulate, bias_first
from hlsgen.kernel.writing import Lines, block, indented, unrolled
from hlsgen.quantised import limits
from hlsgen.types import INT32, DataType


def scales(n: Nest, at: Instance) -> Lines:
    """A table of factors, by how many values count."""
    if not n.epilogue.scales:
        return []
    found = ", ".join(map(c_float, n.epilogue.scales))
    kind, count = n.types.accumulator.ctype, len(n.epilogue.scales)
    what = "rows * columns" if n.epilogue.conversion else "1 / (rows * columns)"
    return [
        f"// At the borders fewer values count: {what}, row by row.",
        f"__constant {kind} {at.name}_{scale_name(n)}[{count}] = {{ {found} }};",
        "",
    ]


def scale_lines(n: Nest, at: Instance) -> Lines:
    """The factor of this position, where it depends on how many values count."""
    e = n.epilogue
    if not e.scales:
        return []
    lines = ["int rows = 0, columns = 0;"]
    for name, c in zip(("rows", "columns"), e.counted, strict=True):
        spread = f" * {c.dilation}" if c.dilation > 1 else ""
        place = f"{c.loop} - {(c.taps - 1) * c.dilation} + k{spread}"
        lines += unrolled("k", 0, c.taps, [f"{name} += {place} >= {c.low} && {place} < {c.high};"])
    index = f"rows * {e.counted[1].taps + 1} + columns"
    kind = n.types.accumulator.ctype
    name = scale_name(n)
    return [*lines, f"const {kind} {name} = {at.name}_{name}[{index}];"]


def scale_name(n: Nest) -> str:
    """What a factor that depends on how many values count is called: conversions divide by it."""
    return "count" if n.epilogue.conversion else "reciprocal"


def scaled(n: Nest, value: str) -> str:
    """A finished sum times its factor."""
    if n.epilogue.conversion:
        return value
    if n.epilogue.scales:
        return f"{value} * reciprocal"
    return value if n.epilogue.scale is None else f"{value} * {c_float(n.epilogue.scale)}"


def activated(n: Nest, value: str) -> str:
    """The activation of a value."""
    found = n.epilogue.activation
    return found.expression(value) if found else value


def converted_sum(n: Nest, value: str, factor: str) -> str:
    """A finished sum with its bias in the type of the result; `factor`: its vector of factors."""
    c = n.epilogue.conversion
    if c is None:
        return value
    return conversion_text(c, value, factor or scale_name(n), n.types.result, n.accumulator.lanes)


def conversion_text(c: Conversion, value: str, factor: str, kind: DataType, lanes: int) -> str:
    """A sum of so many lanes as a value of a type: kept within it before it is rounded, which no
    integer then overflows."""
    found = c.expression.format(value, factor)
    if not kind.integer:
        return found
    low, high = (f"{limit - c.zero:.1f}f" for limit in limits(kind))
    whole = f"convert_{INT32.vector(lanes)}_rte(fmin(fmax({found}, {low}), {high}))"
    return f"convert_{kind.vector(lanes)}({whole}{f' + {c.zero}' if c.zero else ''})"


def factor_of(n: Nest) -> str:
    """The vector of factors of an output vector."""
    c = n.epilogue.conversion
    return element(n, c.factors) if c and c.factors else ""


def finish(n: Nest, at: Instance, value: str) -> Lines:
    """From a finished sum to a result: in one expression, or (fusion off) in loops of their own
    once a pixel."""
    index, kind = result_index(n), n.result.ctype
    sums = n.accumulator.ctype
    if not at.fuse:
        return finish_apart(n, at, scaled(n, value), index)
    bias = f" + {element(n, n.bias)}" if n.bias and not bias_first(n, at) else ""
    return [
        f"const {sums} biased = {scaled(n, value)}{bias};",
        f"const {kind} result = {cleared(n, concluding(n, 'biased', factor_of(n)), index)};",
        *emit(at, "result"),
    ]


def concluding(n: Nest, value: str, factor: str) -> str:
    """From a sum with its bias to a result: converted, then the activation."""
    return activated(n, converted_sum(n, value, factor))


def concluded(n: Nest, at: Instance, value: str) -> Lines:
    """A running value is added to its sum, and after the last step the result leaves."""
    steps = reduction(n)[0]
    if steps == 1:
        return finish(n, at, value)
    step = expression(n, row_major(reducing(n)))
    done = finish(n, at, "sum")
    return [*accumulate(n, at, step), *block(f"if ({step} == {steps - 1}) ", done)]


def declare_pixel(n: Nest, at: Instance) -> Lines:
    """Where the results of a pixel wait (fusion off)."""
    if at.fuse or n.combine.kind == "pass":
        return []
    return [f"{n.accumulator.ctype} pixel[{size(n.outputs)}];"]


def finish_apart(n: Nest, at: Instance, value: str, index: str) -> Lines:
    """Bias, activation and output one after another, when a pixel is complete."""
    count = size(n.outputs)
    over = ["#pragma unroll 1", f"for (int i = 0; i < {count}; ++i)"]
    lines: Lines = []
    if n.bias:
        lines += [*over, *indented(["pixel[i] += bias[i];"])]
    c, result = n.epilogue.conversion, "pixel[i]"
    if c:
        result = concluding(n, result, f"{c.factors.memory.name}[i]" if c.factors else "")
    elif n.epilogue.activation:
        lines += [*over, *indented([f"pixel[i] = {activated(n, 'pixel[i]')};"])]
    lines += [over[0], *block(f"{over[1]} ", emit(at, cleared(n, result, "i")))]
    return [f"pixel[{index}] = {value};", *block(f"if ({index} == {count - 1}) ", lines)]


def sliced(n: Nest, at: Instance, value: str) -> Lines:
    """A finished slice waits for the others of its vector."""
    loop, part = n.slicing, n.accumulator.ctype
    assert loop is not None and n.bias is not None
    done = emit(at, cleared(n, "result.v", result_index(n)))
    return [
        f"const {part} biased = {scaled(n, value)} + {element(n, n.bias)};",
        f"result.part[{loop.name}] = {concluding(n, 'biased', factor_of(n))};",
        *block(f"if ({loop.name} == {loop.bound - 1}) ", done),
    ]


def cleared(n: Nest, value: str, index: str) -> str:
    """A result with zeros in the lanes of a pixel's last vector that hold no channel, where the
    layer's function may have no finite value."""
    unused, lanes, last = n.epilogue.unused, n.lanes, size(n.outputs) - 1
    if not unused:
        return value
    mask = f"(int{lanes})({', '.join(['0'] * (lanes - unused) + ['-1'] * unused)})"
    chosen = f"{index} == {last} ? {mask} : (int{lanes})(0)" if last else mask
    return f"select({value}, ({n.result.ctype})({n.types.result.zero}), {chosen})"


def emit(at: Instance, value: str) -> Lines:
    """Sends an output vector to every reader."""
    return [*(f"write_channel_intel({name}, {value});" for name in at.targets), f"TAP({value});"]
