"""The installed llama.cpp against the record of the one that the formulas were made for.

Fails when an upgrade moves what a model of any memory class needs by more than one percent: then
tests/benchmarks/record_rpc.py is to be run again, and the formulas to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.fit.architectures import MemoryClass
from openshelf.fit.memory import shape_from_header
from openshelf.gguf.header import read_header
from tests.fit.answers import Job, ask
from tests.fit.records import Record, read_records
from tests.fit.written import Model, recorded_models, written_models

MOST_MOVED = 0.01
SAMPLE = (
    *("llama3.1-8b", "qwen3-30b-a3b", "gemma3-4b", "llama4-scout", "gpt-oss-20b", "dsv2-lite"),
    *("granite4-h-tiny", "mamba", "mamba2", "falcon-h1", "nemotron_h", "lfm2", "qwen35"),
    *("qwen35moe", "gemma4", "cohere2", "olmo2"),
)


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return {model.name: model for model in (*recorded_models(), *written_models())}


def _records(name: str) -> Iterator[Record]:
    return (r for r in read_records() if r.set_name == "cpu" and r.model == name)


@pytest.mark.parametrize("name", SAMPLE)
def test_no_class_has_moved(name: str, models: dict[str, Model], tmp_path: Path) -> None:
    path = models[name].write(tmp_path / "model.gguf")
    records = list(_records(name))
    assert len(records) == 2
    (answer,) = ask([Job(path, [record.request for record in records])])
    for record, figures in zip(records, answer["figures"], strict=True):
        recorded = sum(record.buffers[0])
        assert sum(figures["CPU"]) == pytest.approx(recorded, rel=MOST_MOVED), record.request


def test_the_sample_has_every_class(models: dict[str, Model], tmp_path: Path) -> None:
    kinds = {
        shape_from_header(read_header(models[name].write(tmp_path / name))).memory_class
        for name in SAMPLE
    }
    assert kinds == set(MemoryClass)
