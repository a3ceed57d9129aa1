"""Installs what was offered and cleared: space, bytes, hash, manifest; the same for all sources."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from openshelf.errors import ChecksumMismatch, NotEnoughDisk
from openshelf.hub.cache_layout import place_of
from openshelf.hub.download import FetchedFile
from openshelf.hub.entries import DownloadFile
from openshelf.hub.fetching import FetchPlace, FetchRequest
from openshelf.hub.names import is_repo_id
from openshelf.hub.targets import TargetKind, parse_target
from openshelf.library.accepted_terms import accepted_these, as_accepted, require_kept_terms
from openshelf.library.bundle_offers import offer_bundled
from openshelf.library.bundles import BundledModel, bundle_around, read_bundled
from openshelf.library.evidence import keep_texts, record_context
from openshelf.library.file_fetching import FilesJob, fetch_files
from openshelf.library.folders import not_here
from openshelf.library.install import LINK, REFERENCE, InstallOffer
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.offers import OfferParts, Offers, find_installed, free_bytes
from openshelf.library.placing import check_source, copy_into, link_into, place_copy
from openshelf.library.starter import find_starter
from openshelf.library.store import now_utc
from openshelf.library.updates import UpdateReport, report_update
from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.licenses.clearance import Clearance, ClearedFile
from openshelf.policy.records import AcceptedModel, build_record
from openshelf.tasks import CancelToken, Report
from openshelf.units import GIB

SPACE_MARGIN_BYTES = GIB
"""What a disk keeps free after an install, so that nothing else on it breaks."""


IMPORTED = "openshelf/imported"
"""Where files of one's own lie in the model folder, where they were linked or copied there."""


@dataclass(frozen=True)
class InstallRun:
    """How an install is run: `tries` without a new byte (None: as long as it takes).

    `download_id` is by what a limit of its own is known.
    """

    tries: int | None = 8
    place: FetchPlace | None = None
    download_id: str = ""


