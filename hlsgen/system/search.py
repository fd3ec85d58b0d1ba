"""Plans a network over several boards: bounds say about where to cut, the search of pipelined
designs builds each part, and cuts move away from the slowest board while that helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hlsgen.boards import Board, board_key
from hlsgen.boards.topology import Topology
from hlsgen.errors import Infeasible, UsageError
from hlsgen.graph import Graph
from hlsgen.model.estimate import Estimate, estimate
from hlsgen.model.links import packing
from hlsgen.plan import LinkPlan, Plan
from hlsgen.progress import stage
from hlsgen.rewrites.parts import parts
from hlsgen.rewrites.weight_storage import with_storage
from hlsgen.schedule.draft import Draft, Earlier
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.knobs import MEMORY
from hlsgen.schedule.pins import candidates, check_pins
from hlsgen.schedule.pipelined.fifo import least_depths, pixel_times
from hlsgen.schedule.pipelined.options import OptionCache
from hlsgen.schedule.pipelined.planner import draft_pipelined
from hlsgen.schedule.provenance import headline, sealed
from hlsgen.system.cuts import Row, row_of
from hlsgen.words import counted

# A cut that moves must make the slowest board faster by that.
WORTHWHILE = 1.002
# Weights from memory must make the slowest board faster by that.
STREAMING = 1.05
# So many moves are tried for every board.
MOVES = 2


@dataclass(frozen=True)
class SystemPlan:
    """Boards in a row, each with its part of the network (`ends`: the number of layers before each
    cut, and of all), its plan, and what that is predicted to be. So many `copies` of the row work
    on different images."""

    topology: Topology
    ends: tuple[int, ...]
    graphs: tuple[Graph, ...]
    plans: tuple[Plan, ...]
    estimates: tuple[Estimate, ...]
    boards: tuple[Board, ...]
    copies: int = 1

    @property
    def slowest(self) -> int:
        """The number of the board that sets the rate."""
        rates = [found.throughput for found in self.estimates]
        return rates.index(min(rates))

    @property
    def throughput(self) -> float:
        """Images a second of all copies: those of the slowest board or link."""
        return self.copies * self.estimates[self.slowest].throughput

    @property
    def latency(self) -> float:
        """Seconds of an image: those of all boards, which the hosts start together, and of the
        links."""
        own = sum(found.latency for found in self.estimates)
        launches = sum(board.launch_us for board in self.boards[1:]) * 1e-6
        pairs = zip(self.boards[:-1], self.plans[:-1], strict=True)
        links = sum(b.io_channels.latency_ns for b, p in pairs if p.leaving and b.io_channels)
        return own - launches + links * 1e-9

    @property
    def limit(self) -> str:
        """What sets the rate."""
        return f"board {self.slowest + 1}, {self.estimates[self.slowest].timing.bottleneck}"


@dataclass
class Search:
    """Parts that were built, by where they lie, and why the last one that does not fit does not."""

    row: Row
    goal: Goal
    caches: dict[str, OptionCache]
    pace: int
    drafts: dict[tuple[int, int, int], Draft | None] = field(default_factory=dict)
    refusal: Infeasible | None = None

    def links(self, first: int, end: int, number: int) -> tuple[LinkPlan | None, LinkPlan | None]:
        """The links to a board's part and from it."""
        last = number == len(self.row.boards) - 1
        return (
            self.row.link(first, number - 1, self.pace)[1] if number else None,
            None if last else self.row.link(end, number, self.pace)[0],
        )

    def graph(self, first: int, end: int) -> Graph:
        """The part between two cuts."""
        count = len(self.row.graph.layers)
        ends = sorted({first, end, count} - {0})
        return parts(self.row.graph, ends)[ends.index(end)]

    def draft(
        self, first: int, end: int, number: int, pins: Mapping[tuple[str, str], int] | None = None
    ) -> Draft:
        """The best design of a part on a board. Raises Infeasible."""
        graph, board = self.graph(first, end), self.row.boards[number]
        arriving, leaving = self.links(first, end, number)
        plan = Plan(
            graph.name,
            self.row.keys[number],
            "pipelined",
            self.goal.weights,
            arriving=arriving,
            leaving=leaving,
        )
        own = {layer.name for layer in graph.layers}
        kept = {key: value for key, value in self.goal.pins.items() if key[0] in {*own, MEMORY}}
        on_chip = {} if self.row.streams else {(name, "row_tiles"): 0 for name in own}
        goal = replace(self.goal, pins=on_chip | kept | dict(pins or {}))
        earlier = Earlier(self.caches[self.row.keys[number]])
        return draft_pipelined(graph, board, plan, goal, earlier)

    def rate(self, first: int, end: int, number: int) -> float:
        """Images a second of a part on a board; 0 where it does not fit."""
        key = first, end, number
        if key not in self.drafts:
            try:
                self.drafts[key] = self.draft(*key)
            except Infeasible as error:
                self.drafts[key], self.refusal = None, error
        found = self.drafts[key]
        if found is None:
            return 0.0
        graph, board = self.graph(first, end), self.row.boards[number]
        return estimate(graph, found.plan, self.goal.calibration, board).throughput

    def rates(self, ends: Sequence[int]) -> list[float]:
        """Those of all parts."""
        starts = (0, *ends[:-1])
        return [self.rate(*pair, n) for n, pair in enumerate(zip(starts, ends, strict=True))]

    def moved(self, ends: tuple[int, ...]) -> tuple[int, ...]:
        """Cuts that no single move away from the slowest board makes better."""
        rates = self.rates(ends)
        for _ in range(MOVES * len(ends)):
            stage("moving cuts", min(rates))
            better = self.better(ends, rates)
            if better is None:
                break
            ends = better
            rates = self.rates(ends)
        return ends

    def better(self, ends: tuple[int, ...], rates: list[float]) -> tuple[int, ...] | None:
        """The cuts with one of the slowest board's ends moved inwards, if that is better."""
        slow = rates.index(min(rates))
        trials = []
        if slow:
            trials.append((slow - 1, +1))
        if slow < len(ends) - 1:
            trials.append((slow, -1))
        # the neighbour with more to spare first
        for cut, step in sorted(trials, key=lambda t: -rates[t[0] if t[1] > 0 else t[0] + 1]):
            trial = self.shifted(ends, cut, step)
            if trial and min(self.rates(trial)) > WORTHWHILE * min(rates):
                return trial
        return None

    def shifted(self, ends: tuple[int, ...], cut: int, step: int) -> tuple[int, ...] | None:
        """A cut at the next place in a direction where its link lets the pace through."""
        low, high = (0, *ends)[cut], ends[cut + 1]
        place = ends[cut] + step
        while low < place < high:
            if self.row.open(place, cut, self.pace):
                return (*ends[:cut], place, *ends[cut + 1 :])
            place += step
        return None

    def complete(self, ends: tuple[int, ...]) -> SystemPlan:
        """The plan of all boards, FIFOs sized, with vectors at both ends of each link that make
        the same words."""
        graphs = parts(self.row.graph, ends)
        starts, plans = (0, *ends[:-1]), list[Plan]()
        for number, (first, end) in enumerate(zip(starts, ends, strict=True)):
            found = self.drafts[first, end, number]
            if found is None:
                raise Infeasible("its layers do not fit", where=f"board {number + 1}")
            if number:
                pins = unequal(graphs[number], plans[-1], found.plan)
                if pins:
                    check_link_pins(pins, self.goal.pins)
                    found = self.draft(first, end, number, pins)
            stage(f"sizing FIFOs of board {number + 1}")
            plan = replace(found.finish(), network=graphs[number].name)
            if number:
                plan = passing(graphs[number], plans[-1], plan)
            plans.append(sealed(graphs[number], plan, self.goal.calibration))
        return SystemPlan(
            self.row.topology,
            ends,
            graphs,
            tuple(plans),
            tuple(
                headline(g, p, self.goal.calibration) for g, p in zip(graphs, plans, strict=True)
            ),
            self.row.boards,
        )


