"""Openshelf: what a machine can run, what one would owe, and whether it does the work."""

__version__ = "0.1.0"
