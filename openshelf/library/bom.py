"""The AI-BOM: what is installed as CycloneDX 1.6, with files, licenses, ancestors and our flags.

`licenses` holds what the repository declares (`declared`) and what applies along the lineage
(`concluded`, all of them together; the expression is a property, for CycloneDX allows no expression
beside other licenses). What CycloneDX has no field for is a property that begins with `openshelf:`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from openshelf import __version__
from openshelf.library.installed import InstalledModel
from openshelf.licenses.chain import VerifyReport
from openshelf.licenses.effective import EffectiveLicense, LineageNode
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE, License
from openshelf.policy.verdict import Decision

if TYPE_CHECKING:
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import DisjunctiveLicense
    from packageurl import PackageURL

PREFIX = "openshelf:"
_NAMELESS = (NO_LICENSE, UNKNOWN_LICENSE)


@dataclass(frozen=True)
class BomEntry:
    """One installed model with its license as it was installed, and what that means today."""

    model: InstalledModel
    license: EffectiveLicense
    decision: Decision


@dataclass(frozen=True)
class BomContext:
    """Time, license facts, and the state of the acceptance log, whose head is printed."""

    at: datetime
    licenses: Mapping[str, License]
    log: VerifyReport
    revoked: frozenset[str] = frozenset()
    """Records that were taken back."""
    serial: uuid.UUID | None = None


def bom_json(entries: Iterable[BomEntry], context: BomContext) -> str:
    """The BOM as JSON text, ended by a line feed; valid by the strict schema of CycloneDX 1.6."""
    from cyclonedx.output.json import JsonV1Dot6

    text: str = JsonV1Dot6(_bom(entries, context)).output_as_string(indent=2)
    return f"{text}\n"


def _bom(entries: Iterable[BomEntry], context: BomContext) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository

    listed = list(entries)
    tool = Component(name="openshelf", version=__version__, type=ComponentType.APPLICATION)
    policies = {(e.decision.policy_name, e.decision.policy_sha256) for e in listed}
    facts = [
        ("log_records", str(context.log.records)),
        ("log_head_sha256", context.log.head_sha256),
        ("log_problem", context.log.problem or ""),
        *(("policy", name) for name, _ in sorted(policies)),
        *(("policy_sha256", digest) for _, digest in sorted(policies)),
        ("note", "Summary by Openshelf; the license text prevails; not legal advice."),
    ]
    return Bom(
        components=[_model(entry, context) for entry in listed],
        metadata=BomMetaData(
            timestamp=context.at,
            tools=ToolRepository(components=[tool]),
            properties=_properties(facts),
        ),
        serial_number=context.serial,
    )


def _model(entry: BomEntry, context: BomContext) -> Component:
    from cyclonedx.model.component import Component, ComponentType, Pedigree

    model, license, licenses = entry.model, entry.license, context.licenses
    group, _, name = model.repo.rpartition("/")
    ancestors = [_ancestor(model.id, node, licenses) for node in license.lineage[1:]]
    return Component(
        name=name if group else model.name,
        group=group or None,
        version=model.commit,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=model.id,
        purl=_purl(model.repo, model.commit),
        licenses=[
            *_declared(license, licenses),
            *(_license(id_, licenses, is_concluded=True) for id_ in license.effective),
        ],
        pedigree=Pedigree(ancestors=ancestors) if ancestors else None,
        components=list(_files(model)),
        properties=_properties(_facts(entry, context)),
    )


def _purl(repo: str, commit: str | None) -> PackageURL | None:
    from packageurl import PackageURL

    group, _, name = repo.rpartition("/")
    if not group:
        return None
    return PackageURL(type="huggingface", namespace=group, name=name, version=commit)


def _files(model: InstalledModel) -> Iterator[Component]:
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    for file in model.files:
        yield Component(
            name=file.path,
            type=ComponentType.FILE,
            bom_ref=f"{model.id}#{file.path}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
            properties=_properties([("size_bytes", str(file.size_bytes))]),
        )


def _ancestor(owner: str, node: LineageNode, licenses: Mapping[str, License]) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    group, _, name = node.repo.rpartition("/")
    ids = [id_ for id_ in node.license.split(" AND ") if id_ not in _NAMELESS]
    return Component(
        name=name,
        group=group or None,
        version=node.commit,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"{owner}<{node.repo}",
        purl=_purl(node.repo, node.commit),
        licenses=[_license(id_, licenses, is_concluded=False) for id_ in ids],
        properties=_properties(
            [
                ("relation", node.relation),
                ("region", node.region or ""),
                *(("evidence", text) for text in node.evidence),
            ]
        ),
    )


def _declared(
    license: EffectiveLicense, licenses: Mapping[str, License]
) -> Iterator[DisjunctiveLicense]:
    """What the repository itself says; a name that nobody knows as it stands there."""
    from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement

    own = license.lineage[0].license.split(" AND ") if license.lineage else []
    for id_ in own:
        if id_ not in _NAMELESS:
            yield _license(id_, licenses, is_concluded=False)
    if UNKNOWN_LICENSE in own:
        for name in license.declared_names:
            yield DisjunctiveLicense(name=name, acknowledgement=LicenseAcknowledgement.DECLARED)


def _license(
    license_id: str, licenses: Mapping[str, License], *, is_concluded: bool
) -> DisjunctiveLicense:
    from cyclonedx.model import XsUri
    from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement
    from cyclonedx.spdx import is_supported_id

    entry = licenses.get(license_id)
    said = LicenseAcknowledgement.CONCLUDED if is_concluded else LicenseAcknowledgement.DECLARED
    if entry is None:
        return DisjunctiveLicense(name=license_id, acknowledgement=said)
    if entry.ids.spdx and is_supported_id(entry.ids.spdx):
        return DisjunctiveLicense(id=entry.ids.spdx, acknowledgement=said)
    url = entry.sources[0].url if entry.sources else ""
    return DisjunctiveLicense(
        name=entry.spdx_symbol,
        acknowledgement=said,
        url=XsUri(url) if url.startswith("http") else None,
    )


def _facts(entry: BomEntry, context: BomContext) -> Iterator[tuple[str, str]]:
    model, license, decision = entry.model, entry.license, entry.decision
    yield "expression", license.expression
    yield "acceptance_record", model.record_id or ""
    yield "acceptance_revoked", "true" if model.record_id in context.revoked else ""
    yield "verdict", decision.verdict.value
    yield "quantization", model.quant or ""
    yield "source", model.source
    yield "installed_at", model.installed_at
    yield "files_missing", "true" if model.missing else ""
    yield "files_damaged", "true" if model.damaged else ""
    for flag in license.flags:
        yield "flag", flag
    for id_ in license.disputed:
        yield "disputed", id_
    for region in license.vendor_regions:
        yield "vendor_region", region
    for text in license.texts:
        if text.sha256:
            yield f"text_sha256:{text.license}:{text.kind}", text.sha256
    for duty in decision.obligations:
        if duty.applies is not False:
            yield "obligation", f"{duty.license}:{duty.id}"
    for waived in decision.waived:
        yield "waived", f"{waived.reason.license}:{waived.reason.code} until {waived.until}"


def _properties(facts: Iterable[tuple[str, str]]) -> list[Property]:
    """Those that have a value; values of one name may be several."""
    from cyclonedx.model import Property

    return [Property(name=f"{PREFIX}{name}", value=value) for name, value in facts if value]
