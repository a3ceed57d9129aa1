"""JSON schemas as grammars that an answer has to keep to, by llama-cpp-python's own converter.

A schema is a stranger's as much as a template: its size, depth and numbers are bounded, and the
converter works under limits of time and memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import re
from collections.abc import Callable
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
from llama_cpp import llama_grammar
from typing_extensions import override

from openshelf.engine.worker_failures import Refusal
from openshelf.engine.worker_isolation import limited_memory
from openshelf.engine.worker_template import TemplateFailed, limited

MOST_SCHEMA_CHARACTERS = 64 << 10
MOST_GRAMMAR_CHARACTERS = 512 << 10
MOST_DEPTH = 32
MOST_PARTS = 4_000
MOST_REPEATED = 1_000
CONVERT_SECONDS = 3.0
STEP_SECONDS = 4.0
"""A token by a large grammar, out of a large vocabulary, takes half a second at most."""
MOST_MEMORY = 256 << 20
_COUNTED = ("Items", "Length")
_ESCAPES = {"\r": "\\r", "\n": "\\n", '"': '\\"', "\\": "\\\\"}
_LOOSE_CHAR = 'char ::= [^"\\\\] |'
# As llama.cpp's own: JSON allows no control characters in a string.
_STRICT_CHAR = 'char ::= [^"\\\\\\x7F\\x00-\\x1F] |'
_QUANTIFIER = re.compile(r"\{\s*(\d*)\s*(,?)\s*(\d*)\s*\}")
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class _Converter(llama_grammar.SchemaConverter):  # type: ignore[misc]
    """Also escapes the backslash, without which a quote in a key ends the literal too early."""

    @override
    def _format_literal(self, literal: str) -> str:
        return '"' + "".join(_ESCAPES.get(letter, letter) for letter in literal) + '"'


def _repetition(
    item_rule: str,
    min_items: int,
    max_items: int | None,
    separator_rule: str | None = None,
    item_rule_is_literal: bool = False,  # noqa: FBT001, FBT002 (the converter's own signature)
) -> str:
    """`item{2,5}` as llama.cpp's grammars know it: the binding's own nests a bracket for each."""
    most = "" if max_items is None else str(max_items)
    if separator_rule is None:
        return f"{item_rule}{{{min_items},{most}}}"
    if max_items == 0:
        return ""
    least = max(0, min_items - 1)
    rest = "" if max_items is None else str(max_items - 1)
    items = f"{item_rule} ({separator_rule} {item_rule}){{{least},{rest}}}"
    return items if min_items else f"({items})?"


llama_grammar._build_repetition = _repetition


def grammar_of(schema: str) -> str:
    """A schema's text as GBNF. Raises Refusal (bad_schema)."""
    if len(schema) > MOST_SCHEMA_CHARACTERS:
        raise Refusal("bad_schema", f"more than {MOST_SCHEMA_CHARACTERS >> 10} KiB")
    try:
        with limited(CONVERT_SECONDS):
            document = json.loads(schema)
            if not isinstance(document, dict):
                raise Refusal("bad_schema", "it is no object")
            _check(document)
            converter = _Converter(
                prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False
            )
            converter.visit(converter.resolve_refs(document, "schema"), "")
            text = str(converter.format_grammar())
    except TemplateFailed as error:
        raise Refusal("bad_schema", str(error)) from None
    except RecursionError:
        raise Refusal("bad_schema", "it refers to itself without end") from None
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise Refusal("bad_schema", (str(error) or "it is no schema")[:200]) from None
    except MemoryError:
        raise Refusal("bad_schema", "it takes too much memory") from None
    if len(text) > MOST_GRAMMAR_CHARACTERS:
        raise Refusal("bad_schema", "its grammar grows too large")
    return text.replace(_LOOSE_CHAR, _STRICT_CHAR)


