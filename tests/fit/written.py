"""All models that the tests of fit ask the engine about: recorded headers and written ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.fit.machines import DATA, INDEX
from tests.fit.recipes import BOUNDED, LAYERED
from tests.fit.test_installed_engine import RECIPES, _write


@dataclass(frozen=True)
class Model:
    name: str
    write: Callable[[Path], Path]


def _recorded(name: str, path: Path) -> Path:
    """One of the sixteen headers in a hole as large as the file."""
    path.write_bytes((DATA / "headers" / f"{name}.gguf.header").read_bytes())
    with path.open("r+b") as file:
        file.truncate(INDEX[name]["file_bytes"])
    return path


def recorded_models() -> list[Model]:
    return [Model(name, partial(_recorded, name)) for name in INDEX]


def written_models() -> list[Model]:
    layered = {**LAYERED, **BOUNDED}
    return [Model(name, recipe.write) for name, recipe in layered.items()] + [
        Model(name, partial(_write, recipe)) for name, recipe in RECIPES.items()
    ]
