"""Dry runs of projectors in the real worker: against a real load, and against hostile files."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openshelf.engine import process
from openshelf.engine.dry_runs import DryRuns
from openshelf.engine.process import Engine
from openshelf.engine.protocol import DeviceBytes, Plan
from openshelf.errors import CorruptModel, EngineDied, EngineFailed
from openshelf.fit.projector import projector_from_header
from openshelf.fit.projector_dryrun import measured_projector
from openshelf.gguf.header import read_header
from openshelf.gguf.shadow import shadow_file
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.tiny_model import write_recurrent_model
from tests.fit.projector_recipes import ProjectorRecipe, internvl, pixtral, qwen3_vl, siglip

CHILD = Path(__file__).with_name("loaded_projector.py")
ROUNDED_BYTES = 0.01 * (1 << 20)
SMALL = siglip("idefics3", 192, 768, 3, 2, 256, 16, 128, 2)
REAL = {
    "idefics3": SMALL,
    "gemma3": siglip("gemma3", 192, 768, 3, 2, 896, 14, 256, 4),
    "internvl": internvl(192, 768, 3, 2, 256),
    "pixtral": pixtral(192, 768, 3, 2, 256, merges=True),
    "qwen3vl": qwen3_vl(192, 768, 3, 4, 256),
}
posix_only = pytest.mark.skipif(os.name != "posix", reason="stops a process with a signal")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.start()
    yield engine
    engine.close()


@pytest.fixture
def own_engine() -> Iterator[Engine]:
    """One that a test may break."""
    engine = Engine()
    yield engine
    engine.close()


@pytest.mark.parametrize("name", REAL)
def test_a_real_load_takes_as_much(engine: Engine, name: str, tmp_path: Path) -> None:
    path = REAL[name].write(tmp_path / "mmproj.gguf")
    header = read_header(path)
    done = subprocess.run(
        [sys.executable, str(CHILD), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with shadow_file(header) as shadow:
        answers = [engine.projector_dry_run(file).devices for file in (shadow, path)]
    assert answers[0] == answers[1]
    (cpu,) = answers[0]
    assert cpu.weights_bytes == sum(tensor.size_bytes for tensor in header.tensors)
    assert cpu.compute_buffer_bytes == pytest.approx(
        float(done.stdout) * (1 << 20), abs=ROUNDED_BYTES
    )


def test_a_gpu_that_is_not_there_is_the_cpu(engine: Engine, tmp_path: Path) -> None:
    path = SMALL.write(tmp_path / "mmproj.gguf")
    if any(device.type in ("gpu", "igpu") for device in engine.devices().devices):
        devices = engine.projector_dry_run(path, use_gpu=True).devices
        assert any(d.device != "CPU" and d.weights_bytes for d in devices)
    else:
        found = engine.projector_dry_run(path, use_gpu=True).devices
        assert found == engine.projector_dry_run(path).devices


# --- hostile files ------------------------------------------------------------------------------

OUTSIDE: dict[str, tuple[dict[str, Any], str]] = {
    "a huge image": ({"clip.vision.image_size": 10**9}, "image_size"),
    "no patch": ({"clip.vision.patch_size": 0}, "patch_size"),
    "600 layers": ({"clip.vision.block_count": 600}, "block_count"),
    "no width": ({"clip.vision.embedding_length": 0}, "embedding_length"),
    "wide": ({"clip.vision.projection_dim": 1 << 31}, "projection_dim"),
    "a text": ({"clip.vision.image_size": "512"}, "image_size"),
    "a list": ({"clip.vision.attention.head_count": [1, 2]}, "head_count"),
    "no flag": ({"clip.has_vision_encoder": 1}, "projector"),
    "merges nothing": ({"clip.vision.projector.scale_factor": 0}, "scale_factor"),
    "deaf": ({"clip.has_audio_encoder": True}, "missing_key"),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_figures_outside_all_bounds_are_no_projector(
    engine: Engine, name: str, tmp_path: Path
) -> None:
    changes, why = OUTSIDE[name]
    path = _changed(changes).write(tmp_path / "mmproj.gguf")
    for look in (read_header, engine.projector_dry_run):
        with pytest.raises(CorruptModel) as caught:
            look(path)
        assert caught.value.why == why


INSIDE: dict[str, dict[str, Any]] = {
    "other image": {"clip.vision.image_size": 2048, "clip.vision.patch_size": 1},
    "patch larger than the image": {"clip.vision.patch_size": 1024},
    "layers that are not there": {"clip.vision.block_count": 512},
    "heads that do not divide": {"clip.vision.attention.head_count": 7},
    "no heads": {"clip.vision.attention.head_count": 0},
    "unknown type": {"clip.projector_type": "\x1b[31m{novel}"},
    "another type": {"clip.projector_type": "ldp"},
    "another graph": {"clip.projector_type": "qwen2vl_merger"},
    "mean of one": {"clip.vision.image_mean": [0.5]},
    "mean of whole numbers": {"clip.vision.image_mean": [1, 1, 1]},
    "wrong epsilon": {"clip.vision.attention.layer_norm_epsilon": 3},
    "both activations": {"clip.use_silu": True},
    "blind": {"clip.has_vision_encoder": False},
    "wide merge": {"clip.vision.projector.scale_factor": 64},
}


@pytest.mark.parametrize("name", INSIDE)
def test_other_lies_end_in_an_answer(own_engine: Engine, name: str, tmp_path: Path) -> None:
    """Refused or survived by dying; the figures stay within what the header can mean."""
    recipe = _changed(INSIDE[name])
    header = read_header(recipe.write(tmp_path / "mmproj.gguf"))
    if name == "blind":
        with pytest.raises(CorruptModel):
            projector_from_header(header)
        return
    projector = projector_from_header(header)
    positions = 2048 * 2048 if name == "other image" else 46 * 46 * 64 * 64
    assert 0 < projector.total_bytes < positions * 4 * (20 * 1024 + 2 * positions)
    with shadow_file(header) as shadow:
        result, reason = measured_projector(projector, shadow, own_engine)
    assert (reason is None) == (result.basis == "engine")
    good = SMALL.write(tmp_path / "good.gguf")
    assert own_engine.projector_dry_run(good).devices, "the next one works"


def _changed(changes: dict[str, Any]) -> ProjectorRecipe:
    return dataclasses.replace(SMALL, top={**SMALL.top, **changes})


def test_missing_tensors_are_refused(engine: Engine, tmp_path: Path) -> None:
    extra = {name: shape for name, shape in SMALL.extra.items() if name != "mm.model.fc.weight"}
    path = dataclasses.replace(SMALL, extra=extra).write(tmp_path / "mmproj.gguf")
    with pytest.raises(EngineFailed) as caught:
        engine.projector_dry_run(path)
    assert caught.value.why == "load_failed"


def test_a_model_is_refused(engine: Engine, tmp_path: Path) -> None:
    write_recurrent_model(tmp_path / "model.gguf")
    with pytest.raises((EngineFailed, EngineDied)):
        engine.projector_dry_run(tmp_path / "model.gguf")


# --- the worker ---------------------------------------------------------------------------------


@posix_only
def test_a_hang_ends_in_time(
    own_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = SMALL.write(tmp_path / "mmproj.gguf")
    monkeypatch.setattr(process, "DRY_RUN_SECONDS", 0.2)
    own_engine.start()
    os.kill(own_engine.pid, signal.SIGSTOP)
    with pytest.raises(EngineFailed) as caught:
        own_engine.projector_dry_run(path)
    assert caught.value.why == "hung"
    monkeypatch.undo()
    assert own_engine.projector_dry_run(path).devices


@posix_only
def test_a_death_is_told_and_the_next_one_works(own_engine: Engine, tmp_path: Path) -> None:
    path = SMALL.write(tmp_path / "mmproj.gguf")
    own_engine.start()
    pid = own_engine.pid
    os.kill(pid, signal.SIGSTOP)
    killer = threading.Timer(0.1, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(EngineDied) as caught:
        own_engine.projector_dry_run(path)
    killer.join()
    assert caught.value.signal == "SIGKILL"
    assert own_engine.projector_dry_run(path).devices


@pytest.mark.model
def test_a_loaded_model_is_left_alone(
    own_engine: Engine, starter_model: Path, tmp_path: Path
) -> None:
    path = SMALL.write(tmp_path / "mmproj.gguf")
    second = Engine()
    runs = DryRuns(own_engine, lambda: second, idle_seconds=30.0)
    alone = runs.projector_dry_run(path)
    file = model_file(str(starter_model), starter_model.stat().st_size)
    loaded = own_engine.load(clearance_for(file), load_order(file, plan=Plan(1024)), CancelToken())
    beside = runs.projector_dry_run(path)
    assert beside.devices == alone.devices
    assert all(isinstance(device, DeviceBytes) for device in beside.devices)
    assert own_engine.loaded == loaded
    assert second.is_running
    runs.close()
