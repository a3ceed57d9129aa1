"""The files of a repository grouped into variants: what can be installed as one thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from openshelf.errors import NotFound
from openshelf.gguf.names import MODEL, nearest_projector, parse_name
from openshelf.hub.entries import Repo, RepoFile

_DEFAULT_QUANTS = ("Q4_K_M", "Q8_0")
"""What llama.cpp takes where nothing is said."""
_COMPANION = re.compile(
    r"(?<![^\W_])(?:mtp|eagle3|dflash|dspark|draft(?:er)?|assistant|lora)(?![^\W_])", re.IGNORECASE
)
_COMPANION_SHARE = 0.35
"""Of the weights of the whole models beside it, at most."""


@dataclass(frozen=True)
class RepoVariant:
    """One quantized build: a file, or all its shards in order."""

    quant: str | None
    stem: str
    folder: str
    files: tuple[RepoFile, ...]
    shard_count: int = 1

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def is_complete(self) -> bool:
        return len(self.files) == self.shard_count


ChooseVariant = Callable[[Repo, Sequence[RepoVariant]], RepoVariant]


def list_variants(files: Sequence[RepoFile]) -> tuple[RepoVariant, ...]:
    """All variants among `files`, by folder and name; projectors, drafts and cuts left out.

    A whole model may be called `…-MTP` or `…-DFlash`: such a name tells of a draft where the file
    is far too small for a whole model of its bits.
    """
    groups: dict[tuple[str, str, str | None, int], list[tuple[int, RepoFile]]] = {}
    for file in files:
        if not file.path.lower().endswith(".gguf"):
            continue
        name = parse_name(file.path)
        if name.kind != MODEL:
            continue
        number, count = name.shard or (1, 1)
        folder = file.path.rpartition("/")[0]
        groups.setdefault((folder, name.stem, name.quant, count), []).append((number, file))
    variants = [
        RepoVariant(
            quant=quant,
            stem=stem,
            folder=folder,
            files=tuple(file for _, file in sorted(members, key=lambda member: member[0])),
            shard_count=count,
        )
        for (folder, stem, quant, count), members in groups.items()
    ]
    return tuple(sorted(_whole_models(variants), key=_order))


def _whole_models(variants: Sequence[RepoVariant]) -> Iterator[RepoVariant]:
    plain = [v for v in variants if v.is_complete and not _COMPANION.search(v.stem)]
    least = _COMPANION_SHARE * max(map(_rough_weights, plain), default=0.0)
    for variant in variants:
        is_suspect = bool(variant.size_bytes) and _COMPANION.search(variant.stem) is not None
        if not (is_suspect and variant.is_complete and _rough_weights(variant) < least):
            yield variant


def _rough_weights(variant: RepoVariant) -> float:
    """By the first number of the label: good enough to tell a tenth of a model from a model."""
    bits = re.search(r"\d+", variant.quant or "")
    return variant.size_bytes * 8 / (int(bits[0]) if bits else 16)


def _order(variant: RepoVariant) -> tuple[int, str, str]:
    depth = variant.folder.count("/") + 1 if variant.folder else 0
    return depth, variant.folder.casefold(), variant.stem.casefold()


def choose_default(repo: Repo, variants: Sequence[RepoVariant]) -> RepoVariant:
    """llama.cpp's choice: Q4_K_M, else Q8_0, else the first."""
    for quant in _DEFAULT_QUANTS:
        for variant in variants:
            if variant.quant == quant:
                return variant
    return variants[0]


def find_variant(
    repo: Repo,
    *,
    quant: str | None = None,
    file: str | None = None,
    choose: ChooseVariant = choose_default,
) -> RepoVariant:
    """The variant that is meant. Raises NotFound with what there is instead."""
    variants = [variant for variant in list_variants(repo.files) if variant.is_complete]
    if file is not None:
        for variant in variants:
            if any(member.path == file for member in variant.files):
                return variant
        raise NotFound("file", f"{repo.id}/{file}", _names(variants))
    if not variants:
        raise NotFound("variant", repo.id)
    if quant is None:
        return choose(repo, variants)
    found = _with_quant(variants, quant.casefold())
    if found is None:
        raise NotFound("variant", f"{repo.id}:{quant}", _names(variants))
    return found


def find_projector(repo: Repo, variant: RepoVariant) -> RepoFile | None:
    """The mmproj file that belongs to `variant`; None where the repository has none for it."""
    path = nearest_projector(variant.files[0].path, (file.path for file in repo.files))
    return next((file for file in repo.files if file.path == path), None)


def _with_quant(variants: Sequence[RepoVariant], wanted: str) -> RepoVariant | None:
    """By quant, then by a quant with a prefix (UD-Q4_K_XL), then by the file's name."""
    tests: tuple[Callable[[RepoVariant], bool], ...] = (
        lambda variant: (variant.quant or "").casefold() == wanted,
        lambda variant: (variant.quant or "").casefold().endswith(f"-{wanted}"),
        lambda variant: variant.stem.casefold() in (wanted, wanted.removesuffix(".gguf")),
    )
    for test in tests:
        for variant in variants:
            if test(variant):
                return variant
    return None


def _names(variants: Sequence[RepoVariant]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(variant.quant or variant.stem for variant in variants))
