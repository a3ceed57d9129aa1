"""What the project needs is declared in pyproject.toml and pinned in constraints.txt."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from tests.guards.source_tree import imported_names

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def normal_name(requirement: str) -> str:
    name = re.split(r"[\s;<>=!~\[(]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(requirements: list[str]) -> set[str]:
    """Names of all that is installed because of `requirements`."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = normal_name(requirement)
        if name in found or "extra ==" in requirement:
            continue
        try:
            waiting += requires(name) or ()
        except PackageNotFoundError:
            continue  # for another system, another Python, or an extra that is not installed
        found.add(name)
    return found


def imported_roots(folder: Path) -> set[str]:
    sources = (file.read_text("utf-8") for file in folder.rglob("*.py"))
    return {name.split(".")[0] for source in sources for name in imported_names(source)}


def test_everything_needed_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {normal_name(line) for line in lines if not line.startswith("#")}
    extras = [name for names in PROJECT["optional-dependencies"].values() for name in names]
    missing = needed(PROJECT["dependencies"] + extras) - pinned - {"setuptools", "pip"}
    assert missing == set()


def test_everything_imported_is_declared() -> None:
    declared = {normal_name(requirement) for requirement in PROJECT["dependencies"]}
    distributions = packages_distributions()
    roots = imported_roots(ROOT / "openshelf") - {"openshelf", "shiboken6"}
    undeclared = {
        root
        for root in roots - sys.stdlib_module_names
        if not declared & {normal_name(name) for name in distributions.get(root, [])}
    }
    assert undeclared == set()
