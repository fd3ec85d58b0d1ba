"""The audit of all networks of the zoo on several boards."""
