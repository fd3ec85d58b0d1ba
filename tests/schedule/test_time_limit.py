"""A search that runs into its time limit keeps the best design so far, and says so."""

import pytest

import hlsgen
from hlsgen.boards import board
from hlsgen.cli.main import main
from hlsgen.errors import Infeasible, UsageError
from hlsgen.model.estimate import estimate
from hlsgen.plan import Plan
from hlsgen.schedule.check import check_plan
from hlsgen.schedule.explain import LIMITED, explain
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.pipelined import prices, search
from hlsgen.schedule.pipelined.choices import tensor_classes
from hlsgen.schedule.pipelined.prices import Answer, any_design, least_design
from hlsgen.schedule.pipelined.problem import build_problem
from hlsgen.schedule.pipelined.relaxation import Relaxation
from hlsgen.schedule.pipelined.solver import Outcome
from hlsgen.zoo import network

SMALL = "de5_net"


@pytest.fixture(scope="module")
def graph():
    return hlsgen.load_graph(network("lenet5"))


def designed(graph, **goal):
    plan = hlsgen.schedule(graph, SMALL, "pipelined", goal=Goal(**goal))
    check_plan(graph, plan)
    predicted = estimate(graph, plan)
    return plan.evidence, predicted, explain(graph, plan, predicted)


@pytest.mark.parametrize("objective", ["throughput", "latency"])
def test_without_time_the_best_so_far_is_built(objective, graph, monkeypatch):
    """Where prices say little of slowest kernels that are nearly as quick as can be."""
    with_time, best, said = designed(graph, objective=objective)
    assert with_time.proof == "optimal" and "time limit" not in said
    easy = 2 * max(item.cycles for item in best.timing.layers)

    def vague(relaxation, level):
        return (
            any_design(relaxation, level)
            if level >= easy
            else Answer(False, rest=relaxation.problem)
        )

    monkeypatch.setattr(search, "any_design", vague)
    proof, predicted, text = designed(graph, objective=objective, seconds=0.0)
    assert proof.proof == "open" and "ran into its time limit" in text
    # What is not ruled out is true: the gap holds the best.
    slowest, least = (
        max(item.cycles for item in found.timing.layers) for found in (predicted, best)
    )
    assert least < slowest <= (1 + proof.gap) * least


def test_a_cut_short_search_for_the_least_latency_says_so(graph):
    proof, _, text = designed(graph, objective="latency", seconds=0.0)
    assert proof.limited and LIMITED in text
    assert not designed(graph, objective="latency")[0].limited


def relaxation_of(graph, name):
    plan, target = Plan(graph.name, name, "pipelined"), board(name)
    return Relaxation(build_problem(graph, target, plan, Goal(), tensor_classes(graph)))


@pytest.fixture(scope="module")
def relaxation(graph):
    return relaxation_of(graph, SMALL)


@pytest.mark.parametrize(
    ("theirs", "cost", "kept"),
    [(None, 9.0, "mine"), ("theirs", 11.0, "mine"), ("theirs", 9.0, "theirs")],
)
def test_the_cheaper_of_two_designs_is_kept(theirs, cost, kept, monkeypatch, relaxation):
    answer = Answer(False, rest=relaxation.problem, best="mine", cost=10.0)
    monkeypatch.setattr(search, "least_design", lambda *_: answer)
    outcome = Outcome(theirs, False) if theirs is None else Outcome(theirs, False, cost)
    monkeypatch.setattr(search, "run", lambda *_, **__: outcome)
    found = search.fewest(relaxation, 1, Goal())
    assert found.choice == kept and not found.decided


def test_the_cost_of_what_is_known_is_that_of_the_solver(graph, monkeypatch):
    """Or the cheaper of the two would not be told. A gap below zero leaves much to the solver."""
    monkeypatch.setattr(prices, "GAP", -0.02)
    relaxation = relaxation_of(graph, "pac_d5005")
    levels = {o.cycles for options in relaxation.problem.options.values() for o in options}
    compared = 0
    for level in sorted(levels)[:: len(levels) // 8]:
        answer = least_design(relaxation, level)
        if answer.best is not None:
            found = search.fewest(relaxation, level, Goal())
            assert found.decided and found.cost == pytest.approx(answer.cost, rel=0.002)
            compared += 1
    assert compared > 3


def test_no_design_in_time_is_not_called_too_large(graph, monkeypatch, relaxation):
    undecided = Answer(False, rest=relaxation.problem)
    for name in ("any_design", "least_design"):
        monkeypatch.setattr(search, name, lambda *_: undecided)
    with pytest.raises(Infeasible, match=r"(?s)no design was found within.*--time-limit"):
        search.solve(relaxation, board(SMALL), Goal(seconds=0.0))


def test_limits_that_are_none(capsys, tmp_path):
    for seconds in ("-1", "nan", "inf"):
        with pytest.raises(UsageError, match="--time-limit"):
            hlsgen.schedule(None, goal=Goal(seconds=float(seconds)))
    (tmp_path / "plan.json").write_text("{}")
    assert main(["build", "x.onnx", "--plan", str(tmp_path / "plan.json"), "--time-limit", "3"])
    assert "--time-limit" in capsys.readouterr().err
