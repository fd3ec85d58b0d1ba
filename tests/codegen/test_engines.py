"""What every engine states: it is complete, and agrees with its template and with the operators."""

import re
from collections import Counter

import pytest

from hlsgen.descriptors import COMMON, all_fields
from hlsgen.engines import arrays, engine, engines
from hlsgen.kernel.step import LAUNCHED, End, StepKernel
from hlsgen.kernel.step_text import into, read
from hlsgen.ops import operators
from tests.support.paths import ROOT


def test_every_operator_has_its_engines():
    for operator in operators().values():
        for name in (operator.engine, *operator.alternative_engines):
            assert engine(name).name == name


def test_fields_of_records_have_one_number_and_one_name():
    fields = all_fields()
    assert max(Counter(field.name for field in fields).values()) == 1
    owned = {(f.number, f) for e in engines().values() for f in e.fields}
    owned |= {(f.number, f) for o in operators().values() for f in o.fields}
    owned |= {(f.number, f) for f in COMMON}
    assert max(Counter(number for number, _ in owned).values()) == 1


@pytest.mark.parametrize("name", engines())
def test_an_engine_is_called_as_it_says(name):
    assert name == engine(name).name and engine(name).__doc__


def test_first_the_array_that_multiplies_by_all_weights():
    assert [array.skips_zeros for array in arrays()] == [False, True]


def test_templates_have_the_channels_of_their_description_alone():
    kernel = StepKernel("k", "", LAUNCHED, (), (End("a", 32), End("b", 32, writes=True)))
    assert (read(kernel, "a"), into(kernel, "b")) == ("read_channel_intel(a)", "b")
    with pytest.raises(ValueError, match="k is not described to read b"):
        read(kernel, "b")
    with pytest.raises(ValueError, match="k is not described to write a"):
        into(kernel, "a")
    described = r"{{ into\("
    for path in (ROOT / "templates" / "folded").glob("*.j2"):
        named = re.findall(rf"channel_intel\((?!{described}).*", path.read_text())
        assert path.name == "design.cl.j2" or not named, f"{path.name}: {named}"
