"""Poison in and round the buffers of a validation: what a kernel reads or writes where it should
not is seen."""

import numpy as np
import pytest

from hlsgen.host.errors import HostError
from hlsgen.host.validation import passes, validate
from hlsgen.validation import Reference
from tests.support.faults import change_kernels
from tests.support.networks import build, parse, verdict_of
from tests.support.quantised import Builder

CONV = "(float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }"
STORE, VALUES = "output[at + first] =", 6 * 6 * 4


@pytest.mark.emulator
@pytest.mark.parametrize(
    "place",
    [-1024, -1, VALUES, VALUES + 1023],
    ids=["far before", "before", "behind", "far behind"],
)
def test_a_write_into_either_margin_is_seen(place, tmp_path):
    """All results are right; one value is written outside besides."""
    design = change_kernels(
        build(parse(CONV), tmp_path / "design", "base"), STORE, f"output[{place}] = 1.0f; {STORE}"
    )
    with pytest.raises(HostError, match="outside buffer"):
        verdict_of(design)


@pytest.mark.emulator
def test_what_is_never_written_is_wrong_even_where_zeros_are_right(tmp_path):
    """A fresh buffer may hold zeros by chance."""
    model = parse(CONV)
    model.graph.initializer[0].raw_data = bytes(4 * 3 * 9 * 4)
    design = build(model, tmp_path / "design", "base")
    assert verdict_of(design)["ok"]
    assert not verdict_of(change_kernels(design, STORE, "if (at > 0) " + STORE))["ok"]


@pytest.mark.emulator
@pytest.mark.parametrize("condition", ["row >= 0 && ", "row < 6 && "], ids=["before", "behind"])
def test_a_maximum_does_not_overlook_what_lies_outside(condition, tmp_path):
    """fmax passes over what is not a number, and the borders of a maximum are not zeros that would
    be missed."""
    model = parse(
        "(float[1,4,6,6] x) => (float[1,4,6,6] y) { y = MaxPool<kernel_shape=[3,3], "
        "pads=[1,1,1,1]>(x) }"
    )
    design = build(model, tmp_path / "design", "base")
    assert verdict_of(design)["ok"]
    assert not verdict_of(change_kernels(design, condition, ""))["ok"]


def test_poison_is_not_a_number_and_the_largest_one():
    from hlsgen.host.guards import POISONS

    words = POISONS[0].view(np.float32)
    assert (
        np.isnan(words).sum() == len(words) // 2
        and (words == np.finfo(np.float32).max).sum() == len(words) // 2
    )
    for stride in (1, 2, 4, 8):  # the channels of a pixel, whatever the vectors' width
        for first in range(stride):
            assert 0 < np.isnan(words[first::stride]).mean() < 1


@pytest.mark.emulator
def test_integers_are_run_with_both_poisons(tmp_path):
    """A byte of the first poison that is read may be the right one."""
    b = Builder(0)
    pair = [b.constant("s", np.float32(1)), b.constant("z", np.uint8(0))]
    design = build(b.model(b.quantised(b.input((1, 1, 1, 1)), pair)), tmp_path / "design", "base")
    feeds = {b.inputs[0]: np.full((1, 1, 1, 1), 1000, np.float32)}
    (store,) = (line for line in design.source.splitlines() if "output[i] = convert_uchar" in line)
    unwritten = change_kernels(design, store, "")
    poisons = [poison for _, poison in passes(unwritten, strict=False)]
    assert poisons == [0, 1]
    verdict, _ = validate(unwritten, feeds, Reference(unwritten, feeds))
    assert not verdict["ok"]
    assert verdict["layers"][0]["wrong"].startswith("[0, 0, 0]: 0 in place of 255")
