"""The cheapest assignment of variables whose costs are tables over few of them at a time, exactly,
by eliminating one variable after another.

Eliminating a variable replaces all tables over it by one over its neighbours: for each of their
values the least that the variable costs. Chains, trees and networks with skip connections keep
these tables small.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

# Entries of the largest table: where variables hang together too closely, elimination is of no use.
LARGEST = 1 << 16
Scope = tuple[Hashable, ...]


@dataclass(frozen=True)
class Step:
    """A variable, the places of the tables over it (given ones first, then those of earlier steps)
    with their shapes in the joint table, whose axes are `scope`, the variable last."""

    scope: Scope
    tables: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]


def elimination(sizes: Mapping[Hashable, int], scopes: Sequence[Scope]) -> tuple[Step, ...] | None:
    """The steps that eliminate all variables, `sizes` values each, from tables over these scopes:
    always the variable with the smallest joint table next. None where that is too large."""
    at: dict[Hashable, dict[int, Scope]] = {variable: {} for variable in sizes}
    for place, scope in enumerate(scopes):
        for variable in scope:
            at[variable][place] = scope

    def joint(variable: Hashable) -> int:
        return prod(sizes[other] for other in {v for scope in at[variable].values() for v in scope})

    left, steps = {variable: joint(variable) for variable in sizes}, []
    while left:
        variable = min(left, key=lambda v: left[v])
        if left.pop(variable) > LARGEST:
            return None
        tables = at.pop(variable)
        others = tuple(
            dict.fromkeys(v for scope in tables.values() for v in scope if v != variable)
        )
        axes = (*others, variable)
        steps.append(
            Step(
                axes, tuple((place, *placed(scope, axes, sizes)) for place, scope in tables.items())
            )
        )
        for other in others:
            for place in tables.keys() & at[other].keys():
                del at[other][place]
            at[other][len(scopes) + len(steps) - 1] = others
        for other in others:
            left[other] = joint(other)
    return tuple(steps)


def placed(
    scope: Scope, axes: Scope, sizes: Mapping[Hashable, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How a table over `scope` is transposed, then shaped, to be added to one over `axes`."""
    order = tuple(sorted(range(len(scope)), key=lambda i: axes.index(scope[i])))
    return order, tuple(sizes[v] if v in scope else 1 for v in axes)


def cheapest(steps: Sequence[Step], tables: Sequence[np.ndarray]) -> dict[Hashable, int]:
    """The values, by place, of all variables for which the sum of the tables is least."""
    joints, _ = eliminated(steps, tables)
    found: dict[Hashable, int] = {}
    for step, joint in zip(reversed(steps), reversed(joints), strict=True):
        *others, variable = step.scope
        found[variable] = int(joint[tuple(found[v] for v in others)].argmin())
    return found


def eliminated(
    steps: Sequence[Step], tables: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The joint table of every step, and all tables: the given ones, then what each step leaves."""
    known, joints = list(tables), []
    for step in steps:
        start = np.zeros([1] * len(step.scope))
        joint = sum(
            (known[place].transpose(order).reshape(shape) for place, order, shape in step.tables),
            start,
        )
        joints.append(joint)
        known.append(joint.min(axis=-1))
    return joints, known


def marginals(steps: Sequence[Step], tables: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For every table and each of its entries, the least sum of all tables of the assignments with
    that entry."""
    joints, known = eliminated(steps, tables)
    # What is left when the last of variables that hang together goes; such parts add up.
    ends = [float(message) for message in known[len(tables) :] if not message.ndim]
    found: list[np.ndarray] = [np.zeros(())] * len(known)
    for place in range(len(known) - 1, len(tables) - 1, -1):
        step, joint, message = steps[place - len(tables)], joints[place - len(tables)], known[place]
        outside = (
            np.full((), sum(ends) - float(message))
            if not message.ndim
            else beyond(found[place], message)
        )
        whole = joint + outside[..., None]
        for used, order, shape in step.tables:
            axes = tuple(axis for axis, size in enumerate(whole.shape) if shape[axis] != size)
            least = whole.min(axis=axes, keepdims=True).reshape(
                [known[used].shape[axis] for axis in order]
            )
            found[used] = least.transpose(np.argsort(order))
    return found[: len(tables)]


def beyond(least: np.ndarray, message: np.ndarray) -> np.ndarray:
    """What all that a message does not speak of costs at least; it does not matter where the
    message allows nothing."""
    return least - np.where(np.isfinite(message), message, 0)
