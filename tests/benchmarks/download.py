"""Throughput and processor time of a download with its SHA-256, against curl and hf_hub_download.

Run by name: `pytest -m benchmark tests/benchmarks/download.py -s`. All three fetch the same file
from the same server (a process of its own, on loopback) in the same run, in rounds of one each;
the medians of the rounds' ratios count, and their middle halves are printed. Of Python the call is
measured, not the start of the interpreter. The files lie in memory where the system has a folder
for that (/dev/shm): Openshelf alone waits until a file is really on the disk (fsync), and that
would measure the disk. What other programs took of the processors meanwhile is printed with each
round: on a busy machine throughput follows from processor time alone, so where some rounds were
quiet only those count.

What nobody can be below is measured too: a loop that reads into one buffer, writes and hashes it,
with nothing else in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark
SIZE = 1 << 30
ROUNDS = 9
QUIET = 0.15
"""Processors that others may take in a round that is quiet."""
OF_CURL = 0.7
OF_HUB_CPU = 0.5
COMMIT = "1" * 40

SERVER = """
import http.server, os, sys
path, sha256, commit = sys.argv[1:]
size = os.path.getsize(path)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *words): pass
    def do_HEAD(self): self.answer()
    def do_GET(self):
        self.answer()
        with open(path, "rb") as file:
            self.connection.sendfile(file)
    def answer(self):
        self.send_response(200)
        for name, value in {"Content-Length": size, "ETag": f'"{sha256}"', "X-Repo-Commit": commit,
                            "Accept-Ranges": "bytes"}.items():
            self.send_header(name, str(value))
        self.end_headers()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
OURS = """
from pathlib import Path
from openshelf.hub.client import HubClient
from openshelf.hub.download import DownloadJob, Line, download_file
from openshelf.hub.entries import DownloadFile
from openshelf.hub.library_calls import prepare_library
from openshelf.hub.rate import RateLimit
from openshelf.network import EgressLog, NetworkOptions, open_pool
from openshelf.tasks import CancelToken, no_report
options = NetworkOptions(endpoint=endpoint)
prepare_library(options)
line = Line(HubClient(options), open_pool(options), RateLimit(), EgressLog())
job = DownloadJob(DownloadFile("ada/Big", commit, "m.gguf", size, sha256), Path(folder))
work = lambda: download_file(job, line, CancelToken(), no_report)
"""
THEIRS = """
import os
os.environ.update(HF_ENDPOINT=endpoint, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1")
from huggingface_hub import hf_hub_download
work = lambda: hf_hub_download("ada/Big", "m.gguf", revision=commit, cache_dir=folder, token=False)
"""
BARE = """
import hashlib, http.client, urllib.parse
from pathlib import Path
connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint).netloc)
def work():
    connection.request("GET", f"/ada/Big/resolve/{commit}/m.gguf")
    body, digest, room = connection.getresponse(), hashlib.sha256(), memoryview(bytearray(1 << 20))
    Path(folder).mkdir()
    with Path(folder, "m.gguf").open("wb", buffering=0) as file:
        while count := body.fp.readinto1(room[: body.length - file.tell()]):
            digest.update(room[:file.write(room[:count])])
    assert digest.hexdigest() == sha256
"""
MEASURED = """
import json, sys, time
endpoint, commit, sha256, size, folder = sys.argv[1:]
size = int(size)
{prepare}
wall, cpu = time.perf_counter(), time.process_time()
work()
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""


@dataclass(frozen=True)
class Taken:
    """Seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Round:
    """What each took, one after the other; `others` is how many processors others had meanwhile."""

    curl: Taken
    ours: Taken
    theirs: Taken
    bare: Taken
    others: float

    @property
    def of_curl(self) -> float:
        return self.curl.wall / self.ours.wall

    @property
    def of_hub_cpu(self) -> float:
        return self.ours.cpu / self.theirs.cpu

    @property
    def of_bare_cpu(self) -> float:
        return self.ours.cpu / self.bare.cpu

    def __str__(self) -> str:
        taken = (self.curl, self.ours, self.theirs, self.bare)
        each = "  ".join(f"{t.wall:5.2f}/{t.cpu:.2f}" for t in taken)
        ratios = f"{self.of_curl:.2f} of curl  {self.of_hub_cpu:.2f} of hf's CPU"
        return f"{each}  {ratios}  others {self.others:.2f}"


