"""Files that belong to a model's file and lie beside it on this disk."""

from __future__ import annotations

from pathlib import Path

from openshelf.gguf.header import Header
from openshelf.gguf.names import nearest_projector


def is_projector_of(projector: Header, model: Header) -> bool:
    """Whether it can be: a folder may hold files of many models, and what a projector makes must be
    as wide as a token."""
    widths = {projector.get(f"{part}.projection_dim") for part in ("vision", "audio")} - {None}
    return not widths or model.get("embedding_length") in widths


def projector_beside(model: Path, root: Path | None = None) -> Path | None:
    """The projector (mmproj) of the file `model`; None without one.

    Looks in the model's folder, and above it up to `root` (its repository), nearest folder first.
    A folder that cannot be read has none.
    """
    top = model.parent if root is None or not model.is_relative_to(root) else root
    for folder in (model.parent, *model.parent.parents):
        try:
            names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
        except OSError:
            names = []
        name = nearest_projector(model.name, names)
        if name is not None:
            return folder / name
        if folder == top:
            break
    return None
