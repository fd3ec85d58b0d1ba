"""Labelled pictures of a user, and what a network makes of them."""