def widths(plan: Plan) -> dict[str, int]:
    """The lanes of every tensor's vectors."""
    return {edge.tensor: edge.width for edge in plan.edges}


def unequal(graph: Graph, writer: Plan, reader: Plan) -> dict[tuple[str, str], int]:
    """Pins that give tensors that arrive vectors as they were sent, where otherwise both ends would
    not fill words alike: a pixel would have other lanes without channels, or a vector take another
    number of words."""
    link = reader.arriving
    if link is None:
        return {}
    sent, found = widths(writer), {}
    ends = (packing(graph, plan, link).tensors for plan in (writer, reader))
    for mine, theirs in zip(*ends, strict=True):
        if (mine.pixel_bits, mine.apart) != (theirs.pixel_bits, theirs.apart):
            for layer in graph.consumers[mine.tensor]:
                found[layer.name, "input_width"] = sent[mine.tensor]
    return found


def check_link_pins(
    needed: Mapping[tuple[str, str], int], given: Mapping[tuple[str, str], int]
) -> None:
    """Raise UsageError for a pin of the user's where a link needs another one."""
    for (layer, name), value in needed.items():
        if given.get((layer, name), value) != value:
            raise UsageError(
                f"the board before sends vectors of {value} channels",
                where=f"--set {layer}.{name}={given[layer, name]}",
                remedy=f"pin it to {value}, or leave it out",
            )


