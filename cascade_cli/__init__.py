"""Decide, with evidence, when a cheap extraction model may do an expensive model's work."""

__version__ = "0.1.0"
