"""Finds OpenCL devices: the Intel FPGA emulator and CPU runtime of the environment, and what the
system has."""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path
from typing import Any, NoReturn

from .errors import HostError, did_you_mean

# Which library, or the system's list, a kind of device comes from.
LIBRARIES = {"emulator": "libintelocl_emu.so", "cpu": "libintelocl.so"}
KINDS = ("emulator", "cpu", "pocl", "board")
INSTALL = {
    "emulator": "pip install 'hlsgen[emulator]'",
    "cpu": "pip install 'hlsgen[emulator]'",
    "pocl": "apt-get install pocl-opencl-icd",
    "system": "install the OpenCL driver of your board or system",
}


def library(kind: str) -> Path | None:
    """The path of Intel's emulator or CPU runtime in this environment, or None."""
    roots = [Path(sys.prefix), Path(sys.base_prefix), Path(site.getuserbase())]
    for root in roots:
        path = root / "lib" / LIBRARIES[kind]
        if path.is_file():
            return path
    return None


def vendor_setting(kind: str) -> str | None:
    """The value of OCL_ICD_VENDORS that makes the loader see a kind of device; None leaves it as it
    is.

    The wheels' own .icd files hold a placeholder, so the library is named directly. Raises
    HostError if it is missing.
    """
    if kind not in LIBRARIES:
        return None
    path = library(kind)
    if path is None:
        raise HostError(
            f"the Intel {'FPGA emulator' if kind == 'emulator' else 'CPU runtime'} is not "
            "installed",
            remedy=INSTALL[kind],
        )
    return str(path)


def environment(kind: str, kernels: int) -> dict[str, str]:
    """Environment variables for a worker process that uses a kind of device with `kernels` kernels
    at once."""
    variables = dict(os.environ)
    setting = vendor_setting(kind)
    if setting is not None:
        variables["OCL_ICD_VENDORS"] = setting
    # Every kernel that waits on a channel occupies a worker of the emulator; the default is 32.
    variables.setdefault("CL_CONFIG_CPU_TBB_NUM_WORKERS", str(min(256, max(32, kernels + 16))))
    variables["PYOPENCL_NO_CACHE"] = "1"
    # The child imports what this process imports, installed or not, whatever its current folder
    # holds.
    variables["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    variables["PYTHONSAFEPATH"] = "1"
    return variables


def family(device: str) -> str:
    """Which kind of library `--device` asks for: emulator, cpu, or system (pocl, board and device
    numbers)."""
    if device in LIBRARIES:
        return device
    if device in ("pocl", "board") or device.isdigit():
        return "system"
    raise HostError(
        f"unknown device {device!r}{did_you_mean(device, KINDS)}",
        remedy="use emulator, cpu, pocl, board, or a number that doctor lists",
    )


def visible_devices() -> list[Any]:
    """All devices the loader sees in this process (call it in a worker process)."""
    import pyopencl as cl

    try:
        platforms = cl.get_platforms()
    except cl.LogicError:
        return []
    return [device for platform in platforms for device in platform.get_devices()]


def select(device: str, number: int = 0) -> Any:
    """The pyopencl device that `--device` names, in a worker process; of boards the one with this
    number. Raises HostError."""
    found = visible_devices()
    family(device)
    if device == "pocl":
        found = [d for d in found if "Portable Computing Language" in d.platform.name]
    if device == "board":
        found = [d for d in found if is_board(d)]
        if found and number >= len(found):
            raise HostError(
                f"there is no board number {number}; this machine has {len(found)}",
                remedy="start as many processes a node as it has boards",
            )
        return found[number] if found else no_device(device)
    if device.isdigit():
        if int(device) >= len(found):
            raise HostError(
                f"there is no OpenCL device number {device}; {len(found)} are installed",
                remedy="list them with `hlsgen doctor`, or with the host's own command `devices`",
            )
        return found[int(device)]
    return found[0] if found else no_device(device)


def no_device(device: str) -> NoReturn:
    """Raise HostError for a kind of device that there is none of."""
    raise HostError(
        f"no OpenCL device of kind {device} was found",
        remedy=INSTALL.get(device, INSTALL[family(device)]),
    )


def is_emulator(device: Any) -> bool:
    """Whether a device is the Intel FPGA emulator."""
    return "FPGA" in device.platform.name and "Emulation" in device.platform.name


def is_board(device: Any) -> bool:
    """Whether a device is a physical FPGA, which runs compiled designs alone."""
    return "FPGA" in device.platform.name and not is_emulator(device)


def describe(device: Any) -> dict[str, Any]:
    """Name, platform and kind of a pyopencl device."""
    return {
        "name": device.name.strip(),
        "platform": device.platform.name.strip(),
        "version": device.version.strip(),
        "compute_units": device.max_compute_units,
        "channels": "cl_intel_channels" in device.extensions,
    }
