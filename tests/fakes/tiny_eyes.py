"""Small projectors with random weights, which make a tiny model see something, if only noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.fakes.tiny_model import EMBEDDING
from tests.fit.projector_recipes import ProjectorRecipe, llava, qwen_vl, siglip

# Asks for tokens around a picture that a tiny vocabulary lacks.
IDEFICS = siglip("idefics3", 64, 128, 4, 2, 64, 16, EMBEDDING, 2)
GEMMA = siglip("gemma3", 64, 128, 4, 2, 64, 16, EMBEDDING, 2)
QWEN2 = qwen_vl("qwen2vl_merger", 64, 128, 4, 2, 14, EMBEDDING)
QWEN25 = qwen_vl("qwen2.5vl_merger", 64, 128, 4, 2, 14, EMBEDDING)
LLAVA = llava(64, 128, 4, 2, EMBEDDING, image=56)


def write_eyes(path: Path, recipe: ProjectorRecipe = GEMMA) -> Path:
    """A whole projector: what each picture becomes is noise, but always the same noise."""
    header, size = recipe.header_bytes(path.parent)
    random = np.random.default_rng(3)
    data = bytearray(header)
    for name, shape in recipe.tensors().items():
        is_half = len(shape) > 1 and "weight" in name and "position" not in name
        is_norm = "ln" in name or "norm" in name
        values = random.normal(0, 0.3, int(np.prod(shape)))
        if is_norm and name.endswith("weight"):
            values = np.ones(int(np.prod(shape)))
        part = values.astype(np.float16 if is_half else np.float32).tobytes()
        data += part + bytes(-len(part) % 32)
    assert len(data) == size
    path.write_bytes(bytes(data))
    return path
