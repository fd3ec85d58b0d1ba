"""What the search that made a plan showed: data from which sentences are made when something is
printed."""

from __future__ import annotations

from dataclasses import dataclass

from hlsgen.schema import STRICT

# What is known of a pipeline's slowest kernel: none is faster, none is faster by more than the gap,
# none of more than the gap was found in time.
PROOFS = ("", "optimal", "near", "open")


@dataclass(frozen=True)
class Alternative:
    """A style that the search weighed: its predicted images a second and seconds an image, or why
    it cannot be built."""

    __pydantic_config__ = STRICT

    style: str
    throughput: float = 0.0
    latency: float = 0.0
    refusal: str = ""


@dataclass(frozen=True)
class Evidence:
    """What the search showed of the plan that it chose, and of no other: `digest` is that plan's,
    and an edited plan has another one.

    `pins`: what the user fixed, so that nothing else was searched. `proof` and `gap` are of the
    slowest kernel of a pipeline; it takes the share `slower` more cycles than the fastest for the
    sake of the clock, and the share `room` of the memory blocks was kept for FIFOs. `interval`:
    cycles between images in a simulation; `unlimited`: with unlimited FIFOs (0: too large to
    simulate). `fps`: the images a second that the fewest resources were sought for (0: another
    objective). `shapes`: engine shapes that were evaluated, of `pairs` of convolution engines at
    most. `limited`: a call of the solver ended at its time limit, with the best so far. `caps`: the
    shares of ALMs, memory blocks and DSPs that the user let it use, where they are not the usual.
    """

    __pydantic_config__ = STRICT

    digest: str = ""
    pins: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    proof: str = ""
    gap: float = 0.0
    slower: float = 0.0
    room: float = 0.0
    interval: float = 0.0
    unlimited: int = 0
    fps: float = 0.0
    shapes: int = 0
    pairs: int = 0
    limited: bool = False
    caps: tuple[float, ...] = ()
