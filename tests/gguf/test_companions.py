"""Which projector belongs to a model: by names in a repository, and on a disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.gguf.companions import projector_beside
from openshelf.gguf.names import nearest_projector


@pytest.mark.parametrize(
    ("model", "paths", "expected"),
    [
        ("a-Q4_K_M.gguf", ["mmproj-F16.gguf", "mmproj-Q8_0.gguf"], "mmproj-Q8_0.gguf"),
        ("a-F16.gguf", ["mmproj-Q8_0.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"),
        ("a-Q4_K_M.gguf", ["mmproj-BF16.gguf", "mmproj-F16.gguf"], "mmproj-BF16.gguf"),
        ("Q4/a-Q4_K_M.gguf", ["mmproj-Q4_0.gguf", "Q4/mmproj-F32.gguf"], "Q4/mmproj-F32.gguf"),
        ("Q4/a.gguf", ["mmproj-F16.gguf", "Q8/mmproj-F16.gguf"], "mmproj-F16.gguf"),
        ("a/b/c-Q8_0.gguf", ["a/mmproj-F16.gguf", "mmproj-Q8_0.gguf"], "a/mmproj-F16.gguf"),
        ("a-Q8_0.gguf", ["sub/mmproj-Q8_0.gguf"], None),
        ("ab/a.gguf", ["a/mmproj-F16.gguf"], None),
        ("a-Q8_0.gguf", ["mmproj-F16.txt", "b-Q8_0.gguf"], None),
        ("a-Q8_0.gguf", ["a.mmproj-Q8_0.gguf", "mmproj.gguf"], "a.mmproj-Q8_0.gguf"),
        ("a-Q8_0.gguf", [], None),
    ],
)
def test_deepest_shared_folder_then_nearest_bits(
    model: str, paths: list[str], expected: str | None
) -> None:
    assert nearest_projector(model, paths) == expected


def test_on_a_disk(tmp_path: Path) -> None:
    inner = tmp_path / "repo" / "Q4_K_M"
    inner.mkdir(parents=True)
    model = inner / "a-Q4_K_M.gguf"
    model.touch()
    assert projector_beside(model) is None
    (tmp_path / "repo" / "mmproj-F16.gguf").touch()
    (tmp_path / "mmproj-Q4_0.gguf").touch()
    assert projector_beside(model) is None, "above the folder only inside a repository"
    assert projector_beside(model, tmp_path / "repo") == tmp_path / "repo" / "mmproj-F16.gguf"
    assert projector_beside(model, tmp_path / "elsewhere") is None
    (inner / "mmproj-F32.gguf").touch()
    assert projector_beside(model, tmp_path / "repo") == inner / "mmproj-F32.gguf"
    assert projector_beside(tmp_path / "gone" / "a.gguf") is None
