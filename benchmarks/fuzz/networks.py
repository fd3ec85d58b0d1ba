"""Many random networks on the emulator, fast or strict, and a soak."""

from __future__ import annotations

import gc
import shutil
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import hlsgen
from hlsgen.errors import PlanError
from hlsgen.host.design import HostDesign
from hlsgen.model.simulate import simulate
from tests.support.networks import assert_right, build
from tests.support.quantised import assert_equal
from tests.support.random_networks import random_network
from tests.support.random_quantised import random_network as random_quantised

STYLES = ("base", "pipelined", "folded", "auto")


def choices(seed: int) -> Callable[[Sequence[Any]], Any]:
    """A source of choices."""
    random = np.random.default_rng(seed)
    return lambda options: options[int(random.integers(len(options)))]


def attempt(seed: int, strict: bool) -> tuple[int, str]:
    """One network: "passed", "refused", or what went wrong, with the model kept as
    random_<seed>.onnx."""
    model = random_network(choices(seed), 10 if strict else 7)
    with tempfile.TemporaryDirectory(prefix="random-") as folder:
        try:
            if strict:
                graph = hlsgen.load_graph(model)
                plan = hlsgen.schedule(graph, style="pipelined")
                assert not simulate(graph, plan, 2).blocked, "the simulator sees a deadlock"
                design = HostDesign(hlsgen.generate(graph, plan, Path(folder) / "design").path)
                assert_right(design, images=2, strict=True)
            else:
                assert_right(build(model, Path(folder) / "design", STYLES[seed % len(STYLES)]))
        except PlanError as error:
            return seed, "refused" if "cannot take it" in str(
                error
            ) else f"refused unexpectedly: {error}"
        except Exception:
            onnx.save(model, f"random_{seed}.onnx")
            return seed, traceback.format_exc()
    return seed, "passed"


def attempt_quantised(seed: int) -> tuple[int, str]:
    """One quantised network: "passed" where all layers of integers equal numpy's and the outputs
    onnxruntime's, or what went wrong, with the model kept as quantised_<seed>.onnx."""
    model, feeds = random_quantised(seed)
    with tempfile.TemporaryDirectory(prefix="quantised-") as folder:
        try:
            style = ("base", "pipelined", "folded")[seed % 3]
            assert_equal(build(model, Path(folder) / "design", style), feeds)
        except Exception:
            onnx.save(model, f"quantised_{seed}.onnx")
            return seed, traceback.format_exc()
    return seed, "passed"


def run(count: int, first: int, one: Callable[[int], tuple[int, str]]) -> int:
    """Try `count` networks; prints what went wrong and returns how many did."""
    passed = refused = wrong = 0
    with ProcessPoolExecutor() as pool:
        for seed, outcome in pool.map(one, range(first, first + count)):
            passed, refused = passed + (outcome == "passed"), refused + (outcome == "refused")
            if outcome not in ("passed", "refused"):
                wrong += 1
                print(f"network {seed}: {outcome}", flush=True)
    print(f"{count} networks: {passed} passed, {refused} refused by the style, {wrong} wrong")
    return wrong


def soak(count: int) -> int:
    """One process validates `count` designs; prints what it holds every 20, and returns 1 if that
    grows."""
    import psutil

    process, states = psutil.Process(), []
    for number in range(count):
        folder = Path(tempfile.mkdtemp(prefix="soak-"))
        try:
            assert_right(
                build(
                    random_network(choices(number)),
                    folder / "design",
                    ("base", "folded")[number % 2],
                )
            )
        finally:
            shutil.rmtree(folder)
        if number % 20 == 19:
            gc.collect()
            held = process.memory_info().rss / 1e6
            states.append(
                (process.num_fds(), len(process.children()), threading.active_count(), held)
            )
            print(
                f"{number + 1}: {states[-1][0]} files, {states[-1][1]} children, {states[-1][2]} "
                f"threads, {held:.0f} MB",
                flush=True,
            )
    early, late = states[len(states) // 3], states[-1]
    return int(late[:3] != early[:3] or late[3] > 1.1 * early[3] + 20)
