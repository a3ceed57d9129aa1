"""The variants of a model that the shelf can reckon with before anyone asked the Hub."""

from __future__ import annotations

from openshelf.catalog.entries import CatalogModel, Family
from openshelf.catalog.packagers import load_packagers, usual_builds
from openshelf.catalog.quants import expected_file_bytes
from openshelf.library.installed import InstalledModel
from openshelf.shelf.parts import LocalVariant, ShelfParts
from openshelf.shelf.rows import Variant


def variants_of(family: Family, model: CatalogModel, parts: ShelfParts) -> list[Variant]:
    """Installed, local and expected variants, the smallest first; each quantization once.

    What lies on this machine has its real size and stands for the expected one.
    """
    found: dict[str, Variant] = {}
    for repo, packager, quant in usual_builds(model):
        size = expected_file_bytes(model, quant)
        if size:
            found[quant] = Variant(
                family=family,
                model=model,
                repo=repo,
                quant=quant,
                size_bytes=size,
                size_is_expected=True,
                packager=packager.name,
                target=f"{repo}:{quant}",
            )
    for variant in (
        *_installed(family, model, parts),
        *(local_variant(family, model, local) for local in _local(model, parts)),
    ):
        found[variant.quant] = variant
    return sorted(found.values(), key=lambda variant: variant.size_bytes)


def installed_as(variant: Variant, installed: tuple[InstalledModel, ...]) -> InstalledModel | None:
    """The installed model that this variant is."""
    for model in installed:
        if (model.repo.casefold(), model.quant) == (variant.repo.casefold(), variant.quant):
            return model
    return None


def local_variant(family: Family, model: CatalogModel, local: LocalVariant) -> Variant:
    return Variant(
        family=family,
        model=model,
        repo=local.repo,
        quant=local.quant,
        size_bytes=local.size_bytes,
        size_is_expected=False,
        packager=load_packagers().of(local.repo).name,
        target=local.target,
        files=(local.file,),
        is_local=True,
    )


def _local(model: CatalogModel, parts: ShelfParts) -> list[LocalVariant]:
    repos = {repo.casefold() for repo in model.gguf_repos}
    return [local for local in parts.local if local.repo.casefold() in repos]


def _installed(family: Family, model: CatalogModel, parts: ShelfParts) -> list[Variant]:
    repos = {repo.casefold() for repo in model.gguf_repos}
    return [
        Variant(
            family=family,
            model=model,
            repo=installed.repo,
            quant=installed.quant,
            size_bytes=installed.size_bytes,
            size_is_expected=False,
            packager=load_packagers().of(installed.repo).name,
            target=f"{installed.repo}:{installed.quant}",
            files=tuple(file.path for file in installed.files),
            is_local=True,
        )
        for installed in parts.installed
        if installed.quant and installed.repo.casefold() in repos and installed.is_usable
    ]
