"""One paragraph on a plan, made from the plan and its estimate when it is printed. What the search
showed is said of the plan as searched alone."""

from __future__ import annotations

from math import floor

from hlsgen.boards import board as find_board
from hlsgen.evidence import Alternative, Evidence
from hlsgen.graph import Graph
from hlsgen.model.calibration import Calibration, default_calibration
from hlsgen.model.estimate import Estimate
from hlsgen.model.resources import Caps
from hlsgen.model.times import rate
from hlsgen.plan import Plan
from hlsgen.schedule.knobs import first_few
from hlsgen.schedule.provenance import as_searched, as_simulated, throughput_band
from hlsgen.schedule.styles import PLANNERS

CHANGED = (
    "The plan is not as the search left it, or network, board or calibration are "
    "not: how good it is was not searched."
)
LIMITED = (
    "The search ran into its time limit: this is the best design so far, a better "
    "one is not ruled out."
)
TOO_LARGE = (
    "The network is too large to simulate its FIFOs in a build: they have the least "
    "depths that cannot deadlock."
)
# With which reasons begin whose subject is the design.
VERBS = ("cannot", "has", "needs", "reaches")


def explain(
    graph: Graph, plan: Plan, predicted: Estimate, calibration: Calibration | None = None
) -> str:
    """What the plan is, costs and reaches, what limits it, and why it was chosen. `predicted` is
    its estimate with that calibration."""
    calibration = calibration or default_calibration()
    searched = as_searched(graph, plan, calibration)
    evidence = plan.evidence if searched else Evidence()
    predicted = as_simulated(plan, predicted) if searched else predicted
    parts = [
        chosen(plan, evidence.alternatives),
        PLANNERS[plan.style].describe(graph, plan, predicted),
        figures(graph, plan, predicted, calibration),
    ]
    parts += [unshown(plan, predicted), misfit(plan, predicted, evidence)]
    parts += [showed(graph, plan, predicted, evidence)]
    parts += [CHANGED] if plan.evidence.digest and not searched else []
    return " ".join(part for part in parts if part)


def chosen(plan: Plan, alternatives: tuple[Alternative, ...]) -> str:
    """Why the style was chosen, where there was a choice."""
    refused = [
        f"The {other.style} design was ruled out: {clause(other.refusal)}."
        for other in alternatives
        if other.refusal
    ]
    built = [other for other in alternatives if not other.refusal]
    weighed = [
        f"the {other.style} one {rate(other.throughput)} ({other.latency * 1e3:.3g} ms)"
        for other in built
        if other.style != plan.style
    ]
    own = next((other for other in built if other.style == plan.style), None)
    if own is None or not weighed:
        return " ".join(refused)
    reached = (
        f"The {plan.style} design was chosen: it reaches {rate(own.throughput)} images a second "
        f"({own.latency * 1e3:.3g} ms an image), {', '.join(weighed)}."
    )
    return " ".join((reached, *refused))


def clause(reason: str) -> str:
    """What is said of a design, as a clause: without a subject it is the design."""
    return f"it {reason}" if reason.split()[0] in VERBS else reason


def rate_with_band(expected: float, low: float, high: float) -> str:
    """Images a second as they are printed everywhere, with what `throughput_band` gives."""
    return f"{rate(expected)} ({rate(low)} to {rate(high)})"


def figures(graph: Graph, plan: Plan, predicted: Estimate, calibration: Calibration) -> str:
    """What it costs, what it reaches, what limits it."""
    r, t, board = predicted.resources, predicted.timing, find_board(plan.board)
    expected = predicted.throughput
    low, high = throughput_band(graph, plan, predicted, calibration)
    shares = ", ".join(f"{share:.0%} of the {name}" for name, share in r.shares(board).items())
    unit = f"a launch of {plan.images} images" if plan.images > 1 else "an image"
    return (
        f"Predicted: {rate_with_band(expected, low, high)} images a second at {r.fmax:.0f} MHz "
        f"({r.fmax_low:.0f} to {r.fmax_high:.0f}), II 1 and the least to the most that memory was "
        f"measured at, "
        f"{t.latency * 1e3:.3g} ms {unit}, with {shares}; "
        f"{PLANNERS[plan.style].limit(plan, predicted)}; "
        f"{expected / predicted.roofline_fps:.0%} of the roofline, "
        f"{expected / predicted.fixed_roofline_fps:.0%} of that at "
        f"{board.device.roofline_clock:g} MHz."
    )


