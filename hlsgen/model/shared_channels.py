"""The channels of a folded design but those within an engine."""

from __future__ import annotations

from collections.abc import Sequence

from hlsgen.engines.base import DEPTH, Engine, engine_vector, setting, stored_word, sum_vector
from hlsgen.graph import Graph
from hlsgen.kernel.count import fields
from hlsgen.kernel.step import INT, Channel
from hlsgen.kernel.values import Vector
from hlsgen.model.finishing import Finish
from hlsgen.model.shared_kernels import bias_depth, bias_word, finished, listening
from hlsgen.plan import Plan

# Tokens: a kernel is no more than a step ahead of another.
TOKENS = 2
INTEGER = Vector(INT, 1)


def shared_channels(
    graph: Graph, plan: Plan, used: Sequence[Engine], end: Finish, pairs: Sequence[tuple[str, str]]
) -> list[Channel]:
    """In the order of the text. `pairs`: engines that feed others."""
    assert plan.engines is not None
    at, rounding = setting(graph, plan), end.rounding
    vector = at.vector
    count, groups, outputs, loads, results, tile = fields(
        "tiles", "out_groups", "out_vectors", "loads", "results", "tile_loads"
    )
    found: list[Channel] = []
    for known in used:
        found += engine_channels(graph, plan, known, known.name in end.sources)
    if "" in end.sources:
        found.append(Channel("plain_in", vector, DEPTH, loads))
    if rounding and rounding.passed:
        found.append(Channel("plain_floats", at.floats, DEPTH, loads))
    if end.joins if rounding is None else rounding.joins:
        found.append(Channel("residual_in", vector, DEPTH, results))
    if rounding and rounding.joined:
        found.append(Channel("residual_floats", at.floats, DEPTH, results))
    if end.takes_in:
        found.append(Channel("residual_ready", INTEGER, TOKENS))
    biases = count * groups * outputs
    return [
        *found,
        Channel("epilogue_step", INTEGER),
        # Biases run ahead by several groups, so that they never hold up the weights behind them.
        Channel("epilogue_bias", bias_word(vector, end), bias_depth(plan.engines), biases),
        *(Channel(name, word, DEPTH, results) for name, word in finished(at, end)),
        *(Channel(f"{feeder}_to_{fed}", vector, DEPTH, count * tile) for feeder, fed in pairs),
        *(Channel(f"{name}_steps", INTEGER) for name in listening(used, end)),
        Channel("step_done", INTEGER, TOKENS),
    ]


def engine_channels(graph: Graph, plan: Plan, known: Engine, writes: bool) -> list[Channel]:
    """Those round an engine, which `writes` to the epilogue in some steps."""
    name = known.name
    vector, sums = engine_vector(graph, plan, name), sum_vector(graph, plan, name)
    loads, results = fields("loads", "results")
    words = known.weight_stream(plan)
    return [
        Channel(f"{name}_step", INTEGER),
        *[Channel(f"{name}_in", vector, DEPTH, loads)] * known.fed,
        *[Channel(f"{name}_out", sums, DEPTH, results)] * writes,
        *[Channel(f"{name}_weights", stored_word(graph, plan), DEPTH, words)] * known.weighted,
    ]
