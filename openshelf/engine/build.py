"""Engine builds, told from their files: nothing is imported and nothing started."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_DISTRIBUTION = "llama-cpp-python"
_LLAMA = ("libllama.so", "libllama.dylib", "llama.dll", "libllama.dll")
_PLACES = (".", "lib", "bin", "build/bin", "llama_cpp/lib")


@dataclass(frozen=True)
class EngineFiles:
    """A build of llama.cpp; `modified_at` is that of its newest library (seconds since 1970).

    `folder` is the binding's, or the one that holds another build's libraries. `identity` changes
    with the binding's version and with any of the libraries.
    """

    binding_version: str
    folder: Path
    modified_at: float
    identity: str


def find_engine(package: str = "llama_cpp") -> EngineFiles | None:
    """The build that a worker would load; None where there is none."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not folders:
        return None
    return _files(Path(folders[0]), Path(folders[0]) / "lib")


def find_build(folder: Path) -> EngineFiles | None:
    """The build whose libraries lie in `folder`; None where there is no libllama."""
    if not any((folder / name).is_file() for name in _LLAMA):
        return None
    return _files(folder, folder)


def library_folder(path: Path) -> Path | None:
    """Where the libraries lie in what a person chose: a release, a build tree, a wheel."""
    for inner in _PLACES:
        folder = (path / inner).absolute()
        if find_build(folder) is not None:
            return folder
    return None


def _files(folder: Path, lib: Path) -> EngineFiles:
    libraries = sorted(_libraries(lib))
    version = binding_version()
    told = "\n".join((version, *(f"{name} {size} {at}" for name, size, at in libraries)))
    return EngineFiles(
        binding_version=version,
        folder=folder,
        modified_at=max((at for _, _, at in libraries), default=0) / 1e9,
        identity=hashlib.sha256(told.encode()).hexdigest()[:16],
    )


def _libraries(folder: Path) -> Iterator[tuple[str, int, int]]:
    """(name, bytes, nanoseconds since 1970) of every shared library of the binding."""
    for path in folder.glob("*"):
        try:
            if path.suffix in (".dll", ".dylib") or ".so" in path.suffixes:
                stat = path.stat()
                yield path.name, stat.st_size, stat.st_mtime_ns
        except OSError:
            continue


def binding_version() -> str:
    """Of llama-cpp-python; empty where it is not installed."""
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return ""