class Installer:
    """Implements InstallerLike."""

    def __init__(self, parts: OfferParts) -> None:
        self._parts = parts
        self._offers = Offers(parts)

    def prepare(self, target: str, cancel: CancelToken, report: Report) -> InstallOffer:
        """Look everything up; what lies on this machine already needs no network.

        Raises UsageError, NotFound, CorruptModel, GatedModel, Offline, NetworkFailure, and of a
        file in a bundle what `read_bundled` does.
        """
        wanted = parse_target(target, endpoint_host=self._parts.client().options.host)
        if wanted.kind is TargetKind.PATH:
            path = (wanted.path or Path(target)).absolute()
            if (bundle := bundle_around(path)) is not None:
                # What a bundle says of it counts, and all of that is verified.
                return self.offer_bundled(read_bundled(bundle, path, cancel, report))
            return self._offers.of_file(wanted, cancel, report)
        installed = find_installed(self._parts.library, wanted)
        if installed is not None:
            return self._offers.of_installed(installed, target)
        starter = find_starter()
        if starter is not None and starter.is_meant_by(wanted):
            return self._offers.of_starter(starter, wanted)
        return self._offers.of_hub(wanted, cancel, report)

    def check_update(
        self, model: InstalledModel, cancel: CancelToken, report: Report
    ) -> UpdateReport:
        """What the model's repository has now, terms first; fetches no file of a model.

        Raises NotFound, GatedModel, Offline, NetworkFailure.
        """
        offer = self._offers.of_update(model, cancel, report)
        license = self._parts.library.effective_license(model.id)
        return report_update(model, license, offer, self._parts.acceptances.texts.read, self.clear)

    def offer_bundled(self, model: BundledModel) -> InstallOffer:
        """A model of a verified bundle. Raises CorruptModel, UnsupportedArchitecture."""
        return offer_bundled(self._offers, model)

    def accept(self, offer: InstallOffer, form: AcceptanceForm) -> Clearance:
        """Write the acceptance and hand out the clearance.

        Raises PolicyBlocked, NeedsReview; then nothing was written.
        """
        gate = self._parts.gate
        decision = gate.check(offer.decision, target=offer.target)
        model = AcceptedModel(offer.repo, offer.commit, offer.cleared_files)
        record = build_record(model, decision, form, gate.policy, record_context(offer))
        keep_texts(self._parts.acceptances, decision)
        self._parts.acceptances.append(record)
        return self.clear(offer)

    def clear(self, offer: InstallOffer) -> Clearance:
        """The clearance from an earlier acceptance.

        Raises LicenseNotAccepted, PolicyBlocked, NeedsReview.
        """
        return self._parts.gate.clear(
            offer.decision, offer.repo, offer.commit, offer.cleared_files, target=offer.target
        )

    def clear_installed(self, model: InstalledModel) -> Clearance:
        """The clearance to load something installed, under today's policy.

        Raises ChecksumMismatch (a verification found it damaged), LicenseNotAccepted,
        PolicyBlocked, NeedsReview, NotFound (also where its model folder is not here).
        """
        _require_intact(model)
        gate = self._parts.gate
        license = self._parts.library.effective_license(model.id)
        decision = gate.decide(license)
        files = tuple(ClearedFile(f.path, f.sha256, f.size_bytes) for f in model.files)
        clearance = gate.clear(decision, model.repo, model.commit, files, target=model.id)
        require_kept_terms(self._parts.acceptances, clearance.record_id, model, license)
        return clearance

    def install(
        self, offer: InstallOffer, clearance: Clearance, cancel: CancelToken, report: Report
    ) -> InstalledModel:
        """Fetch, verify, register. Progress phases: copying, downloading, waiting, verifying."""
        return self.run(offer, clearance, cancel, report, InstallRun())

    def run(
        self,
        offer: InstallOffer,
        clearance: Clearance,
        cancel: CancelToken,
        report: Report,
        run: InstallRun,
    ) -> InstalledModel:
        """`install`, run in a certain way.

        Raises ClearanceRefused, NotEnoughDisk, ChecksumMismatch, CancelledByUser (a `.part` stays)
        and what fetching raises.
        """
        for file in offer.files:
            self._require(clearance, file)
        self._parts.library.require_kept()
        known = self._installed_already(offer)
        if known is not None:
            return self._with_terms_of_now(known, offer, clearance)
        self._check_space(offer)
        match offer.source:
            case "hub":
                files, ours = self._fetch_all(offer, clearance, cancel, report, run)
            case "starter":
                files, ours = self._place_starter(offer, cancel, report)
            case _:
                files, ours = self._refer_to_files(offer, cancel, report)
        return self._register(offer, clearance, files, ours)

    def _require(self, clearance: Clearance, file: DownloadFile) -> None:
        clearance.require(
            repo=file.repo,
            commit=file.commit,
            path=file.path,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            policy_sha256=self._parts.gate.current_sha256(),
        )

    def _installed_already(self, offer: InstallOffer) -> InstalledModel | None:
        wanted = {(file.path, file.sha256) for file in offer.files}
        for model in self._parts.library.installed():
            same = {(file.path, file.sha256) for file in model.files} == wanted
            if model.id == offer.model_id and same and model.is_usable:
                return model
        return None

    def _with_terms_of_now(
        self, model: InstalledModel, offer: InstallOffer, clearance: Clearance
    ) -> InstalledModel:
        """Its files are here already; terms that were accepted for them anew are its own now."""
        library, acceptances = self._parts.library, self._parts.acceptances
        license = as_accepted(offer.decision.license)
        kept = (library.effective_license(model.id), model.record_id)
        if kept == (license, clearance.record_id) or not accepted_these(
            acceptances, clearance.record_id, model.repo, license
        ):
            return model
        library.keep_terms(model.id, license, clearance.record_id)
        return library.find(model.id)

    def _check_space(self, offer: InstallOffer) -> None:
        models = self._models(offer)
        if offer.source != "file" or offer.placing != REFERENCE:
            self._parts.library.folders.require_here(models)
        if not offer.left_bytes:
            return
        needed, free = offer.left_bytes + SPACE_MARGIN_BYTES, free_bytes(models)
        if free < needed:
            raise NotEnoughDisk(str(models), needed, free)

    def _models(self, offer: InstallOffer) -> Path:
        """The model folder that it goes into."""
        return self._parts.library.folders.place_for(offer.folder)

    def _fetch_all(
        self,
        offer: InstallOffer,
        clearance: Clearance,
        cancel: CancelToken,
        report: Report,
        run: InstallRun,
    ) -> tuple[list[InstalledFile], set[str]]:
        library, models = self._parts.library, self._models(offer)

        def request(file: DownloadFile) -> FetchRequest:
            # Asked for each file anew: a policy that changed meanwhile counts for the next one.
            return FetchRequest(
                file=file,
                models=models,
                options=self._parts.client().options,
                policy_sha256=self._parts.gate.current_sha256(),
                is_main=offer.is_main,
                tries=run.tries,
                download_id=run.download_id,
            )

        def on_fetched(fetched: FetchedFile) -> None:
            if not fetched.was_there:
                library.note_placed(fetched.path)

        job = FilesJob(offer.files, request, clearance, on_fetched, run.place)
        fetched = fetch_files(job, cancel, report)
        ours = {str(each.path) for each in fetched if library.was_placed(each.path)}
        return [
            _installed_file(file, each.path)
            for file, each in zip(offer.files, fetched, strict=True)
        ], ours

    def _place_starter(
        self, offer: InstallOffer, cancel: CancelToken, report: Report
    ) -> tuple[list[InstalledFile], set[str]]:
        file = offer.files[0]
        models = self._models(offer)
        place = place_of(models, file)
        was_there = place.snapshot.exists() and not self._parts.library.was_placed(place.snapshot)
        source = Path(offer.local_path or "")
        location = place_copy(source, file, models, cancel, report)
        return [_installed_file(file, location)], set() if was_there else {str(location)}

    def _refer_to_files(
        self, offer: InstallOffer, cancel: CancelToken, report: Report
    ) -> tuple[list[InstalledFile], set[str]]:
        files, ours = [], set()
        for file, location in zip(offer.files, offer.source_paths, strict=True):
            source = Path(location)
            check_source(source, file, cancel, report)
            placed = self._place(offer, source, file, cancel, report)
            if placed is not None:
                ours.add(str(placed))
            files.append(_installed_file(file, placed or source))
        return files, ours

    def _place(
        self,
        offer: InstallOffer,
        source: Path,
        file: DownloadFile,
        cancel: CancelToken,
        report: Report,
    ) -> Path | None:
        """Where it lies in the model folder now; None where it stays in its own place."""
        models = self._models(offer)
        if offer.placing == REFERENCE or models in source.parents:
            return None
        own = file if is_repo_id(file.repo) else replace(file, repo=IMPORTED)
        if offer.placing == LINK:
            return link_into(source, own, models)
        return copy_into(source, own, models, cancel, report)

    def _register(
        self,
        offer: InstallOffer,
        clearance: Clearance,
        files: list[InstalledFile],
        ours: set[str],
    ) -> InstalledModel:
        license = as_accepted(offer.decision.license)
        now = now_utc()
        model = InstalledModel(
            id=offer.model_id,
            repo=offer.repo,
            commit=offer.commit,
            name=offer.model_name,
            quant=offer.quant,
            files=tuple(files),
            license_expression=license.expression,
            license_ids=license.effective,
            record_id=clearance.record_id,
            source="import" if offer.source == "file" else offer.source,
            installed_at=now,
            verified_at=now,
            origin=offer.origin,
        )
        return self._parts.library.register(model, license, frozenset(ours))


def _require_intact(model: InstalledModel) -> None:
    if model.away:
        raise not_here(model.away)
    if model.damaged is None:
        return
    for file in model.files:
        if file.path == model.damaged.path:
            raise ChecksumMismatch(file.location, file.sha256, model.damaged.sha256, "installed")


def _installed_file(file: DownloadFile, location: Path) -> InstalledFile:
    return InstalledFile(file.path, str(location), file.size_bytes, file.sha256)
