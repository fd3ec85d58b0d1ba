"""The errors a user can cause. Each says what is wrong, where, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Collection

from hlsgen.host.errors import did_you_mean as did_you_mean

# Characters of a name that a message shows: names of hostile files have hundreds of thousands.
LONGEST_NAME = 160


def abbreviated(text: str) -> str:
    """A message whose long words are cut in the middle."""
    half = LONGEST_NAME // 2
    return re.sub(
        rf"\S{{{LONGEST_NAME},}}", lambda word: f"{word[0][:half]}...{word[0][-half // 2 :]}", text
    )


class HlsgenError(Exception):
    """A problem with the user's input, shown as one message and never as a traceback.

    `where` names the file, node, layer or option at fault; `remedy` says what the user can do.
    """

    def __init__(self, reason: str, *, where: str = "", remedy: str = ""):
        self.reason, self.where, self.remedy = reason, where, remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.reason}" if self.where else self.reason
        return f"{text}\n  what to do: {self.remedy}" if self.remedy else text


class ModelError(HlsgenError):
    """The ONNX file cannot be read, or its graph is malformed or has shapes that are not static."""


class UnsupportedError(HlsgenError):
    """The network uses operators or attributes that no template covers yet.

    `needs_constant` names values that are computed or fed at run time where a constant is needed.
    """

    def __init__(
        self,
        reason: str,
        *,
        where: str = "",
        remedy: str = "",
        needs_constant: Collection[str] = (),
    ):
        super().__init__(reason, where=where, remedy=remedy)
        self.needs_constant = frozenset(needs_constant)


class BoardError(HlsgenError):
    """The board is unknown or its description is unusable."""


class PlanError(HlsgenError):
    """A plan does not fit the network, the style or the board."""


class UsageError(PlanError):
    """The user asked for what cannot be. It ends the command, whatever other styles could do, and
    names what is possible."""


class Infeasible(PlanError):
    """The network cannot be built in this style on this board. Another style may do."""


class OutputError(HlsgenError):
    """The design directory cannot be written."""


class TrainingError(HlsgenError):
    """A training run failed, or cannot be resumed."""


class AuditError(HlsgenError):
    """A design cannot be audited: a package is missing, or its text does not compile."""