def passing(graph: Graph, writer: Plan, plan: Plan) -> Plan:
    """The plan with tensors that are merely passed on in vectors as they came."""
    sent = widths(writer)
    edges = [
        replace(edge, width=sent[edge.tensor])
        if edge.tensor not in graph.producers
        and not graph.consumers[edge.tensor]
        and edge.tensor in sent
        else edge
        for edge in plan.edges
    ]
    if edges == list(plan.edges):
        return plan
    found = replace(plan, edges=tuple(edges))
    times = pixel_times(graph, {kernel.layer: kernel for kernel in plan.kernels})
    least = least_depths(graph, found, times)
    deep = (replace(e, depth=max(e.depth, least[i])) for i, e in enumerate(edges))
    return replace(found, edges=tuple(deep))


def plan_system(graph: Graph, names: Sequence[str], topology: Topology, goal: Goal) -> SystemPlan:
    """Plan a network for boards, by their names, in a row, or for several equal rows of fewer
    boards where that is predicted to be faster. Raises Infeasible, BoardError, UsageError."""
    if not names:
        raise UsageError("no boards", where="boards", remedy="name one at the least")
    boards, caches = [board_key(name) for name in names], dict[str, OptionCache]()
    candidates("pipelined", (), goal)
    whole = Plan(graph.name, boards[0], "pipelined", goal.weights)
    check_pins(with_storage(graph, goal.weights), whole, goal)
    found, refusal = None, None
    for count in row_lengths(boards, topology):
        copies = len(boards) // count
        least = found.throughput / copies if found else 0.0
        try:
            trial = plan_row(graph, boards[:count], topology, goal, caches, least=least)
        except Infeasible as error:
            refusal = refusal or error
            continue
        trial = replace(trial, copies=copies)
        if found is None or trial.throughput > WORTHWHILE * found.throughput:
            found = trial
    if found is None:
        assert refusal
        raise refusal
    return found


def row_lengths(boards: Sequence[str], topology: Topology) -> list[int]:
    """Lengths of equal rows that use all boards, the longest first; boards that differ make one
    row. Raises UsageError for more boards than the topology joins."""
    count, most = len(boards), topology.most_boards or len(boards)
    equal = [n for n in range(count, 0, -1) if count % n == 0] if len(set(boards)) == 1 else [count]
    found = [n for n in equal if n <= most]
    if not found:
        raise UsageError(f"joins {most} boards at most", where=f"--topology {topology.name}")
    return found


def plan_row(
    graph: Graph, boards: Sequence[str], topology: Topology, goal: Goal,
    caches: dict[str, OptionCache], ends: tuple[int, ...] = (), least: float = 0.0,
) -> SystemPlan:  # fmt: skip
    """Plan a network for one row of boards, with cuts of your own (`ends`) or the best: first with
    all weights on chip, then with some from memory, if that may be faster. Raises Infeasible, also
    where the bounds show that it is no faster than `least` images a second; BoardError."""
    if len(graph.layers) < len(boards):
        raise Infeasible(
            f"the network has {counted(len(graph.layers), 'layer')}, fewer than boards",
            where=f"{len(boards)} boards",
            remedy="use fewer",
        )
    graph = with_storage(graph, goal.weights)
    plan = Plan(graph.name, boards[0], "pipelined", goal.weights)
    best: tuple[Search, tuple[int, ...]] | None = None
    refusal = Infeasible(f"not faster than {least:,.0f} images a second", where="boards in a row")
    for streams in (False, True):
        stage(f"cutting for {len(boards)} boards")
        try:
            row = row_of(graph, boards, topology, plan, goal, caches, streams)
            pace, cuts = row.best()
        except Infeasible as error:
            refusal = error
            continue
        wanted = STREAMING * least if streams and best else WORTHWHILE * least
        if row.most(pace) <= wanted and not ends:
            continue
        search = Search(row, goal, caches, pace)
        chosen = ends or search.moved(cuts)
        rate = min(search.rates(chosen))
        if not rate:
            refusal = search.refusal or refusal
        if rate > (STREAMING * least if streams and best else least):
            best, least = (search, chosen), rate
    if best is None:
        raise refusal
    search, chosen = best
    return search.complete(chosen)
