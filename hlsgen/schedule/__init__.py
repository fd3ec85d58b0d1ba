"""From a graph and a board to a plan: every decision of the scheduler, explicit.

The package can be called: `hlsgen.schedule(graph, board=..., style=...)` is
`hlsgen.schedule.scheduler.schedule`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from hlsgen.schedule.scheduler import schedule

        return schedule(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
