"""Memory attributes as the board's version of the Intel FPGA SDK for OpenCL spells them
(docs/aoc-rules.md)."""

from __future__ import annotations

# The first version that gets max_replicates and an implementation for `memory`. Known: the guides
# to 18.1 have numreadports and numwriteports alone, that to 22.4 max_replicates, and 19.2 and 19.4
# still build what the old ones ask for. That 19.1 has the new ones is assumed.
MAX_REPLICATES = (19, 1)


def memory_macros(sdk: str) -> tuple[str, ...]:
    """The macros that declarations of on-chip arrays use (`hlsgen.kernel.memory`): banks, bytes of
    a bank, replicates."""
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
