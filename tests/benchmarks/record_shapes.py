"""Records what llama.cpp sets aside for models in the catalog's own shapes, on pretended GPUs.

    python -m tests.benchmarks.record_shapes llama_cpp_python-0.3.36 build/bin

With a llama.cpp built as record_rpc.py says. It writes tests/data/fit_truth_shapes.tsv, which
tests/fit/test_shapes_on_gpus.py reads; some ten minutes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from openshelf.fit.memory import FitRequest, shape_from_header
from openshelf.gguf.header import read_header
from tests.benchmarks.record_rpc import servers
from tests.fit.answers import Job, ask
from tests.fit.records import SHAPES_TABLE, write_row
from tests.fit.shaped import write_shapes

SAMPLE = [
    FitRequest(8192, flash_attention="on"),
    FitRequest(32768, "q8_0", "q8_0", ubatch=2048, flash_attention="on"),
    FitRequest(4096, flash_attention="off"),
]
MIXED = [
    *SAMPLE,
    FitRequest(16384, "q8_0", "f16", flash_attention="on"),
    FitRequest(16384, "f16", "q4_0", ubatch=256, flash_attention="on"),
]


def questions(path: Path) -> Iterator[tuple[int, str, Job]]:
    """(devices, name of the set, job) for all that is asked of a model."""
    header = read_header(path)
    layers = shape_from_header(header).placed_layers
    whole = layers + 1
    yield 0, "cpu", Job(path, MIXED)
    yield 1, "full", Job(path, MIXED, whole)
    for count in (layers // 4, layers // 2, 3 * layers // 4, layers):
        yield 1, "partial", Job(path, SAMPLE, count)
    for count, split in ((whole, (1.0, 1.0)), (whole, (1.0, 2.0)), (layers // 2, (1.0, 1.0))):
        yield 2, "two", Job(path, SAMPLE, count, split)
    if any("_exps." in tensor.name for tensor in header.tensors):
        for kept in (1, layers // 2, layers):
            yield 1, "experts", Job(path, SAMPLE, whole, experts_on_cpu=kept)
        yield 1, "experts", Job(path, SAMPLE, layers // 2, experts_on_cpu=layers)
        yield 2, "experts", Job(path, SAMPLE, whole, (1.0, 1.0), experts_on_cpu=layers)


def record(paths: Mapping[str, Path], source: Path, libraries: Path) -> Iterator[str]:
    environment = {
        "LLAMA_CPP_LIB_PATH": str(libraries.resolve()),
        "PYTHONPATH": os.pathsep.join([str(source.resolve()), str(Path.cwd())]),
    }
    with servers(libraries, 2) as endpoints:
        one = endpoints.partition(",")[0]
        for name, path in paths.items():
            for count, devices in ((0, ""), (1, one), (2, endpoints)):
                asked = [question for question in questions(path) if question[0] == count]
                jobs = [job for _, _, job in asked]
                answers = ask(jobs, {**environment, "OPENSHELF_TEST_RPC": devices})
                for (_, set_name, job), answer in zip(asked, answers, strict=True):
                    told = answer.get("figures") or [None] * len(job.requests)
                    for request, figures in zip(job.requests, told, strict=True):
                        if figures is not None:  # else such a cache is not for this model
                            yield write_row(set_name, name, request, job, figures)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = list(record(write_shapes(Path(folder)), Path(sys.argv[1]), Path(sys.argv[2])))
    head = "# llama-cpp-python 0.3.36, RPC; bytes: weights/caches/compute of the host, then devices"
    columns = "set model context kv_k kv_v ubatch flash gpu_layers split experts host devices"
    SHAPES_TABLE.write_text(
        "\n".join([head, columns.replace(" ", "\t"), *found]) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
