"""Jinja2 templates of the generated OpenCL."""
