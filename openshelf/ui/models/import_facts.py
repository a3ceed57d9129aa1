"""What can be imported: looked for in one task, kept as frozen facts."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from openshelf.library.bundles import is_bundle
from openshelf.library.foreign import ForeignModel, Origin, find_models, usual_places
from openshelf.library.starter import find_starters
from openshelf.services import Services
from openshelf.tasks import CancelToken, Report


@dataclass(frozen=True)
class Importable:
    """`path` is its first file, or the target of a starter; `is_here` where that very file is in
    the library."""

    path: str
    name: str
    origin: Origin
    size_bytes: int
    is_here: bool


@dataclass(frozen=True)
class ImportFacts:
    """`folder` is the one that was looked through, "" for the model folders and the usual places of
    other programs."""

    folder: str
    models: tuple[Importable, ...]
    is_bundle: bool = False
    """The folder is a bundle, whose models come whole or not at all."""


def look_for_models(
    services: Services, folder: str = ""
) -> Callable[[CancelToken, Report], ImportFacts]:
    """The work for a task."""

    def work(cancel: CancelToken, report: Report) -> ImportFacts:
        files = [file for model in services.library.installed() for file in model.files]
        here = {os.path.realpath(file.location) for file in files}
        if folder and is_bundle(Path(folder)):
            return ImportFacts(folder, (), is_bundle=True)
        folders = [Path(folder)] if folder else _places(services)
        found: dict[str, Importable] = {}
        if not folder:
            hashes = {file.sha256 for file in files}
            found = {starter.path: starter for starter in _starters(hashes)}
        for stranger in () if folder else services.folders.scan(cancel, report).strangers:
            path = Path(stranger.path)
            found[os.path.realpath(path)] = Importable(
                stranger.path, path.name, Origin.FOLDER, stranger.size_bytes, is_here=False
            )
        for place in folders:
            cancel.raise_if_cancelled()
            for model in find_models(place):
                found.setdefault(os.path.realpath(model.paths[0]), _importable(model, here))
        return ImportFacts(folder, tuple(found.values()))

    return work


def _starters(installed: Collection[str]) -> Iterator[Importable]:
    for starter in find_starters():
        model = starter.model
        is_here = model.sha256 in installed
        yield Importable(model.target, model.file, Origin.PACKAGE, model.size_bytes, is_here)


def _places(services: Services) -> list[Path]:
    """Without model folders: what nobody entered there is found by the look through them."""
    own = {folder.path for folder in services.folders.all()}
    return [place for _, place in usual_places(os.environ, Path.home()) if str(place) not in own]


def _importable(model: ForeignModel, here: set[str]) -> Importable:
    size = sum(path.stat().st_size for path in model.paths if path.is_file())
    path = model.paths[0]
    is_here = os.path.realpath(path) in here
    return Importable(str(path), model.names[0], model.origin, size, is_here)


_PROGRAMS = {
    Origin.HF_CACHE: "Hugging Face",
    Origin.LM_STUDIO: "LM Studio",
    Origin.OLLAMA: "Ollama",
    Origin.JAN: "Jan",
    Origin.GPT4ALL: "GPT4All",
    Origin.LLAMA_CPP: "llama.cpp",
    Origin.PACKAGE: "PyPI",
    Origin.FOLDER: "GGUF",
}


def program_name(origin: str) -> str:
    """Names of programs are not translated."""
    return {known.value: name for known, name in _PROGRAMS.items()}.get(origin, origin)
