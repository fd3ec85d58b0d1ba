"""Stands in for mpi4py between processes that share a folder."""
