"""One object from a model to results: `hlsgen.compile` makes an Accelerator, `hlsgen.load` reads
one."""
