"""Records of the timing model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerTime:
    """One layer (or step): cycles an image, the least cycles that its multiplications need on the
    units it has, and the bytes it moves to and from external memory; `bound` says what limits it:
    compute, memory or stream; in plain kernels also additions that wait for each other."""

    name: str
    cycles: float
    ideal_cycles: float
    bytes: float
    bound: str

    def __post_init__(self) -> None:
        # Else its multipliers would work in more cycles than there are: a plan, or a law, is wrong.
        assert self.ideal_cycles <= self.cycles * (1 + 1e-9), self

    @property
    def utilisation(self) -> float:
        """Share of the cycles in which its multipliers work."""
        return self.ideal_cycles / self.cycles if self.cycles else 0.0


@dataclass(frozen=True)
class Timing:
    """Time of one image (`latency`) and images a second of a stream (`throughput`), in seconds;
    what limits the stream."""

    latency: float
    throughput: float
    bottleneck: str
    layers: tuple[LayerTime, ...]
    bytes: float
    cycles: float


def rate(value: float) -> str:
    """A figure of any size for people: 413,715 or 171.7 or 0.038."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
