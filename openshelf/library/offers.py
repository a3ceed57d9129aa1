"""Looks up everything that is known of a target before a byte is fetched: files, license, space."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openshelf.catalog.entries import Catalog
from openshelf.catalog.packagers import load_packagers
from openshelf.engine.architectures import Knows, nobody_knows
from openshelf.errors import (
    BadFile,
    NotFound,
    UnsupportedArchitecture,
)
from openshelf.gguf.claims import read_license_claims
from openshelf.gguf.header import Header
from openshelf.gguf.names import parse_name
from openshelf.gguf.split import read_model
from openshelf.hub.cache_layout import part_bytes
from openshelf.hub.claims import LineageReader
from openshelf.hub.client import HubClient
from openshelf.hub.entries import DownloadFile, Repo
from openshelf.hub.targets import Target, TargetKind
from openshelf.hub.variants import (
    ChooseVariant,
    choose_default,
    find_variant,
)
from openshelf.library.bundles import BundledModel
from openshelf.library.earlier_terms import with_earlier_terms
from openshelf.library.folder_look import FolderCondition
from openshelf.library.foreign import Origin, describe_file
from openshelf.library.foreign_claims import claims_of, with_projector
from openshelf.library.install import BUNDLE, COPY, LOCAL, InstallOffer, file_stem, in_cache
from openshelf.library.installed import InstalledModel, KnowsInstalled
from openshelf.library.offer_files import files_on_hub, hashed_files, require_text
from openshelf.library.starter import (
    Starter,
    fetch_starter_claims,
    find_starter,
    starter_claims,
    with_terms,
)
from openshelf.library.store import Library
from openshelf.licenses.acceptance import AcceptanceLog
from openshelf.licenses.ancestry import Overrides, shipped_overrides
from openshelf.licenses.lineage import EffectiveLicense, Fetch, RepoClaims, resolve
from openshelf.paths import nearest_existing
from openshelf.policy.gate import Gate
from openshelf.tasks import CancelToken, Progress, Report

RESOLVING = "resolving"


@dataclass(frozen=True)
class OfferParts:
    """What offers are made of; `client` gives the client of the network options in force."""

    client: Callable[[], HubClient]
    catalog: Callable[[], Catalog]
    gate: Gate
    acceptances: AcceptanceLog
    library: Library
    choose: ChooseVariant = choose_default
    knows: Knows = nobody_knows


def free_bytes(folder: Path) -> int:
    """Free space of the volume that `folder` is or will be on."""
    try:
        return shutil.disk_usage(nearest_existing(folder)).free
    except OSError:
        return 0


class Offers:
    """One method per source: the Hub, the starter, a file on disk, something installed."""

    def __init__(self, parts: OfferParts) -> None:
        self._parts = parts

    def of_hub(self, target: Target, cancel: CancelToken, report: Report) -> InstallOffer:
        """One variant on the Hub.

        Raises NotFound, GatedModel, UnsupportedArchitecture, Offline, NetworkFailure.
        """
        parts = self._parts
        client = parts.client()
        report(Progress(0, None, RESOLVING))
        repo = client.repo(target.repo, target.revision)
        cancel.raise_if_cancelled()
        variant = find_variant(repo, quant=target.quant, file=target.file, choose=parts.choose)
        self._check_engine(self._architecture(repo))
        files = files_on_hub(repo, variant, client.options.host)
        license = self._resolve(*self._reader(cancel).read_repo(repo))
        license, change = with_earlier_terms(license, parts.acceptances, files)
        folder, there = self._place(files)
        offer = self._offer(
            target.text, license, repo=repo.id, commit=repo.commit, files=files,
            quant=variant.quant, source="hub", left_bytes=max(0, variant.size_bytes - there),
            resumed_from_bytes=there, gated=repo.gated, is_main=target.revision is None,
            folder=folder, page_url=f"{client.options.endpoint}/{repo.id}", change=change,
        )  # fmt: skip
        return self._with_installed(offer)

    def of_update(self, model: InstalledModel, cancel: CancelToken, report: Report) -> InstallOffer:
        """The same build as its repository has it now.

        Raises NotFound (also for what never came from the Hub), GatedModel, Offline,
        NetworkFailure.
        """
        if model.repo == LOCAL:
            raise NotFound("update", model.id)
        path = model.first_file.path
        target = Target(f"{model.repo}/{path}", TargetKind.HUB, repo=model.repo, file=path)
        return self.of_hub(target, cancel, report)

    def of_starter(self, starter: Starter, target: Target) -> InstallOffer:
        """The starter model; asks nobody."""
        file, model = starter.file, starter.model
        license = self._resolve(starter_claims(model), fetch_starter_claims)
        license = with_terms(license, model)
        folder, there = self._place((in_cache(file),))
        can_link = starter.whole_bytes is None and _same_volume(starter.path, folder)
        is_near = there == file.size_bytes or can_link
        offer = self._offer(
            target.text, license, repo=file.repo, commit=file.commit, files=(file,),
            quant=model.quant, source="starter", local_path=str(starter.path),
            left_bytes=0 if is_near else file.size_bytes, folder=folder, model_name=model.name,
            packager=load_packagers().of(model.repo).name,
            source_paths=tuple(str(path) for path in starter.paths),
        )  # fmt: skip
        return self._with_installed(offer)

    def of_file(self, target: Target, cancel: CancelToken, report: Report) -> InstallOffer:
        """A GGUF file (with its other shards) that stays where it is.

        Raises NotFound, CorruptModel, UnsupportedArchitecture, UsageError (it cannot be read).
        """
        path = (target.path or Path(target.text)).absolute()
        require_text(path)
        if path.is_dir():
            raise BadFile(path=str(path), why="is_folder")
        header = read_model(path)
        self._check_engine(header.metadata.get("general.architecture"))
        described = describe_file(path, is_whole=header.shard is None)
        found = with_projector(described, header)
        paths, files = found.paths, hashed_files(found, cancel, report)
        claims = claims_of(found, read_license_claims(header), files[0].sha256[:40])
        # The Hub where it answers, else "could not be read".
        license = self._resolve(*self._reader(cancel, tolerant=True).read_above(claims))
        license, change = with_earlier_terms(license, self._parts.acceptances, files)
        name = str(header.metadata.get("general.name") or file_stem(found.names[0]))
        offer = self._offer(
            target.text, license, repo=LOCAL, commit=files[0].sha256[:40], files=files,
            quant=parse_name(found.names[0]).quant or header.quant_told,
            source="file", local_path=str(paths[0]),
            left_bytes=0, model_name=" ".join(name.split())[:120],
            source_paths=tuple(str(p) for p in paths),
            origin="" if found.origin is Origin.FOLDER else found.origin.value, change=change,
        )  # fmt: skip
        return self._with_installed(offer)

    def of_bundle(
        self, model: BundledModel, license: EffectiveLicense, header: Header
    ) -> InstallOffer:
        """A model of a bundle, which is copied into the model folder; asks nobody.

        Raises UnsupportedArchitecture.
        """
        self._check_engine(header.metadata.get("general.architecture"))
        first = model.files[0]
        offer = self._offer(
            model.id, license, repo=first.repo, commit=first.commit, files=model.files,
            quant=model.quant, source="file", local_path=str(model.paths[0]),
            left_bytes=model.size_bytes, model_name=model.name,
            source_paths=tuple(str(path) for path in model.paths),
            origin=BUNDLE, placing=COPY,
        )  # fmt: skip
        return self._with_installed(offer)

    def of_installed(self, model: InstalledModel, text: str) -> InstallOffer:
        """What is in the library, with its license as it was then; asks nobody."""
        license = self._parts.library.effective_license(model.id)
        files = tuple(
            DownloadFile(model.repo, model.commit, file.path, file.size_bytes, file.sha256)
            for file in model.files
        )
        source = "file" if model.source == "import" else model.source
        paths = tuple(file.location for file in model.files)
        local: str | None = paths[0]
        if source == "starter" and not model.is_usable:
            sha256 = model.first_file.sha256
            starter = find_starter(lambda known: known.sha256 == sha256)
            paths = tuple(str(path) for path in starter.paths) if starter else ()
            local = paths[0] if paths else None
        elif source != "file":
            paths, local = (), None
        return self._offer(
            text, license, repo=model.repo, commit=model.commit, files=files, quant=model.quant,
            source=source, local_path=local,
            left_bytes=model.size_bytes if source == "hub" and not model.is_usable else 0,
            model_name=model.name, installed_id=model.id if model.is_usable else None,
            source_paths=paths, origin=model.origin,
            folder=self._own_folder(model),
        )  # fmt: skip

    def _own_folder(self, model: InstalledModel) -> Path | None:
        """Where its files lie, so that it is mended there; None where nothing can be written."""
        folder = model.first_file.folder
        if not folder or not self._parts.library.folders.look(folder).is_writable:
            return None
        return Path(folder)

    def _offer(
        self,
        text: str,
        license: EffectiveLicense,
        *,
        repo: str,
        files: tuple[DownloadFile, ...],
        **facts: Any,
    ) -> InstallOffer:
        found = self._parts.catalog().find_model(repo)
        folder: Path = facts.pop("folder", None) or self._parts.library.folders.for_downloads()
        bases = [node.repo for node in license.lineage if node.relation != "quantized"]
        publisher = bases[0].split("/")[0] if bases and "/" in bases[0] else ""
        name = facts.pop("model_name", None) or repo.rpartition("/")[2].removesuffix("-GGUF")
        own_packager = "" if repo == LOCAL else load_packagers().of(repo).name
        return InstallOffer(
            target=text,
            model_name=found[1].name if found else name,
            packager=facts.pop("packager", own_packager),
            publisher=found[0].publisher if found else publisher,
            repo=repo,
            files=files,
            decision=self._parts.gate.decide(license),
            free_bytes=self._free_bytes(folder),
            folder=str(folder),
            **{"local_path": None, "resumed_from_bytes": 0, **facts},
        )

    def _place(self, files: Sequence[DownloadFile]) -> tuple[Path, int]:
        """The model folder that has most of these files already, else where downloads go; and the
        bytes that are there."""
        folders = self._parts.library.folders
        best, most = folders.for_downloads(), 0
        for folder in sorted(folders.all(), key=lambda folder: not folder.takes_downloads):
            if folder.is_here and folder.look.is_writable:
                there = sum(part_bytes(Path(folder.path), file) for file in files)
                if there > most:
                    best, most = Path(folder.path), there
        return best, most

    def _free_bytes(self, folder: Path) -> int:
        """Of a folder that is here; one that does not answer is not asked again."""
        look = self._parts.library.folders.look(str(folder))
        is_unmade = look.condition is FolderCondition.MISSING
        return free_bytes(folder) if is_unmade else look.free_bytes

    def _architecture(self, repo: Repo) -> object:
        """As the Hub read it in the file, else as the catalog has it."""
        found = self._parts.catalog().find_model(repo.id)
        known = found[1].shape.architecture if found else None
        return repo.gguf.get("architecture") or known

    def _check_engine(self, architecture: object) -> None:
        """What the engine is known not to load is not fetched. Raises UnsupportedArchitecture."""
        if isinstance(architecture, str) and self._parts.knows(architecture) is False:
            raise UnsupportedArchitecture(architecture)

    def _with_installed(self, offer: InstallOffer) -> InstallOffer:
        for model in self._parts.library.installed():
            if model.id != offer.model_id or model.missing:
                continue
            if model.damaged is None:
                return replace(offer, installed_id=model.id, left_bytes=0)
            # What lies there has the right size and counts for nothing.
            if offer.source == "hub":
                return replace(offer, left_bytes=offer.size_bytes, resumed_from_bytes=0)
        return offer

    def _reader(self, cancel: CancelToken, *, tolerant: bool = False) -> LineageReader:
        client, check = self._parts.client(), cancel.raise_if_cancelled
        return LineageReader(client, self._overrides(), check, tolerant)

    def _resolve(self, claims: RepoClaims, fetch: Fetch) -> EffectiveLicense:
        return resolve(claims, fetch, self._overrides())

    def _overrides(self) -> Overrides:
        """What our own data says of lineages, where cards are silent."""
        catalog = self._parts.catalog()
        known = {
            model.hub_repo.casefold(): model.lineage
            for family in catalog.families
            for model in family.models
            if model.lineage
        }
        packaged = {
            repo.casefold(): (model.hub_repo,)
            for family in catalog.families
            for model in family.models
            for repo in model.gguf_repos
        }
        return {**packaged, **known, **shipped_overrides()}


def find_installed(library: KnowsInstalled, target: Target) -> InstalledModel | None:
    """What a target means in the library, None where it is for the Hub.

    Raises NotFound where only something installed can be meant.
    """
    if target.kind is TargetKind.INSTALLED:
        return library.find(target.text)
    if target.kind is TargetKind.PATH or target.is_forced:
        return None
    found = [
        model
        for model in library.installed()
        if model.repo.casefold() == target.repo.casefold()
        and model.is_usable
        and (target.quant is None or target.quant.casefold() == (model.quant or "").casefold())
        and (target.file is None or target.file in {file.path for file in model.files})
    ]
    return found[0] if len(found) == 1 else None


def _same_volume(path: Path, folder: Path) -> bool:
    try:
        return path.stat().st_dev == nearest_existing(folder).stat().st_dev
    except OSError:
        return False
