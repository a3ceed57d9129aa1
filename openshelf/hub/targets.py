"""What a person may write for a model: ids, tags, files, addresses of the Hub, lines to copy."""

from __future__ import annotations

import enum
import itertools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from openshelf.errors import BadWords
from openshelf.hub.names import is_repo_id
from openshelf.network import shown_address
from openshelf.paths import written_path

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}|(?<=--hf-token[ =])\S+|(?<=[?&]token=)[^&\s]+")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_RECOMMENDED = ("", "latest", "main")
_LONGEST = 2000
_PATH_STARTS = ("./", "../", "/", "~", ".\\", "..\\", "\\\\")
_FOLD = re.compile(r"[ \t]*\\?\r?\n[ \t]*")
_EQUALS = re.compile(r"((?:^|(?<= ))--hf-(?:repo|file))=")
_WRAPPINGS = (("`", "`"), ('"', '"'), ("'", "'"), ("<", ">"))
_REPO_FLAGS = ("-hf", "-hfr", "--hf-repo")
_FILE_FLAGS = ("-hff", "--hf-file")


class TargetKind(enum.StrEnum):
    PATH = "path"
    HUB = "hub"
    INSTALLED = "installed"
    """Only the name (or a part) of something installed."""


@dataclass(frozen=True)
class Target:
    """`text` is as written. A hub target names a quant or a file, or neither (the recommended).

    `is_forced` says that no installed model is meant (`hf:` or an address).
    """

    text: str
    kind: TargetKind
    path: Path | None = None
    repo: str = ""
    quant: str | None = None
    file: str | None = None
    revision: str | None = None
    is_forced: bool = False


def parse_target(text: str, *, endpoint_host: str = "") -> Target:
    """Understand a TARGET of the command line or something pasted. Raises UsageError.

    `endpoint_host` is the host of the Hub in use, whose addresses are understood as well.
    """
    words = _unwrapped(text)
    text = _without_secrets(text.strip())
    if not words or len(words) > _LONGEST or any(ord(mark) < 32 for mark in words):
        raise BadWords(why="target")
    hosts = (*_HUB_HOSTS, *((endpoint_host.lower(),) if endpoint_host else ()))
    pasted = _pasted_model(words, hosts)
    if pasted is None and (words.startswith(_PATH_STARTS) or _DRIVE.match(words)):
        return Target(words, TargetKind.PATH, path=written_path(words))
    if pasted is None and " " in words:
        raise BadWords(why="no_model_named", name=words)
    words = pasted or words
    forced = words.startswith("hf:")
    if forced:
        words = words.removeprefix("hf:").removeprefix("//")
    if _SCHEME.match(words):
        return _from_address(text, words, hosts)
    if words.split("/")[0].lower() in hosts and words.count("/") >= 2:
        return _from_address(text, f"https://{words}", hosts)
    return _from_name(text, words, is_forced=forced)


def _without_secrets(text: str) -> str:
    """What was written is kept with the download and in the log of acceptances: not a token that
    stood in a pasted line, nor the login in an address."""
    return shown_address(_TOKEN.sub("[redacted]", text))


def _unwrapped(text: str) -> str:
    """Without what comes along when text is copied: quotes, a prompt's `$`, a folded line."""
    words = _FOLD.sub(" ", text.strip())
    for before, after in _WRAPPINGS:
        if len(words) > 1 and words.startswith(before) and words.endswith(after):
            words = words[1:-1].strip()
    return words.removeprefix("$ ").lstrip()


def _pasted_model(words: str, hosts: tuple[str, ...]) -> str | None:
    """The model in a line for another program, None where `words` is no such line.

    Known are `llama-server -hf o/n:TAG [-hff FILE]`, `ollama run hf.co/o/n:TAG` (and what else
    runs or pulls from a Hub's host: without it a name is one of another registry), and
    `hf download o/n [FILE]`.
    """
    if " " not in words and "=" not in words:
        return None
    try:
        parts = shlex.split(_EQUALS.sub(r"\1 ", words))
    except ValueError:
        return None  # an apostrophe in the name of a folder
    after = dict(reversed(list(itertools.pairwise(parts))))
    for flag in _REPO_FLAGS:
        if "/" in after.get(flag, ""):
            return _with_file(after[flag], next((after[f] for f in _FILE_FLAGS if f in after), ""))
    for before, word in itertools.pairwise(parts):
        if before in ("run", "pull") and word.partition("/")[0].lower() in hosts:
            return word
    if parts[:2] in (["hf", "download"], ["huggingface-cli", "download"]):
        named = [*parts[2:], "", ""]
        return _with_file(named[0], named[1]) if is_repo_id(named[0]) else None
    return None


def _with_file(repo: str, file: str) -> str:
    """A file that is named beside the repository stands before its tag."""
    if not file or file.startswith("-"):
        return repo
    return f"{repo.partition(':')[0]}/{file}"


def _from_name(text: str, words: str, *, is_forced: bool) -> Target:
    if "@" in words:
        return Target(text, TargetKind.INSTALLED)
    owner, slash, rest = words.partition("/")
    if not slash or rest.count("/") == 0:
        if words.lower().endswith(".gguf") and not is_forced and ":" not in words:
            return Target(text, TargetKind.PATH, path=Path(words))
        if not slash and not is_forced:
            return Target(text, TargetKind.INSTALLED)
    name, _, inside = rest.partition("/")
    name, colon, tag = name.partition(":")
    repo = f"{owner}/{name}"
    if not is_repo_id(repo) or (colon and inside):
        raise BadWords(why="not_a_repo", name=text)
    if inside:
        return _file_target(text, repo, inside, None, is_forced=is_forced)
    return Target(text, TargetKind.HUB, repo=repo, quant=_quant(text, tag), is_forced=is_forced)


def _quant(text: str, tag: str) -> str | None:
    if tag.lower() in _RECOMMENDED:
        return None
    if not _TAG.fullmatch(tag):
        raise BadWords(why="not_a_variant", name=text)
    return tag


def _file_target(
    text: str, repo: str, file: str, revision: str | None, *, is_forced: bool
) -> Target:
    if not file.lower().endswith(".gguf"):
        raise BadWords(why="not_gguf", name=file)
    return Target(
        text, TargetKind.HUB, repo=repo, file=file, revision=revision, is_forced=is_forced
    )


def _from_address(text: str, address: str, hosts: tuple[str, ...]) -> Target:
    try:
        parts = urlsplit(address)
        host = (parts.netloc.rpartition("@")[2]).lower()
    except ValueError as error:
        raise BadWords(why="web_address", name=text) from error
    if parts.scheme not in ("http", "https", "openshelf") or (
        host not in hosts and (parts.hostname or "") not in hosts
    ):
        raise BadWords(why="not_on_hub", name=text)
    words = [unquote(word) for word in parts.path.strip("/").split("/")]
    if len(words) < 2:
        raise BadWords(why="no_model_named", name=text)
    name, _, tag = words[1].partition(":")
    repo = f"{words[0]}/{name}"
    if not is_repo_id(repo) or words[0] in ("datasets", "spaces", "collections", "docs", "papers"):
        raise BadWords(why="not_a_model_address", name=text)
    if len(words) > 4 and words[2] in ("blob", "resolve", "raw"):
        revision = None if words[3] == "main" else words[3]
        return _file_target(text, repo, "/".join(words[4:]), revision, is_forced=True)
    shown = parse_qs(parts.query).get("show_file_info", [])
    if shown:
        return _file_target(text, repo, shown[0], None, is_forced=True)
    return Target(text, TargetKind.HUB, repo=repo, quant=_quant(text, tag), is_forced=True)
