"""Tells licenses with a common name or title apart by whose repository it is."""

from __future__ import annotations

from collections.abc import Sequence

from openshelf.licenses.index import LicenseIndex, normalized_text


def settle(repo: str, meanings: Sequence[tuple[str, ...]], index: LicenseIndex) -> tuple[str, ...]:
    """What an ambiguous name means in this repository; all its meanings where that is open.

    `meanings` has one entry per claim. A licensor's own repositories settle it, and among several
    licenses of one licensor the name of the repository.
    """
    shared = [id_ for id_ in meanings[0] if all(id_ in other for other in meanings)]
    candidates = shared or list(dict.fromkeys(id_ for ids in meanings for id_ in ids))
    at_home = [id_ for id_ in candidates if index.is_home(id_, repo.partition("/")[0])]
    known = [id_ for id_ in index.by_repository(repo) if id_ in at_home]
    return tuple(known or at_home or candidates)


def with_variant(organization: str, ids: tuple[str, ...], index: LicenseIndex) -> tuple[str, ...]:
    """The licensor's own variant of a common license in place of it, in the licensor's account."""
    if len(ids) != 1:
        return ids
    own = [id_ for id_ in index.variants_of(ids[0]) if index.is_home(id_, organization)]
    return tuple(own) or ids


def heads_at_home(
    repo: str,
    head: str,
    found: tuple[str, ...],
    named: Sequence[tuple[str, ...]],
    index: LicenseIndex,
) -> tuple[str, ...]:
    """Which of the licenses with this title it is, told by account, card and the licensor's name.

    A title that is general counts only in the licensor's account or beside a name of the license.
    """
    organization = repo.partition("/")[0]
    claimed = {id_ for ids in named for id_ in ids}
    kept = [
        id_
        for id_ in found
        if not index.licenses[id_].ids.is_title_general
        or id_ in claimed
        or index.is_home(id_, organization)
    ]
    if len(kept) < 2:
        return tuple(kept)
    plain = normalized_text(head)
    signed = [id_ for id_ in kept if index.licenses[id_].licensor.casefold() in plain]
    return settle(repo, [tuple(signed or kept)], index)


def leads_astray(meanings: tuple[str, ...], found: tuple[str, ...], index: LicenseIndex) -> bool:
    """Whether a name of several meanings leads astray: the text is none of them, or it forbids
    commercial use and another one does not.
    """
    if not set(found) & set(meanings):
        return True
    strict = [index.licenses[id_].commercial_use.value == "no" for id_ in found]
    return any(strict) and any(index.licenses[i].commercial_use.value != "no" for i in meanings)
