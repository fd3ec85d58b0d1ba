"""Builds OpenCL programs: compiled from source, or taken from the cache."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from typing import Any

import pyopencl as cl

from . import cache
from .builtins import DECLARATIONS, SKIP_HEADER

# Part of every key: raise it when entries change their meaning.
VERSION = 1


def compiled(context: Any, device: Any, source: str, options: Sequence[str]) -> Any:
    """A program built from source, or the same one from the cache. Raises pyopencl.RuntimeError if
    it does not compile.

    Only programs of Intel's runtimes are kept: others keep their own, or cannot take them back.
    """
    if "Intel" not in device.platform.name:
        return cl.Program(context, source).build(options=list(options), devices=[device])
    key = key_of(device, source, options)
    binary = cache.load(key)
    if binary is not None:
        try:
            return cl.Program(context, [device], [binary]).build()
        except cl.Error:
            cache.remove(key)
    program = cl.Program(context, source).build(options=list(options), devices=[device])
    (binary,) = program.get_info(cl.program_info.BINARIES)
    cache.store(key, binary)
    return program


def emulated(context: Any, device: Any, source: str, options: Sequence[str]) -> Any:
    """A program for the emulator, as by `compiled`: with the declarations that kernels need, or,
    where these do not do, with all of OpenCL's."""
    try:
        return compiled(context, device, DECLARATIONS + source, [*options, SKIP_HEADER])
    except cl.RuntimeError:
        return compiled(context, device, source, options)


def key_of(device: Any, source: str, options: Sequence[str]) -> str:
    """What a compiled program depends on, as a digest: text, options, runtime, its settings, the
    target processor."""
    settings = sorted(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith("CL_CONFIG_") and name != "CL_CONFIG_CPU_TBB_NUM_WORKERS"
    )
    runtime = [
        device.platform.name,
        device.platform.version,
        device.name,
        device.version,
        device.driver_version,
    ]
    parts = [VERSION, source, list(options), runtime, settings, processor()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def processor() -> list[str]:
    """The processor's model and instruction sets: a cache folder may be shared between machines."""
    try:
        with open("/proc/cpuinfo") as file:
            lines = file.read().split("\n\n")[0].splitlines()
    except OSError:
        return [platform.machine(), platform.processor()]
    return [
        platform.machine(),
        *(line for line in lines if line.startswith(("model name", "flags", "Features"))),
    ]
