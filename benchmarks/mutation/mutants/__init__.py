"""All mutants, by the part of the project that they are in."""

from benchmarks.mutation.mutants import (
    building,
    describing,
    folding,
    frontend,
    host,
    modelling,
    plain,
    quantised,
    reducing,
)

MUTANTS = (
    *host.MUTANTS,
    *frontend.MUTANTS,
    *modelling.MUTANTS,
    *plain.MUTANTS,
    *building.MUTANTS,
    *describing.MUTANTS,
    *folding.MUTANTS,
    *quantised.MUTANTS,
    *reducing.MUTANTS,
)
