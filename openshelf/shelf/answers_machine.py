"""The answers about the machine: what a variant takes on it, and what is let in with it."""

from __future__ import annotations

from openshelf.fit.verdict import Fit
from openshelf.hardware.facts import Machine
from openshelf.reasons import Reason
from openshelf.shelf.builds import Build
from openshelf.shelf.evidence import Answer, Evidence, Mark, unknown

_MOST_REASONS = 3
_REFUSED = "fit_engine_"


def infrastructure_answers(evidence: Evidence) -> tuple[Answer, ...]:
    """What the chosen variant takes here, on disk and in memory, and whether the engine can."""
    return (
        _machine(evidence.machine),
        _fit(evidence),
        _memory(evidence),
        _context(evidence),
        _disk(evidence),
        _engine(evidence),
    )


def security_answers(evidence: Evidence) -> tuple[Answer, ...]:
    """What comes in, from whom, and what it could do here."""
    ours = Reason("source_openshelf")
    return (
        Answer("format", (Reason("answer_gguf"), Reason("answer_template")), ours),
        Answer("isolation", (Reason("answer_isolation"), Reason("answer_offline")), ours),
        _hashes(evidence),
        _commit(evidence),
        _packager(evidence),
        _gated(evidence),
    )


def _machine(machine: Machine | None) -> Answer:
    if machine is None:
        return unknown("machine")
    gpus = [gpu.name for gpu in machine.gpus if gpu.usable_by_engine]
    data = {"gpus": gpus, "memory_bytes": machine.memory.total_bytes, "name": machine.name}
    code = "answer_machine_gpus" if gpus else "answer_machine_cpu"
    is_here = machine.name == "this"
    source = Reason("source_hardware") if is_here else Reason("source_profile", data)
    says = [] if is_here else [Reason("answer_machine_what_if", data)]
    return Answer("machine", (*says, Reason(code, data)), source)


def _fit(evidence: Evidence) -> Answer:
    fit = evidence.fit
    if fit is None:
        return unknown("fit", Reason("answer_shape_unknown"))
    says = (*fit.reasons[:_MOST_REASONS], *(() if fit.verdict.fits else fit.remedies))
    return Answer("fit", says, _source_of(fit), _mark_of(fit))


def _memory(evidence: Evidence) -> Answer:
    fit = evidence.fit
    if fit is None:
        return unknown("memory", Reason("answer_shape_unknown"))
    parts = ("weights_bytes", "kv_cache_bytes", "compute_buffer_bytes")
    data = {part: sum(getattr(device, part) for device in fit.devices) for part in parts}
    data |= {"total_bytes": fit.total_bytes, "context_length": fit.context_length_used}
    says = [Reason("answer_memory", data)]
    for part in ("projector", "overhead"):
        size = sum(getattr(device, f"{part}_bytes") for device in fit.devices)
        if size:
            says.append(Reason(f"answer_memory_{part}", {"size_bytes": size}))
    return Answer("memory", tuple(says), _source_of(fit), _mark_of(fit))


def _source_of(fit: Fit) -> Reason:
    if fit.method == "dry-run":
        return Reason("source_dry_run")
    known = fit.shape_source in ("header", "sibling")
    return Reason(f"source_fit_{fit.shape_source if known else 'catalog'}")


def _mark_of(fit: Fit) -> Mark:
    """Only a header's figures, and the engine's own, are more than an expectation."""
    is_sure = fit.method == "dry-run" or (fit.shape_source == "header" and fit.known_architecture)
    return Mark.KNOWN if is_sure else Mark.EXPECTED


def _context(evidence: Evidence) -> Answer:
    trained = evidence.listing.context_length
    fit = evidence.fit
    if trained is None and fit is None:
        return unknown("context")
    says = []
    if trained is not None:
        says.append(Reason("answer_context_trained", {"context_length": trained}))
    if fit is not None:
        used = {"context_length": fit.context_length_used, "kv_type": fit.request.kv_type_k}
        says.append(Reason("answer_context_used", used))
    source = _source_of(fit) if fit is not None else Reason("source_fit_catalog")
    return Answer("context", tuple(says), source)


