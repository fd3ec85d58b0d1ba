"""The manifest is read as it was written, and refused with the name of the field that is wrong."""

import json
import pickle

import pytest

from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.fields import Frozen
from hlsgen.host.manifest import read_manifest
from tests.support.networks import build, parse

NETWORK = """(float[1,3,9,9] x, float[16,3,3,3] a, float[16,16,3,3] b) => (float[1,16,3,3] y) {
  stem = Conv<pads=[1,1,1,1]>(x, a) pooled = MaxPool<kernel_shape=[3,3], strides=[3,3]>(stem)
  y = Conv<pads=[1,1,1,1]>(pooled, b) }"""


@pytest.fixture(params=["base", "pipelined", "folded", "hybrid"])
def design(request, tmp_path):
    pins = {("prefix", "layers"): 2} if request.param == "hybrid" else {}
    return build(parse(NETWORK), tmp_path / "design", request.param, pins=pins).path


def test_what_is_read_is_what_was_written(design):
    text = (design / "design.json").read_text()
    assert read_manifest(design).to_json() == text
    style = json.loads(text)["style"]
    assert ("step_fields" in text) == (style in ("folded", "hybrid"))
    assert ('"ahead"' in text) == (style == "hybrid")


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    return build(parse(NETWORK), tmp_path_factory.mktemp("folded") / "design", "folded").path


def changed(folder, change, tmp_path):
    data = json.loads((folder / "design.json").read_text())
    change(data)
    (tmp_path / "design.json").write_text(json.dumps(data))
    return tmp_path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.update(precision="int8"), r"design.json, precision is unknown to this host"),
        (lambda m: m["buffers"]["features"].update(half=1), "buffers.features.half is unknown"),
        (lambda m: m.pop("runs"), "runs is missing"),
        (lambda m: m["inputs"][0]["layout"].pop("lanes"), r"inputs\[0\].layout.lanes is missing"),
        (lambda m: m["outputs"][0]["layout"].update(lanes="16"), "lanes must be int, not .16"),
        (lambda m: m["weights"].update(bytes=True), "weights.bytes must be int, not true"),
        (lambda m: m.update(buffers=[]), r"buffers must be an object, not \[\]"),
        (lambda m: m.update(kernels="k.cl"), "kernels must be a list"),
        (lambda m: m["inputs"][0].update(steps=[["reshape"]]), r"steps\[0\] must have 2 parts"),
        (lambda m: m["inputs"][0].update(steps=[["flip", [1]]]), "steps of x: 'flip' is not one"),
        (lambda m: m["layers"][0]["layout"].update(buffer="b"), "stem: there is no buffer 'b'"),
        (lambda m: m["buffers"]["table"].update(section="s"), "buffers.table: there is no section"),
        (
            lambda m: m["runs"]["sequential"]["launches"][0].update(arguments=[{}]),
            r"runs.sequential, .*: an argument is one of buffer, int, images",
        ),
        (
            lambda m: m["runs"]["sequential"]["launches"][0].update(arguments=[{"buffer": "b"}]),
            r"runs.sequential, .*: there is no buffer 'b'",
        ),
        (lambda m: m.update(schema=2), "manifest schema 2, this host reads 1"),
    ],
)
def test_a_wrong_field_is_named(change, words, folded, tmp_path):
    with pytest.raises(HostError, match=words):
        HostDesign(changed(folded, change, tmp_path))


def test_fields_that_are_newer_than_a_design(folded, tmp_path):
    def older(data):
        for name in ("images", "multiply_accumulates", "step_fields", "sha256", "digest"):
            del data[name]

    found = read_manifest(changed(folded, older, tmp_path))
    assert found.images == 1 and found.multiply_accumulates is None and not found.step_fields


def test_a_manifest_of_other_content_is_refused(folded, tmp_path):
    """A field that is right by itself, and not what build wrote."""

    def moved(data):
        data["inputs"][0]["layout"]["base"] += 1

    with pytest.raises(HostError, match="not what build wrote"):
        read_manifest(changed(folded, moved, tmp_path))


@pytest.mark.parametrize("text", ["{", "[]", "3", "null"])
def test_what_is_no_manifest(text, tmp_path):
    (tmp_path / "design.json").write_text(text)
    with pytest.raises(HostError, match=r"design\.json"):
        read_manifest(tmp_path)


def test_another_process_works_out_its_own_hash():
    """Strings have other hashes there: a mapping that brought its own would not be found."""
    here = Frozen(a=Frozen(b=1))
    assert hash(here) == hash(Frozen(a=Frozen(b=1)))
    there = pickle.loads(pickle.dumps(here))
    assert there == here and not vars(there) and not vars(there["a"])
