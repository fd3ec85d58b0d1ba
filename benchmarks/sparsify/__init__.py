"""Accuracy against sparsity of trained networks, and the time that sparsifying takes."""
