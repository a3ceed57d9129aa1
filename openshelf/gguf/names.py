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
ADAPTER = "adapter"
VOCAB = "vocab"

_MAX_NAME = 512
"""Longer names are read from their end only; no file system takes them anyway."""
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?!\d)")
_RAW_CUT = re.compile(
    r"\.gguf(?:[.-](?:part-?\d+(?:-?of-?\d+)?|split-?\w+)|\.\d{2,3})$", re.IGNORECASE
)
_EXTENSION = re.compile(r"\.(?:gguf|gguf_file|imatrix|dat)$", re.IGNORECASE)
_IMATRIX_EXTENSIONS = (".imatrix", ".gguf_file", "imatrix.dat")
_PROJECTOR = re.compile(r"mm[-_]?proj", re.IGNORECASE)
_DRAFT = re.compile(
    r"""
      (?:mtp|eagle3|dflash|dspark|draft)[-_.]
    | (?:google_)?gemma-?4(?:-(?:[EA]?\d+B|it|qat|q4_0|unquantized))*-assistant(?![^\W_])
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""At the start only: a whole model may be called `…-Q4_K_M-mtp`. The drafts of Gemma 4 are called
assistants, as are many whole models."""
_ADAPTER = re.compile(
    r"""
      ^ (?:lora|adapter|ggml[-_]adapter) (?:[-_.]|$)
    | [-_.] lora (?:[-_.](?:BF16|FP?16|FP?32))? $
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""GGUF's naming convention puts `LoRA` last; llama.cpp's converter puts the type behind it."""
_VOCAB = re.compile(r"^ggml[-_]vocab[-_.]|[-_.]vocab$", re.IGNORECASE)
_TYPE = r"""
    (?: I?Q[1-9]_(?:K|KS|KSS|KL|KT|NL|XXS|XS|S|M|L|P|XL|[0-9])
          (?:_(?:XXS|XS|S|M|L|XL|XXL|P|NL|R?[0-9]{1,2}))*
      | I?Q[1-9][-.]K[-.](?:S|M|L|XL) | IQ[1-4][-.](?:XXS|XS|NL) | Q[48][-.]0(?=$)
      | TQ[12]_0 | I2_S
      | (?:MX|NV)FP4(?:_[A-Z0-9]+)*
    )
"""
_QUANT = re.compile(
    rf"""
    (?<! [^\W_])
    (?: (?P<quant>
            UD [-_.] {_TYPE}
          | AD [-_.] {_TYPE} (?: - (?:I?Q[1-9]_(?:K|XXS|XS|S|M)(?:_[SML])?) )?
          | {_TYPE} )
      | (?P<plain>BF16|FP16|F16|FP32|F32)
    )
    (?! [^\W_])
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""The dynamic recipes UD (Unsloth) and AD (AtomicChat) are part of the label; AD may name two."""
_MIXED = re.compile(r"(?<![A-Za-z0-9])(?:W\d)?I?Q[1-9](?:K|XXS|XS)(?![A-Za-z0-9])", re.IGNORECASE)
"""Labels of mixtures glued together (IQ2XXS-w2Q2K-…): what else they name is one part only."""
_SHORT = re.compile(r"(?<![^\W_])I?Q[1-8](?![^\W_])", re.IGNORECASE)
_SOURCE = re.compile(r"q4_0[-_]unquantized", re.IGNORECASE)
"""A checkpoint trained for Q4_0 and not yet quantized: the model's name, not the file's type."""
_DYNAMIC = ("UD-", "AD-")


@dataclass(frozen=True)
class FileName:
    """`quant` is upper case (Q4_K_M, UD-Q4_K_XL) or None; `shard` is (number, of how many);
    `kind` is model, mmproj, imatrix, draft, part, adapter (LoRA) or vocab."""

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
    if quant is None and kind != IMATRIX and not _names_a_mixture(stem):
        quant = next(filter(None, map(_last_quant, reversed(folders.split("/")))), None)
    return FileName(quant=quant, shard=shard, kind=kind, stem=stem)


def plain_label(quant: str) -> str:
    """The type that a dynamic recipe is named after: `Q4_K_XL` of `UD-Q4_K_XL`."""
    return quant[3:] if is_dynamic(quant) else quant


def is_dynamic(quant: str) -> bool:
    """Whether the label says that each tensor got a type of its own."""
    return quant.startswith(_DYNAMIC)


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
    if _PROJECTOR.search(base):
        return MMPROJ
    if _DRAFT.match(base):
        return DRAFT
    if lowered.endswith(_IMATRIX_EXTENSIONS):
        return IMATRIX
    if _ADAPTER.search(stem):
        return ADAPTER
    if _VOCAB.search(stem):
        return VOCAB
    words = re.split(r"[-._]", stem.lower())
    is_quant_like = has_quant or _names_a_mixture(stem)
    return IMATRIX if not is_quant_like and "imatrix" in (words[0], words[-1]) else MODEL


def _names_a_mixture(text: str) -> bool:
    return _MIXED.search(text) is not None


def _last_quant(text: str) -> str | None:
    """The last quantization between delimiters; one of a real type beats unquantized ones."""
    if _names_a_mixture(text):
        return None
    text = _SOURCE.sub("", text)
    real = plain = None
    end = 0
    for match in _QUANT.finditer(text):
        if match["quant"]:
            real = _spelled(match["quant"])
        else:
            plain, end = match["plain"].upper().replace("FP", "F"), match.end()
    if real is None and plain is not None and _SHORT.search(text, end):
        return None  # `f16.q5`: of which Q5 the layers are is not said
    return real or plain


def _spelled(label: str) -> str:
    """`ud_q4-k-m` → `UD-Q4_K_M`; the second type of a recipe stays apart (`AD-IQ4_XS-IQ3_S`)."""
    words = re.sub(r"[-.](?!I?Q[1-9])", "_", label.upper())
    return re.sub(r"^([UA]D)[_.]", r"\1-", words)
