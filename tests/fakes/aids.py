"""What helps to ask, over memory: a recommendation on demand, presets, files of the test."""

from __future__ import annotations

from dataclasses import replace

from openshelf.chat.advice import Advice, AdviceSource
from openshelf.chat.aids import ChatAids
from openshelf.chat.attaching import read_attachment
from openshelf.chat.presets import PresetStore
from openshelf.chat.schema import CHATS
from openshelf.database import Database
from openshelf.engine.asking import Sampling
from openshelf.errors import OpenshelfError
from openshelf.tasks import CancelToken

RECOMMENDED = Advice(
    Sampling(temperature=0.6, top_p=0.95, top_k=20, min_p=0.0),
    AdviceSource.FILE,
    ("temperature", "top_p", "top_k", "min_p"),
)


class FakeAdvisor:
    """Says `known`, and after `ask_publisher` what the Hub says; `error` is raised instead."""

    def __init__(self, known: Advice | None = None) -> None:
        self.known = known or Advice()
        self.asked: list[str] = []
        self.error: OpenshelfError | None = None

    def advice(self, model_id: str) -> Advice:
        return self.known

    def ask_publisher(self, model_id: str, cancel: CancelToken) -> Advice:
        self.asked.append(model_id)
        if self.error is not None:
            raise self.error
        self.known = replace(RECOMMENDED, source=AdviceSource.HUB, repo="maker/Model")
        return self.known


def fake_aids(advisor: FakeAdvisor | None = None) -> ChatAids:
    presets = PresetStore(Database(None, CHATS))
    return ChatAids(advisor or FakeAdvisor(), presets, read_attachment)
