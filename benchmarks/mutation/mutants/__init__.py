"""All mutants, by the part of the project that they are in."""

from benchmarks.mutation.mutants import (
    building,
    describing,
    folding,
    frontend,
    host,
    modelling,
    reducing,
)

MUTANTS = (
    *host.MUTANTS,
    *frontend.MUTANTS,
    *modelling.MUTANTS,
    *building.MUTANTS,
    *describing.MUTANTS,
    *folding.MUTANTS,
    *reducing.MUTANTS,
)
