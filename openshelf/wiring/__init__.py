"""Builds every service once; the only place that wires. Used by the window and the command line."""

from openshelf.wiring.assembly import build_services

__all__ = ["build_services"]
