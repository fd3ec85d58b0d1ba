"""What a search for one style gives, and what it may take from those for others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hlsgen.plan import Plan
from hlsgen.schedule.pipelined.options import OptionCache


@dataclass(frozen=True)
class Draft:
    """A plan as good as complete: `finish` gives it the FIFOs that simulations find enough. That
    takes a while, so that it is worth it for the plan that is chosen."""

    plan: Plan
    finish: Callable[[], Plan]


@dataclass(frozen=True)
class Earlier:
    """What the searches of one network and goal have found so far: `options` of pipelined layers,
    and the `plans` of other styles by name."""

    options: OptionCache = field(default_factory=OptionCache)
    plans: dict[str, Plan] = field(default_factory=dict)
