"""Whether the engine here can load a model at all, and whose word that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openshelf.catalog.entries import CatalogModel
from openshelf.engine.architectures import EngineKnowledge

ENGINE, CATALOG, NOBODY = "engine", "catalog", "nobody"


@dataclass(frozen=True)
class EngineWord:
    """`supported` is None where nobody knows; `basis` is engine, catalog or nobody."""

    supported: bool | None = None
    basis: str = NOBODY

    def as_json(self) -> dict[str, Any]:
        return {"supported": self.supported, "basis": self.basis}


NO_WORD = EngineWord()


def engine_word(model: CatalogModel, engine: EngineKnowledge) -> EngineWord:
    """The engine's own word, else the catalog's: a model without an architecture there is one
    that llama.cpp had none for when the catalog was made."""
    architecture = model.shape.architecture
    knows = engine.knows(architecture)
    if knows is not None:
        return EngineWord(knows, ENGINE)
    if model.is_new:
        return NO_WORD
    return EngineWord(architecture is not None, CATALOG)


def can_load(model: CatalogModel, engine: EngineKnowledge) -> bool:
    """Whether the model may be offered: nothing says that the engine has no architecture for it."""
    return engine_word(model, engine).supported is not False
