"""Pictures for models that see: libmtmd encodes them, and llama.cpp reads what comes out.

In a prompt a picture stands as negative numbers, as many as it takes positions: the same picture
at the same place is the same numbers, so that it is not encoded again for the next turn.
"""

from __future__ import annotations

import base64
import binascii
import ctypes
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llama_cpp.llama_cpp as lib
from llama_cpp import mtmd_cpp as mtmd

from openshelf.engine.asking import MOST_IMAGES
from openshelf.engine.protocol import Plan
from openshelf.engine.worker_failures import Refusal
from openshelf.engine.worker_llama import Log, Model

MOST_IMAGE_BYTES = 12 << 20
_KINDS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_MOST_SIDE = 4096


@dataclass(frozen=True)
class Piece:
    """A stretch of the prompt: text tokens, or one picture (`chunk`, with `cells` in the context).
    `ids` has an entry for each position."""

    ids: tuple[int, ...]
    cells: int
    chunk: Any = None


class Pieces:
    """A prompt with pictures, cut into tokens; `close` frees it."""

    def __init__(self, pieces: Sequence[Piece], chunks: Any) -> None:
        self.pieces = tuple(pieces)
        self._chunks = chunks

    @property
    def ids(self) -> list[int]:
        return [number for piece in self.pieces for number in piece.ids]

    @property
    def cells(self) -> int:
        return sum(piece.cells for piece in self.pieces)

    def close(self) -> None:
        mtmd.mtmd_input_chunks_free(self._chunks)


class Vision:
    """A projector (mmproj) in memory beside its model."""

    def __init__(self, model: Model, path: str, plan: Plan, log: Log) -> None:
        """Raises Refusal where libmtmd does not take it, or where it does not see."""
        self._model = model
        # Nobody who writes a message can know it, so nobody can write it into one.
        self.marker = f"<__picture_{secrets.token_hex(16)}__>"
        self._marker = self.marker.encode()
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = plan.n_gpu_layers != 0
        params.print_timings = False
        params.n_threads = lib.llama_n_threads(model.context)
        params.media_marker = self._marker
        log.clear()
        mtmd.mtmd_log_set(log.callback, None)
        mtmd.mtmd_helper_log_set(log.callback, None)
        self._context = mtmd.mtmd_init_from_file(path.encode(), model.model, params)
        if not self._context:
            raise log.refusal()
        if not mtmd.mtmd_support_vision(self._context):
            self.close()
            raise Refusal("cannot_see")

    def close(self) -> None:
        if self._context:
            mtmd.mtmd_free(self._context)
        self._context = None

    def cut(self, text: bytes, images: Sequence[str], *, add_special: bool) -> Pieces:
        """`text` holds the marker once for each picture. Raises Refusal (bad_image)."""
        if len(images) > MOST_IMAGES:
            raise Refusal("bad_image", f"more than {MOST_IMAGES}")
        bitmaps = [self._bitmap(image) for image in images]
        chunks = mtmd.mtmd_input_chunks_init()
        try:
            array = (mtmd.mtmd_bitmap_p_ctypes * max(1, len(bitmaps)))(*bitmaps)
            given = mtmd.mtmd_input_text(text, len(text), add_special, True)
            failed = mtmd.mtmd_tokenize(
                self._context, chunks, ctypes.byref(given), array, len(bitmaps)
            )
            if failed:
                raise Refusal("bad_image", "it could not be prepared")
            count = mtmd.mtmd_input_chunks_size(chunks)
            found = [_piece(mtmd.mtmd_input_chunks_get(chunks, place)) for place in range(count)]
            if any(-1 in piece.ids for piece in found):
                # libmtmd looked for tokens of its family, and this vocabulary has none.
                raise Refusal("bad_image", "the projector belongs to another model")
            return Pieces([piece for piece in found if piece.ids], chunks)
        except Refusal:
            mtmd.mtmd_input_chunks_free(chunks)
            raise
        finally:
            for bitmap in bitmaps:
                mtmd.mtmd_bitmap_free(bitmap)

    def _bitmap(self, image: str) -> Any:
        """A picture out of base64; it was made plain and small before it came here."""
        try:
            data = base64.b64decode(image, validate=True)
        except (binascii.Error, ValueError):
            raise Refusal("bad_image", "no base64") from None
        if len(data) > MOST_IMAGE_BYTES or not data.startswith(_KINDS):
            raise Refusal("bad_image", "neither PNG nor JPEG, or too large")
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(self._context, buffer, len(data), False)
        if not bitmap:
            raise Refusal("bad_image", "it could not be read")
        if max(mtmd.mtmd_bitmap_get_nx(bitmap), mtmd.mtmd_bitmap_get_ny(bitmap)) > _MOST_SIDE:
            mtmd.mtmd_bitmap_free(bitmap)
            raise Refusal("bad_image", f"more than {_MOST_SIDE} pixels wide or high")
        mtmd.mtmd_bitmap_set_id(bitmap, hashlib.sha256(data).hexdigest().encode())
        return bitmap

    def read(self, piece: Piece, position: int, n_batch: int) -> bool:
        """Encode a picture and put it into the context; False where that failed."""
        end = lib.llama_pos(position)
        failed = mtmd.mtmd_helper_eval_chunk_single(
            self._context, self._model.context, piece.chunk, position, 0, n_batch, False,
            ctypes.byref(end),
        )  # fmt: skip
        return not failed and end.value == position + len(piece.ids)


def _piece(chunk: Any) -> Piece:
    count = ctypes.c_size_t()
    if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
        tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
        ids = tuple(tokens[: count.value]) if count.value else ()
        return Piece(ids, len(ids))
    digest = hashlib.sha256(mtmd.mtmd_input_chunk_get_id(chunk) or b"").digest()
    number = -2 - int.from_bytes(digest[:6], "big")
    positions = int(mtmd.mtmd_input_chunk_get_n_pos(chunk))
    return Piece((number,) * positions, int(mtmd.mtmd_input_chunk_get_n_tokens(chunk)), chunk)
