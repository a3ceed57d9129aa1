"""From a connection into the unfinished file: what is here already is not taken twice, and what
cannot be the file is not taken at all.
"""

from __future__ import annotations

from openshelf.errors import NetworkFailure
from openshelf.hub.body import Body
from openshelf.hub.part_file import PartFile

_MAGIC = b"GGUF"
_SCRATCH_BYTES = 256 << 10


class Intake:
    """One connection's bytes, in order.

    A server without ranges begins at the first byte: what comes again is compared with what lies
    on disk, so that a page of somebody else costs nothing, and a cut connection no progress.
    """

    def __init__(self, body: Body, part: PartFile) -> None:
        self._body, self._part = body, part
        self._at = body.start
        self._scratch: memoryview | None = None

    def take(self, most: int) -> int:
        """Read once, at most `most` bytes; how many came, 0 at the end.

        Raises NetworkFailure (also `not_a_hub`: other bytes than this file has), NotEnoughDisk,
        UsageError.
        """
        known = self._part.length - self._at
        if known > 0:
            return self._pass_over(min(most, known))
        room = self._part.room(most)
        count = self._body.read_into(room)
        self._check_beginning(room[:count])
        self._part.append(count)
        self._at += count
        return count

    def _pass_over(self, most: int) -> int:
        if self._scratch is None:
            self._scratch = memoryview(bytearray(_SCRATCH_BYTES))
        count = self._body.read_into(self._scratch[:most])
        data = self._scratch[:count]
        self._check_beginning(data)
        equal = self._part.count_equal(self._at, data)
        if equal < count:
            if not self._is_the_file():
                raise NetworkFailure(self._body.host, "not_a_hub", "other bytes")
            # It is our own file that is wrong here, as after a power cut.
            self._part.cut_to(self._at + equal)
            rest = count - equal
            self._part.room(rest)[:rest] = data[equal:]
            self._part.append(rest)
        self._at += count
        return count

    def _is_the_file(self) -> bool:
        """Whether the answer has its size, or began as it does: no page of a proxy does either."""
        is_seen = self._part.is_gguf and self._body.start == 0
        return self._body.head.is_sized or is_seen

    def _check_beginning(self, data: memoryview) -> None:
        """Where nobody said how much comes, a message of some proxy looks like a short answer."""
        at = self._at
        if self._body.head.is_sized or at >= len(_MAGIC) or not self._part.is_gguf:
            return
        wanted = _MAGIC[at : at + len(data)]
        if data[: len(wanted)] != wanted:
            raise NetworkFailure(self._body.host, "not_a_hub", "no model")
