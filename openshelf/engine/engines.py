"""The engine on this machine and the servers as one: where a model was loaded, there it answers."""

from __future__ import annotations

from collections.abc import Sequence

from openshelf.engine.interface import (
    EngineLike,
    LoadOrder,
    OnTokens,
    Order,
    Probed,
    ServerOrder,
)
from openshelf.engine.protocol import ChatMessage, Done, Loaded, Sampling
from openshelf.licenses.clearance import Clearance
from openshelf.tasks import CancelToken, Report, no_report


class Engines:
    """EngineLike[Order]. One model at a time, wherever it is."""

    def __init__(self, local: EngineLike[LoadOrder], remote: EngineLike[ServerOrder]) -> None:
        self._local, self._remote = local, remote
        self._answers_remotely = False

    @property
    def loaded(self) -> Loaded | None:
        return self._remote.loaded if self._answers_remotely else self._local.loaded

    def probe(self, order: Order, cancel: CancelToken) -> Probed:
        if isinstance(order, ServerOrder):
            return self._remote.probe(order, cancel)
        return self._local.probe(order, cancel)

    def load(
        self,
        clearance: Clearance,
        order: Order,
        cancel: CancelToken,
        report: Report = no_report,
    ) -> Loaded:
        self.unload()
        if isinstance(order, ServerOrder):
            self._answers_remotely = True
            return self._remote.load(clearance, order, cancel, report)
        self._answers_remotely = False
        return self._local.load(clearance, order, cancel, report)

    def chat(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        cancel: CancelToken,
        on_tokens: OnTokens,
        report: Report = no_report,
    ) -> Done:
        if self._answers_remotely:
            return self._remote.chat(messages, sampling, cancel, on_tokens, report)
        return self._local.chat(messages, sampling, cancel, on_tokens, report)

    def count_tokens(self, messages: Sequence[ChatMessage], cancel: CancelToken) -> int | None:
        if self._answers_remotely:
            return self._remote.count_tokens(messages, cancel)
        return self._local.count_tokens(messages, cancel)

    def ping(self) -> float:
        return self._remote.ping() if self._answers_remotely else self._local.ping()

    def unload(self) -> None:
        self._local.unload()
        self._remote.unload()

    def close(self) -> None:
        self._local.close()
        self._remote.close()
