"""Jinja2 templates of the generated OpenCL, folded style."""
