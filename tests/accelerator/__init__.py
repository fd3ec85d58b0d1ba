"""The one object, from a model to results."""
