"""Elimination against all assignments; what prices say of a target against what the solver says."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import hlsgen
from benchmarks.scheduling import chain
from hlsgen.boards import board
from hlsgen.errors import Infeasible
from hlsgen.plan import Plan
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined import prices, search, solver
from hlsgen.schedule.pipelined.choices import tensor_classes
from hlsgen.schedule.pipelined.elimination import cheapest, elimination, marginals
from hlsgen.schedule.pipelined.prices import GAP, any_design, least_design, worth
from hlsgen.schedule.pipelined.problem import build_problem
from hlsgen.schedule.pipelined.relaxation import Relaxation
from hlsgen.zoo import network


def relaxation_of(model, target="pac_d5005", streams=True):
    graph, on = hlsgen.load_graph(model), board(target)
    plan, classes = Plan(graph.name, on.name, "pipelined"), tensor_classes(graph)
    return Relaxation(build_problem(graph, on, plan, Goal(), classes, streams=streams))


@pytest.mark.parametrize("seed", range(20))
def test_elimination_finds_the_cheapest_of_all_assignments(seed):
    random = np.random.default_rng(seed)
    sizes = {name: int(random.integers(1, 4)) for name in "abcdef"}
    scopes = [tuple(random.permutation(list(sizes))[: random.integers(1, 4)]) for _ in range(7)]
    tables = [random.integers(0, 50, [sizes[v] for v in scope]).astype(float) for scope in scopes]

    def price(values):
        return sum(
            table[tuple(values[v] for v in scope)]
            for scope, table in zip(scopes, tables, strict=True)
        )

    every = (
        dict(zip(sizes, values, strict=True))
        for values in product(*(range(n) for n in sizes.values()))
    )
    assert price(cheapest(elimination(sizes, scopes), tables)) == min(map(price, every))


def test_variables_that_hang_together_too_closely_are_not_eliminated():
    sizes = dict.fromkeys(range(9), 5)
    assert elimination(sizes, [(a, b) for a in sizes for b in sizes if a < b]) is None


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(
    ("model", "target"), [("lenet5", "de5_net"), ("lenet5", "pac_d5005"), (None, "pac_a10")]
)
def test_prices_say_what_the_solver_says(model, target, streams):
    relaxation, goal = relaxation_of(network(model) if model else chain(6), target, streams), Goal()
    problem = relaxation.problem
    levels = sorted({o.cycles for options in problem.options.values() for o in options})
    settled = 0
    for level in levels[:: len(levels) // 8]:
        any_one, least = any_design(relaxation, level), least_design(relaxation, level)
        theirs = solver.run(problem, level, goal, fewest=True).choice
        for answer in (any_one, least):
            settled += answer.settled
            assert not answer.settled or (answer.choice is None) == (theirs is None)
            # The solver, which counts for itself, finds the choice within the limits.
            assert (
                answer.choice is None
                or solver.run(only(problem, answer.choice), level, goal, fewest=False).choice
            )
        if least.choice and not streams:
            mine, other = (price(problem, choice) for choice in (least.choice, theirs))
            assert max(mine, other) <= (1 + GAP) * min(mine, other)
    assert settled > 8


def only(problem, choice):
    """The problem with no other options than those of a choice."""
    options = {layer: tuple(o for o in ways if facts(o.kernel) == chosen(problem, layer, choice))
               for layer, ways in problem.options.items()}  # fmt: skip
    assert all(len(ways) == 1 for ways in options.values())
    return replace(problem, options=options)


def chosen(problem, layer, choice):
    source, result = problem.ends[layer]
    kernel = (
        choice.widths[source],
        choice.widths[result],
        layer in choice.unrolled,
        choice.lane_folding[layer],
    )
    return (
        *kernel,
        choice.nonzeros_per_lane[layer],
        choice.nonzeros_per_vector[layer],
        choice.vectors_per_cycle[layer],
        choice.row_tiles[layer],
    )


def facts(k):
    return (
        k.input_width,
        k.output_width,
        k.unroll_window,
        k.lane_folding,
        k.nonzeros_per_lane,
        k.nonzeros_per_vector,
        k.vectors_per_cycle,
        k.row_tiles,
    )


def price(problem, choice):
    """What a choice costs that has no FIFOs for row tiles."""
    costs = [option.cost for (option,) in only(problem, choice).options.values()]
    return np.sum(
        costs + [problem.channels[pair] for pair in choice.widths.items()], axis=0
    ) @ worth(problem)


def test_chains_and_small_networks_need_no_solver(monkeypatch):
    monkeypatch.setattr(search, "run", lambda *_, **__: pytest.fail("the solver was asked"))
    for model in (network("lenet5"), chain(24)):
        assert (
            search.solve(relaxation_of(model), board("pac_d5005"), Goal()).proof.proof == "optimal"
        )


def test_a_network_that_is_too_large_is_refused_without_the_solver(monkeypatch):
    monkeypatch.setattr(search, "run", lambda *_, **__: pytest.fail("the solver was asked"))
    relaxation = relaxation_of(chain(24), "pac_d5005")
    least = relaxation.problem.least_cost
    limits = tuple(int(amount * 1.02) for amount in least)  # every resource would do by itself
    with pytest.raises(Infeasible, match="together"):
        search.solve(
            Relaxation(replace(relaxation.problem, limits=limits)), board("pac_d5005"), Goal()
        )


@pytest.mark.slow
def test_with_equal_layers_the_first_ones_change_first(monkeypatch):
    relaxation = relaxation_of(chain(100))
    target = int(1.01 * search.solve(relaxation, board("pac_d5005"), Goal()).cycles)
    assert least_design(relaxation, target).settled
    monkeypatch.setattr(prices, "mixed", lambda *_: None)
    assert not least_design(relaxation, target).settled


@pytest.mark.parametrize("seed", range(20))
def test_marginals_are_the_least_of_all_assignments_with_an_entry(seed):
    random = np.random.default_rng(seed)
    sizes = {name: int(random.integers(1, 4)) for name in "abcdef"}
    scopes = [tuple(random.permutation(list(sizes))[: random.integers(1, 4)]) for _ in range(5)]
    tables = [random.integers(0, 50, [sizes[v] for v in scope]).astype(float) for scope in scopes]
    least = [np.full(table.shape, np.inf) for table in tables]
    for values in product(*(range(n) for n in sizes.values())):
        given = dict(zip(sizes, values, strict=True))
        entries = [tuple(given[v] for v in scope) for scope in scopes]
        total = sum(table[entry] for table, entry in zip(tables, entries, strict=True))
        for table, entry in zip(least, entries, strict=True):
            table[entry] = min(table[entry], total)
    for mine, brute in zip(marginals(elimination(sizes, scopes), tables), least, strict=True):
        assert (mine == brute).all()


def test_options_that_no_design_can_have_do_not_reach_the_solver():
    relaxation, goal = relaxation_of(network("lenet5"), "de5_net"), Goal()
    problem, whole, left = relaxation.problem, 0, 0
    for level in sorted({o.cycles for options in problem.options.values() for o in options})[::3]:
        for answer, fewest in (
            (any_design(relaxation, level), False),
            (least_design(relaxation, level), True),
        ):
            if answer.settled:
                continue
            whole, left = whole + count(problem), left + count(answer.rest)
            with_all, with_rest = (
                solver.run(p, level, goal, fewest).choice for p in (problem, answer.rest)
            )
            assert (with_all is None) == (with_rest is None)
    assert left < whole / 2


def count(problem):
    return sum(map(len, problem.options.values()))
