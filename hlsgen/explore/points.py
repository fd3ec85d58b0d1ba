"""Points of the design space: which are asked for, what each is predicted to reach, which are on the Pareto front."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hlsgen.boards import board as find_board
from hlsgen.errors import HlsgenError
from hlsgen.frontend.load import load
from hlsgen.graph import Graph
from hlsgen.schedule.calibration import load_calibration
from hlsgen.schedule.estimate import estimate
from hlsgen.schedule.goal import Goal
from hlsgen.schedule.resources import Caps
from hlsgen.schedule.scheduler import schedule

# What the front weighs: name, and whether more is better.
CRITERIA = (("throughput_fps", True), ("latency_ms", False), ("dsps", False), ("blocks", False), ("alms", False))


@dataclass(frozen=True)
class Point:
    """One question to the scheduler. `share` scales the caps: 0.5 lets a design use half of what it may; `images` a launch of folded
    designs, `copies` of pipelined ones."""

    board: str
    style: str
    objective: str = "throughput"
    share: float = 1.0
    fps: float = 0.0
    disable: tuple[str, ...] = ()
    calibration: str = ""
    images: int = 1
    copies: int = 1

    @property
    def key(self) -> str:
        """A short name, unique among the options, also fit for a directory."""
        parts = [Path(self.board).stem, self.style, self.objective, f"{self.share:g}", *self.disable]
        if self.fps:
            parts.append(f"fps{self.fps:g}")
        if self.images > 1:
            parts.append(f"images{self.images}")
        if self.copies > 1:
            parts.append(f"copies{self.copies}")
        return "-".join(parts)


def grid(
    boards: Sequence[str],
    styles: Sequence[str],
    objectives: Sequence[str],
    shares: Sequence[float],
    fps: float,
    calibration: str,
    images: Sequence[int] = (1,),
    copies: Sequence[int] = (1,),
) -> list[Point]:
    """All combinations; pipelined designs stream, so that `images` a launch make no other design of them, and other designs have no `copies`. Raises BoardError
    for a board that does not exist."""
    for name in boards:
        find_board(name)
    return [
        Point(board, style, objective, share, fps, calibration=calibration, images=count, copies=number)
        for board, style, objective, share in itertools.product(boards, styles, objectives, shares)
        for count in (images if style in ("auto", "folded", "hybrid") else (min(images),))
        for number in (copies if style in ("auto", "pipelined") else (1,))
    ]


@lru_cache(maxsize=2)
def graph_of(model: str, digest: str) -> Graph:
    """The network of a file, read once a process."""
    return load(model)


def digest_of(model: str | Path) -> str:
    """A hash of the model file, so that results of another one are not taken for this one's."""
    try:
        return hashlib.sha256(Path(model).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise HlsgenError(f"cannot be read ({error.strerror})", where=f"model {model}") from None


def goal_of(point: Point) -> Goal:
    """The scheduler's goal for a point."""
    caps = Caps()
    caps = Caps(*(cap * point.share for cap in vars(caps).values()))
    return Goal(
        point.objective,
        point.fps,
        caps,
        calibration=load_calibration(point.calibration or None),
        images=point.images,
        copies=point.copies,
    )


def evaluate(model: str, digest: str, point: Point) -> dict[str, Any]:
    """Schedule and predict one point. A point that cannot be built is a result too: its `error` says why."""
    result: dict[str, Any] = {
        "key": point.key,
        "model": digest,
        **asdict(point),
        "disable": list(point.disable),
        "error": "",
    }
    try:
        graph, goal = graph_of(model, digest), goal_of(point)
        plan = schedule(graph, point.board, point.style, point.disable, goal)
        predicted = estimate(graph, plan, goal.calibration)
    except HlsgenError as error:
        return result | {"error": f"{error.where}: {error.reason}" if error.where else error.reason}
    r = predicted.resources
    return result | {
        "built": plan.style,
        "throughput_fps": predicted.throughput,
        "latency_ms": predicted.latency * 1e3,
        "alms": r.alms,
        "alms_low": r.alms_low,
        "alms_high": r.alms_high,
        "blocks": r.blocks,
        "dsps": r.dsps,
        "fmax": r.fmax,
        "bottleneck": predicted.timing.bottleneck,
        "roofline_share": predicted.throughput / predicted.roofline_fps,
        "reason": plan.reason,
    }


def dominates(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether a is at least as good as b in every criterion, and better in one."""
    signs = [(a[name] - b[name]) * (1 if more else -1) for name, more in CRITERIA]
    return all(s >= 0 for s in signs) and any(s > 0 for s in signs)


def front(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results that no other dominates, fastest first; one of several that are equal in every criterion."""
    valid = [r for r in results if not r["error"]]
    kept: dict[tuple[float, ...], dict[str, Any]] = {}
    for r in valid:
        if not any(dominates(other, r) for other in valid):
            kept.setdefault(tuple(r[name] for name, _ in CRITERIA), r)
    return sorted(kept.values(), key=lambda r: -r["throughput_fps"])
