"""An engine worker without an engine: run as a program with TOKENS FAST RATE, it loads nothing and
answers with a long scripted text, the first FAST tokens at ten times RATE (tokens per second).

Reading, writing and batching are those of the real worker.
"""

from __future__ import annotations

import sys
import threading
import time

from openshelf.engine.protocol import Chat, Done, Event, Load, Loaded, Request, Tokens
from openshelf.engine.worker import Worker
from openshelf.engine.worker_isolation import harden, take_wire
from openshelf.engine.worker_stream import AnswerStream
from tests.fakes.long_answer import long_answer


class ScriptedWorker(Worker):
    """Says that it loaded, and answers every question with the same text."""

    def script(self, tokens: list[str], fast: int, rate: float) -> None:
        self._tokens, self._fast, self._rate = tokens, fast, rate

    def _result_of(self, request: Request, stop: threading.Event) -> Event:
        match request:
            case Load():
                return Loaded(request.id, 0.1, 131_072, 0, "llama", "scripted", {"ram": 1}, True)
            case Chat():
                return self._answer(request, stop)
            case _:
                return super()._result_of(request, stop)

    def _answer(self, request: Chat, stop: threading.Event) -> Done:
        stream = AnswerStream(lambda text, count: self.send(Tokens(request.id, text, count)))
        due, written = time.monotonic(), 0
        for token in self._tokens:
            due += 1 / (self._rate * (10 if written < self._fast else 1))
            if stop.wait(max(0.0, due - time.monotonic())):
                break
            stream.add(token.encode())
            written += 1
        stream.finish()
        reason = "cancelled" if stop.is_set() else "stop"
        return Done(request.id, reason, 10, written, 0, 0.1, 100.0, self._rate)


def main(tokens: str, fast: str, rate: str) -> None:
    requests, answers = take_wire()
    harden()
    worker = ScriptedWorker(requests, answers)
    worker.script(long_answer(int(tokens)), int(fast), float(rate))
    worker.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
