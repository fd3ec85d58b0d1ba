"""Arrays of users as inputs of a design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hlsgen.host.design import HostDesign
from hlsgen.host.errors import HostError
from hlsgen.host.images import Tensors
from hlsgen.host.manifest import Value

# One array for a network of one input, else arrays by the inputs' names.
Inputs: TypeAlias = "npt.ArrayLike | Mapping[str, npt.ArrayLike]"


def as_inputs(design: HostDesign, given: Inputs) -> tuple[Tensors, bool]:
    """Arrays `(images, ...)` by the inputs' names, and whether what was given is one image without
    an axis of images. Numbers of other floating-point types are rounded to float32. Raises
    HostError."""
    ports = {port.name: port for port in design.manifest.network_inputs}
    if not isinstance(given, Mapping):
        if len(ports) != 1:
            raise HostError(
                f"the network has {len(ports)} inputs",
                remedy=f"give a dictionary with an array for each: {', '.join(ports)}",
            )
        given = dict.fromkeys(ports, given)
    arrays = {name: as_typed(value, ports.get(name)) for name, value in given.items()}
    alone = all(
        name in ports and a.ndim == len(ports[name].shape) - 1 for name, a in arrays.items()
    )
    inputs = {name: array[None] for name, array in arrays.items()} if alone else arrays
    design.check_inputs(inputs)
    return inputs, alone


def as_typed(value: npt.ArrayLike, port: Value | None) -> np.ndarray:
    """Numbers in the type of an input, where that loses nothing but float32's rounding; others as
    they are, to be refused. Raises HostError for what is no array, and for bytes where float32 is
    wanted."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise HostError(f"it is no array ({error})") from None
    wanted = np.dtype(port.dtype if port else np.float32)
    if array.dtype == np.uint8 and wanted.kind == "f":
        raise HostError(
            f"{'input ' + port.name if port else 'it'} is of type uint8, the network needs "
            f"{wanted}",
            remedy="scale pictures as in training, for example x.astype('float32') / 255",
        )
    widens = array.dtype.kind == wanted.kind and np.can_cast(array.dtype, wanted, "safe")
    fits = widens or array.dtype.kind == wanted.kind == "f"
    return np.ascontiguousarray(array, wanted if fits else None)
