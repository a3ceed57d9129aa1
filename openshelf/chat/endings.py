"""How an answer ended, as the state, figures and detail that are kept with it."""

from __future__ import annotations

import json
from typing import Any

from openshelf import wording
from openshelf.chat.context import Sent
from openshelf.chat.conversation import AnswerFigures, MessageState
from openshelf.engine.protocol import Done, Sampling
from openshelf.errors import EngineDied, EngineFailed, NetworkFailure, Offline
from openshelf.logs import redact

STATES = {
    "stop": MessageState.COMPLETE,
    "length": MessageState.LENGTH,
    "cancelled": MessageState.STOPPED,
}
_CAUSES = {
    "wrong_cpu": "engine_wrong_cpu",
    "out_of_memory": "engine_out_of_memory",
    "driver": "engine_driver_failed",
    "hung": "engine_hung",
    "schema_hung": "engine_schema_hung",
    "gave_up": "engine_gave_up",
    "file_lost": "engine_file_lost",
}
_DEATHS = {
    "SIGILL": "engine_wrong_cpu",
    "ILLEGAL_INSTRUCTION": "engine_wrong_cpu",
    "SIGKILL": "engine_killed",
    "SIGSEGV": "engine_crashed",
    "SIGABRT": "engine_crashed",
    "SIGBUS": "engine_crashed",
    "SIGFPE": "engine_crashed",
    "ACCESS_VIOLATION": "engine_crashed",
    "ABORT": "engine_crashed",
}


def figures_of(done: Done) -> AnswerFigures | None:
    """None where a server did not count the tokens, and where nothing of an answer was written
    before it was stopped."""
    if not done.completion_tokens and (not done.prompt_tokens or done.finish_reason == "cancelled"):
        return None
    return AnswerFigures(
        prompt_tokens=done.prompt_tokens,
        completion_tokens=done.completion_tokens,
        cached_tokens=done.cached_tokens,
        first_token_seconds=done.first_token_seconds,
        prefill_tokens_per_second=done.prefill_tokens_per_second,
        decode_tokens_per_second=done.decode_tokens_per_second,
    )


def detail_of(sent: Sent, done: Done, sampling: Sampling, text: str) -> dict[str, Any] | None:
    """What is to be said below an answer that was written to its end."""
    if sampling.form.json_schema and done.finish_reason != "cancelled" and not is_json(text):
        code = "json_cut_off" if done.finish_reason == "length" else "answer_no_json"
        return {"code": code, "messages": sent.dropped}
    if done.finish_reason != "cancelled" and not text.strip():
        return {"code": "answer_empty", "messages": sent.dropped}
    return {"code": "turns_dropped", "messages": sent.dropped} if sent.dropped else None


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def death_detail(death: EngineDied, *, loading: bool) -> dict[str, Any]:
    """For wording.sentence and the folded details."""
    code = _CAUSES.get(death.why) or _DEATHS.get(death.signal, "engine_died")
    if loading and code not in _CAUSES.values():
        code = "engine_died_loading"
    return {"code": code, **death.data(), "tail": redact(death.tail)}


def failure_detail(failure: EngineFailed | NetworkFailure | Offline) -> dict[str, Any]:
    """The same for a refusal, under the code by which wording/errors.py has the sentence."""
    data = failure.data()
    code = f"{failure.kind}.{data.get('why', '')}"
    code = code if code in wording.TEMPLATES else failure.kind
    return {"code": code, **data, "tail": redact(str(data.get("tail", "")))}
