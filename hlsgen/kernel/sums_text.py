"""The text of running sums: in a memory, in a shift register, or in global memory."""

from __future__ import annotations

from hlsgen.kernel.derive import interleaved, reduction, sums, sums_array
from hlsgen.kernel.naming import Instance, element, expression, running
from hlsgen.kernel.nest import Nest, row_major
from hlsgen.kernel.writing import Lines, unrolled


def declare_sums(n: Nest, at: Instance) -> Lines:
    """A memory or a shift register."""
    array, length = sums_array(n), sums(n).register_length
    if at.scratch:
        return []
    if array:
        declared = array.memory.declaration(array.vector.ctype)
        return [f"{declared} // output vectors take turns, so that II is 1"]
    kind, note = n.accumulator.ctype, "// shift register: partial sums take turns, so that II is 1"
    return [f"{kind} sums[{length}] REGISTERS; {note}"] * bool(length)


def sums_promise(n: Nest, at: Instance) -> Lines:
    """A sum in a memory rests while other output vectors take turns."""
    words = sums(n).memory
    return [f"#pragma ivdep array(sums) safelen({words})"] * bool(words and not at.scratch)


def accumulate(n: Nest, at: Instance, step: str) -> Lines:
    """Adds the running value to its sum and declares `sum`, complete after the last step. The bias
    is what the first value is added to; both are loaded before one is chosen."""
    kind, zero, s = n.accumulator.ctype, n.types.accumulator.zero, sums(n)
    output, value = expression(n, row_major(interleaved(n.sequential))), running(n)
    memory = at.scratch or s.memory > 0
    place = f"{'scratch' if at.scratch else 'sums'}[{output}]" if memory else "sums[0]"
    name = "sum" if memory else "partial"
    first = element(n, n.bias) if bias_first(n, at) and n.bias else ""
    if at.scratch:
        begun = f"{first} + {value}" if first else value
        lines = [f"const {kind} {name} = {step} == 0 ? {begun} : {place} + {value};"]
    else:
        lines = [f"const {kind} rested = {place};"]
        parts = 1 if memory else n.partial_sums
        if first:
            fresh = f"{step} < {parts} ? {zero} : " if parts > 1 else ""
            lines += [
                f"const {kind} start = {first};",
                f"const {kind} before = {step} == 0 ? start : {fresh}rested;",
                f"const {kind} {name} = before + {value};",
            ]
        else:
            lines.append(f"const {kind} {name} = ({step} < {parts} ? {zero} : rested) + {value};")
    return lines + ([f"{place} = sum;"] if memory else shifted_sums(n))


def shifted_sums(n: Nest) -> Lines:
    """The shift register moves on; what it holds of this output is added up."""
    s = sums(n)
    newest = s.register_length - 1
    lines = unrolled("i", 0, newest, ["sums[i] = sums[i + 1];"])
    lines += [f"sums[{newest}] = partial;", f"{n.accumulator.ctype} sum = partial;"]
    if s.used > 1:
        lines += unrolled("i", 1, s.used, [f"sum += sums[{newest} - i * {s.outs}];"])
    return lines


def bias_first(n: Nest, at: Instance) -> bool:
    """Whether the first value is added to the bias, which takes no adder of its own."""
    return n.bias is not None and reduction(n)[0] > 1 and at.fuse
