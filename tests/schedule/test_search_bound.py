"""What a search has shown holds for one with less of the board: the second need not show it again, and finds the same."""

from dataclasses import replace

import hlsgen
from hlsgen.boards import board
from hlsgen.plan import Plan
from hlsgen.schedule import search
from hlsgen.schedule.choices import tensor_classes
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.problem import build_problem
from hlsgen.zoo import network


def test_a_bound_saves_solver_calls_and_changes_nothing(monkeypatch):
    graph, target, goal = hlsgen.load(network("lenet5")), board("de10_nano"), Goal()
    problem = build_problem(graph, target, Plan(graph.name, target.name, "pipelined"), goal, tensor_classes(graph))
    full = search.solve(problem, target, goal)
    assert full.bound == full.cycles  # proven to the last level
    limits = problem.limits[0], int(0.9 * problem.limits[1]), problem.limits[2]
    smaller = replace(problem, limits=limits)
    calls = []
    run = search.run
    monkeypatch.setattr(search, "run", lambda *a, **k: calls.append(a[1]) or run(*a, **k))
    plain = search.solve(smaller, target, goal)
    without = len(calls)
    bounded = search.solve(smaller, target, goal, full.bound)
    assert (bounded.choice, bounded.cycles) == (plain.choice, plain.cycles)
    assert len(calls) - without < without
    assert min(calls[without:]) >= full.bound
