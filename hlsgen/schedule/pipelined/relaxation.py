"""The Lagrangian relaxation of the search's problem: resources have prices instead of limits, and
then layers depend on each other by widths and row tiles alone, so that eliminating these one after
another finds the cheapest design.
"""

from __future__ import annotations

from collections.abc import Hashable
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from hlsgen.schedule.pipelined.choices import Choice, choice_of
from hlsgen.schedule.pipelined.elimination import cheapest, elimination, marginals
from hlsgen.schedule.pipelined.options import Option
from hlsgen.schedule.pipelined.problem import Problem


@dataclass(frozen=True)
class Design:
    """A width of every tensor class, the row of every layer's option, and what they take: ALMs,
    memory blocks and DSPs, scaled, and bytes of weights an image."""

    widths: dict[str, int]
    rows: dict[str, int]
    amounts: np.ndarray


class Ways:
    """The options of layers that share them, a row each, as arrays: amounts, cycles, and by pair of
    widths and number of row tiles, with the places of these groups in a table over the widths of
    both sides and the row tiles."""

    def __init__(
        self,
        options: tuple[Option, ...],
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        same: bool,
    ):
        kernels = [o.kernel for o in options]
        self.row_tiles = tuple(sorted({k.row_tiles for k in kernels}))
        pairs = [
            (
                inputs.index(k.input_width),
                outputs.index(k.output_width),
                self.row_tiles.index(k.row_tiles),
            )
            for k in kernels
        ]
        self.shape = (
            (len(inputs), len(self.row_tiles))
            if same
            else (len(inputs), len(outputs), len(self.row_tiles))
        )
        places = np.array([np.ravel_multi_index(p[::2] if same else p, self.shape) for p in pairs])
        order = np.argsort(places, kind="stable")
        self.options = [options[i] for i in order]
        self.amounts = np.array([(*options[i].cost, options[i].bytes) for i in order], float)
        self.cycles = np.array([options[i].cycles for i in order])
        self.of_row = places[order]
        self.places, self.starts, counts = np.unique(
            self.of_row, return_index=True, return_counts=True
        )
        self.rows = {
            int(p): np.arange(s, s + n)
            for p, s, n in zip(self.places, self.starts, counts, strict=True)
        }

    def alike(self, row: int) -> np.ndarray:
        """Rows with the widths and row tiles of one of them."""
        return self.rows[int(self.of_row[row])]

    def priced(self, prices: np.ndarray, target: int) -> np.ndarray:
        """What each option costs; those that take more cycles than the target cost any price."""
        return np.where(self.cycles <= target, self.amounts @ prices, np.inf)

    def table(self, priced: np.ndarray) -> np.ndarray:
        """The least price of the options by widths and row tiles."""
        table = np.full(self.shape, np.inf)
        table.flat[self.places] = np.minimum.reduceat(priced, self.starts)
        return table


