"""Where the yardstick, or what is said of aoc's report, could be wrong."""

from benchmarks.mutation.mutant import Mutant

NESTS, COMPARE = "tests/audit/test_plain_nests.py", "tests/audit/test_compare.py"
PUBLISHED, REPORTS = "tests/schedule/test_published.py", "tests/schedule/test_reports.py"
TIMED = f"{PUBLISHED}::test_timed_kernels_are_predicted"
LOOPS = f"{NESTS}::test_loops_of_the_text_are_those_of_the_model"
RULES = f"{COMPARE}::test_every_rule_can_be_contradicted"

MUTANTS = (
    Mutant(
        "plain: sums through three loops are interleaved",
        "hlsgen/model/plain_loops.py",
        "INTERLEAVED = 2",
        "INTERLEAVED = 3",
        (TIMED,),
        "a base design four times too fast",
    ),
    Mutant(
        "plain: a run does not wait for its sum",
        "hlsgen/model/plain_loops.py",
        "PASS = 22",
        "PASS = 0",
        (TIMED,),
        "a base design too fast",
    ),
    Mutant(
        "plain: two sums fill an interval of four",
        "hlsgen/model/plain_loops.py",
        "return max(paced, interval * prod(nest.sums))",
        "return paced",
        (f"{NESTS}::test_cycles_of_a_nest",),
        "few long sums come too fast",
    ),
    Mutant(
        "plain: a convolution's window is no loop",
        "hlsgen/ops/conv.py",
        "taps = () if kernel.unroll_window else layer.attributes.window.kernel",
        "taps = ()",
        (LOOPS,),
        "a base design nine times too fast",
    ),
    Mutant(
        "plain: a loop once too often",
        "hlsgen/audit/nests.py",
        "return last // step + 1 if",
        "return last // step if",
        (LOOPS,),
        "an ablation that explains nothing",
    ),
    Mutant(
        "plain: the scratch buffer has no stores",
        "hlsgen/model/layered_structure.py",
        '[Lsu("scratch", outputs * types.accumulator.bits, store=True)] * stores',
        '[Lsu("scratch", outputs * types.accumulator.bits, store=True)] * 0',
        (f"{NESTS}::test_units_of_the_text_are_those_of_the_model",),
        "a base design too small",
    ),
    Mutant(
        "aoc: any interval agrees",
        "hlsgen/calibrate/comparison.py",
        "band[0] <= loop.interval <= band[1]",
        "band[0] <= loop.interval",
        (RULES,),
        "aoc's word against the model is not heard",
    ),
    Mutant(
        "aoc: whoever waits, nothing is said",
        "hlsgen/calibrate/aoc_report.py",
        'stall_free="stall-free" in text.lower()',
        "stall_free=True",
        (RULES,),
        "arbitrated memories are missed",
    ),
    Mutant(
        "aoc: names of layers are sent",
        "hlsgen/calibrate/anonymous.py",
        'labels[name] = f"{kind} {counts[kind]}"',
        "labels[name] = name",
        (f"{COMPARE}::test_what_is_sent_names_nothing_of_the_user",),
        "a user's secrets leave the house",
    ),
    Mutant(
        "calibrate: a clock without its utilisation",
        "hlsgen/calibrate/samples.py",
        "100 * number(used.get(name, 0)) / total if total else 0.0 for name, total in pairs",
        "0.0 for name, total in pairs",
        (f"{REPORTS}::test_a_clock_in_quartus_json",),
        "a clock that ignores what fills the device",
    ),
)