def within_shown(plan: Plan, predicted: Estimate) -> tuple[float, float] | None:
    """Where more of the DSPs are used than any published design uses: the cap that keeps to that,
    and about how many images a second it leaves, were all layers bound by their multipliers."""
    board = find_board(plan.board)
    device, used = board.device, predicted.resources.dsps
    shown = device.shown_dsps * device.dsps
    if used <= shown:
        return None
    cap = floor(100 * shown / board.available_dsps) / 100
    fewer = cap * board.available_dsps
    faster = device.fmax_per_dsp * 100 * (used - fewer) / device.dsps / predicted.resources.fmax
    return cap, predicted.throughput * fewer / used * (1 + faster)


def unshown(plan: Plan, predicted: Estimate) -> str:
    """A warning where more of the DSPs are used than any published design uses, with the price of
    staying within that."""
    found, most = within_shown(plan, predicted), find_board(plan.board).device.shown_dsps
    if found is None:
        return ""
    cap, images = found
    return (
        f"Published designs use at most {most:.0%} of this family's DSPs: whether more can be "
        f"placed at such a clock was not shown. --dsps {cap:g} keeps to that, for about "
        f"{rate(images)} images a second."
    )


def misfit(plan: Plan, predicted: Estimate, evidence: Evidence) -> str:
    """Whether the design is too large."""
    caps = Caps(*evidence.caps) if evidence.caps else Caps()
    if predicted.resources.fits(find_board(plan.board), caps):
        return ""
    return "It does not fit what may be used of the board."


def showed(graph: Graph, plan: Plan, predicted: Estimate, evidence: Evidence) -> str:
    """What the search showed."""
    percent = f"{evidence.gap:.1%}" if evidence.gap < 0.1 else f"{evidence.gap:.0%}"
    within = " and ".join(("within the caps", *first_few(list(evidence.pins))))
    texts = {
        "optimal": f"No choice of vector widths and unrolled windows {within} has a faster slowest "
        "kernel (proven).",
        "near": f"No choice of vector widths and unrolled windows {within} has a slowest kernel "
        f"more than {percent} faster (proven).",
        "open": f"The search ran into its time limit: a slowest kernel up to {percent} faster is "
        "not ruled out.",
    }
    parts = [texts.get(evidence.proof, "")]
    parts += [LIMITED] if evidence.limited else []
    if evidence.fps:
        low = predicted.throughput * predicted.resources.fmax_low / predicted.resources.fmax
        sure = ", even at the lowest clock" if low >= evidence.fps else ""
        parts.append(
            f"Sought: the fewest resources for {rate(evidence.fps)} images a second{sure}."
        )
    if evidence.slower:
        parts.append(
            f"With up to {evidence.slower:.1%} more cycles less of the board is used, and the "
            "clock is higher."
        )
    if evidence.room:
        parts.append(f"{evidence.room:.0%} of the memory blocks were kept for FIFOs.")
    if evidence.shapes:
        parts.append(shapes_text(evidence))
    if plan.edges and evidence.digest:
        parts.append(pace_text(evidence))
    return " ".join(part for part in parts if part)


def shapes_text(evidence: Evidence) -> str:
    """How the engines were found."""
    pairs = (
        f"others being bounded, and of two convolution engines the {evidence.pairs} most "
        "promising pairs tried"
    )
    return (
        f"The best of {evidence.shapes} engine shapes, "
        f"{pairs if evidence.pairs else 'all others being bounded'}."
    )


def pace_text(evidence: Evidence) -> str:
    """What the simulator says of the FIFOs."""
    if not evidence.unlimited:
        return TOO_LARGE
    text = (
        "The simulator of the channel graph sees an image leave every "
        f"{evidence.interval:,.0f} cycles"
    )
    return f"{text}; with unlimited FIFOs it would be {evidence.unlimited:,} in the long run."
