"""Runs work that may crash or hang in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any, TypeVar

from hlsgen.errors import AuditError

T = TypeVar("T")
# Seconds; the largest designs of the zoo take a few.
TIMEOUT = 300.0


def isolated(work: Callable[[], T], timeout: float = TIMEOUT) -> T:
    """The result of `work` in a fork of this process. Raises AuditError where it fails, crashes, or
    takes longer than `timeout` seconds."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=answer, args=(work, theirs), daemon=True)
    result: T
    child.start()
    theirs.close()
    try:
        if not ours.poll(timeout):
            raise AuditError(f"the index code did not end within {timeout:g} s", where="audit")
        result, failure = ours.recv()
    except EOFError:
        child.join()
        raise AuditError(
            f"the index code crashed (exit status {child.exitcode})", where="audit"
        ) from None
    finally:
        child.kill()
        child.join()
        ours.close()
    if failure:
        raise AuditError(f"the index code failed ({failure})", where="audit")
    return result


def answer(work: Callable[[], Any], pipe: Any) -> None:
    """In the fork: send the result, or what went wrong."""
    try:
        message = work(), ""
    except Exception as error:  # whatever LLVM makes of code that it does not understand
        message = None, f"{type(error).__name__}: {error}".splitlines()[0]
    pipe.send(message)
