"""The depth of a kernel's pipeline: from the reads of a turn to its writes, by hand."""

import pytest

from hlsgen.audit.design import audit_text, plausible

pytest.importorskip("llvmlite")

# Latencies of rules.json: channel 1, addition and multiplication 3 to 4, division 26.
KERNEL = """
channel float a, b;
__attribute__((max_global_work_dim(0), autorun))
__kernel void k(void)
{
    float kept[8] __attribute__((register));
    while (1) {
        const float x = read_channel_intel(a);
        #pragma unroll
        for (int i = 0; i < 7; ++i)
            kept[i] = kept[i + 1];
        kept[7] = x;
        float y = BODY;
        write_channel_intel(b, y);
    }
}
"""
SUM = " + ".join(f"kept[{i}]" for i in range(8))
MAXIMUM = "kept[0]"
for place in range(1, 8):
    MAXIMUM = f"fmax({MAXIMUM}, kept[{place}])"


@pytest.mark.parametrize(
    ("body", "low", "high"),
    [
        ("x", 2, 2),
        ("x * 3.5f", 2 + 3, 2 + 4),
        (SUM, 2 + 3 * 3, 2 + 3 * 4),  # eight values, three levels
        (f"({SUM}) * 0.125f", 2 + 4 * 3, 2 + 4 * 4),
        ("1.5f / (x + 1.0f)", 2 + 3 + 26, 2 + 4 + 26),
        ("x * kept[1] + kept[2]", 2 + 6, 2 + 8),
    ],
)
def test_by_hand(body, low, high):
    (kernel,) = audit_text(KERNEL.replace("BODY", body))
    assert kernel.depth == (low, high)


def test_a_sum_that_is_used_twice_is_a_leaf():
    """p comes after an addition, and with three others makes a tree of two more levels: the others
    are joined while p is computed."""
    text = KERNEL.replace("float y = BODY;", "float p = x + kept[1]; float y = p + kept[2];")
    text = text.replace("write_channel_intel(b, y);", "write_channel_intel(b, (y + kept[3]) * p);")
    (kernel,) = audit_text(text)
    assert kernel.depth == (2 + 3 * 3, 2 + 3 * 4)


@pytest.mark.parametrize("kind", ["int", "int4"])
def test_sums_of_integers_are_a_tree(kind):
    """Eight values, three levels of a cycle, and the read and the write."""
    (kernel,) = audit_text(KERNEL.replace("float", kind).replace("BODY", SUM))
    assert kernel.depth == (2 + 3, 2 + 3)


def test_maxima_are_a_tree():
    (kernel,) = audit_text(KERNEL.replace("BODY", MAXIMUM))
    low, high = kernel.depth
    assert low >= 2 + 3 * 1 and high < 2 + 7 * 3  # three levels and their choices, not seven


def test_no_depth_where_no_turn_both_reads_and_writes():
    text = KERNEL.replace("const float x = read_channel_intel(a)", "const float x = kept[3]")
    (kernel,) = audit_text(text.replace("BODY", "x"))
    assert kernel.depth is None


def test_no_depth_where_what_is_read_leaves_later():
    text = KERNEL.replace("kept[7] = x;", "").replace(
        "float y = BODY;", "float y = kept[3]; kept[7] = x;"
    )
    (kernel,) = audit_text(text)
    assert kernel.depth is None


def test_what_the_model_may_count():
    assert plausible(20, (18, 30)) and plausible(14, (18, 30)) and plausible(34, (18, 30))
    assert not plausible(13, (18, 30)) and not plausible(35, (18, 30))
