"""How many bytes a header on the Hub costs, by the size of the vocabulary, printed as a table.

Run by name: `pytest -m benchmark tests/benchmarks/header_bytes.py -s`. The loopback Hub counts what
leaves its storage.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from openshelf.gguf.header import read_header
from openshelf.hub.client import HubClient
from openshelf.hub.entries import DownloadFile
from openshelf.hub.headers import fetch_header
from openshelf.network import NetworkOptions
from openshelf.tasks import CancelToken
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.hub.repositories import FakeFile, FakeRepo
from tests.gguf.vocabulary import write_model

pytestmark = pytest.mark.benchmark
VOCABULARIES = (32_000, 151_936, 262_144)
OF_FILE = 0.01
FILE_BYTES = 4_000_000_000
REPO = "ada/Eight-GGUF"


def test_a_header_is_less_than_a_hundredth_of_its_file(tmp_path: Path) -> None:
    lines = []
    for n_tokens in VOCABULARIES:
        path = write_model(tmp_path / f"{n_tokens}.gguf", n_tokens)
        repo = FakeRepo(REPO)
        commit = repo.commit([FakeFile("m.gguf", path, "1" * 64)])
        with LoopbackHub() as hub:
            hub.add(repo)
            client = HubClient(NetworkOptions(endpoint=hub.endpoint))
            file = DownloadFile(REPO, commit, "m.gguf", path.stat().st_size, "1" * 64)
            started = time.perf_counter()
            fetched = fetch_header(client, [file], CancelToken())
            seconds = time.perf_counter() - started
            client.close()
            sent, asked = hub.sent_bytes, len(hub.bodies())
        header = read_header(path).header_bytes
        share = fetched.bytes_fetched / FILE_BYTES
        lines.append(
            f"{n_tokens:7} tokens: header {header / 1e6:5.2f} MB, fetched {sent / 1e6:5.2f} MB "
            f"({sent / header - 1:+.1%}) in {asked} pieces, {seconds:.2f} s; "
            f"{share:.3%} of a 4 GB file"
        )
        assert fetched.bytes_fetched == sent
        assert fetched.header == read_header(path)
        assert sent <= OF_FILE * FILE_BYTES
    print("", *lines, sep="\n")  # noqa: T201
