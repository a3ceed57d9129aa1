"""Who makes GGUF files, and which quantizations each usually makes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from openshelf import paths
from openshelf.catalog.entries import CatalogModel
from openshelf.errors import CorruptCatalog


@dataclass(frozen=True)
class Packager:
    """`account` is the owner on the Hub; `standing` sorts equals, larger first."""

    account: str
    name: str
    standing: int
    has_imatrix: bool
    quants: tuple[str, ...]
    is_known: bool = True


@dataclass(frozen=True)
class Packagers:
    known: Mapping[str, Packager]
    fallback: tuple[str, ...]

    def of(self, repo: str) -> Packager:
        """The packager of a repository; one that is not known makes the fallback only."""
        account = repo.partition("/")[0]
        known = self.known.get(account.casefold())
        return known or Packager(account, account, 0, False, self.fallback, is_known=False)


@cache
def load_packagers(file: Path | None = None) -> Packagers:
    """The shipped table. Raises CorruptCatalog."""
    file = paths.resources() / "quality" / "packagers.toml" if file is None else file
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        known = {
            account.casefold(): Packager(
                account=account,
                name=row["name"],
                standing=row["standing"],
                has_imatrix=row["imatrix"],
                quants=tuple(row["quants"]),
            )
            for account, row in data["packagers"].items()
        }
        return Packagers(known, tuple(data["fallback"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptCatalog(path=file.name, detail=str(error)) from error


def usual_builds(model: CatalogModel) -> list[tuple[str, Packager, str]]:
    """(repository, packager, quantization) to expect of a model, each quantization once.

    Of several packagers with one quantization the one of higher standing is named. What the catalog
    says of a repository goes before what its packager usually makes.
    """
    packagers = load_packagers()
    by_standing = sorted(
        ((packagers.of(repo), repo, quants) for repo, quants in model.builds_known),
        key=lambda known: -known[0].standing,
    )
    builds: dict[str, tuple[str, Packager, str]] = {}
    for packager, repo, quants in by_standing:
        for quant in packager.quants if quants is None else quants:
            builds.setdefault(quant, (repo, packager, quant))
    return list(builds.values())