def _check(document: dict[str, Any]) -> None:
    """Bounds without recursion, which deep nesting would exhaust."""
    parts = 0
    waiting: list[tuple[Any, int]] = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        parts += 1
        if parts > MOST_PARTS or depth > MOST_DEPTH:
            raise Refusal("bad_schema", f"more than {MOST_PARTS} parts or {MOST_DEPTH} levels")
        if isinstance(value, dict):
            _check_numbers(value)
            waiting.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list):
            waiting.extend((inner, depth + 1) for inner in value)


def _check_numbers(part: dict[str, Any]) -> None:
    pattern = part.get("pattern")
    found = _QUANTIFIER.findall(pattern) if isinstance(pattern, str) else []
    bounds = [(least, most if comma else least) for least, comma, most in found]
    bounds += [(part.get(f"min{what}"), part.get(f"max{what}")) for what in _COUNTED]
    for least, most in bounds:
        low, high = _count(least, 0), _count(most, MOST_REPEATED)
        if not 0 <= low <= MOST_REPEATED or not 0 <= high <= MOST_REPEATED:
            raise Refusal("bad_schema", f"a length above {MOST_REPEATED}")
        if low > high:
            # The engine's own reckoning wraps around, and takes all memory there is.
            raise Refusal("bad_schema", f"at least {low} and at most {high}")


def _count(value: object, default: int) -> int:
    """Of a schema's number or a pattern's digits; what is none is left to the converter."""
    if isinstance(value, str):
        return int(value) if value else default
    return value if type(value) is int else default


class Grammar:
    """Draws tokens that keep to a schema. `close` frees it.

    The token is drawn as ever and then held against the grammar, as llama.cpp does it: only where
    it does not keep to it, the whole vocabulary is.
    """

    def __init__(
        self,
        vocabulary: Any,
        schema: str,
        step: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        """Each native step is made within `step()`. Raises Refusal (bad_schema)."""
        text = grammar_of(schema)
        self._step = step
        with step(), limited_memory(MOST_MEMORY):
            self._sampler = lib.llama_sampler_init_grammar(vocabulary, text.encode(), b"root")
        if not self._sampler:
            raise Refusal("bad_schema", "the engine does not take its grammar")
        self._size = lib.llama_vocab_n_tokens(vocabulary)
        self._vocabulary = vocabulary

    def close(self) -> None:
        lib.llama_sampler_free(self._sampler)

    def draw(self, chain: Any, context: Any) -> int:
        """The next token; both know it afterwards. Raises Refusal where nothing fits any more."""
        with self._step():
            return self._draw(chain, context)

    def _draw(self, chain: Any, context: Any) -> int:
        logits = np.ctypeslib.as_array(
            lib.llama_get_logits_ith(context, -1), shape=(self._size,)
        ).copy()
        token = self._drawn(logits, chain)
        if not self._allows(token):
            token = self._drawn(logits, self._sampler, chain)
            if not self._allows(token):
                raise Refusal("schema_stuck")
        lib.llama_sampler_accept(chain, token)
        if not lib.llama_vocab_is_eog(self._vocabulary, token):
            lib.llama_sampler_accept(self._sampler, token)
        return token

    def _drawn(self, logits: Any, *samplers: Any) -> int:
        candidates = np.empty(self._size, dtype=_CANDIDATE)
        candidates["id"] = np.arange(self._size, dtype=np.int32)
        candidates["logit"] = logits
        candidates["p"] = 0
        array = _array(candidates)
        for sampler in samplers:
            lib.llama_sampler_apply(sampler, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def _allows(self, token: int) -> bool:
        candidates = np.array([(token, 1.0, 0.0)], dtype=_CANDIDATE)
        array = _array(candidates)
        lib.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return not math.isinf(float(candidates["logit"][0]))


def _array(candidates: Any) -> Any:
    return lib.llama_token_data_array(
        data=candidates.ctypes.data_as(lib.llama_token_data_p),
        size=len(candidates),
        selected=-1,
        sorted=False,
    )
