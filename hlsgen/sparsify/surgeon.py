"""The choice of weights by what their loss costs when the others make up for it (Optimal Brain
Surgeon, Hassibi and Stork 1993; a layer at a time: Optimal Brain Compression, arXiv 2208.11580),
and what the others become: masked least squares.

A layer's part is the quadratic form (w - t) A (w - t)^T of each of its rows w, with its minimum at
t and A the damped second moments of its inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlsgen.sparsify.patterns import Groups

# Weights go in so many rounds, after each of which the others are fitted anew; in fewer where that
# would take more multiplications.
ROUNDS = 6
MOST_WORK = 1e11


@dataclass(frozen=True)
class Form:
    """The quadratic form of one part: `moments` A `(columns, columns)` and their inverse, and
    `targets` `(rows, columns)`, where each row has its minimum."""

    moments: np.ndarray
    inverse: np.ndarray
    targets: np.ndarray


def form(moments: np.ndarray, products: np.ndarray) -> Form:
    """The form whose rows w minimise w A w^T / 2 - b w^T; `products` are the rows b."""
    inverse = np.linalg.inv(moments)
    return Form(moments, inverse, products @ inverse)


def fitted(forms: list[Form], count: int, groups: Groups | None = None) -> np.ndarray:
    """Weights `(parts, rows, columns)` of which `count` are zero: those that cost least, all rows
    and parts alike, or within each of their `groups`; the others minimise the forms."""
    weights = np.stack([one.targets for one in forms])
    kept = np.ones(weights.shape, bool)
    variances = np.broadcast_to(
        np.stack([np.diag(one.inverse) for one in forms])[:, None], weights.shape
    ).copy()
    schedule = zeros_by_round(count, weights.size, rounds(weights.shape))
    for number, zeros in enumerate(schedule):
        costs = np.where(kept, weights**2 / variances, -1.0)
        if groups is not None:
            kept &= ~groups.smallest(costs, zeros / count)
        else:
            kept.reshape(-1)[np.argpartition(costs.reshape(-1), zeros - 1)[:zeros]] = False
        last = number == len(schedule) - 1
        for part, one in enumerate(forms):
            for row, chosen in enumerate(kept[part]):
                minimum, spread = restricted(one, row, chosen, not last)
                weights[part, row] = minimum
                variances[part, row, chosen] = spread
    return weights


def rounds(shape: tuple[int, ...]) -> int:
    """How often a layer of that shape is fitted."""
    parts, rows, columns = shape
    return int(np.clip(MOST_WORK // (parts * rows * columns**3), 1, ROUNDS))


def zeros_by_round(count: int, size: int, number: int) -> list[int]:
    """How many weights are zero after each round: the rest shrinks by the same factor, or goes in
    equal steps where nothing is to be left."""
    if not count:
        return []
    left = max(size - count, 1)
    steps = [size - round(size * (left / size) ** (i / number)) for i in range(1, number)]
    return [step for step in dict.fromkeys(steps) if 0 < step < count] + [count]


def restricted(
    one: Form, row: int, kept: np.ndarray, spread: bool
) -> tuple[np.ndarray, np.ndarray | float]:
    """The minimum of a row with zeros where nothing is `kept`, and, on request, the diagonal of
    the inverse of A's kept rows and columns. The smaller of two systems is solved."""
    result = np.zeros(len(kept))
    target = one.targets[row]
    gone = ~kept
    if kept.sum() <= gone.sum():
        among = one.moments[np.ix_(kept, kept)]
        products = one.moments[kept] @ target
        if not spread:
            result[kept] = np.linalg.solve(among, products)
            return result, 1.0
        inverse = np.linalg.inv(among)
        result[kept] = inverse @ products
        return result, np.diag(inverse)
    across = one.inverse[np.ix_(kept, gone)]
    eliminated = np.linalg.solve(
        one.inverse[np.ix_(gone, gone)],
        np.column_stack([target[gone], across.T]) if spread else target[gone, None],
    )
    result[kept] = target[kept] - across @ eliminated[:, 0]
    if not spread:
        return result, 1.0
    return result, np.diag(one.inverse)[kept] - (across * eliminated[:, 1:].T).sum(axis=1)
