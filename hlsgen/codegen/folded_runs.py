"""How the host runs a folded design, and how much flows through its channels in a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hlsgen.codegen.design import launch, run_mode
from hlsgen.engines.base import Call, Engine, call
from hlsgen.host.manifest import Launch, Run
from hlsgen.kernel.step import StepKernel
from hlsgen.plan import Plan

Step = dict[str, Any]


# The launch of a reader or the writer for so many steps.
Walk = Callable[[str, int], Launch]


def folded_runs(
    plan: Plan,
    steps: list[Step],
    used: Sequence[Engine],
    calls: dict[str, list[Call]],
    movers: Sequence[StepKernel],
) -> dict[str, Run]:
    """Sequential: the kernels of each step in turn. Concurrent: readers and writer over all steps
    at once.

    `used` are the engines in the order of their numbers in the step table, `calls` the launches of
    each; `movers` the kernels that move data.
    """
    buffers = {k.name: call(k).arguments[:-1] for k in movers if k.pointers}

    def walk(kernel: str, count: int) -> Launch:
        return launch(kernel, *buffers[kernel], count)

    launches = sequential_launches(steps, used, calls, walk)
    runs = {"sequential": run_mode(launches, options=["-DHLSGEN_SEQUENTIAL"])}
    if plan.enabled("concurrent_queues"):
        runs["concurrent"] = concurrent_run(plan, steps, used, calls, walk)
    return runs


def read_steps(first: int, last: int) -> Launch:
    """The step reader, from step `first` to before `last`."""
    return launch("step_reader", "table", first, last)


def users(steps: list[Step]) -> dict[str, int]:
    """Readers and the writer, with the number of steps that each hears of."""
    found = {"parameter_reader": len(steps), "feature_reader": len(steps)}
    found["filter_reader"] = sum(bool(step["filter_words"]) for step in steps)
    found["residual_reader"] = sum(bool(step["residual"]) for step in steps)
    return found | {"writer": len(steps)}


def engine_launches(calls: list[Call], count: int) -> list[Launch]:
    """An engine's kernels that the host launches, for `count` steps."""
    return [launch(call.kernel, *[a or count for a in call.arguments]) for call in calls]


def sequential_launches(
    steps: list[Step], used: Sequence[Engine], calls: dict[str, list[Call]], walk: Walk
) -> list[Launch]:
    """Producers before consumers, step by step."""
    found = []
    for n, step in enumerate(steps):
        readers = [name for name, count in users([step]).items() if count and name != "writer"]
        found += [read_steps(n, n + 1), *(walk(name, 1) for name in readers)]
        runs = [known for number, known in enumerate(used, 1) if uses(step, known, number)]
        for known in sorted(runs, key=lambda known: not known.feeds):
            found += engine_launches(calls[known.name], 1)
        found += [launch("epilogue", 1), walk("writer", 1)]
    return found


def concurrent_run(
    plan: Plan, steps: list[Step], used: Sequence[Engine], calls: dict[str, list[Call]], walk: Walk
) -> Run:
    """Readers and writer walk the whole table; engines start by themselves, or are launched for all
    their steps."""
    launches = [
        read_steps(0, len(steps)),
        *(walk(name, count) for name, count in users(steps).items() if count),
    ]
    autorun: list[str] = []
    for number, known in enumerate(used, 1):
        if known.starts_alone(plan):
            autorun += [call.kernel for call in calls[known.name]]
        else:
            count = sum(uses(step, known, number) for step in steps)
            launches += engine_launches(calls[known.name], count)
    if plan.enabled("autorun"):
        autorun.append("epilogue")
    else:
        launches.append(launch("epilogue", len(steps)))
    return run_mode(launches, autorun=autorun)


def uses(step: Step, known: Engine, number: int) -> bool:
    """Whether a step runs an engine, which has that number."""
    return step["engine"] == number or (known.feeds and bool(step["fused"]))
