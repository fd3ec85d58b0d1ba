"""Plans hybrid designs: a pipelined prefix beside engines, and depthwise layers that stream into
convolutions."""
