"""Runs work that may crash or hang in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import TypeVar

from hlsgen.audit.compiler import AuditError

T = TypeVar("T")
# Seconds; the largest designs of the zoo take a few.
TIMEOUT = 300.0


def isolated(work: Callable[[], T], timeout: float = TIMEOUT) -> T:
    """The result of `work` in a fork of this process. Raises AuditError where it fails, crashes, or takes longer than `timeout` seconds."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=lambda: theirs.send(work()), daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(timeout):
            raise AuditError(f"the index code did not end within {timeout:g} s", where="audit")
        return ours.recv()
    except EOFError:
        child.join()
        raise AuditError(f"the index code failed (exit status {child.exitcode})", where="audit") from None
    finally:
        child.kill()
        child.join()
        ours.close()
