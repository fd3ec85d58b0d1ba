"""Plans pipelined designs: a kernel a layer, joined by channels."""
