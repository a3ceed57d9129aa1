"""Values of options, read strictly and refused with what would be right."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from openshelf.errors import BadWords

MAX_CONTEXT = 1 << 27
MAX_SEED = (1 << 32) - 2
MAX_DIGITS = 15
"""Files of some hundred terabytes; more digits are a slip."""


_POSITIONAL = {
    "address": "ADDRESS", "folder": "DIR", "id": "ID", "ids": "ID", "model": "MODEL_OR_REPO",
    "name": "NAME", "path": "PATH", "subject": "ID, RATE or HOURS", "target": "TARGET",
}  # fmt: skip
_MAY_BE_EMPTY = ("note", "prompt", "system", "stop", "text")


def refuse_empty(arguments: argparse.Namespace) -> None:
    """An empty word is mostly a variable that was never set, and no wish to have no policy.

    Raises UsageError.
    """
    for name, value in vars(arguments).items():
        words = value if isinstance(value, list) else [value]
        if name not in _MAY_BE_EMPTY and any(word == "" for word in words):
            raise BadWords(why="empty", name=_label(name))


def refuse_stray(
    arguments: argparse.Namespace, act: str, belonging: Mapping[str, tuple[str, ...]]
) -> None:
    """Refuse words that `act` does not use; `belonging` tells of each which acts do.

    Raises UsageError.
    """
    for name, acts in belonging.items():
        if act not in acts and getattr(arguments, name) not in (None, False, "", []):
            raise BadWords(why="stray", name=_label(name), known=acts)


def _label(name: str) -> str:
    """As `--help` has it."""
    if name in _POSITIONAL:
        return _POSITIONAL[name]
    return "--for" if name in ("only", "engine") else f"--{name.replace('_', '-')}"


def _is_number(text: str) -> bool:
    # isdigit alone lets superscripts through.
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS


def context_length(text: str) -> int:
    """`8192` or `8K`; tokens, 1 to 2^27."""
    scale = 1024 if text[-1:] in "kK" else 1
    digits = text[:-1] if scale > 1 else text
    if not _is_number(digits) or not 1 <= int(digits) * scale <= MAX_CONTEXT:
        most = f"{MAX_CONTEXT // 1024}K at most"
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of tokens; write 8192 or 8K, {most}"
        )
    return int(digits) * scale


def positive(text: str) -> int:
    """A whole number above zero."""
    if not _is_number(text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def count(text: str) -> int:
    """A whole number, zero included."""
    if not _is_number(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def gpu_layers(text: str) -> int | None:
    """A number of layers, or None for `auto`."""
    return None if text == "auto" else count(text)


def shares(text: str) -> tuple[float, ...]:
    """`3,1` → (3.0, 1.0)."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of shares such as 3,1") from error
    if any(not 0 <= value < float("inf") for value in values) or sum(values) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of shares such as 3,1")
    return values


def some_text(text: str) -> str:
    """Not nothing."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return text


def share(text: str) -> float:
    """0 to 1."""
    return _number_to(1, text)


def seed(text: str) -> int:
    """What the engine takes as it is: 0 to 2^32 - 2; the one above means another one each time."""
    if not _is_number(text) or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number up to {MAX_SEED}")
    return int(text)


def penalty(text: str) -> float:
    """Above 0 to 5; 1 changes nothing."""
    value = _number_to(5, text)
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return value


def temperature(text: str) -> float:
    """0 (always the likeliest token) to 5."""
    return _number_to(5, text)


def _number_to(most: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and {most}")
    return value
