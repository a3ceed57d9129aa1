"""From the claims of one repository to the licenses it is under, with the evidence.

The license text is the source, everything else is a claim: text > link > license_name > license
tag > GGUF header > our own catalog. Every claim is kept; none is silently overruled.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from openshelf.licenses.claims import RepoClaims, printable, strings_of
from openshelf.licenses.homes import heads_at_home, leads_astray, settle, with_variant
from openshelf.licenses.index import LicenseIndex, normalized_name
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE

_JOINED = re.compile(r"\s*,\s*|\s+AND\s+")
_SAYS_NOTHING = ("other", "unknown", "none", "")
_INHERITING = ("see-base-model", "inherits-base-model")
_SOURCE_WORDS = {
    "text": "license text",
    "link": "license_link",
    "name": "license_name",
    "tag": "license tag",
    "header": "GGUF header",
    "catalog": "catalog",
}


@dataclass(frozen=True)
class Claim:
    """`source` is text, link, name, tag, header or catalog; `ids` is empty where unidentified."""

    source: str
    value: str
    ids: tuple[str, ...]

    def as_evidence(self) -> str:
        found = " or ".join(self.ids) or UNKNOWN_LICENSE
        return f"{_SOURCE_WORDS[self.source]} {self.value} = {found}"


@dataclass(frozen=True)
class Identified:
    """What one repository is under by its own words.

    `licenses` is empty where it says nothing. `candidates` are the licenses that share an
    ambiguous name which the repository alone does not settle; `witness` is what a GGUF header
    says beside the card, which is about the model that was converted.
    """

    licenses: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    witness: tuple[str, ...] = ()
    witness_meanings: tuple[str, ...] = ()
    """What an ambiguous name in the header may stand for."""
    claims: tuple[Claim, ...] = ()
    flags: tuple[str, ...] = ()
    declared_names: tuple[str, ...] = ()
    inherits: bool = False

    @property
    def is_silent(self) -> bool:
        return not self.licenses and not self.candidates


def identify(node: RepoClaims, index: LicenseIndex) -> Identified:
    """The licenses of one repository, without looking at its base models."""
    link, name, tags = _card_claims(node, index)
    named = [claim.ids for claim in (link, name, *tags) if claim is not None]
    text = _text_claim(node, index, named)
    header = _header_claims(node, index)
    catalog = _named("catalog", node.declared or "", index)
    text, link, name, catalog = (
        claim and _as_at_home(claim, node, index) for claim in (text, link, name, catalog)
    )
    tags, header = (
        [_as_at_home(claim, node, index) for claim in group] for group in (tags, header)
    )
    claims = tuple(
        claim for claim in (text, link, name, *tags, *header, catalog) if claim is not None
    )
    own = [claim for claim in (link, name, *tags) if claim is not None]
    witness: tuple[str, ...] = ()
    meanings: tuple[str, ...] = ()
    if text is None and not own:
        own = list(header) or ([catalog] if catalog else [])
    elif header:
        witness = _union([claim for claim in header if len(claim.ids) == 1])
        shared = [claim.ids for claim in header if len(claim.ids) > 1]
        meanings = settle(node.id, shared, index) if shared else ()
        if len(meanings) == 1:
            witness, meanings = _merged(witness, meanings), ()
        if not witness and not meanings:
            witness = (UNKNOWN_LICENSE,)
    several = {claim.value.casefold() for claim in tags or header}
    flags = ["list_license"] if len(several) > 1 else []
    inherits = name is not None and normalized_name(name.value) in _INHERITING
    found = _decide(node, index, _Evidence(claims, text, own, witness, flags, inherits=inherits))
    return replace(found, witness_meanings=meanings)


@dataclass
class _Evidence:
    claims: tuple[Claim, ...]
    text: Claim | None
    own: list[Claim]
    witness: tuple[str, ...]
    flags: list[str]
    inherits: bool = False


def _as_at_home(claim: Claim, node: RepoClaims, index: LicenseIndex) -> Claim:
    return replace(claim, ids=with_variant(node.organization, claim.ids, index))


def _decide(node: RepoClaims, index: LicenseIndex, evidence: _Evidence) -> Identified:
    own, flags, text = evidence.own, evidence.flags, evidence.text
    clear = [claim for claim in own if len(claim.ids) == 1]
    ambiguous = [claim for claim in own if len(claim.ids) > 1]
    stated = _union(clear)
    unnamed = [claim.value for claim in own if not claim.ids and claim.source != "link"]
    candidates: tuple[str, ...] = ()
    if ambiguous:
        flags.append("alias_collision")
        candidates = settle(node.id, [claim.ids for claim in ambiguous], index)
    if text is not None:
        licenses = _with_text(text, own, index, flags)
        candidates = ()
        if UNKNOWN_LICENSE in licenses:
            unnamed.append(text.value)
    else:
        licenses = stated
        if len(candidates) == 1:
            licenses, candidates = _merged(candidates, stated), ()
        if unnamed:
            licenses = _merged(licenses, (UNKNOWN_LICENSE,))
        if _contradicts(own):
            flags.append("node_conflict")
    return Identified(
        licenses=() if evidence.inherits and text is None and not stated else licenses,
        candidates=candidates,
        witness=evidence.witness,
        claims=evidence.claims,
        flags=tuple(flags),
        declared_names=tuple(dict.fromkeys([*unnamed, *(claim.value for claim in ambiguous)])),
        inherits=evidence.inherits,
    )


def _with_text(
    text: Claim, own: list[Claim], index: LicenseIndex, flags: list[str]
) -> tuple[str, ...]:
    """The text decides; a clear label that says otherwise is kept beside it and flagged."""
    stated = _union([claim for claim in own if len(claim.ids) == 1])
    if not text.ids and stated and not any(index.knows_text_of(id_) for id_ in stated):
        return stated  # nothing to compare the text with, so the label stands
    found = text.ids or (UNKNOWN_LICENSE,)
    others = tuple(id_ for id_ in stated if id_ not in found)
    ambiguous = [claim for claim in own if len(claim.ids) > 1]
    if others or (ambiguous and leads_astray(_union(ambiguous), found, index)):
        flags.append("custom_text_mismatch")
    if others and text.ids:
        flags.append("node_conflict")
    return _merged(found, others)


def _contradicts(own: list[Claim]) -> bool:
    """Whether two fields of one card name different licenses; a tag that is a list is one field."""
    by_source: dict[str, set[str]] = {}
    for claim in own:
        if claim.ids or claim.source != "link":
            by_source.setdefault(claim.source, set()).update(claim.ids or {f"?{claim.value}"})
    sets = list(by_source.values())
    return any(not first & second for first in sets for second in sets)


def _text_claim(
    node: RepoClaims, index: LicenseIndex, named: list[tuple[str, ...]]
) -> Claim | None:
    """None for a title that several licenses share and the card names one of them by."""
    if not node.license_text or not node.license_text.strip():
        return None
    digest = hashlib.sha256(node.license_text.encode("utf-8", "replace")).hexdigest()
    found = index.by_text(node.license_text, is_head=node.license_text_is_head)
    if node.license_text_is_head:
        heads = heads_at_home(node.id, node.license_text, found, named, index)
        if len(heads) > 1 and any(set(heads) & set(ids) for ids in named):
            return None
        found = heads if len(heads) == 1 else ()
    return Claim("text", f"{printable(node.license_path)} sha256 {digest}", found)


def _card_claims(
    node: RepoClaims, index: LicenseIndex
) -> tuple[Claim | None, Claim | None, list[Claim]]:
    link = next(iter(strings_of(node.card.get("license_link"))), "")
    places = index.by_link(link)
    name = next(iter(strings_of(node.card.get("license_name"))), "")
    tags = [
        Claim("tag", tag, index.by_name(tag))
        for written in strings_of(node.card.get("license"))
        for tag in _apart(written, index)
        if normalized_name(tag) not in _SAYS_NOTHING
    ]
    named = _named("name", name, index)
    if named is None and not places and _says_other(node):
        # `other` without a name or a known link: something was declared, nobody can say what,
        # except where a licensor's own repository is known to carry one license.
        tags.append(Claim("tag", "other", index.by_repository(node.id)))
    return (Claim("link", link, places) if places else None), named, tags


def _apart(written: str, index: LicenseIndex) -> list[str]:
    """The licenses of one string that joins several; only where each of them is known."""
    parts = _JOINED.split(written)
    is_list = len(parts) > 1 and not index.by_name(written) and all(map(index.by_name, parts))
    return parts if is_list else [written]


def _says_other(node: RepoClaims) -> bool:
    """Whether a card declares something that has no name, alone or beside a license."""
    tags = strings_of(node.card.get("license"))
    return any(normalized_name(tag) in ("other", "unknown") for tag in tags)


def _header_claims(node: RepoClaims, index: LicenseIndex) -> list[Claim]:
    """The header's license; a list arrives joined with a comma (llama.cpp issue 9819)."""
    value = node.gguf.get("general.license")
    is_list = isinstance(value, str) and not index.by_name(value)
    entries = strings_of(str(value).split(",") if is_list else value)
    claims = [
        Claim("header", entry, index.by_name(entry))
        for entry in entries
        if normalized_name(entry) not in _SAYS_NOTHING
    ]
    if claims:
        return claims
    name = next(iter(strings_of(node.gguf.get("general.license.name"))), "")
    link = next(iter(strings_of(node.gguf.get("general.license.link"))), "")
    if places := index.by_link(link):
        return [Claim("header", link, places)]
    named = _named("header", name, index)
    return [named] if named else []


def _named(source: str, name: str, index: LicenseIndex) -> Claim | None:
    name = printable(name)
    if normalized_name(name) in _SAYS_NOTHING:
        return None
    found = index.by_name(name)
    return Claim(source, name, () if found in ((UNKNOWN_LICENSE,), (NO_LICENSE,)) else found)


def _union(claims: list[Claim]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id_ for claim in claims for id_ in claim.ids))


def _merged(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
