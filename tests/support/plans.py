"""Plans of networks of the zoo that several tests look at: each is made once. Graphs and plans are
immutable."""

from functools import cache

import hlsgen
from hlsgen.graph import Graph
from hlsgen.plan import Engines, Plan
from hlsgen.zoo import network


def resized(engines: Engines, name: str = "convolution", **sizes: int) -> Engines:
    """Engines of which one has some other sizes."""
    return engines.sized(**{name: {**engines.sizes.get(name, {}), **sizes}})


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
    graph = loaded(name, size, width)
    return graph, hlsgen.schedule(graph, board=board, style=style)