def _disk(evidence: Evidence) -> Answer:
    build, offer = evidence.build, evidence.offer
    if build is None:
        return unknown("disk")
    size = {"size_bytes": build.size_bytes, "files": max(1, len(build.files))}
    says = [Reason("answer_disk", size)]
    if offer is not None:
        free = {"left_bytes": offer.left_bytes, "free_bytes": offer.free_bytes}
        says.append(Reason("answer_disk_free", free))
    mark = Mark.EXPECTED if build.size_is_expected else Mark.KNOWN
    return Answer("disk", tuple(says), _listed_by(build), mark)


def _listed_by(build: Build) -> Reason:
    if build.size_is_expected:
        return Reason("source_expected_size")
    if build.source is None and build.is_local:
        return Reason("source_file_here")
    return Reason("source_hub", {"repo": build.repo, "commit": build.commit[:8]})


def _engine(evidence: Evidence) -> Answer:
    fit, machine = evidence.fit, evidence.machine
    version = machine.engine.version if machine is not None and machine.engine else None
    if fit is None:
        return unknown("engine")
    data = {"version": version, "architecture": fit.architecture}
    refusals = [reason for reason in fit.reasons if reason.code.startswith(_REFUSED)]
    if refusals:
        return Answer("engine", tuple(refusals), Reason("source_dry_run"))
    if fit.method == "dry-run" and version is not None:
        return Answer("engine", (Reason("answer_engine", data),), Reason("source_dry_run"))
    knows = evidence.build.engine_knows if evidence.build is not None else None
    if knows is None:
        return unknown("engine", Reason("answer_engine_not_asked", data))
    code = "answer_engine_knows" if knows else "fit_engine_lacks_architecture"
    return Answer("engine", (Reason(code, data),), Reason("source_engine"))


def _hashes(evidence: Evidence) -> Answer:
    build, offer = evidence.build, evidence.offer
    if offer is not None and offer.files:
        sums = [file.sha256 for file in offer.files]
    elif build is not None and build.source is not None:
        sums = [file.sha256 or "" for file in build.source.variant.files]
    else:
        return unknown("hashes", Reason("answer_hashes_unasked"))
    if not all(sums):
        return Answer("hashes", (Reason("answer_hashes_missing"),), _file_source(evidence))
    says = Reason("answer_hashes", {"sha256": sums[0]})
    return Answer("hashes", (says,), _file_source(evidence))


def _file_source(evidence: Evidence) -> Reason:
    build, offer = evidence.build, evidence.offer
    if offer is not None:
        if offer.source != "hub":
            return Reason("source_file_here")
        return Reason("source_hub", {"repo": offer.repo, "commit": offer.commit[:8]})
    return _listed_by(build) if build is not None else Reason("source_openshelf")


def _commit(evidence: Evidence) -> Answer:
    build, offer = evidence.build, evidence.offer
    commit = (offer.commit if offer is not None else "") or (build.commit if build else "")
    if not commit or (offer is not None and offer.source == "file"):
        return unknown("commit", Reason("answer_commit_unasked"))
    data = {"commit": commit, "repo": build.repo if build else offer.repo if offer else ""}
    return Answer("commit", (Reason("answer_commit", data),), _file_source(evidence))


def _packager(evidence: Evidence) -> Answer:
    build = evidence.build
    if build is None:
        return unknown("packager")
    data = {"name": build.packager.name, "account": build.packager.account}
    if build.is_publisher:
        code, source = "answer_packager_publisher", Reason("source_catalog_packagers")
    elif build.packager.is_known:
        code, source = "answer_packager_known", Reason("source_catalog_packagers")
    else:
        says = Reason("answer_packager_stranger", data)
        return Answer("packager", (says,), Reason("source_catalog_packagers"), Mark.UNKNOWN)
    return Answer("packager", (Reason(code, data),), source)


def _gated(evidence: Evidence) -> Answer:
    offer = evidence.offer
    if offer is None or offer.source != "hub":
        return unknown("gated", Reason("answer_gated_unasked"))
    says = [Reason("answer_gated" if offer.gated else "answer_not_gated")]
    if "base_gated" in offer.decision.license.flags:
        says.append(Reason("base_gated"))
    return Answer("gated", tuple(says), _file_source(evidence))
