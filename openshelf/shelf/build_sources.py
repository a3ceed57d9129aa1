"""Where the builds of a model come from: the Hub's listing, this machine, what is usually made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from openshelf.catalog.entries import CatalogModel
from openshelf.catalog.packagers import load_packagers, usual_builds
from openshelf.catalog.quants import expected_file_bytes
from openshelf.fit.expected import shape_from_catalog
from openshelf.fit.memory import ModelShape
from openshelf.fit.quality import usual_bits
from openshelf.gguf.names import plain_label
from openshelf.hub.entries import Repo
from openshelf.hub.variants import RepoVariant, find_projector, find_variant, list_variants
from openshelf.library.headers import HubFiles, ModelHeaders
from openshelf.library.installed import InstalledModel
from openshelf.library.starter import Starter
from openshelf.shelf.builds import Build
from openshelf.shelf.recipes import recipe_of, recipe_of_name
from openshelf.shelf.rows import QualityKept
from openshelf.shelf.tree import owner_of, weights_told

_UNKNOWN_QUALITY = QualityKept(None, "unknown")


@dataclass(frozen=True)
class LocalFile:
    """A build that lies on this machine; `path` is its first file."""

    repo: str
    quant: str | None
    files: tuple[str, ...]
    path: Path
    size_bytes: int
    installed_id: str | None = None
    decode_tokens_per_second: float | None = None
    whole_bytes: int | None = None
    """Of the whole file, where `path` is only its beginning."""

    @classmethod
    def of_installed(cls, model: InstalledModel) -> LocalFile:
        return cls(
            repo=model.repo,
            quant=model.quant,
            files=tuple(file.path for file in model.files),
            path=Path(model.first_file.location),
            size_bytes=model.size_bytes,
            installed_id=model.id,
            decode_tokens_per_second=model.decode_tokens_per_second,
        )

    @classmethod
    def of_starter(cls, starter: Starter) -> LocalFile:
        model = starter.model
        return cls(
            model.repo, model.quant, (model.file,), starter.path, model.size_bytes,
            whole_bytes=starter.whole_bytes,
        )  # fmt: skip


ExpectedSize = Callable[[str | None], int | None]
"""The bytes to expect of a file with this label; None where nothing is known."""


def listed_builds(model: CatalogModel | None, repo: Repo) -> list[Build]:
    """The whole variants of a repository; shapes are the catalog's, where it has the model."""
    variants = [variant for variant in list_variants(repo.files) if variant.is_complete]
    return [
        replace(
            build,
            commit=repo.commit,
            source=HubFiles(repo.id, repo.commit, variant, find_projector(repo, variant)),
        )
        for variant, build in _builds(model, repo, variants, _own_size)
    ]


def unopened_builds(model: CatalogModel | None, repo: Repo, expected: ExpectedSize) -> list[Build]:
    """The variants of a repository of which a list told the names only: sizes are expected ones.

    What has none is left out.
    """
    variants = [variant for variant in list_variants(repo.files) if variant.is_complete]
    found = _builds(model, repo, variants, lambda variant: expected(variant.quant))
    return [replace(build, size_is_expected=True) for _, build in found]


