"""What a GGUF file's name says: quantization, shard, kind. Never a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MODEL = "model"
MMPROJ = "mmproj"
IMATRIX = "imatrix"
DRAFT = "draft"
PART = "part"

_MAX_NAME = 512
"""Longer names are read from their end only; no file system takes them anyway."""
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?!\d)")
_RAW_CUT = re.compile(r"\.gguf(?:[.-](?:part-?\d+(?:of\d+)?|split-?\w+)|\.\d{2,3})$", re.IGNORECASE)
_EXTENSION = re.compile(r"\.(?:gguf|gguf_file|imatrix|dat)$", re.IGNORECASE)
_IMATRIX_EXTENSIONS = (".imatrix", ".gguf_file", "imatrix.dat")
_DRAFT_PREFIXES = ("mtp-", "eagle3-", "dflash-", "dspark-", "draft-")
_QUANT = re.compile(
    r"""
    (?<![^\-._/])
    (?P<unsloth>UD-)?
    (?:
      (?P<quant>
          I?Q[1-9]_(?:K|NL|XXS|XS|S|M|L|P|XL|[0-9])(?:_(?:XXS|XS|S|M|L|XL|P|NL|[0-9]{1,2}))*
        | TQ[12]_0
        | (?:MX|NV)FP4(?:_[A-Z0-9]+)*
      )
      | (?P<plain>BF16|FP16|F16|FP32|F32)
    )
    (?![^\-._/])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MIXED = re.compile(r"(?<![A-Za-z0-9])(?:W\d)?I?Q[1-9](?:K|XXS|XS)(?![A-Za-z0-9])", re.IGNORECASE)
"""Labels of mixtures glued together (IQ2XXS-w2Q2K-…): what else they name is one part only."""


@dataclass(frozen=True)
class FileName:
    """`quant` is upper case (Q4_K_M, UD-Q4_K_XL) or None; `shard` is (number, of how many);
    `kind` is model, mmproj, imatrix, draft or part."""

    quant: str | None
    shard: tuple[int, int] | None
    kind: str
    stem: str


def parse_name(path: str) -> FileName:
    """Read the name of a file inside a repository (with its folders).

    The last quantization in the name wins, a real one over BF16 and the like; where the name has
    none, the nearest folder that has one speaks. `stem` is the name without extension, shard and
    folder.
    """
    folders, _, base = path[-_MAX_NAME:].replace("\\", "/").rpartition("/")
    is_cut = _RAW_CUT.search(base)
    name = base[: is_cut.start()] if is_cut else _EXTENSION.sub("", base)
    shard, stem = _take_shard(name)
    quant = _last_quant(stem)
    kind = PART if is_cut else _kind(base, stem, has_quant=quant is not None)
    if quant is None and kind != IMATRIX:
        quant = next(filter(None, map(_last_quant, reversed(folders.split("/")))), None)
    return FileName(quant=quant, shard=shard, kind=kind, stem=stem)


def nearest_projector(model: str, paths: Iterable[str]) -> str | None:
    """Which of `paths` is the projector of the file `model` beside them; None without one.

    llama.cpp's rule: it lies in the model's folder or one above, the deepest of these wins, then
    the nearest bits, then the first.
    """
    folders = model.split("/")[:-1]
    wanted = _bits(model)
    best: tuple[int, int, str] | None = None
    for path in paths:
        if not path.lower().endswith(".gguf") or parse_name(path).kind != MMPROJ:
            continue
        own = path.split("/")[:-1]
        if own != folders[: len(own)]:
            continue
        rank = (-len(own), abs(_bits(path) - wanted), path)
        if best is None or rank[:2] < best[:2]:
            best = rank
    return best[2] if best else None


def _bits(path: str) -> int:
    """Of the quantization in a name, 0 without one."""
    found = re.search(r"\d+", parse_name(path).quant or "")
    return int(found[0]) if found else 0


def _take_shard(name: str) -> tuple[tuple[int, int] | None, str]:
    matches = list(_SHARD.finditer(name))
    if not matches:
        return None, name
    match = matches[-1]
    number, count = int(match[1]), int(match[2])
    stem = name[: match.start()] + name[match.end() :]
    return ((number, count), stem) if 1 <= number <= count else (None, name)


def _kind(base: str, stem: str, *, has_quant: bool) -> str:
    lowered = base.lower()
    if "mmproj" in lowered:
        return MMPROJ
    if lowered.startswith(_DRAFT_PREFIXES):
        return DRAFT
    if lowered.endswith(_IMATRIX_EXTENSIONS):
        return IMATRIX
    words = re.split(r"[-._]", stem.lower())
    if not has_quant and "imatrix" in (words[0], words[-1]):
        return IMATRIX
    return MODEL


def _last_quant(text: str) -> str | None:
    """The last quantization between delimiters; one of a real type beats unquantized ones."""
    if _MIXED.search(text):
        return None
    real = plain = None
    for match in _QUANT.finditer(text):
        if match["quant"]:
            real = f"{match['unsloth'] or ''}{match['quant']}".upper()
        else:
            plain = match["plain"].upper().replace("FP", "F")
    return real or plain
