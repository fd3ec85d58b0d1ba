"""The engines of folded designs: every module here adds one; nothing else needs to know of it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from hlsgen.engines.array import Array
from hlsgen.engines.base import Engine, Plain
from hlsgen.graph import Graph, Layer
from hlsgen.ops import operator
from hlsgen.plan import StepPlan


@cache
def engines() -> dict[str, Engine]:
    """All engines by name: what every module here defines as `ENGINE`."""
    modules = (
        importlib.import_module(f"{__name__}.{info.name}")
        for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name)
    )
    found = [module.ENGINE for module in modules if hasattr(module, "ENGINE")]
    return {engine.name: engine for engine in found}


@cache
def engine(name: str) -> Engine:
    """The engine called `name`; "" is the plain pass through the epilogue. Raises KeyError."""
    return engines()[name] if name else Plain()


@cache
def arrays() -> tuple[Array, ...]:
    """The engines that compute convolutions tile by tile: first the one that multiplies by all
    weights, then the one that skips zeros."""
    found = [known for known in engines().values() if isinstance(known, Array)]
    return tuple(sorted(found, key=lambda known: known.skips_zeros))


def array(name: str) -> Array:
    """The array called `name`. Raises KeyError."""
    found = engine(name)
    assert isinstance(found, Array)
    return found


@cache
def timed_sizes() -> tuple[tuple[str, str], ...]:
    """The sizes that a step's time depends on, each with its engine. How large tiles and groups of
    outputs are, the step says itself."""
    owners = engines().values()
    return tuple((own.name, size.name) for own in owners for size in own.sizes if size.timed)


@cache
def is_array(name: str) -> bool:
    """Whether an engine computes tile by tile."""
    return isinstance(engine(name), Array)


def engine_of(layer: Layer) -> Engine:
    """The engine that computes a layer, unless a step names an alternative."""
    return engine(operator(layer.op).folded_engine(layer))


def on_array(layer: Layer) -> bool:
    """Whether an array computes a layer."""
    return is_array(operator(layer.op).folded_engine(layer))


def engines_of(graph: Graph, step: StepPlan) -> tuple[Engine, ...]:
    """The engines that a step runs: the one that feeds it, and its own; none for a plain pass."""
    feeder = (engine_of(graph.layer(step.feeder)),) if step.feeder else ()
    return (*feeder, engine(step.engine)) if step.engine else feeder
