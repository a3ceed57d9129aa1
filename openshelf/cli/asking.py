"""The options of `chat` that say how an answer is asked for, and what they make."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from openshelf.chat.advice import Advice
from openshelf.cli.values import count, penalty, positive, seed, share, some_text, temperature
from openshelf.engine.asking import AnswerForm, Sampling
from openshelf.errors import BadFile
from openshelf.reasons import Reason

_MOST_BYTES = 1 << 20
_DRAWN = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "max_tokens", "seed")


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Without them: what the publisher recommends, where the model's file says so."""
    parser.add_argument("--temperature", type=temperature, metavar="X")
    parser.add_argument("--top-k", type=count, metavar="N", help="0 leaves all tokens in")
    parser.add_argument("--top-p", type=share, metavar="X")
    parser.add_argument("--min-p", type=share, metavar="X")
    parser.add_argument("--repeat-penalty", type=penalty, metavar="X", help="1 is none")
    parser.add_argument("--max-tokens", type=positive, metavar="N")
    parser.add_argument("--seed", type=seed, metavar="N")
    parser.add_argument(
        "--stop", action="append", default=[], type=some_text, metavar="TEXT",
        help="ends the answer; repeatable",
    )  # fmt: skip
    parser.add_argument("--thinking", choices=("on", "off"), help="where the template has it")
    parser.add_argument("--effort", choices=("low", "medium", "high"), help="the same")
    parser.add_argument("--schema", metavar="FILE", help="hold the answer to a JSON schema")
    parser.add_argument("--tools", metavar="FILE", help="tell the model of tools (a JSON list)")
    parser.add_argument(
        "--attach", action="append", default=[], metavar="FILE",
        help="text, PDF or picture that goes along with the first message; repeatable",
    )  # fmt: skip


def ignored_options(arguments: argparse.Namespace, advice: Advice | None) -> tuple[Reason, ...]:
    """Options that change nothing; `advice` is None where nobody knows what the template takes."""
    found = []
    if arguments.server is not None and arguments.context is not None:
        found.append("chat_context_ignored")
    if advice is not None:
        if arguments.thinking is not None and not advice.can_switch_thinking:
            found.append("chat_thinking_ignored")
        if arguments.effort is not None and arguments.effort not in advice.efforts:
            found.append("chat_effort_ignored")
        if arguments.tools is not None and not advice.takes_tools:
            found.append("chat_tools_ignored")
    return tuple(Reason(code) for code in found)


def sampling_from(arguments: argparse.Namespace, advice: Advice) -> Sampling:
    """Raises UsageError for files that cannot be read, or hold something else."""
    given = {name: getattr(arguments, name) for name in _DRAWN}
    wanted = {name: value for name, value in given.items() if value is not None}
    form = AnswerForm(
        thinking=None if arguments.thinking is None else arguments.thinking == "on",
        effort=arguments.effort or "",
        json_schema=_schema_of(arguments.schema),
        tools=_tools_of(arguments.tools),
    )
    return dataclasses.replace(advice.sampling, **wanted, stop=tuple(arguments.stop), form=form)


def _schema_of(name: str | None) -> str:
    text = _text_of(name)
    if name is not None and not isinstance(_json_of(name, text), dict):
        raise BadFile(path=name, why="no_schema")
    return text


def _tools_of(name: str | None) -> str:
    text = _text_of(name)
    if name is not None:
        tools = _json_of(name, text)
        if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
            raise BadFile(path=name, why="no_tools")
    return text


def _json_of(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadFile(f"{error.msg}, {where}", name, "not_json") from error
    except (ValueError, RecursionError) as error:
        raise BadFile(type(error).__name__, name, "not_json") from error


def _text_of(name: str | None) -> str:
    if name is None:
        return ""
    try:
        data = Path(name).read_bytes()
        if len(data) > _MOST_BYTES:
            raise BadFile(f"{_MOST_BYTES >> 20} MiB", name, "too_large")
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise BadFile(path=name, why="not_utf8") from error
        raise BadFile(error.strerror or type(error).__name__, name, "unreadable") from error