def busy_seconds() -> float:
    """Processor time of the whole machine; 0 where the system does not tell."""
    try:
        fields = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _iowait, irq, soft, _steal = map(int, fields)
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def own_seconds(server: int) -> float:
    """Processor time of this process, its children that ended, and the server."""
    try:
        fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    of_server = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    mine = os.times()
    return of_server + sum(mine[:4])


@dataclass(frozen=True)
class Bench:
    endpoint: str
    sha256: str
    folder: Path
    server: int
    """The server's process."""

    def round(self) -> Round:
        started, busy, own = time.perf_counter(), busy_seconds(), own_seconds(self.server)
        curl, ours, theirs = self.curl(), self.python(OURS), self.python(THEIRS)
        bare = self.python(BARE)
        wall = time.perf_counter() - started
        others = (busy_seconds() - busy - (own_seconds(self.server) - own)) / wall
        return Round(curl, ours, theirs, bare, max(0.0, others))

    def curl(self) -> Taken:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        url = f"{self.endpoint}/ada/Big/resolve/{COMMIT}/m.gguf"
        subprocess.run(["curl", "-sf", "-o", self.folder / "curl", url], check=True)
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        (self.folder / "curl").unlink()
        return Taken(wall, cpu)

    def python(self, prepare: str) -> Taken:
        folder = self.folder / "cache"
        words = [self.endpoint, COMMIT, self.sha256, str(SIZE), str(folder)]
        answer = subprocess.run(
            [sys.executable, "-c", MEASURED.format(prepare=prepare), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        (found,) = folder.rglob("m.gguf")
        assert found.stat().st_size == SIZE
        shutil.rmtree(folder)
        return Taken(*json.loads(answer.stdout))


@contextmanager
def bench_in(folder: Path) -> Iterator[Bench]:
    path, digest = folder / "served", hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE >> 20):
            data = os.urandom(1 << 20)
            digest.update(data)
            file.write(data)
    words = [sys.executable, "-c", SERVER, str(path), digest.hexdigest(), COMMIT]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        yield Bench(endpoint, digest.hexdigest(), folder, server.pid)
    finally:
        server.kill()
        server.communicate()
        path.unlink()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    memory = Path("/dev/shm")
    if not memory.is_dir() or shutil.disk_usage(memory).free < 3 * SIZE:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def spread(values: list[float]) -> str:
    """The median and the middle half."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def test_throughput_and_processor_time(place: Path) -> None:
    with bench_in(place) as bench:
        rounds = [bench.round() for _ in range(ROUNDS)]
    quiet = [each for each in rounds if each.others <= QUIET]
    counted = quiet if len(quiet) >= 3 else rounds
    lines = ["  curl      openshelf  hf_hub_download  bare loop  (s wall/CPU)", *map(str, rounds)]
    for name in ("curl", "ours", "theirs", "bare"):
        taken: list[Taken] = [getattr(each, name) for each in counted]
        wall = [t.wall for t in taken]
        lines.append(
            f"{name:8} {SIZE / 2**20 / statistics.median(wall):6.0f} MiB/s  "
            f"wall {spread(wall)} s  CPU {spread([t.cpu for t in taken])} s"
        )
    of_curl, of_hub = [each.of_curl for each in counted], [each.of_hub_cpu for each in counted]
    of_bare = [each.of_bare_cpu for each in counted]
    lines += [
        f"in {place}; {len(counted)} rounds counted, {len(quiet)} of {ROUNDS} were quiet",
        f"throughput {spread(of_curl)} of curl, CPU {spread(of_hub)} of hf_hub_download, "
        f"{spread(of_bare)} of a bare loop that hashes",
    ]
    print("", *lines, sep="\n")  # noqa: T201
    assert statistics.median(of_curl) >= OF_CURL
    assert statistics.median(of_hub) <= OF_HUB_CPU
