"""Descriptions of pipelined kernels: wrong guards, orders, indices, times."""

from benchmarks.mutation.mutant import Mutant

TIMES = "tests/schedule/test_words_in_time.py"
OPERATOR = "tests/emulator/test_emulator_operators.py::test_operator"

MUTANTS = (
    Mutant(
        "describe: when a broadcast operand arrives",
        "hlsgen/ops/binary.py",
        '(Guard("p", 0, 1),)',
        '(Guard("o", 0, 1),)',
        (f"{TIMES}::test_a_broadcast_operand_arrives_with_the_first_pixel",),
        "the kernel waits for words that nobody sends",
    ),
    Mutant(
        "describe: whose turn it is in a concatenation",
        "hlsgen/ops/concat.py",
        'turn = Guard("c", first, count)',
        'turn = Guard("c", 0, count)',
        (f"{TIMES}::test_inputs_of_a_concatenation_take_turns_in_every_pixel",),
        "FIFOs are sized for another order",
    ),
    Mutant(
        "describe: which constant a vector meets",
        "hlsgen/ops/elementwise.py",
        'VECTOR = Index((("o", 1),))',
        "VECTOR = Index()",
        (f"{OPERATOR}[prelu-pipelined]",),
        "all channels get the first ones' slopes",
    ),
    Mutant(
        "describe: a held vector is not kept",
        "hlsgen/kernel/operand_text.py",
        "        *stored(source.held.memory, index, name),\n",
        "",
        (f"{OPERATOR}[mul_two_inputs_broadcast-pipelined]",),
        "pixels after the first meet what was never stored",
    ),
    Mutant(
        "describe: the order of constants",
        "hlsgen/ops/base.py",
        "(nest.bias, *nest.constants)",
        "(*nest.constants, nest.bias)",
        (f"{OPERATOR}[batch_normalization-pipelined]",),
        "scale and shift are exchanged",
    ),
    Mutant(
        "describe: the last pixel of a data movement",
        "hlsgen/ops/gather_kernel.py",
        ", pixels), Phase(length)",
        ", pixels),",
        (f"{TIMES}::test_data_movement",),
        "the last pixel stays in the buffer",
    ),
    Mutant(
        "describe: pauses of a data movement",
        "hlsgen/ops/gather_kernel.py",
        "count + 2 * MEMORY_DISTANCE",
        "count + MEMORY_DISTANCE",
        (f"{TIMES}::test_data_movement",),
        "the kernel ends before its last row",
    ),
    Mutant(
        "describe: normalised vectors leave too early",
        "hlsgen/ops/lrn.py",
        "Pace(count, width - 1 + layer.attributes.after, width)",
        "Pace(count, width - 1, width)",
        (f"{TIMES}::test_normalisation_across_channels",),
        "the simulator is ahead of the kernel",
    ),
)