def expected_sizes(
    model: CatalogModel | None, weights: int | None, builds: Iterable[Build]
) -> ExpectedSize:
    """What another packager's file of this model should weigh: as much as a known one with its
    label, else what the catalog or the bits of the label say."""
    known: dict[str, list[int]] = {}
    for build in builds:
        if build.quant is not None and not build.size_is_expected:
            known.setdefault(build.quant, []).append(build.size_bytes)

    def expected(quant: str | None) -> int | None:
        if quant is None:
            return None
        if quant in known:
            return sorted(known[quant])[len(known[quant]) // 2]
        if model is not None:
            return expected_file_bytes(model, quant)
        bits = usual_bits(plain_label(quant))
        return int(weights * bits / 8) if weights and bits else None

    return expected


def _own_size(variant: RepoVariant) -> int:
    return variant.size_bytes


def _builds(
    model: CatalogModel | None,
    repo: Repo,
    variants: Iterable[RepoVariant],
    size_of: Callable[[RepoVariant], int | None],
) -> Iterator[tuple[RepoVariant, Build]]:
    quants: set[str | None] = set()
    for variant in variants:
        size = size_of(variant)
        is_first = variant.quant is not None and variant.quant not in quants
        quants.add(variant.quant)
        if size is None:
            continue
        # `:QUANT` means the first of several; the others are named by their file
        target = f":{variant.quant}" if is_first else f"/{variant.files[0].path}"
        build = replace(
            _build(model, repo.id, variant.quant, size),
            target=f"{repo.id}{target}",
            name=variant.stem,
            files=tuple(file.path for file in variant.files),
            shards=variant.shard_count,
            downloads=repo.downloads,
            last_modified=repo.last_modified,
            recipe=recipe_of(repo, variant.quant, variant.stem),
        )
        yield variant, with_quality(build, _weights(model, repo))


def expected_builds(model: CatalogModel, repos: Collection[str]) -> list[Build]:
    """What the packagers of `repos` usually make, where the Hub could not be asked."""
    builds = []
    for repo, _, quant in usual_builds(model):
        size = expected_file_bytes(model, quant)
        if size and repo in repos:
            build = replace(_build(model, repo, quant, size), size_is_expected=True)
            builds.append(with_quality(build, model.file_weights))
    return builds


def with_local(
    model: CatalogModel | None, builds: Iterable[Build], local: LocalFile
) -> list[Build]:
    """The build that lies here marked, or added where the Hub does not list it."""
    result = list(builds)
    known = _find(result, local)
    if known is None:
        known = with_quality(
            _build(model, local.repo, local.quant, local.size_bytes),
            model.file_weights if model else None,
        )
        result.append(known)
    result[result.index(known)] = replace(
        known,
        files=local.files,
        path=local.path,
        whole_bytes=local.whole_bytes,
        is_local=True,
        installed_id=local.installed_id or known.installed_id,
        size_bytes=local.size_bytes,
        size_is_expected=False,
        decode_tokens_per_second=local.decode_tokens_per_second,
    )
    return result


def with_headers(build: Build, headers: ModelHeaders) -> Build:
    """With the shape that the file's own header tells, and its projector's."""
    return with_quality(replace(build, shape=headers.shape), headers.shape.parameters)


def with_quality(build: Build, weights: int | None) -> Build:
    """With its bits per weight, and how much of the unquantized model that keeps."""
    bits = build.size_bytes * 8 / weights if weights else None
    if build.quant is None:
        return replace(build, bits_per_weight=bits, quality=_UNKNOWN_QUALITY)
    quality = QualityKept.of(build.quant, bits, weights, is_native=build.is_native)
    return replace(build, bits_per_weight=bits, quality=quality)


def found_in(repo: Repo, build: Build) -> Build:
    """An expected build as the Hub lists it now. Raises NotFound with what there is instead."""
    file = build.files[0] if build.files else None
    variant = find_variant(repo, quant=None if file else build.quant, file=file)
    return replace(
        build,
        commit=repo.commit,
        files=tuple(file.path for file in variant.files),
        size_bytes=variant.size_bytes,
        size_is_expected=False,
        shards=variant.shard_count,
        downloads=repo.downloads,
        last_modified=repo.last_modified,
        recipe=recipe_of(repo, variant.quant, variant.stem),
        source=HubFiles(repo.id, repo.commit, variant, find_projector(repo, variant)),
    )


def _build(model: CatalogModel | None, repo: str, quant: str | None, size: int) -> Build:
    return Build(
        target=f"{repo}:{quant}" if quant else repo,
        repo=repo,
        commit="",
        name=f"{repo.rpartition('/')[2].removesuffix('-GGUF')}-{quant or ''}".rstrip("-"),
        quant=quant,
        files=(),
        size_bytes=size,
        packager=load_packagers().of(repo),
        shape=_catalog_shape(model, size, quant),
        quality=_UNKNOWN_QUALITY,
        is_publisher=model is not None and owner_of(repo) == owner_of(model.hub_repo),
        recipe=recipe_of_name(repo, quant, ""),
        is_native=model is not None and quant is not None and quant == model.native_quant,
    )


def _catalog_shape(model: CatalogModel | None, size: int, quant: str | None) -> ModelShape | None:
    if model is None or model.shape.architecture is None:
        return None
    return shape_from_catalog(model.shape, size, model.file_weights, quant or "")


def _weights(model: CatalogModel | None, repo: Repo) -> int | None:
    if model is not None and model.file_weights:
        return model.file_weights
    return weights_told(repo)


def _find(builds: Iterable[Build], local: LocalFile) -> Build | None:
    """By file, else by quantization."""
    same_repo = [build for build in builds if build.repo.casefold() == local.repo.casefold()]
    for build in same_repo:
        if build.files and build.files[0] == local.files[0]:
            return build
    return next((b for b in same_repo if b.quant == local.quant and not b.files), None)
