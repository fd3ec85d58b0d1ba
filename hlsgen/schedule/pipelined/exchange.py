"""Local search from a design of the relaxation: kernels are exchanged for others of the same widths
and row tiles, one or two at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hlsgen.schedule.pipelined.relaxation import Design, Relaxation

# Other kernels that are tried in pairs: those that cost least more at the prices at hand.
TRIED = 250
# Exchanges of one design.
MOST = 50


def exchanged(
    relaxation: Relaxation, design: Design, target: int, objective: np.ndarray, prices: np.ndarray
) -> Design | None:
    """The design brought within the limits, and then with a lower objective, as far as exchanges
    lead. None where none is within the limits."""
    limits = relaxation.limits(target)
    for _ in range(MOST):
        layers, rows, changes = others(relaxation, design, target, prices)
        pairs = changes[:, None] + changes[None]
        legal = (layers[:, None] != layers[None]) & (design.amounts + pairs <= limits).all(axis=-1)
        legal[0, 0] = (design.amounts <= limits).all()  # none is exchanged
        costs = np.where(legal, pairs @ objective, np.inf)
        pair = np.unravel_index(int(costs.argmin()), costs.shape)
        if not legal[pair]:
            return None
        if legal[0, 0] and costs[pair] >= -1e-6:
            return design
        names = list(relaxation.ways)
        new = {names[layers[place]]: int(rows[place]) for place in pair if place}
        design = replace(design, rows=design.rows | new, amounts=design.amounts + pairs[pair])
    return design


def others(
    relaxation: Relaxation, design: Design, target: int, prices: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places of layers, rows of other options for them, and how amounts change with these; first an
    exchange of nothing."""
    layers, rows, changes = [np.array([-1])], [np.array([-1])], [np.zeros((1, len(prices)))]
    for place, (layer, ways) in enumerate(relaxation.ways.items()):
        row = design.rows[layer]
        possible = ways.alike(row)
        possible = possible[(ways.cycles[possible] <= target) & (possible != row)]
        layers.append(np.full(len(possible), place))
        rows.append(possible)
        changes.append(ways.amounts[possible] - ways.amounts[row])
    change = np.concatenate(changes)
    order = np.argsort(change @ prices, kind="stable")
    order = np.concatenate([[0], order[order > 0][:TRIED]])
    return np.concatenate(layers)[order], np.concatenate(rows)[order], change[order]
