"""Memory attributes as the board's version of the Intel FPGA SDK for OpenCL spells them (docs/aoc-rules.md)."""

from __future__ import annotations

# The first version whose guide has max_replicates and an implementation for `memory`; the guides up to 18.1 have numreadports and numwriteports.
MAX_REPLICATES = (19, 1)


def memory_macros(sdk: str) -> tuple[str, ...]:
    """The macros that declarations of on-chip arrays use (`hlsgen.memory`): banks, bytes of a bank, replicates."""
    if tuple(map(int, sdk.split(".")[:2])) < MAX_REPLICATES:
        ports = "numreadports(replicates), numwriteports(1)"
        kinds = {"BLOCKS": "memory", "MLABS": "memory"}
    else:
        ports = "max_replicates(replicates)"
        kinds = {"BLOCKS": 'memory("BLOCK_RAM")', "MLABS": 'memory("MLAB")'}
    geometry = "numbanks(banks), bankwidth(bytes), singlepump"
    return (
        *(
            f"#define {name}(banks, bytes, replicates) __attribute__(({kind}, {geometry}, {ports}))"
            for name, kind in kinds.items()
        ),
        "#define REGISTERS __attribute__((register))",
    )
