from __future__ import annotations

from pathlib import Path

import pytest

from openshelf.errors import CorruptModel, NotFound
from openshelf.gguf.claims import read_license_claims
from openshelf.gguf.header import read_header
from openshelf.gguf.split import read_model, shard_paths
from tests.gguf.builder import STRING, U16, U32, Build, Tensor, model_keys


def _write_shards(folder: Path, *, count: int = 3, tensors: int = 3) -> list[Path]:
    paths = shard_paths(folder / f"M-Q8_0-00001-of-{count:05}.gguf")
    for number, path in enumerate(paths):
        split = {
            "split.no": (U16, number),
            "split.count": (U16, count),
            "split.tensors.count": (U32, tensors),
        }
        keys = (model_keys() if number == 0 else {}) | split
        Build(keys=keys, tensors=[Tensor(f"blk.{number}.attn_q.weight")]).write(path)
    return list(paths)


def test_shards_read_as_one_model(tmp_path: Path) -> None:
    paths = _write_shards(tmp_path)
    whole = read_model(paths[1])
    assert whole.architecture == "llama"
    assert [tensor.name for tensor in whole.tensors] == [
        f"blk.{number}.attn_q.weight" for number in range(3)
    ]
    assert whole.file_bytes == sum(path.stat().st_size for path in paths)
    assert read_header(paths[2]).shard == (3, 3)
    assert read_header(paths[2]).architecture == ""


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    paths = _write_shards(tmp_path)
    paths[2].unlink()
    with pytest.raises(NotFound) as caught:
        read_model(paths[0])
    assert caught.value.name == str(paths[2])


def test_a_shard_of_something_else_is_refused(tmp_path: Path) -> None:
    paths = _write_shards(tmp_path)
    paths[1].write_bytes(paths[2].read_bytes())
    with pytest.raises(CorruptModel) as caught:
        read_model(paths[0])
    assert caught.value.why == "shard"


def test_tensors_must_all_be_there_once(tmp_path: Path) -> None:
    paths = _write_shards(tmp_path, tensors=4)
    with pytest.raises(CorruptModel, match="4 expected"):
        read_model(paths[0])


def test_a_shard_with_another_name_is_refused(tmp_path: Path) -> None:
    paths = _write_shards(tmp_path)
    other = paths[0].rename(tmp_path / "model.gguf")
    with pytest.raises(CorruptModel):
        read_model(other)


def test_whole_files_are_read_as_they_are(tmp_path: Path) -> None:
    path = Build().write(tmp_path / "model.gguf")
    assert read_model(path) == read_header(path)


def test_license_claims(tmp_path: Path) -> None:
    keys = model_keys(
        general__license=(STRING, "llama3.1"),
        general__license__link=(STRING, "https://example.org"),
        general__base_model__count=(U32, 1),
        general__base_model__0__repo_url=(STRING, "https://huggingface.co/meta-llama/Llama-3.1-8B"),
    )
    claims = read_license_claims(read_header(Build(keys=keys).write(tmp_path / "model.gguf")))
    assert claims == {
        "general.name": "Tiny",
        "general.license": "llama3.1",
        "general.license.link": "https://example.org",
        "general.base_model.count": 1,
        "general.base_model.0.repo_url": "https://huggingface.co/meta-llama/Llama-3.1-8B",
    }
