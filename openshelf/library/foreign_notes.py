"""Reads the small files that other programs keep beside their models. Strangers wrote them: what
makes no sense, or is too large, tells nothing.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from openshelf.licenses.claims import LICENSE_FILES

MOST_FILES = 20_000
DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_MAX_NOTE_BYTES = 1 << 20
_LAYER = "application/vnd.ollama.image."


def read_text(path: Path) -> str | None:
    """None where there is none, or too much of it."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_NOTE_BYTES:
            return None
        return path.read_bytes().decode("utf-8", "replace")
    except (OSError, ValueError):
        return None


def read_json(path: Path) -> dict[str, Any]:
    """Empty where it holds no object."""
    try:
        value = json.loads(read_text(path) or "null")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def license_beside(folder: Path) -> tuple[str | None, str]:
    """Text and name of the LICENSE file in `folder`."""
    try:
        by_name = {path.name.casefold(): path for path in folder.iterdir()}
    except OSError:
        return None, "LICENSE"
    for name in LICENSE_FILES:
        if name in by_name and (text := read_text(by_name[name])):
            return text, by_name[name].name
    return None, "LICENSE"


def begins_like_gguf(path: Path) -> bool:
    if not path.is_file():
        return False  # a pipe would never answer
    try:
        with path.open("rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


def ollama_layers(manifest: Path) -> dict[str, list[str]]:
    """Kind of layer (model, projector, adapter, license, template, params…) → the digests of
    those, in order."""
    found: dict[str, list[str]] = {}
    listed = read_json(manifest).get("layers") if manifest.is_file() else None
    for layer in listed if isinstance(listed, list) else ():
        kind = layer.get("mediaType") if isinstance(layer, dict) else None
        digest = layer.get("digest") if isinstance(layer, dict) else None
        match = DIGEST.fullmatch(digest) if isinstance(digest, str) else None
        if match is not None and isinstance(kind, str) and kind.startswith(_LAYER):
            found.setdefault(kind.removeprefix(_LAYER), []).append(match[1])
    return found


def ollama_manifests(root: Path) -> list[Path]:
    """Those of a store, in the order of their names."""
    return sorted((root / "manifests").rglob("*"))[:MOST_FILES]


def digests_that_are_no_models(root: Path) -> set[str]:
    """Of projectors and adapters, which begin like a model and are part of one."""
    models: set[str] = set()
    others: set[str] = set()
    for manifest in ollama_manifests(root):
        for kind, digests in ollama_layers(manifest).items():
            (models if kind == "model" else others).update(digests)
    return others - models


def lm_studio_folder(home: Path) -> Path | None:
    """The folder that a person chose in LM Studio in place of the usual one; None without."""
    pointer = (read_text(home / ".lmstudio-home-pointer") or "").strip()
    own = Path(pointer) if pointer and "\0" not in pointer else home / ".lmstudio"
    chosen = read_json(own / "settings.json").get("downloadsFolder")
    if isinstance(chosen, str) and chosen and "\0" not in chosen:
        return Path(chosen) if Path(chosen).is_absolute() else None
    return own / "models" if pointer and own.is_absolute() else None
