"""What a model's context holds, token by token, and how more is read into it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import llama_cpp.llama_cpp as lib

from openshelf.engine.worker_failures import Refusal, TooLong
from openshelf.engine.worker_llama import Model

if TYPE_CHECKING:
    from openshelf.engine.worker_vision import Piece, Pieces, Vision

SHOWN_MARKS = frozenset(
    mark.encode()
    for mark in (
        "<think>", "</think>", "[THINK]", "[/THINK]", "<tool_call>", "</tool_call>",
        "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "<|python_tag|>", "<|channel|>", "<|message|>",
        "<|start|>", "<|end|>", "<|constrain|>", "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>",
        "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>",
    )
)  # fmt: skip
"""Special tokens that part an answer: without them nobody could tell thoughts and tool calls from
what is said (chat/answer_parts.py)."""
_ABORTED = 2
_NO_ROOM = 1


@dataclass
class Prompt:
    """What is to be read: an id for each position (a picture's are negative), the pictures by
    where they begin, `cells` of the context that it all takes, and the text that it came from."""

    ids: list[int]
    text: bytes
    images: tuple[str, ...] = ()
    pictures: dict[int, Piece] = field(default_factory=dict)
    cells: int = 0
    pieces: Pieces | None = None

    def close(self) -> None:
        if self.pieces is not None:
            self.pieces.close()
        self.pieces = None


class HeldContext:
    """One thread uses it. `stop` ends what is being read.

    `tokens` has an entry for each position. That is not what the context has room for: with M-RoPE
    (Qwen2-VL and its kin) a picture of n × m tokens takes n × m cells and max(n, m) positions.
    """

    def __init__(self, model: Model, vision: Vision | None) -> None:
        self._model = model
        self._vision = vision
        self._memory = lib.llama_get_memory(model.context)
        self.tokens: list[int] = []
        self._more_cells: dict[int, int] = {}
        """Of pictures that are held, by where they begin: cells beyond their positions."""
        self.text = b""
        self.drawn: list[int] = []
        """The last token of an answer that was cut off: shown, and not yet in the context."""
        self._images: tuple[str, ...] = ()
        self._marks: list[tuple[int, int]] = []
        """Tokens and bytes of the prompt up to where an answer begins or ends in it."""
        self._known_pieces: dict[int, tuple[bytes, bytes]] = {}
        self.stop = threading.Event()
        self._abort = lib.ggml_abort_callback(lambda _: self.stop.is_set())
        self._no_abort = lib.ggml_abort_callback()
        self._watching = False
        self._one = (lib.llama_token * 1)()
        self._place = (lib.llama_pos * 1)()
        self._batch = lib.llama_batch_get_one(self._one, 1)
        self._batch.pos = self._place

    @property
    def cells(self) -> int:
        """What is held takes so many tokens of the context."""
        return self.cells_before(len(self.tokens))

    def cells_before(self, position: int) -> int:
        return position + sum(more for at, more in self._more_cells.items() if at < position)

    # --- the prompt -----------------------------------------------------------------------------

    def prompt(self, text: bytes, images: Sequence[str] = ()) -> Prompt:
        """Tokens of the prompt; what the context holds already is continued, not cut anew.

        A model may have written its answers in other tokens than a tokenizer cuts from the same
        text; cutting them again would throw the context away from there on. After an edit or for
        another answer, what is the same ends where an answer began or ended.
        """
        digests = tuple(hashlib.sha256(image.encode()).hexdigest() for image in images)
        known, marks = self.tokens + self.drawn, self._marks
        known_text = self.text + b"".join(self.piece(token)[1] for token in self.drawn)
        if self.text:
            marks = [*marks, (len(known), len(known_text))]
            for place in range(len(marks), 0, -1):
                count, size = marks[place - 1]
                if not text.startswith(known_text[:size]) or not self._same_images(
                    text, size, digests
                ):
                    continue
                seen = self._markers(text[:size])
                tail = self._cut(text[size:], images[seen:], add_special=False)
                if len(text) == size or (tail.ids and self._model.is_control(tail.ids[0])):
                    self._marks = [*marks[:place], (count + len(tail.ids), len(text))]
                    return self._joined(known[:count], tail, text, digests)
                tail.close()
        whole = self.whole(text, images)
        self._marks = [(len(whole.ids), len(text))]
        return self._joined([], whole, text, digests)

    def whole(self, text: bytes, images: Sequence[str]) -> Prompt:
        """Cut anew, whatever the context holds."""
        bos = self._model.special_text("bos").encode()
        return self._cut(text, images, add_special=not (bos and text.startswith(bos)))

    def _markers(self, text: bytes) -> int:
        return text.count(self._vision.marker.encode()) if self._vision is not None else 0

    def _same_images(self, text: bytes, size: int, digests: tuple[str, ...]) -> bool:
        count = self._markers(text[:size])
        return digests[:count] == self._images[:count]

    def _cut(self, text: bytes, images: Sequence[str], *, add_special: bool) -> Prompt:
        if images and self._vision is not None:
            pieces = self._vision.cut(text, images, add_special=add_special)
            pictures, at = {}, 0
            for piece in pieces.pieces:
                if piece.chunk is not None:
                    pictures[at] = piece
                at += len(piece.ids)
            return Prompt(pieces.ids, text, (), pictures, pieces.cells, pieces)
        tokens = self._model.tokenize(text, add_special=add_special) if text else []
        return Prompt(tokens, text, cells=len(tokens))

    def _joined(
        self, known: list[int], tail: Prompt, text: bytes, digests: tuple[str, ...]
    ) -> Prompt:
        pictures = {at + len(known): piece for at, piece in tail.pictures.items()}
        cells = self.cells_before(len(known)) + tail.cells
        return Prompt(known + tail.ids, text, digests, pictures, cells, tail.pieces)

    def reuse(self, prompt: Prompt) -> int:
        """Keep the longest common beginning; returns how many tokens of the context it takes."""
        ids = prompt.ids
        # The last token is read anyway: without it there are no logits to draw from.
        limit = min(len(self.tokens), len(ids) - 1)
        common = 0
        while common < limit and self.tokens[common] == ids[common]:
            common += 1
        # A picture is read whole or not at all.
        while 0 < common < len(ids) and ids[common] < 0 and ids[common] == ids[common - 1]:
            common -= 1
        if common < len(self.tokens) and not self._go_back(common):
            common = 0
        if common == 0:
            lib.llama_memory_clear(self._memory, True)
        self._keep(common)
        self.text = b""
        self.drawn = []
        return self.cells

    def forget(self) -> None:
        """All of it: what is no number stays in the cache, and spoils whatever is read after it."""
        lib.llama_memory_clear(self._memory, True)
        self._keep(0)
        self.text, self.drawn = b"", []

    def _keep(self, length: int) -> None:
        """Know of the first `length` positions only."""
        self.tokens = self.tokens[:length]
        self._more_cells = {at: more for at, more in self._more_cells.items() if at < length}

    def _go_back(self, length: int) -> bool:
        """Forget all but the first `length` tokens; False where that is not possible.

        A sliding window holds no more than its last tokens, so going back further finds holes; a
        recurrent state cannot go back at all.
        """
        window = lib.llama_model_n_swa(self._model.model)
        first = lib.llama_memory_seq_pos_min(self._memory, 0)
        if window and first > max(0, length - window):
            return False
        return bool(lib.llama_memory_seq_rm(self._memory, 0, length, -1))

    # --- reading --------------------------------------------------------------------------------

    def read(self, prompt: Prompt, report: Callable[[int], None]) -> bool:
        """Evaluate what is new of it; False where stopped. `report` gets how much is read."""
        self.watch(on=True)
        while len(self.tokens) < len(prompt.ids):
            if self.stop.is_set():
                return False
            start = len(self.tokens)
            picture = prompt.pictures.get(start)
            done = self._read_picture(picture) if picture else self._read_text(prompt, start)
            if done:
                report(self.cells)
        self.text = prompt.text
        self._images = prompt.images
        return not self.stop.is_set()

    def _read_text(self, prompt: Prompt, start: int) -> bool:
        later = [at for at in prompt.pictures if at > start]
        end = min([start + self._model.n_batch, len(prompt.ids), *later])
        new = prompt.ids[start:end]
        array = (lib.llama_token * len(new))(*new)
        places = (lib.llama_pos * len(new))(*range(start, end))
        batch = lib.llama_batch_get_one(array, len(new))
        batch.pos = places
        if not self.decode(batch):
            return False
        self.tokens.extend(new)
        return True

    def _read_picture(self, picture: Piece) -> bool:
        vision = self._vision
        if vision is None or not vision.read(picture, len(self.tokens), self._model.n_batch):
            self._forget_unknown()
            if self.stop.is_set():
                return False
            raise Refusal("decode_failed", "a picture")
        self._more_cells[len(self.tokens)] = picture.cells - len(picture.ids)
        self.tokens.extend(picture.ids)
        return True

    def add(self, token: int, *, watched: bool) -> bool:
        """Read one token that was drawn; False where stopped."""
        self._one[0] = token
        self._place[0] = len(self.tokens)
        self.watch(on=watched)
        if not self.decode(self._batch):
            return False
        self.tokens.append(token)
        return True

    def decode(self, batch: Any) -> bool:
        """False where aborted by `stop`. Raises Refusal where the engine failed."""
        result = lib.llama_decode(self._model.context, batch)
        if result == 0:
            return True
        self._forget_unknown()
        if result == _ABORTED or self.stop.is_set():
            return False
        if result == _NO_ROOM:
            raise TooLong(len(self.tokens) + batch.n_tokens, self._model.n_context)
        raise Refusal("decode_failed", f"{result}")

    def _forget_unknown(self) -> None:
        """What was read of a batch that failed is unknown: back to what is known."""
        if not lib.llama_memory_seq_rm(self._memory, 0, len(self.tokens), -1):
            lib.llama_memory_clear(self._memory, True)
            self._keep(0)
        self.text = b""

    def watch(self, *, on: bool) -> None:
        """Look at `stop` inside of a decode: it costs a millisecond a token, so not always."""
        if on != self._watching:
            callback = self._abort if on else self._no_abort
            lib.llama_set_abort_callback(self._model.context, callback, None)
            self._watching = on

    def piece(self, token: int) -> tuple[bytes, bytes]:
        """A token's bytes as shown, and as the template would write them."""
        pieces = self._known_pieces.get(token)
        if pieces is None:
            shown = self._model.piece(token, special=False)
            whole = self._model.piece(token, special=True)
            if not shown and whole in SHOWN_MARKS:
                shown = whole
            pieces = self._known_pieces[token] = (shown, whole)
        return pieces
