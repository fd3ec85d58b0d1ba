"""Plans of networks that several tests look at: each is made once for all processes of a run.
Graphs and plans are immutable."""

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import hlsgen
from hlsgen.graph import Graph
from hlsgen.plan import Engines, Plan
from hlsgen.zoo import network

# The variable that names the folder where processes find each other's plans.
FOLDER = "HLSGEN_TEST_PLANS"


def resized(engines: Engines, name: str = "convolution", **sizes: int) -> Engines:
    """Engines of which one has some other sizes."""
    return engines.sized(**{name: {**engines.sizes.get(name, {}), **sizes}})


def pipeline(graph: Graph, **options: Any) -> Plan:
    """A pipelined plan without kernels, for those that a test chooses itself: no search."""
    return Plan(graph.name, "pac_d5005", "pipelined", **options)


def zoo_graph(name: str, size: int | None = None, width: float = 1.0) -> Graph:
    """A network of the zoo, loaded."""
    return loaded(name, size, width)


def zoo_plan(
    name: str, style: str, board: str = "pac_d5005", size: int | None = None, width: float = 1.0
) -> tuple[Graph, Plan]:
    """A network of the zoo with its plan."""
    return planned(name, style, board, size, width)


@cache
def loaded(name: str, size: int | None, width: float) -> Graph:
    """See `zoo_graph`: however it is called, the arguments are the same here."""
    return hlsgen.load_graph(network(name, size=size, width=width))


@cache
def planned(
    name: str, style: str, board: str, size: int | None, width: float
) -> tuple[Graph, Plan]:
    """See `zoo_plan`."""
    graph, key = loaded(name, size, width), f"zoo {name} {style} {board} {size} {width}"
    return graph, shared(key, lambda: hlsgen.schedule(graph, board=board, style=style))


def shared(key: str, make: Callable[[], Plan]) -> Plan:
    """The plan that `make` returns, which the first process of a test run that asks for it leaves
    to the others. What it raises is not kept."""
    if FOLDER not in os.environ:
        return make()
    path = Path(os.environ[FOLDER]) / hashlib.sha256(key.encode()).hexdigest()
    if path.is_file():
        found: Plan = pickle.loads(path.read_bytes())
        return found
    made = make()
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(pickle.dumps(made))
    os.replace(file.name, path)  # whole, or not there
    return made
