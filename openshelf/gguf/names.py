"""What a GGUF file's name says: quantization, shard, kind. Never a guess."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileName:
    """`quant` is upper case (Q4_K_M, UD-Q4_K_XL) or None; `shard` is (number, of how many);
    `kind` is model, mmproj, imatrix, draft or part."""

    quant: str | None
    shard: tuple[int, int] | None
    kind: str
    stem: str


def parse_name(path: str) -> FileName:
    """Read the name of a file inside a repository (with its folders)."""
    raise NotImplementedError
