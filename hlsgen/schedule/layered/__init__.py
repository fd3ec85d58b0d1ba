"""Plans layered designs: a kernel a layer through global memory."""
