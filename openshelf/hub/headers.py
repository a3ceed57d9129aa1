"""Headers of model files on the Hub, read by ranges: a few megabytes in place of the whole file.

What was read once is kept by repository, commit and file, without the vocabulary, which nothing
but a load needs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openshelf.durable import replace_file
from openshelf.errors import CorruptModel, GatedModel, NetworkFailure, NotFound, RateLimited
from openshelf.gguf.header import (
    Header,
    IncompleteHeader,
    read_header_by_ranges,
    read_header_bytes,
)
from openshelf.gguf.shadow import shadow_bytes
from openshelf.gguf.split import join_shards
from openshelf.hub.body import BodyRequest, StallWatch, open_body
from openshelf.hub.body_head import LinkExpired
from openshelf.hub.client import HubClient
from openshelf.hub.entries import DownloadFile
from openshelf.hub.names import check_path
from openshelf.network import host_of, open_pool
from openshelf.tasks import CancelToken

PURPOSE = "model header"
MOST_SHARDS = 512
MOST_BYTES = 256 << 20
"""Of all shards' headers together; the vocabulary is in the first one only."""
STALL_SECONDS = 20.0
MOST_KEPT = 500
"""Headers; 20 to 100 KB each."""
_PIECE_BYTES = 256 << 10
_TRIES = 4
_FIRST_WAIT_SECONDS = 0.4
_HOPELESS = ("tls", "bad_token", "disabled", "not_a_hub")
_FORMAT = 1
_UNREADABLE = (CorruptModel, IncompleteHeader)


@dataclass(frozen=True)
class FetchedHeader:
    """`bytes_fetched` is what came over the network for it; 0 where it was kept."""

    header: Header
    bytes_fetched: int


def fetch_header(
    client: HubClient,
    files: Sequence[DownloadFile],
    cancel: CancelToken,
    cache_folder: Path | None = None,
) -> FetchedHeader:
    """The header of a variant: of its file, or of all its shards in order as one model.

    Raises CorruptModel, NotFound, GatedModel, Offline, NetworkFailure, RateLimited, UnsafeName,
    CancelledByUser.
    """
    kept = None if cache_folder is None else _kept_file(client, files, cache_folder)
    known = _read_kept(kept)
    if known is not None:
        return FetchedHeader(known, 0)
    if len(files) > MOST_SHARDS:
        raise CorruptModel(files[0].path, "shard", f"{len(files)} parts")
    parts, fetched = [], 0
    for file in files:
        if fetched > MOST_BYTES:
            raise CorruptModel(file.path, "header_too_large", f"more than {MOST_BYTES} bytes")
        reader = _RangeReader(client, file, cancel)
        try:
            parts.append(read_header_by_ranges(reader.read, file.size_bytes, name=file.path))
        finally:
            reader.close()
        fetched += reader.bytes_fetched
    header = join_shards(parts, files[0].path)
    _keep(kept, header)
    return FetchedHeader(header, fetched)


def known_header(
    client: HubClient, files: Sequence[DownloadFile], cache_folder: Path | None
) -> Header | None:
    """A header that was fetched before; asks nobody."""
    return None if cache_folder is None else _read_kept(_kept_file(client, files, cache_folder))


class _RangeReader:
    """Pieces of one file. What fails on the way is tried again a few times."""

    def __init__(self, client: HubClient, file: DownloadFile, cancel: CancelToken) -> None:
        check_path(file.path)
        self._client, self._file, self._cancel = client, file, cancel
        self._pool = open_pool(client.options)
        self._url: str | None = None
        self.bytes_fetched = 0

    def close(self) -> None:
        self._pool.close()

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on; fewer only at the end of the file."""
        size = min(size, self._file.size_bytes - offset)
        wait = _FIRST_WAIT_SECONDS
        for left in reversed(range(_TRIES)):
            self._cancel.raise_if_cancelled()
            try:
                return self._read_once(offset, size)
            except RateLimited:
                raise
            except LinkExpired as error:
                self._url = None
                if not left:
                    raise self._refused(error) from error
            except NetworkFailure as error:
                if not left or error.why in _HOPELESS:
                    raise
                self._cancel.wait(wait)
                wait *= 2
        raise NetworkFailure(self._client.options.host, "early_end")

    def _read_once(self, offset: int, size: int) -> bytes:
        if self._url is None:
            self._url = self._locate()
        request = BodyRequest(self._url, offset, self._file, self._client.options, count=size)
        self._client.require_open(host_of(request.url))
        body = open_body(self._pool, request)
        data, received, stall = bytearray(), 0, StallWatch(STALL_SECONDS)
        skip = offset - body.start  # where the other side knows no ranges, all of it comes
        try:
            while len(data) < size:
                self._cancel.raise_if_cancelled()
                piece = body.read(min(_PIECE_BYTES, skip + size - len(data)))
                if not piece:
                    raise NetworkFailure(body.host, "early_end")
                received += len(piece)
                if stall.add(len(piece)):
                    raise NetworkFailure(body.host, "timeout")
                data += piece[skip:]
                skip = max(0, skip - len(piece))
        finally:
            body.close()
            self._note(body.host, received)
        return bytes(data)

    def _locate(self) -> str:
        found = self._client.locate(self._file)
        if found.size_bytes not in (None, self._file.size_bytes):
            detail = f"{found.size_bytes} bytes, {self._file.size_bytes} published"
            raise CorruptModel(self._file.path, "size", detail)
        return found.url

    def _note(self, host: str, received: int) -> None:
        self.bytes_fetched += received
        if self._client.egress is not None:
            self._client.egress.record(host, PURPOSE, received)

    def _refused(self, error: LinkExpired) -> Exception:
        file, options = self._file, self._client.options
        if error.why in ("http_401", "http_403") and error.host == host_of(options.endpoint):
            return GatedModel(file.repo, f"{options.endpoint}/{file.repo}")
        if error.why in ("http_404", "http_410"):
            return NotFound("file", f"{file.repo}/{file.path}")
        return error


def _kept_file(client: HubClient, files: Sequence[DownloadFile], folder: Path) -> Path:
    # Another endpoint's commit of the same name is another repository.
    names = [client.options.host, *(f"{f.repo}@{f.commit}/{f.path}" for f in files)]
    name = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return folder / "headers" / f"{name}.header"


def _read_kept(path: Path | None) -> Header | None:
    """None where it was not kept, or is of no use."""
    if path is None:
        return None
    try:
        line, _, data = path.read_bytes().partition(b"\n")
        facts = json.loads(line)
        if facts["format"] != _FORMAT:
            return None
        return read_header_bytes(data, int(facts["size"]), name=path.name)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, *_UNREADABLE):
        return None


def _keep(path: Path | None, header: Header) -> None:
    if path is None:
        return
    data, size = shadow_bytes(header)
    line = json.dumps({"format": _FORMAT, "size": size}).encode()
    # A cache that cannot be written is no reason to fail.
    with contextlib.suppress(OSError):
        replace_file(path, line + b"\n" + data)
        _prune(path.parent)


def _prune(folder: Path) -> None:
    kept = sorted(folder.glob("*.header"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in kept[MOST_KEPT:]:
        old.unlink(missing_ok=True)
