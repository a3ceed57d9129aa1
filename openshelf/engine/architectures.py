"""What the installed engine build knows of architectures: asked once per build, kept on disk."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from openshelf.durable import replace_file
from openshelf.engine.protocol import Architectures
from openshelf.errors import OpenshelfError
from openshelf.tasks import Announcer

log = logging.getLogger(__name__)


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
        """None where the engine was not asked for it."""
        if architecture in self.known:
            return True
        return False if architecture in self.unknown else None


class KnownArchitectures:
    """Keeps the answers of the build that is installed now. Thread-safe.

    `ask` is `DryRuns.architectures`; `identity` names the build, so that another one is asked anew.
    """

    def __init__(
        self,
        file: Path,
        ask: Callable[[Sequence[str]], Architectures],
        identity: Callable[[], str],
    ) -> None:
        self.announcer: Announcer[EngineKnowledge] = Announcer()
        self._file = file
        self._ask = ask
        self._identity = identity
        self._lock = threading.Lock()
        self._known: EngineKnowledge | None = None

    def current(self) -> EngineKnowledge:
        """What is known without asking; takes a moment at first, to read the file."""
        known = self._known
        if known is None:
            known = self._known = self._read()
        return known

    def ask(self, names: Iterable[str | None]) -> EngineKnowledge:
        """Have the engine asked for those of `names` that it was not asked for; waits for it.

        Never raises: where it cannot be asked, `failure` says why.
        """
        with self._lock:
            before = self.current()
            wanted = sorted({name for name in names if name and before.knows(name) is None})
            if not wanted:
                return before
            now = self._asked(before, wanted)
            self._known = now
        if now != before:
            self.announcer.announce(now)
        return now

    def _asked(self, before: EngineKnowledge, wanted: Sequence[str]) -> EngineKnowledge:
        try:
            answer = self._ask(wanted)
        except OpenshelfError as error:
            log.warning("the engine did not say which architectures it knows: %s", error)
            return replace(before, failure=error)
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
