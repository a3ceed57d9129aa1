"""Looks up all builds of one model: asks the Hub, this machine and the catalog, in one go."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from openshelf.catalog.entries import Catalog, CatalogModel
from openshelf.engine.architectures import Knows, nobody_knows
from openshelf.errors import BadWords, GatedModel, NetworkFailure, NotFound, Offline, UsageError
from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import Fit, Question
from openshelf.hardware.facts import Machine
from openshelf.hub.targets import TargetKind, parse_target
from openshelf.library.fitting import LaysEverythingOut, verify
from openshelf.library.headers import Headers, ModelHeaders, headers_of_file
from openshelf.library.starter import find_starter
from openshelf.policy.verdict import Decision
from openshelf.reasons import Reason
from openshelf.shelf.asking import Answers, Wanted, ask, open_stranger, unopened
from openshelf.shelf.build_sources import (
    LocalFile,
    expected_builds,
    found_in,
    listed_builds,
    with_headers,
    with_local,
)
from openshelf.shelf.builds import Build, ModelListing, in_order
from openshelf.shelf.tree import owner_of
from openshelf.tasks import CancelToken, Report

_USUAL_QUANT = "Q4_K_M"
_MOST_NAMED = 6


@dataclass(frozen=True)
class Models:
    """Builds of one model; `builds.ModelsLike` says what each call does. Thread-safe."""

    headers: Headers
    catalog: Callable[[], Catalog]
    decide: Callable[[CatalogModel, str], Decision]
    engine: LaysEverythingOut
    knows: Knows = nobody_knows

    def listing(self, text: str, cancel: CancelToken, report: Report) -> ModelListing:
        wanted, answers = self._wanted(text), Answers()
        client = self.headers.client()
        if wanted.model is None:
            wanted = open_stranger(client, wanted, self.catalog(), answers)
        ask(client, wanted, answers, cancel, report)
        builds = self._builds(wanted, answers)
        if not builds and wanted.model is None:
            raise NotFound("variant", wanted.repos[0])
        model = wanted.model
        repo = wanted.repos[0] if wanted.repos else ""
        listing = ModelListing(
            name=wanted.name,
            family=wanted.family,
            model=model,
            builds=in_order(builds),
            decision=None if model is None else self.decide(model, repo or model.hub_repo),
            notes=tuple(answers.notes),
        )
        listing = self._with_one_shape(listing, cancel)
        return replace(listing, builds=tuple(map(self._with_engine, listing.builds)))

    def read(self, build: Build, cancel: CancelToken) -> Build:
        found = self._found(build)
        return self._with_engine(with_headers(found, self._headers(found, cancel)))

    def _with_engine(self, build: Build) -> Build:
        architecture = build.shape.architecture if build.shape is not None else None
        return replace(build, engine_knows=self.knows(architecture))

    def verify(
        self, build: Build, machine: Machine, request: FitRequest, cancel: CancelToken
    ) -> Fit:
        headers = self._headers(self._found(build), cancel)
        measured = build.decode_tokens_per_second
        question = Question(headers.shape, machine, request, measured)
        return verify(headers, question, self.engine, cancel)

    def _wanted(self, text: str) -> Wanted:
        words = text.strip().casefold()
        for family in self.catalog().families:
            for model in family.models:
                if words in (model.id.casefold(), model.name.casefold()):
                    return Wanted.of_model(family, model)
        try:
            target = parse_target(text, endpoint_host=self.headers.client().options.host)
            is_installed = target.kind is TargetKind.INSTALLED
            repo = self.headers.library.find(target.text).repo if is_installed else target.repo
        except (UsageError, NotFound) as error:
            near = self._near(words)
            if not near or (isinstance(error, NotFound) and error.candidates):
                raise
            raise NotFound("model", text.strip(), near) from error
        if target.kind is TargetKind.PATH:
            raise BadWords(why="file_without_variants", name=text)
        known = self.catalog().find_model(repo)
        if known is not None:
            return Wanted.of_model(*known, repo)
        name = repo.rpartition("/")[2].removesuffix("-GGUF")
        return Wanted(name, (repo,), revision=target.revision)

    def _near(self, words: str) -> tuple[str, ...]:
        """Names of models that look like these words."""
        models = [model for family in self.catalog().families for model in family.models]
        names = {key: m.name for m in models for key in (m.id.casefold(), m.name.casefold())}
        near = difflib.get_close_matches(words, names, n=_MOST_NAMED, cutoff=0.7)
        return tuple(dict.fromkeys(names[key] for key in near))

    def _builds(self, wanted: Wanted, answers: Answers) -> list[Build]:
        builds = [build for repo in answers.repos for build in listed_builds(wanted.model, repo)]
        builds = [self._with_known_header(build) for build in builds]
        builds += unopened(wanted, answers, builds)
        if wanted.model is not None:
            builds += expected_builds(wanted.model, answers.unasked)
        repos = {repo.casefold() for repo in wanted.repos} | {b.repo.casefold() for b in builds}
        for local in self._local_files():
            if local.repo.casefold() in repos:
                builds = with_local(wanted.model, builds, local)
        if not wanted.base:
            return builds
        publisher = owner_of(wanted.base)
        return [replace(b, is_publisher=owner_of(b.repo) == publisher) for b in builds]

    def _with_known_header(self, build: Build) -> Build:
        if build.source is None:
            return build
        headers = self.headers.known(build.source)
        return build if headers is None else with_headers(build, headers)

    def _local_files(self) -> Iterable[LocalFile]:
        """The starter first: where it is installed as well, that says more."""
        starter = find_starter()
        if starter is not None:
            yield LocalFile.of_starter(starter)
        for model in self.headers.library.installed():
            if model.is_usable:
                yield LocalFile.of_installed(model)

    def _with_one_shape(self, listing: ModelListing, cancel: CancelToken) -> ModelListing:
        """Headers at hand serve for all builds; where no shape is known at all, one is fetched."""
        local = [build for build in listing.builds if build.path is not None]
        known = [build for build in listing.builds if build.has_header]
        for build in [*known, *(self.read(build, cancel) for build in local)]:
            listing = listing.with_build(build)
        without = [build for build in listing.builds if build.shape is None]
        if not without:
            return listing
        listed = [build for build in without if build.source is not None] or without
        usual = [build for build in listed if build.quant == _USUAL_QUANT] or listed[-1:]
        try:
            return listing.with_build(self.read(usual[0], cancel))
        except (Offline, NetworkFailure, GatedModel) as error:
            note = Reason(f"models_header_{error.code}")
            return replace(listing, notes=(*listing.notes, note))

    def _found(self, build: Build) -> Build:
        """For one that was only expected until now, the Hub has to say what there is."""
        if build.path is not None or build.source is not None:
            return build
        return found_in(self.headers.client().repo(build.repo), build)

    def _headers(self, build: Build, cancel: CancelToken) -> ModelHeaders:
        if build.path is not None:
            return headers_of_file(build.path)
        if build.source is None:
            raise NotFound("variant", build.target)
        return self.headers.on_hub(build.source, cancel)
