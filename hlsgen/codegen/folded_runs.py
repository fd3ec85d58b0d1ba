"""How the host runs a folded design, and how much flows through its channels in a step."""

from __future__ import annotations

from typing import Any

from hlsgen.codegen.design import launch, run_mode
from hlsgen.plan import Plan

# The kernels of an engine, in the order of the data, where they are not one alone.
ENGINE_KERNELS = {
    "convolution": ("convolution_tiles", "convolution_engine", "convolution_results"),
    "skipping": ("skipping_engine", "skipping_results"),
}
# Engines whose sums take a pointer to scratch memory when accumulators are not cached on chip.
SCRATCH_ENGINES = ("convolution",)
# Engines that read feature maps and tables by themselves, launched by the host as the readers are.
TABLE_ENGINES = ("gather",)
Step = dict[str, Any]


def folded_runs(
    plan: Plan, steps: list[Step], numbers: dict[str, int]
) -> dict[str, dict[str, Any]]:
    """Sequential: the kernels of each step in turn. Concurrent: readers and writer over all steps
    at once.

    `numbers` maps engines to the numbers in the step table.
    """
    runs = {
        "sequential": run_mode(
            sequential_launches(plan, steps, numbers), options=["-DHLSGEN_SEQUENTIAL"]
        )
    }
    if plan.enabled("concurrent_queues"):
        runs["concurrent"] = concurrent_run(plan, steps, numbers)
    return runs


# Buffers of the kernels that move data, beside the step table.
BUFFERS = {
    "feature_reader": ("features",),
    "residual_reader": ("features",),
    "parameter_reader": ("weights", "biases"),
    "filter_reader": ("weights",),
    "writer": ("features",),
}


def walk(kernel: str, count: int) -> dict[str, Any]:
    """A reader or the writer, for `count` steps."""
    return launch(kernel, *[{"buffer": name} for name in BUFFERS[kernel]], {"int": count})


def read_steps(first: int, last: int) -> dict[str, Any]:
    """The step reader, from step `first` to before `last`."""
    return launch("step_reader", {"buffer": "table"}, {"int": first}, {"int": last})


def users(steps: list[Step]) -> dict[str, int]:
    """Readers and the writer, with the number of steps that each hears of."""
    found = {"parameter_reader": len(steps), "feature_reader": len(steps)}
    found["filter_reader"] = sum(bool(step["filter_words"]) for step in steps)
    found["residual_reader"] = sum(bool(step["residual"]) for step in steps)
    return found | {"writer": len(steps)}


def engine_launches(plan: Plan, name: str, count: int) -> list[dict[str, Any]]:
    """An engine's kernels that the host launches, for `count` steps."""
    found = []
    if name in TABLE_ENGINES:
        buffers = [{"buffer": buffer} for buffer in ("features", "features", "tables")]
        return [launch(f"{name}_engine", *buffers, {"int": count})]
    for kernel in engine_kernels(plan, name):
        scratch = needs_scratch(plan, name) and kernel == f"{name}_engine"
        found.append(launch(kernel, {"int": count}, *([{"buffer": "scratch"}] if scratch else [])))
    return found


def engine_kernels(plan: Plan, name: str) -> tuple[str, ...]:
    """Names of an engine's kernels."""
    expander = (
        ("weight_expander",)
        if name == "convolution" and any(step.compressed for step in plan.steps)
        else ()
    )
    return (*expander, *ENGINE_KERNELS.get(name, (f"{name}_engine",)))


def needs_scratch(plan: Plan, name: str) -> bool:
    """Whether an engine accumulates in global memory."""
    return not plan.enabled("cached_writes") and name in SCRATCH_ENGINES


def sequential_launches(
    plan: Plan, steps: list[Step], numbers: dict[str, int]
) -> list[dict[str, Any]]:
    """Producers before consumers, step by step."""
    names = {number: name for name, number in numbers.items()}
    found = []
    for n, step in enumerate(steps):
        readers = [name for name, count in users([step]).items() if count and name != "writer"]
        found += [read_steps(n, n + 1), *(walk(name, 1) for name in readers)]
        found += engine_launches(plan, "depthwise", 1) if step["fused"] else []
        found += engine_launches(plan, names[step["engine"]], 1) if step["engine"] else []
        found += [launch("epilogue", {"int": 1}), walk("writer", 1)]
    return found


def concurrent_run(plan: Plan, steps: list[Step], numbers: dict[str, int]) -> dict[str, Any]:
    """Readers and writer walk the whole table; engines start by themselves, or are launched for all
    their steps."""
    launches = [
        read_steps(0, len(steps)),
        *(walk(name, count) for name, count in users(steps).items() if count),
    ]
    autorun: list[str] = []
    for name, number in numbers.items():
        if (
            name
            and plan.enabled("autorun")
            and not needs_scratch(plan, name)
            and name not in TABLE_ENGINES
        ):
            autorun += engine_kernels(plan, name)
        elif name:
            launches += engine_launches(plan, name, sum(uses(step, name, number) for step in steps))
    if plan.enabled("autorun"):
        autorun.append("epilogue")
    else:
        launches.append(launch("epilogue", {"int": len(steps)}))
    return run_mode(launches, autorun=autorun)


def uses(step: Step, name: str, number: int) -> bool:
    """Whether a step runs an engine."""
    return step["engine"] == number or (name == "depthwise" and bool(step["fused"]))


def filter_stream(step: Step) -> int:
    """Weight words that the depthwise engine receives in a step."""
    return step["planes"] * step["filter_words"]


def weight_stream(step: dict[str, Any]) -> int:
    """Weight words that an engine receives in a step."""
    return step["tiles"] * step["out_groups"] * step["weight_words"]


def expanded_stream(step: Step) -> int:
    """Weight words that the convolution array receives in a step."""
    return step["tiles"] * step["out_groups"] * step["group_words"]


def bias_stream(step: dict[str, Any]) -> int:
    """Bias vectors that the epilogue receives in a step."""
    return step["tiles"] * step["out_groups"] * step["out_vectors"]
