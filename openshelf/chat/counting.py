"""How much of the context attached files take, as the model counts it that is to read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from openshelf.chat.attachments import (
    IMAGE_TOKENS,
    Attachment,
    AttachmentKind,
    document_text,
    images_in_base64,
)
from openshelf.chat.context import approximate_tokens
from openshelf.engine.asking import ChatMessage
from openshelf.engine.interface import EngineLike, Order
from openshelf.errors import EngineFailed
from openshelf.tasks import CancelToken

_QUESTION = "?"
"""Whatever is asked beside a file adds to what the file takes, and changes nothing of it."""


def guessed(one: Attachment) -> Attachment:
    """With a guess of its tokens, on the safe side."""
    is_image = one.kind is AttachmentKind.IMAGE
    tokens = IMAGE_TOKENS if is_image else approximate_tokens(one.text)
    return dataclasses.replace(one, tokens=tokens, is_counted=False)


def counted(
    engine: EngineLike[Order], attached: Sequence[Attachment], cancel: CancelToken
) -> tuple[Attachment, ...]:
    """With their tokens as the loaded model counts them; what it does not tell stays a guess.

    A file's tokens are what a question has more with it than without: its name, its marks and
    what a template makes of them included. Raises EngineFailed (busy, no_model), EngineDied,
    CancelledByUser; whatever ended the worker.
    """
    bare = engine.count_tokens([ChatMessage("user", _QUESTION)], cancel)
    return tuple(one if bare is None else _counted(engine, one, bare, cancel) for one in attached)


def _counted(
    engine: EngineLike[Order], one: Attachment, bare: int, cancel: CancelToken
) -> Attachment:
    question = ChatMessage("user", _QUESTION, document_text([one]), images_in_base64([one]))
    whole: int | None = None
    try:
        whole = engine.count_tokens([question], cancel)
    except EngineFailed:
        # A picture that this model cannot see, or a template that fails: sending will say so. What
        # ended the worker is said here: later there is only no model any more.
        if engine.loaded is None:
            raise
    if whole is None:
        return one
    return dataclasses.replace(one, tokens=max(0, whole - bare), is_counted=True)
