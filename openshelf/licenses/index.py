"""Finds licenses by any of their names, by a link, or by their text."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

from openshelf.licenses.facts import load_licenses
from openshelf.licenses.license import NO_LICENSE, UNKNOWN_LICENSE, License
from openshelf.licenses.whole_text import is_whole

_TITLE_ZONE = 2000
"""Characters at the start of a text in which its title has to stand."""
_LONGEST_TEXT = 400_000
_HEAD_ZONE = 600
_ALTERING = (
    "commercial", "commons clause", "research", "academic", "modified", "additional term",
    "additional condition", "additional restriction", "addendum", "rider", "evaluation",
    "acceptable use", "monthly active users", "annual revenue",
)  # fmt: skip
"""Words that the beginning of no permissive license has, and that of an altered one may."""
_POINTER_WORDS = 120
"""A LICENSE file up to this long may only say where the license is to be found."""
_RIDER_WORDS = ("commercial", "except", "modified", "research", "additional", "provided that")
_TERM_WORDS = (
    "commercial", "noncommercial", "commons clause", "research", "academic", "modified", "except",
    "only", "additional", "restrict", "rider", "addendum", "custom", "not for", "evaluation",
)  # fmt: skip
"""What makes another license of a well-known one where it stands beside its name or title."""
_COPYRIGHT = re.compile(r"\A(?:\s*(?:copyright|\(c\)|©)[^\n]*\n)+", re.IGNORECASE)
_FILE_VIEW = re.compile(r"/(raw|resolve)/")
"""The Hub and GitHub show one file at several addresses; facts name the one with /blob/."""
_SPECIAL = (UNKNOWN_LICENSE, NO_LICENSE)
_SAYS_LICENSE = re.compile(r"-(license(-agreement)?|agreement)$")
_NOBODYS = ("", "other", "unknown", "none")
_STRICT_BY_USE = {"yes": 0, "conditional": 2, "unknown": 3, "no": 4}
_STRICT_BY_CLASS = {
    "permissive": 0,
    "public-domain": 0,
    "overlay": 0,
    "unknown": 3,
    "research-only": 4,
    "non-commercial": 4,
}


class LicenseIndex:
    """Names, links and fingerprints of a set of licenses; built once, then only read."""

    def __init__(self, licenses: Mapping[str, License]) -> None:
        self.licenses = licenses
        self._names: dict[str, list[str]] = defaultdict(list)
        self._regions: dict[str, str] = {}
        for entry in licenses.values():
            for name in _names_of(entry):
                if entry.id not in self._names[name]:
                    self._names[name].append(entry.id)
            for organization in entry.ids.organizations:
                if entry.licensor_region:
                    self._regions.setdefault(organization.casefold(), entry.licensor_region)

    def by_name(self, name: str) -> tuple[str, ...]:
        """Ids that go by this name; several where the name is ambiguous, none where unknown."""
        bare, bracket, remark = name.partition("(")
        has_terms = any(word in normalized_text(remark) for word in _TERM_WORDS)
        for written in (name, *((bare,) if bracket and not has_terms else ())):
            key = normalized_name(written)
            for spelled in (key, *_other_spellings(key)):
                if spelled in self.licenses:
                    return (spelled,)
                if found := self._names.get(spelled):
                    return tuple(found)
        return ()

    def by_link(self, link: str) -> tuple[str, ...]:
        """Ids whose known address this is; a path inside a repository says nothing."""
        place = _place_of(link)
        if not place:
            return ()
        return tuple(
            entry.id
            for entry in self.licenses.values()
            if any(_is_below(place, pattern) for pattern in entry.ids.link_patterns)
        )

    def by_text(self, text: str, *, is_head: bool = False) -> tuple[str, ...]:
        """Ids whose text this is. With `is_head` only the title is at hand and has to do."""
        known = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        exact = [e.id for e in self.licenses.values() if known in e.ids.sha256_known]
        if exact:
            return tuple(exact)
        text = text[:_LONGEST_TEXT].removeprefix("\ufeff")
        # In a beginning, whose it is may stand before what it is.
        plain = normalized_text(_COPYRIGHT.sub("", text) if is_head else text)
        found = [e.id for e in self.licenses.values() if _text_matches(e, plain, is_head=is_head)]
        # The title "llama 3 …" stands inside no other, but a shorter title may inside a longer one.
        titles = {id_: _longest_title(self.licenses[id_], plain) for id_ in found}
        return tuple(
            id_
            for id_ in found
            if not any(
                titles[id_] != titles[other] and titles[id_] in titles[other] for other in found
            )
        )

    def by_repository(self, repo: str) -> tuple[str, ...]:
        """The license whose licensor is known to publish repositories of this name under it."""
        name = repo.casefold() if repo.isascii() else ""
        fits = {
            entry.id: max(map(len, fitting))
            for entry in self.licenses.values()
            if (fitting := [r for r in entry.ids.repositories if name.startswith(r.casefold())])
        }
        longest = max(fits.values(), default=0)
        return tuple(id_ for id_, length in fits.items() if length == longest)

    def is_home(self, license_id: str, organization: str) -> bool:
        """Whether an account of the Hub is one of the licensor's own."""
        if not organization.isascii():  # some letters of other scripts fold to ours
            return False
        homes = self.licenses[license_id].ids.organizations
        return organization.casefold() in (home.casefold() for home in homes)

    def variants_of(self, license_id: str) -> tuple[str, ...]:
        """Licenses that go by the name of this one in their licensors' repositories."""
        return tuple(e.id for e in self.licenses.values() if e.ids.variant_of == license_id)

    def knows_text_of(self, license_id: str) -> bool:
        ids = self.licenses[license_id].ids
        return bool(ids.title_phrases or ids.sha256_known)

    def region_of(self, organization: str) -> str | None:
        """Home of an account on the Hub that belongs to a known licensor."""
        return self._regions.get(organization.casefold()) if organization.isascii() else None

    def strictness(self, license_id: str) -> int:
        """How much a license asks: 0 permissive … 4 no commercial use. Only for comparing."""
        entry = self.licenses[license_id]
        by_class = _STRICT_BY_CLASS.get(entry.license_class, 1)
        return max(by_class, _STRICT_BY_USE.get(entry.commercial_use.value, 3))

    def spdx_expression(self, ids: tuple[str, ...]) -> str:
        """`A AND B` of SPDX ids, and of our LicenseRefs where SPDX has none."""
        symbols = list(dict.fromkeys(self.licenses[id_].spdx_symbol for id_ in ids))
        if len(symbols) < 2:
            return "".join(symbols)
        from license_expression import LicenseSymbol, Licensing

        licensing = Licensing([LicenseSymbol(symbol) for symbol in symbols])
        return str(licensing.parse(" AND ".join(symbols)).simplify().render())


