"""Whether what a model computes are numbers at all: damaged weights, and some drivers, make none.

A sampler draws from such logits all the same, and fills the context with one letter, or with
tokens that nobody sees.
"""

from __future__ import annotations

import math
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np

from openshelf.engine.worker_failures import Refusal


class NoNumbers(Refusal):
    """What was computed is of no use, and neither is what the context holds of it."""


def check_logits(context: Any, vocabulary: Any) -> None:
    """Of the last position, all of them: a tenth of a millisecond, so once an answer. Raises
    NoNumbers."""
    size = lib.llama_vocab_n_tokens(vocabulary)
    logits = np.ctypeslib.as_array(lib.llama_get_logits_ith(context, -1), shape=(size,))
    # One that is no number makes the largest none; some are -inf by right.
    _refuse(float(logits.max()))


def check_drawn(context: Any, token: int) -> None:
    """Of the token that was drawn: where all are none, this one is. Raises NoNumbers."""
    _refuse(float(lib.llama_get_logits_ith(context, -1)[token]))


def _refuse(logit: float) -> None:
    if not math.isfinite(logit):
        raise NoNumbers("no_numbers", f"{logit}")
