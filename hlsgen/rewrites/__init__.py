"""Rewrites of a graph that a plan asks for: dense layers as convolutions, im2col columns, a prefix
cut off."""
