"""Sparsification without retraining: small weights become zero, layer by layer, within an accuracy
budget.

The three published methods (Ashouri, Abdelrahman, Dos Remedios, arXiv 1811.04199): flat,
triangular, relative; and those that users would compare with: one global threshold, LAMP (Lee et
al., arXiv 2010.07611), Wanda (Sun et al., arXiv 2306.11695).
"""

from hlsgen.sparsify.apply import Sparsified, sparsify
from hlsgen.sparsify.methods import METHODS

__all__ = ["METHODS", "Sparsified", "sparsify"]
