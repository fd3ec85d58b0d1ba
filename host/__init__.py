"""Runs a design directory on an OpenCL device and compares every layer with its reference.

Needs numpy and pyopencl alone. The directory can be copied beside a design on a machine without the
compiler and used as `python -m host`; installed with the compiler it is `python -m hlsgen.host`.
"""
