"""What repositories say about their license, as plain data; hub/ and gguf/ fetch it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LONGEST_NAME = 120
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_REPO = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9_][\w.-]{0,95})?$", re.ASCII)
"""Names of the Hub; a letter of another script that looks like one of these is no part of any."""
LICENSE_FILES = (
    "license",
    "license.txt",
    "license.md",
    "license-model",
    "model_license",
    "copying",
)
USE_POLICY, NOTICE_TEXT = "use_policy", "notice"
POLICY_FILES = tuple(
    f"{name}{ending}"
    for name in (
        "use_policy", "use-policy", "usage_policy", "usage-policy", "acceptable_use_policy",
        "acceptable-use-policy", "prohibited_use_policy", "prohibited-use-policy", "aup",
    )
    for ending in (".md", ".txt", "")
)  # fmt: skip
NOTICE_FILES = ("notice", "notice.txt", "notice.md")


@dataclass(frozen=True)
class RepoText:
    """A file beside the license that says more; `kind` is USE_POLICY or NOTICE_TEXT."""

    kind: str
    path: str
    text: str


@dataclass(frozen=True)
class RepoClaims:
    """Everything one repository (a node of the lineage) says about its license.

    `card` is the YAML head of the model card as the Hub returns it; `base_models` are the pairs of
    relation and repository that the Hub works out from it; `license_text` is the content of its
    LICENSE file where it was read (only its beginning with `license_text_is_head`), `license_path`
    that file's name; `gguf` holds general.* keys of a file's header; `declared` is what our own
    catalog says, used where nothing else is at hand; `multimodal` is None where nobody knows;
    `region` is its maker's home (ISO 3166 alpha-2), several joined by a slash as in the catalog.
    Without `is_card_read` an empty card says nothing, not even that its author is silent.
    """

    id: str
    commit: str | None = None
    card: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    license_text: str | None = None
    gguf: Mapping[str, Any] = field(default_factory=dict)
    gated: bool = False
    region: str | None = None
    declared: str | None = None
    base_models: tuple[tuple[str, str], ...] = ()
    license_text_is_head: bool = False
    license_path: str = "LICENSE"
    multimodal: bool | None = None
    is_card_read: bool = True
    other_texts: tuple[RepoText, ...] = ()
    """The use policy and the NOTICE of the repository, where they were read."""

    @property
    def organization(self) -> str:
        """The account, in lower case; empty for a repository without one."""
        owner, slash, _ = self.id.partition("/")
        return owner.casefold() if slash and owner.isascii() else ""


def strings_of(value: object) -> tuple[str, ...]:
    """The strings in a card's field, which may be a string, a list or anything else."""
    entries = value if isinstance(value, list | tuple) else [value]
    texts = (printable(str(entry)) for entry in entries if isinstance(entry, str | int | float))
    return tuple(text for text in texts if text)


def printable(text: str) -> str:
    """One short line without control characters: names come from strangers."""
    kept = "".join(mark for mark in text if unicodedata.category(mark)[0] != "C" or mark in "\t\n")
    return " ".join(kept.split())[:_LONGEST_NAME]


def repo_id_of(text: str) -> str | None:
    """`owner/name` from an id or from an address of the Hub; None for anything else."""
    text = text.strip()
    if match := _SCHEME.match(text):
        parts = text[match.end() :].split("?")[0].split("#")[0].strip("/").split("/")
        text = "/".join(parts[1:3]) if len(parts) >= 3 else ""
    return text if _REPO.match(text) and ".." not in text else None


def is_multimodal(claims: RepoClaims) -> bool:
    """Whether a repository says that its model takes more than text."""
    if claims.multimodal is not None:
        return claims.multimodal
    task = str(claims.card.get("pipeline_tag", ""))
    if any(
        word in task for word in ("image-text", "image-to-text", "any-to-any", "visual-question")
    ):
        return True
    return any(path.rsplit("/", 1)[-1].casefold().startswith("mmproj") for path in claims.files)


def has_license_file(claims: RepoClaims) -> bool:
    return any(path.casefold() in LICENSE_FILES for path in claims.files)
