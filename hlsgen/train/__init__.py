"""Pipelined training with stale weights, on torch.distributed. Nothing else of hlsgen imports
torch.

`schedule` says who does what when, `cut` where the network is cut, `stage` what a stage keeps and
computes; `engine` and `apart` run a stage in a process of its own, and `reference` runs all stages
in one process, cycle by cycle.
"""

# PyTorch's own package for Linux brings gigabytes of CUDA along; its CPU build is the one of this
# index.
INSTALL_TORCH = (
    "pip install 'hlsgen[train]'; on a machine without a GPU before it: "
    "pip install torch --index-url https://download.pytorch.org/whl/cpu"
)