@cache
def shipped_index() -> LicenseIndex:
    return LicenseIndex(load_licenses())


def normalized_name(name: str) -> str:
    """`Apache 2.0`, `apache_2.0` → `apache-2.0`."""
    return re.sub(r"[\s_-]+", "-", name.strip().casefold()).strip("-")


def _other_spellings(key: str) -> tuple[str, ...]:
    """`apache-license,-version-2.0`, `mit-licence` as their catalog names; words that say only
    that it is a license are left out last, and not where nothing but "other" is left.
    """
    plain = re.sub(r",|-(version|v)(?=-?\d)", "", key.replace("licence", "license"))
    plain = plain.removeprefix("the-")
    bare = _SAYS_LICENSE.sub("", plain)
    shorter = () if bare in _NOBODYS else (bare,)
    return tuple(name for name in (plain, *shorter) if name != key)


def normalized_text(text: str) -> str:
    """Lower case, one space between words, no markdown decoration, straight quotes."""
    text = text.casefold().replace("\u201c", '"').replace("\u201d", '"').replace("\u2019", "'")
    return " ".join(re.sub(r"[*#`>|=]+|-{3,}", " ", text).split())


def _names_of(entry: License) -> set[str]:
    ids = entry.ids
    names = [*ids.hub_license, *ids.hub_license_name, *ids.aliases, ids.spdx_ref, ids.spdx]
    if entry.id not in _SPECIAL:
        names += [ids.scancode, entry.name]
    return {normalized_name(name) for name in names if name} - {""}


def _place_of(link: str) -> str:
    try:
        parts = urlsplit(link.strip())
        host = parts.hostname or ""
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    path = _FILE_VIEW.sub("/blob/", parts.path, count=1)
    return f"{host.removeprefix('www.')}{path}".casefold().rstrip("/")


def _is_below(place: str, pattern: str) -> bool:
    """Whether an address is the pattern's, one of its pages, or the same with an ending."""
    pattern = pattern.casefold().rstrip("/")
    rest = place.removeprefix(pattern)
    return place.startswith(pattern) and (not rest or rest[0] in "/.?#")


def _text_matches(entry: License, plain: str, *, is_head: bool) -> bool:
    ids = entry.ids
    if not ids.title_phrases:
        return False
    if _only_points_to(entry, plain):
        return True
    if is_head:
        titles = [title for title in ids.title_phrases if plain.startswith(title)]
        return bool(titles) and not (ids.pieces and _is_altered(plain, max(titles, key=len)))
    if ids.max_words is not None and plain.count(" ") >= ids.max_words:
        return False
    if any(phrase in plain for phrase in ids.forbidden_phrases):
        return False
    if ids.pieces and not is_whole(ids.pieces, plain):
        return False
    head = plain[:_TITLE_ZONE]
    return any(title in head for title in ids.title_phrases) and all(
        phrase in plain for phrase in ids.required_phrases
    )


def _is_altered(head: str, title: str) -> bool:
    """Whether the beginning of a text says that it is not the license of its title as it stands."""
    after = head.removeprefix(title)[:_HEAD_ZONE]
    return any(phrase in after for phrase in _ALTERING)


def _only_points_to(entry: License, plain: str) -> bool:
    """Whether a short file only says where the license is, without conditions of its own."""
    if plain.count(" ") >= _POINTER_WORDS or any(word in plain for word in _RIDER_WORDS):
        return False
    return any(link in plain for link in entry.ids.link_patterns)


def _longest_title(entry: License, plain: str) -> str:
    titles = [title for title in entry.ids.title_phrases if title in plain]
    return max(titles, key=len, default="")
