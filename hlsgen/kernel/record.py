"""The records of the step table: fields of 32 bits, declared by those who read them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """A field of a step's record: its C type (int or float) and meaning. Sizes and addresses count
    vectors.

    `number` orders the fields, whoever declares them. With `when` the record has the field only
    where a network has an operator or an engine of that name (or that trait, see
    `hlsgen.descriptors`); all others are part of every record.
    """

    number: int
    name: str
    kind: str
    meaning: str
    when: str = ""
