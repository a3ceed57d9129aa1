"""The policy in force, and the person's own file behind it: read, tried out, saved, imported."""

from __future__ import annotations

import os
import threading
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from openshelf.durable import replace_file
from openshelf.errors import BadPolicy
from openshelf.paths import Paths
from openshelf.policy.organization import (
    Policy,
    closed_policy,
    find_policies,
    load_managed,
    load_policy,
    managed_policy_file,
    named_policy_file,
    policy_from_bytes,
    text_of,
    tighten,
)
from openshelf.policy.writing import policy_text
from openshelf.tasks import Announcer

DRAFT = "draft"
"""Stands for the hash of a policy that is in no file yet."""


Stamp = tuple[int | None, ...]


@dataclass(frozen=True)
class PolicyState:
    """What is in force and where it comes from.

    `own` is what the person's file adds, None where there is none or it cannot be read; `problem`
    says why it cannot, and then nothing is allowed. `own_path` is where saving goes; it is not
    `editable` where OPENSHELF_POLICY names the file.
    """

    policy: Policy
    own: Policy | None
    managed: Policy | None
    own_path: Path
    editable: bool = True
    problem: BadPolicy | None = None

    def under(self, draft: Policy) -> Policy:
        """What would be in force if `draft` were the person's own file."""
        draft = replace(draft, sha256=draft.sha256 or DRAFT)
        return draft if self.managed is None else tighten(self.managed, draft)


class PoliciesLike(Protocol):
    """What the window uses of the store."""

    announcer: Announcer[PolicyState]

    @property
    def current(self) -> PolicyState: ...
    def save(self, draft: Policy) -> PolicyState:
        """Make `draft` the person's own policy. Raises BadPolicy (unwritable)."""
        ...

    def read(self, path: Path) -> Policy:
        """A policy from any file, to be looked at. Raises BadPolicy."""
        ...

    def export(self, draft: Policy, path: Path) -> None:
        """Write `draft` to any file. Raises BadPolicy (unwritable)."""
        ...

    def remove(self) -> PolicyState:
        """Go on without a policy of the person's own. Raises BadPolicy (unwritable)."""
        ...


class PolicyStore:
    """Implements PoliciesLike over the files that find_policies looks at."""

    def __init__(
        self,
        paths: Paths,
        environment: Mapping[str, str] | None = None,
        managed_file: Path | None = None,
    ) -> None:
        self.announcer: Announcer[PolicyState] = Announcer()
        self._paths = paths
        self._environment = os.environ if environment is None else environment
        self._managed_file = managed_file or managed_policy_file(self._environment)
        self._lock = threading.Lock()
        self._stamps = self._stamped()
        self._current = self._look()

    @property
    def current(self) -> PolicyState:
        return self._current

    def look_again(self) -> PolicyState:
        """What is in force now: files that somebody else changed are read again, and then it is
        announced. Cheap where nothing changed."""
        stamps = self._stamped()
        if stamps == self._stamps:
            return self._current
        with self._lock:
            before = self._current
            self._stamps, self._current = stamps, self._look()
            is_other = self._current != before
        if is_other:
            self.announcer.announce(self._current)
        return self._current

    def _stamped(self) -> tuple[Stamp, ...]:
        """Of the files that decide; a name alone may stand for another file today."""
        own = named_policy_file(self._environment) or self._paths.policy_file
        return tuple(_stamp_of(path) for path in (self._managed_file, own))

    @property
    def previous_path(self) -> Path:
        """Where the file as it was before the last save is kept: comments and all."""
        return self._paths.policy_file.with_name("policy.previous.toml")

    def save(self, draft: Policy) -> PolicyState:
        """Write the person's file, keep what was in it, put it in force and tell everybody."""
        path = self._paths.policy_file
        with self._lock:
            before = _content(path)
            text = policy_text(draft, _table(before, path))
            policy_from_bytes(text.encode(), str(path))  # nothing is written that cannot be read
            try:
                if before is not None and before != text.encode():
                    replace_file(self.previous_path, before)
                replace_file(path, text.encode())
            except OSError as error:
                raise _unwritable(path, error) from error
            self._stamps, self._current = self._stamped(), self._look()
        self.announcer.announce(self._current)
        return self._current

    def read(self, path: Path) -> Policy:
        return load_policy(path)

    def export(self, draft: Policy, path: Path) -> None:
        """With everything that only the person's file holds, as saving would write it."""
        own = self._paths.policy_file
        text = policy_text(draft, _table(_content(own), own))
        try:
            replace_file(path, text.encode())
        except OSError as error:
            raise _unwritable(path, error) from error

    def remove(self) -> PolicyState:
        """Take the person's file out of force; it stays at `previous_path`."""
        path = self._paths.policy_file
        with self._lock:
            try:
                if path.exists():
                    path.replace(self.previous_path)
            except OSError as error:
                raise _unwritable(path, error) from error
            self._stamps, self._current = self._stamped(), self._look()
        self.announcer.announce(self._current)
        return self._current

    def _look(self) -> PolicyState:
        named = named_policy_file(self._environment)
        own_path = named or self._paths.policy_file
        try:
            found = find_policies(self._paths, self._environment, self._managed_file)
        except BadPolicy as problem:
            return PolicyState(
                self._closed(problem), None, self._readable_managed(), own_path,
                editable=named is None and problem.path == str(own_path), problem=problem,
            )  # fmt: skip
        return PolicyState(found.in_force, found.own, found.managed, own_path, named is None)

    def _closed(self, problem: BadPolicy) -> Policy:
        """Nothing is allowed, and beside a machine-wide policy nothing of that can be waived: who
        breaks a file of his own does not get rid of it."""
        closed = closed_policy(problem.path)
        try:
            managed = load_managed(self._managed_file)
        except BadPolicy:
            return replace(closed, managed=True)
        return closed if managed is None else tighten(managed, closed)

    def _readable_managed(self) -> Policy | None:
        """The machine-wide policy where only the person's own file is broken."""
        try:
            return load_managed(self._managed_file)
        except BadPolicy:
            return None


def _stamp_of(path: Path) -> Stamp:
    """Of the file and its folder, whose owner says whether it is machine-wide. None: not there."""
    try:
        state, folder = path.stat(), path.parent.stat()
    except OSError as error:
        return (error.errno,)
    return (state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino, folder.st_mode,
            folder.st_uid)  # fmt: skip


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _table(content: bytes | None, path: Path) -> dict[str, Any]:
    """What the file holds; of one that is no policy nothing is carried on."""
    if content is None:
        return {}
    try:
        policy_from_bytes(content, str(path))
    except BadPolicy:
        return {}
    return tomllib.loads(text_of(content))


def _unwritable(path: Path, error: OSError) -> BadPolicy:
    return BadPolicy(
        path=str(path), why="unwritable", detail=error.strerror or type(error).__name__
    )
