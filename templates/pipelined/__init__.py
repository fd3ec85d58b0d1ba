"""Jinja2 templates of the generated OpenCL, pipelined style."""
