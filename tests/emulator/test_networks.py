"""Whole networks on the emulator: the zoo's topologies, and trained networks on real pictures."""

import numpy as np
import pytest

from examples import trained
from hlsgen.host.runner import run
from hlsgen.own_model import OwnModel
from hlsgen.zoo import NETWORKS, network
from tests.support.networks import assert_right, assert_right_in_both_modes, build

pytestmark = pytest.mark.emulator


@pytest.mark.smoke
@pytest.mark.parametrize("style", ["base", "pipelined", "folded"])
def test_lenet5(style, tmp_path):
    assert_right(build(network("lenet5"), tmp_path / "design", style), images=3, optimise=True)


@pytest.mark.parametrize("name", ["mobilenetv1", "resnet18"])
def test_large_networks_folded(name, tmp_path):
    verdict = assert_right(build(network(name), tmp_path / "design", "folded"), images=1)
    assert verdict["onnxruntime"]["top1_equal"] == 1


@pytest.mark.parametrize("board", ["pac_a10", "de5_net"])
def test_small_boards_tile(board, tmp_path):
    """Small boards need small tiles, narrow vectors and partial groups of outputs."""
    design = build(
        network("mobilenetv1", size=96, width=0.5), tmp_path / "design", "folded", board=board
    )
    assert_right(design)


@pytest.mark.parametrize("name", ["mobilenetv1", "resnet18"])
def test_small_networks_pipelined(name, tmp_path):
    design = build(network(name, size=32, width=0.25), tmp_path / "design", "pipelined")
    assert_right_in_both_modes(design, images=2)


# The pipelines that are compiled with optimisation, which takes ten seconds for fifty kernels: of a
# family the shallowest. The engines of folded designs are the same for all networks:
# `test_optimised` and `test_large_networks_folded` compile them so.
OPTIMISED = ("lenet5", "alexnet", "resnet20", "mobilenetv1", "squeezenet")
# Networks whose own pictures are smaller than 64 pixels get these.
OWN_SIZES = {"lenet5": 28, "resnet20": 32, "resnet56": 32, "resnet110": 32}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_every_topology(name, style, tmp_path):
    size = OWN_SIZES.get(name, 64)
    design = build(network(name, size=size, width=0.25, seed=3), tmp_path / "design", style)
    assert_right(design, optimise=style == "pipelined" and name in OPTIMISED)


def emulate(model, design, images):
    """Top-1 of the emulated design and of onnxruntime."""
    emulated = run(design, {"input": images}).outputs["output"].argmax(axis=1)
    expected = OwnModel(model, {"input": (1, *images.shape[1:])})({"input": images})["output"]
    return emulated, expected.reshape(len(images), -1).argmax(axis=1)


@pytest.mark.parametrize("style", ["pipelined", "folded"])
def test_trained_digits(style, tmp_path):
    model, (images, labels) = trained.mnist_cnn(), trained.digits()
    emulated, expected = emulate(model, build(model, tmp_path / "design", style), images)
    np.testing.assert_array_equal(emulated, expected)
    assert (emulated == labels).mean() >= 0.9


def test_trained_mobilenet_on_imagenet(tmp_path):
    model, (images, labels) = trained.mobilenet_v2(), trained.imagenet()
    emulated, expected = emulate(model, build(model, tmp_path / "design", "folded"), images)
    np.testing.assert_array_equal(emulated, expected)
    assert (emulated == labels).sum() >= 17
