"""Reading Python source for the guards: what is imported, and what is called."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def called_name(node: ast.AST) -> str | None:
    """`f` for a call of `f(…)` or `x.f(…)`."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None


def imported_names(source: str) -> Iterator[str]:
    """Every dotted name that `source` imports, in functions and by import_module as well."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif called_name(node) in ("import_module", "__import__", "find_spec"):
            first = node.args[0] if isinstance(node, ast.Call) and node.args else None
            if isinstance(first, ast.Constant):
                yield str(first.value)
