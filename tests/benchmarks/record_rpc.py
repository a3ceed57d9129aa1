"""Records what llama.cpp sets aside on GPUs that are only pretended: RPC servers on loopback.

    pip download --no-deps --no-binary :all: llama-cpp-python==0.3.36 && tar xf llama_cpp_python-*
    cmake -S llama_cpp_python-0.3.36/vendor/llama.cpp -B build -DGGML_RPC=on -DGGML_NATIVE=off \\
        -DBUILD_SHARED_LIBS=on -DCMAKE_BUILD_TYPE=Release
    cmake --build build --target llama ggml-rpc-server
    python -m tests.benchmarks.record_rpc llama_cpp_python-0.3.36 build/bin

It writes tests/data/fit_truth_rpc.tsv, which tests/benchmarks/fit_accuracy.py reads; five minutes
to build on two cores, a few to record.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from openshelf.fit.memory import FitRequest, shape_from_header
from openshelf.gguf.header import read_header
from tests.fit.answers import Job, ask
from tests.fit.written import Model, recorded_models, written_models

TABLE = Path(__file__).parents[1] / "data" / "fit_truth_rpc.tsv"
GRID = [
    FitRequest(context, kv, kv, ubatch=ubatch, flash_attention="on")
    for context, kv, ubatch in itertools.product(
        (2048, 8192, 32768, 131072), ("f16", "q8_0", "q4_0"), (128, 512, 2048)
    )
]
SAMPLE = [
    FitRequest(8192, "f16", "f16", flash_attention="on"),
    FitRequest(32768, "q8_0", "q8_0", ubatch=2048, flash_attention="on"),
]
_START_SECONDS = 20


@contextlib.contextmanager
def servers(libraries: Path, count: int) -> Iterator[str]:
    """Endpoints of so many RPC servers, which end with the block."""
    running, endpoints = [], []
    try:
        for _ in range(count):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            command = [str(libraries / "ggml-rpc-server"), "-H", "127.0.0.1", "-p", str(port)]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
            endpoints.append(f"127.0.0.1:{port}")
        for endpoint in endpoints:
            _wait_for(endpoint)
        yield ",".join(endpoints)
    finally:
        for process in running:
            process.terminate()
            process.wait()


def _wait_for(endpoint: str) -> None:
    host, _, port = endpoint.partition(":")
    for _ in range(_START_SECONDS * 10):
        with contextlib.suppress(OSError), socket.create_connection((host, int(port))):
            return
        time.sleep(0.1)
    raise TimeoutError(endpoint)


def questions(model: Model, path: Path) -> Iterator[tuple[int, str, Job]]:
    """(devices, name of the set, job) for all that is asked of a model."""
    layers = shape_from_header(read_header(path)).n_layers
    has_experts = any("_exps." in tensor.name for tensor in read_header(path).tensors)
    yield 0, "cpu", Job(path, SAMPLE)
    yield 1, "full", Job(path, GRID, gpu_layers=layers + 1)
    for count in sorted({1, layers // 3, layers - 1, layers} - {0}):
        yield 1, "partial", Job(path, SAMPLE, gpu_layers=count)
    for count, split in itertools.product((layers + 1, layers), ((1.0, 1.0), (3.0, 1.0))):
        yield 2, "two", Job(path, SAMPLE, gpu_layers=count, split=split)
    yield 2, "alone", Job(path, SAMPLE, gpu_layers=layers + 1, split=(layers, 1.0))
    if has_experts:
        for kept in sorted({max(1, layers // 2), layers}):
            yield 1, "experts", Job(path, SAMPLE, gpu_layers=layers + 1, experts_on_cpu=kept)


def rows(model: Model, set_name: str, job: Job, answer: Mapping[str, Any]) -> Iterator[str]:
    for request, figures in zip(job.requests, answer.get("figures") or (), strict=False):
        if figures is None:
            continue
        host = figures.get("CPU", [0, 0, 0])
        rest = [figures[name] for name in sorted(figures) if name != "CPU"]
        split = ":".join(f"{share:g}" for share in job.split) or "-"
        yield "\t".join(
            (
                set_name,
                model.name,
                str(request.context_length),
                request.kv_type_k,
                str(request.ubatch),
                str(job.gpu_layers),
                split,
                str(job.experts_on_cpu),
                *("/".join(map(str, part)) for part in (host, *rest)),
            )
        )


def record(source: Path, libraries: Path, models: Sequence[Model]) -> list[str]:
    environment = {
        "LLAMA_CPP_LIB_PATH": str(libraries.resolve()),
        "PYTHONPATH": os.pathsep.join([str(source.resolve()), str(Path.cwd())]),
    }
    found = []
    with servers(libraries, 2) as endpoints, tempfile.TemporaryDirectory() as folder:
        one = endpoints.partition(",")[0]
        for model in models:
            path = model.write(Path(folder) / "model.gguf")
            for count, names in ((0, ""), (1, one), (2, endpoints)):
                asked = [q for q in questions(model, path) if q[0] == count]
                jobs = [job for _, _, job in asked]
                answers = ask(jobs, {**environment, "OPENSHELF_TEST_RPC": names})
                for (_, set_name, job), answer in zip(asked, answers, strict=True):
                    found += rows(model, set_name, job, answer)
                    if answer.get("error"):
                        sys.stderr.write(f"{model.name} {set_name}: {answer['error']}\n")
    return found


def main() -> None:
    source, libraries = Path(sys.argv[1]), Path(sys.argv[2])
    found = record(source, libraries, [*recorded_models(), *written_models()])
    head = (
        f"# {json.dumps(source.name)}, RPC; bytes: weights/caches/compute of the host, then of "
        "each device; n_outputs_max 1, flash attention on"
    )
    columns = "set model context kv ubatch gpu_layers split experts_on_cpu host devices"
    TABLE.write_text("\n".join([head, columns.replace(" ", "\t"), *found]) + "\n", "utf-8")


if __name__ == "__main__":
    main()
