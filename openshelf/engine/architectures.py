"""What the installed engine build knows of architectures: asked once per build, kept on disk."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openshelf.durable import replace_file
from openshelf.engine.protocol import Architectures
from openshelf.errors import OpenshelfError
from openshelf.tasks import Announcer

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What an architecture may be called; headers of strangers bring other names too."""
_AGAIN_SECONDS = 60.0
"""An engine that could not be asked is left alone for this long."""


Knows = Callable[[str | None], bool | None]
"""Whether the engine can load an architecture; None where that cannot be told."""


def nobody_knows(architecture: str | None) -> bool | None:
    return None


@dataclass(frozen=True)
class EngineKnowledge:
    """What a build said; a name that is in neither set was not asked for.

    `failure` tells why the engine could not be asked; what it said before still counts.
    """

    engine_version: str = ""
    known: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    failure: OpenshelfError | None = None

    def knows(self, architecture: str | None) -> bool | None:
        """None where the engine was not asked for it; False for what can be no name at all."""
        if architecture and not _NAME.fullmatch(architecture):
            return False
        if architecture in self.known:
            return True
        return False if architecture in self.unknown else None


NOT_ASKED = EngineKnowledge()


class KnownArchitectures:
    """Keeps the answers of the build that is installed now. Thread-safe.

    `ask` is `DryRuns.architectures`; `identity` names the build, so that another one is asked anew.
    """

    def __init__(
        self,
        file: Path,
        ask: Callable[[Sequence[str]], Architectures],
        identity: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.announcer: Announcer[EngineKnowledge] = Announcer()
        self._file = file
        self._ask = ask
        self._identity = identity
        self._clock = clock
        self._failed_at: float | None = None
        self._lock = threading.Lock()
        self._known: EngineKnowledge | None = None

    def current(self) -> EngineKnowledge:
        """What is known without asking; takes a moment at first, to read the file."""
        known = self._known
        if known is None:
            known = self._known = self._read()
        return known

    def forget(self) -> None:
        """Another build may be in use: what is known of that one is read anew.

        Takes no lock: to ask a build may be what puts another one in use.
        """
        self._known = self._failed_at = None

    def ask(self, names: Iterable[str | None]) -> EngineKnowledge:
        """Have the engine asked for those of `names` that it was not asked for; waits for it.

        Never raises: where it cannot be asked, `failure` says why.
        """
        with self._lock:
            before = self.current()
            wanted = sorted({name for name in names if name and before.knows(name) is None})
            if not wanted or self._has_just_failed():
                return before
            now = self._asked(before, wanted)
            self._known = now
        if now != before:
            self.announcer.announce(now)
        return now

    def _has_just_failed(self) -> bool:
        at = self._failed_at
        return at is not None and self._clock() - at < _AGAIN_SECONDS

    def _asked(self, before: EngineKnowledge, wanted: Sequence[str]) -> EngineKnowledge:
        identity = self._identity()
        try:
            answer = self._ask(wanted)
        except OpenshelfError as error:
            log.info("the engine did not say which architectures it knows: %s", error)
            self._failed_at = self._clock()
            return replace(before, failure=error)
        if self._identity() != identity:
            before = self._read()  # the one that was asked is not the one that answered
        now = EngineKnowledge(
            engine_version=answer.engine_version,
            known=before.known | frozenset(answer.known),
            unknown=before.unknown | frozenset(answer.unknown),
        )
        self._write(now)
        return now

    def _read(self) -> EngineKnowledge:
        try:
            data = json.loads(self._file.read_bytes())
            if data["build"] != self._identity():
                return EngineKnowledge()
            return EngineKnowledge(
                engine_version=str(data["engine_version"]),
                known=frozenset(map(str, data["known"])),
                unknown=frozenset(map(str, data["unknown"])),
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return EngineKnowledge()

    def _write(self, knowledge: EngineKnowledge) -> None:
        data = {
            "build": self._identity(),
            "engine_version": knowledge.engine_version,
            "known": sorted(knowledge.known),
            "unknown": sorted(knowledge.unknown),
        }
        try:
            replace_file(self._file, json.dumps(data, indent=1).encode())
        except OSError as error:
            log.info("what the engine said of architectures is not kept: %s", error)
