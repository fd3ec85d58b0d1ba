"""Where the engines of folded designs could go wrong, or promise what a compiler cannot keep."""

from benchmarks.mutation.mutant import Mutant

ARRAYS = "tests/schedule/test_folded_arrays.py"
OPERATOR = "tests/emulator/test_emulator_operators.py::test_operator"

MUTANTS = (
    Mutant(
        "folded: results leave from the half that comes in",
        "templates/folded/array_results.cl.j2",
        'memory.results.at("2 * pixel + (~group & 1)", 0)',
        'memory.results.at("2 * pixel + (group & 1)", 0)',
        (f"{OPERATOR}[conv_pointwise-folded]",),
        "the next group's results are sent in place of this one's",
    ),
    Mutant(
        "folded: results of further vectors leave from the half that comes in",
        "templates/folded/array_results.cl.j2",
        'memory.results.at("2 * pixel + (~group & 1)", "i")',
        'memory.results.at("2 * pixel + (group & 1)", "i")',
        ("tests/emulator/test_images.py::test_every_engine_takes_several_images[3-4-False]",),
        "all but the first of a group's vectors are the next group's",
    ),
    Mutant(
        "folded: a group's biases are those of its first vector",
        "templates/folded/epilogue.cl.j2",
        "            if (i == t) {\n",
        "            if (i == 0) {\n",
        ("tests/emulator/test_folded_biases.py::test_biases_of_small_and_large_groups[plain]",),
        "biases of other vectors are never kept",
    ),
    Mutant(
        "folded: a window ends at its first row",
        "templates/folded/convolution_tiles.cl.j2",
        "window_ends = row_ends && ky == s.taps_y - 1",
        "window_ends = row_ends",
        (f"{OPERATOR}[conv_plain-folded]",),
        "taps of other rows are read elsewhere",
    ),
    Mutant(
        "folded: rows shorter than a memory's latency",
        "hlsgen/ops/conv_steps.py",
        "return max(columns, MEMORY_DISTANCE) if extent > 1 else columns",
        "return columns",
        (f"{ARRAYS}::test_words_of_memories_rest_long_enough",),
        "a word of the line buffer is loaded before it is stored",
    ),
    Mutant(
        "folded: a tile is read as soon as it is complete",
        "hlsgen/engines/array.py",
        "pass_turns = max(loads, send_turns) + MEMORY_DISTANCE",
        "pass_turns = max(loads, send_turns)",
        (f"{ARRAYS}::test_words_of_memories_rest_long_enough",),
        "its last vectors are loaded before they are stored",
    ),
    Mutant(
        "folded: weights in memory",
        "hlsgen/kernel/step.py",
        'for size in self.shape)} REGISTERS"',
        'for size in self.shape)}"',
        (f"{ARRAYS}::test_arrays_are_declared_as_charged",),
        "the compiler may keep them where a turn cannot read them all",
    ),
)
