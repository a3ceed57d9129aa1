"""Chat templates: programs out of a model file, run in a sandbox with limits on time and memory."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import FrameType
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from typing_extensions import override

from openshelf.engine.asking import AnswerForm, ChatMessage
from openshelf.engine.worker_isolation import limited_memory

RENDER_SECONDS = 5.0
RENDER_BYTES = 256 << 20
MAX_PROMPT_CHARACTERS = 16 << 20
MAX_TEMPLATE_CHARACTERS = 256 << 10
_MAX_NUMBER = 1 << 64
_MAX_BITS = 4096
_WIDE_FORMAT = re.compile(r"%[^a-zA-Z%]*(\d{4}|\*)")
# What hostile or merely broken templates raise, besides jinja2's own.
_FAILURES = (
    jinja2.TemplateError, ArithmeticError, AssertionError, AttributeError, LookupError,
    MemoryError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip


PLAIN = AnswerForm()


class TemplateFailed(Exception):
    """The template could not be compiled or rendered; the text says why."""


class _LimitReached(TemplateFailed):
    """It took more than it may, and will again."""


class _GenerationTag(jinja2.ext.Extension):
    """`{% generation %}` marks what a trainer learns from; for us it is its content."""

    tags = {"generation"}  # noqa: RUF012 (jinja2's own contract)

    @override
    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        parser.stream.skip(1)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Also bounds the operators that turn a few characters into gigabytes or into hours."""

    intercepted_binops = frozenset({"*", "**", "%"})

    @override
    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and not (_small(left, _MAX_NUMBER) and _small(right, 64)):
            raise SecurityError("a power that is too large")
        if operator == "*":
            sequence, factor = (right, left) if isinstance(left, int) else (left, right)
            if isinstance(sequence, str | list | tuple) and not _small(factor, 1 << 16):
                raise SecurityError("a repetition that is too long")
            # One multiplication of large numbers takes minutes, and no timer interrupts it.
            if isinstance(left, int) and isinstance(right, int) and not _short(left, right):
                raise SecurityError("a number that is too large")
        if operator == "%" and isinstance(left, str) and _WIDE_FORMAT.search(left):
            raise SecurityError("a format that is too wide")
        return super().call_binop(context, operator, left, right)


def _small(value: Any, limit: int) -> bool:
    return isinstance(value, int | float) and abs(value) <= limit


def _short(left: int, right: int) -> bool:
    return left.bit_length() + right.bit_length() <= _MAX_BITS


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:  # noqa: FBT001, FBT002 (the filter's published signature)
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(str(message)[:300])


def _strftime_now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)


class ChatTemplate:
    """One model's template, compiled at first use."""

    def __init__(self, source: str, bos: str, eos: str) -> None:
        self.source = source
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._compiled: jinja2.Template | None = None
        self._given_up = ""
        """Why it is not tried again: each message would wait for the same limit."""

    def render(
        self,
        messages: Sequence[ChatMessage],
        form: AnswerForm = PLAIN,
        *,
        in_parts: bool = False,
    ) -> str:
        """The prompt up to where the answer begins; `in_parts` hands each content over as a list
        of one text. Raises TemplateFailed."""
        if len(self.source) > MAX_TEMPLATE_CHARACTERS:
            raise TemplateFailed(f"the template has {len(self.source)} characters")
        if self._given_up:
            raise TemplateFailed(self._given_up)
        plain = [{"role": m.role, "content": _content(m.content, in_parts)} for m in messages]
        try:
            with limited(RENDER_SECONDS):
                return self._render(plain, form)
        except TemplateFailed as error:
            if isinstance(error, _LimitReached):
                self._given_up = str(error)
            raise
        except _FAILURES as error:
            if isinstance(error, MemoryError):
                self._given_up = "it takes too much memory"
            raise TemplateFailed(f"{type(error).__name__}: {error}"[:300]) from None

    def _render(self, messages: list[dict[str, Any]], form: AnswerForm) -> str:
        if self._compiled is None:
            self._compiled = _environment().from_string(self.source)
        deadline = time.monotonic() + RENDER_SECONDS
        parts: list[str] = []
        length = 0
        for part in self._compiled.generate(
            messages=messages, add_generation_prompt=True, **template_options(form), **self._tokens
        ):
            parts.append(part)
            length += len(part)
            if length > MAX_PROMPT_CHARACTERS:
                raise _LimitReached("the prompt grew without end")
            if time.monotonic() > deadline:
                raise _LimitReached(f"no end after {RENDER_SECONDS:.0f} s")
        return "".join(parts)


def _content(text: str, in_parts: bool) -> Any:  # noqa: FBT001 (one of two shapes)
    return [{"type": "text", "text": text}] if in_parts else text


def template_options(form: AnswerForm) -> dict[str, Any]:
    """The names by which the families' templates know them; what is not asked for is left out, so
    that a template's own default holds. Raises TemplateFailed for tools that are no JSON."""
    options: dict[str, Any] = {"tools": None}
    if form.thinking is not None:
        # Qwen3, GLM and SmolLM3 say enable_thinking, DeepSeek, Granite and Kimi say thinking.
        options |= {"enable_thinking": form.thinking, "thinking": form.thinking}
    if form.effort:
        options["reasoning_effort"] = form.effort
    if form.tools:
        try:
            options["tools"] = json.loads(form.tools)
        except (ValueError, RecursionError) as error:
            raise TemplateFailed(f"the tools are no JSON: {error}"[:300]) from None
    return options


def _environment() -> _Sandbox:
    # optimized=False: otherwise `{{ 10**(10**8) }}` is worked out while it is compiled, outside of
    # the sandbox's reach.
    environment = _Sandbox(
        trim_blocks=True,
        lstrip_blocks=True,
        optimized=False,
        extensions=[_GenerationTag, "jinja2.ext.loopcontrols"],
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _strftime_now
    return environment


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """For work on strangers' input: raises TemplateFailed after so long, MemoryError above
    RENDER_BYTES, where the system can tell."""
    with _limited_time(seconds), limited_memory(RENDER_BYTES):
        yield


@contextlib.contextmanager
def _limited_time(seconds: float) -> Iterator[None]:
    """Interrupts pure Python loops, where the system has timers (the render loop looks as well)."""
    main = threading.current_thread() is threading.main_thread()
    if sys.platform == "win32" or not main:
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _LimitReached(f"no end after {seconds:.0f} s")

    earlier = signal.signal(signal.SIGALRM, interrupt)
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, remaining)
        signal.signal(signal.SIGALRM, earlier)