class Relaxation:
    """The relaxation of a problem; `steps` is None where its tensors hang together too closely."""

    def __init__(self, problem: Problem):
        self.problem = problem
        kinds: dict[Hashable, Ways] = {}
        self.ways: dict[str, Ways] = {}
        for layer, options in problem.options.items():
            source, result = problem.ends[layer]
            widths = problem.widths[source], problem.widths[result]
            key = id(options), widths, source == result
            if key not in kinds:
                kinds[key] = Ways(options, *widths, source == result)
            self.ways[layer] = kinds[key]
        self.channels = {
            name: np.array([(*problem.channels[name, w], 0) for w in ws], float)
            for name, ws in problem.widths.items()
        }
        self.buffering = buffering_tables(
            problem, {layer: ways.row_tiles for layer, ways in self.ways.items()}
        )
        scopes = [
            tuple(dict.fromkeys((*problem.ends[layer], ("row_tiles", layer))))
            for layer in self.ways
        ]
        scopes += [(name,) for name in self.channels]
        scopes += [tuple(("row_tiles", layer) for layer in layers) for layers, _ in self.buffering]
        sizes: dict[Hashable, int] = {name: len(ws) for name, ws in problem.widths.items()}
        sizes |= {("row_tiles", layer): len(ways.row_tiles) for layer, ways in self.ways.items()}
        self.steps = elimination(sizes, scopes)

    def with_bandwidth(self, bandwidth: float) -> Relaxation:
        """The same with other bytes a cycle for weights."""
        other = copy(self)
        other.problem = replace(self.problem, bandwidth=bandwidth)
        return other

    def limits(self, target: int) -> np.ndarray:
        """What a design may take."""
        return np.array(
            [*np.maximum(self.problem.limits, 0), int(self.problem.bandwidth * target)], float
        )

    def best(
        self, prices: np.ndarray, target: int, first: int = 0, others: np.ndarray | None = None
    ) -> Design | None:
        """The cheapest design at these prices, None where there is none at any price. So many of
        the `first` layers have `others`, if they are given."""
        assert self.steps is not None
        kinds = {id(ways): ways for ways in self.ways.values()}
        priced = {(key, False): ways.priced(prices, target) for key, ways in kinds.items()}
        if others is not None:
            priced |= {(key, True): ways.priced(others, target) for key, ways in kinds.items()}
        least = {key: kinds[key[0]].table(costs) for key, costs in priced.items()}
        keys = {
            layer: (id(ways), place < first)
            for place, (layer, ways) in enumerate(self.ways.items())
        }
        tables = [least[key] for key in keys.values()]
        tables += [amounts @ prices for amounts in self.channels.values()]
        tables += [blocks * prices[1] for _, blocks in self.buffering]
        values = cheapest(self.steps, tables)
        rows: dict[str, int] = {}
        amounts = sum(table[values[name]] for name, table in self.channels.items())
        for layer, ways in self.ways.items():
            variables = dict.fromkeys((*self.problem.ends[layer], ("row_tiles", layer)))
            place = int(np.ravel_multi_index([values[v] for v in variables], ways.shape))
            if not np.isfinite(least[keys[layer]].flat[place]):
                return None
            here = ways.rows[place]
            rows[layer] = int(here[priced[keys[layer]][here].argmin()])
            amounts = amounts + ways.amounts[rows[layer]]
        amounts[1] += sum(
            blocks[tuple(values["row_tiles", layer] for layer in layers)]
            for layers, blocks in self.buffering
        )
        widths = {name: ws[values[name]] for name, ws in self.problem.widths.items()}
        return Design(widths, rows, amounts)

    def without(self, prices: np.ndarray, target: int, most: float) -> Problem:
        """The problem without the options that every design with them costs more than `most` for at
        these prices."""
        assert self.steps is not None
        priced = [ways.priced(prices, target) for ways in self.ways.values()]
        tables = [ways.table(costs) for ways, costs in zip(self.ways.values(), priced, strict=True)]
        tables += [amounts @ prices for amounts in self.channels.values()]
        tables += [blocks * prices[1] for _, blocks in self.buffering]
        options = {}
        found = zip(
            self.ways.items(), priced, tables, marginals(self.steps, tables), strict=False
        )  # layers' tables are first
        for (layer, ways), costs, table, least in found:
            possible = np.flatnonzero(np.isfinite(costs))
            places = ways.of_row[possible]
            kept = possible[costs[possible] - table.flat[places] + least.flat[places] <= most]
            options[layer] = tuple(ways.options[row] for row in kept)
        return replace(self.problem, options=options)

    def choice(self, design: Design) -> Choice:
        """The design as a choice."""
        return choice_of(
            design.widths,
            {layer: self.ways[layer].options[row].kernel for layer, row in design.rows.items()},
        )


def buffering_tables(
    problem: Problem, row_tiles: dict[str, tuple[int, ...]]
) -> list[tuple[tuple[str, ...], np.ndarray]]:
    """Memory blocks of the FIFOs round kernels that work in row tiles, by the numbers of row tiles
    of one or two layers."""

    def blocks(layer: str, bits: int) -> np.ndarray:
        return np.array(
            [
                round(bits * problem.bit_blocks / count) if count else 0
                for count in row_tiles[layer]
            ],
            float,
        )

    found: list[tuple[tuple[str, ...], np.ndarray]] = [
        ((layer,), blocks(layer, bits)) for layer, bits in problem.buffering.waiting.items()
    ]
    for ends in problem.buffering.links:
        for here, there, side in ((1, 0, 0), (0, 1, 1)):  # a reader's input, a writer's output
            if ends[here]:
                alone = blocks(ends[here], problem.buffering.sides[ends[here]][side])
                if ends[there]:
                    even = np.array([count == 0 for count in row_tiles[ends[there]]], float)
                    found.append(((ends[here], ends[there]), np.outer(alone, even)))
                else:
                    found.append(((ends[here],), alone))
    return [(layers, table) for layers, table in found if table.any()]
