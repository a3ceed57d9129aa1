"""Dry runs in the real worker, against real allocations and the recorded truth."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openshelf.engine import process
from openshelf.engine.dry_runs import DryRuns
from openshelf.engine.process import Engine
from openshelf.engine.protocol import DeviceBytes, Loaded, Plan
from openshelf.errors import CorruptModel, EngineDied, EngineFailed, UnsupportedArchitecture
from openshelf.gguf.header import read_header
from openshelf.gguf.shadow import shadow_file
from openshelf.tasks import CancelToken
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fakes.tiny_model import write_recurrent_model, write_sliding_window_model
from tests.fit.test_installed_engine import RECIPES, _write
from tests.gguf.builder import STRING, Build, model_keys

DATA = Path(__file__).parents[1] / "data"
INDEX = json.loads((DATA / "headers" / "index.json").read_text("utf-8"))
CHILD = Path(__file__).with_name("allocated_memory.py")
ROUNDED_BYTES = 0.01 * (1 << 20)
PLANS = (
    Plan(4096),
    Plan(2048, ubatch=128),
    Plan(1024, kv_type_k="q8_0", kv_type_v="q8_0"),
    Plan(2048, flash_attention="off", n_outputs_max=0),
)
posix_only = pytest.mark.skipif(os.name != "posix", reason="stops a process with a signal")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine()
    engine.start()  # its threads are the module's, not those of the first test
    yield engine
    engine.close()


@pytest.fixture
def own_engine() -> Iterator[Engine]:
    """One that a test may break."""
    engine = Engine()
    yield engine
    engine.close()


# --- against a real allocation ----------------------------------------------------------------


def _allocated(cases: list[tuple[Path, Plan]]) -> list[tuple[DeviceBytes, ...]]:
    questions = [(str(path), dataclasses.asdict(plan)) for path, plan in cases]
    done = subprocess.run(
        [sys.executable, str(CHILD)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [tuple(DeviceBytes(*row) for row in rows) for rows in json.loads(done.stdout)]


def _compare(engine: Engine, cases: list[tuple[Path, Plan]]) -> None:
    for (path, plan), truth in zip(cases, _allocated(cases), strict=True):
        assert all(d.weights_bytes and d.kv_cache_bytes for d in truth)
        with shadow_file(read_header(path)) as shadow:
            for file in (shadow, path):
                result = engine.dry_run(file, plan)
                assert (result.source, result.devices) == ("breakdown", truth), (plan, file)
                assert result.context_length == plan.context_length
            _compare_log(engine, shadow, plan, truth)


def _compare_log(engine: Engine, shadow: Path, plan: Plan, truth: tuple[DeviceBytes, ...]) -> None:
    """The way without the breakdown, for systems where it cannot be read."""
    result = engine.dry_run(shadow, plan, from_log=True)
    caches = sum(device.kv_cache_bytes or 0 for device in truth)
    assert result.source == "log"
    assert result.kv_cache_bytes == pytest.approx(caches, abs=ROUNDED_BYTES)
    for device, exact in zip(result.devices, truth, strict=True):
        assert (device.device, device.weights_bytes, device.kv_cache_bytes) == ("CPU", None, None)
        assert device.compute_buffer_bytes == pytest.approx(
            exact.compute_buffer_bytes, abs=ROUNDED_BYTES
        )


@pytest.mark.model
def test_the_starter_model_to_the_byte(engine: Engine, starter_model: Path) -> None:
    _compare(engine, [(starter_model, plan) for plan in PLANS])


def test_small_models_to_the_byte(engine: Engine, tmp_path: Path) -> None:
    """Every plain architecture, a sliding window and a recurrent one, really allocated."""
    write_sliding_window_model(tmp_path / "gemma3.gguf")
    write_recurrent_model(tmp_path / "mamba.gguf")
    paths = [tmp_path / "gemma3.gguf", tmp_path / "mamba.gguf"]
    for name, recipe in RECIPES.items():
        small = dataclasses.replace(
            recipe, n_embd=256, n_head=4, n_head_kv=2, head_length=64, n_ff=512, n_vocab=512
        )
        paths.append(_write(small, tmp_path / f"{name}.gguf"))
    plans = [plan for plan in PLANS if plan.kv_type_k == "f16"]
    _compare(engine, [(path, plan) for path in paths for plan in plans])
    assert len({read_header(path).architecture for path in paths}) >= 10


# --- against the recorded truth ---------------------------------------------------------------


def _truth(model: str) -> list[list[str]]:
    rows = (DATA / "fit_truth.tsv").read_text("utf-8").splitlines()[2:]
    cells = [row.split("\t") for row in rows]
    return [row for row in cells if row[0] == "truth_cpu" and row[1] == model]


@pytest.mark.parametrize("model", INDEX)
def test_recorded_models_to_the_byte(engine: Engine, model: str) -> None:
    path = DATA / "headers" / f"{model}.gguf.header"
    header = read_header(path, file_bytes=INDEX[model]["file_bytes"])
    rows = _truth(model)
    assert len(rows) == 6
    with shadow_file(header) as shadow:
        for _, _, _, context, kv, flash, ubatch, layers, outputs, host, devices in rows:
            assert (layers, devices) == ("0", "-")
            plan = Plan(
                int(context),
                kv_type_k=kv,
                kv_type_v=kv,
                flash_attention=flash,
                ubatch=int(ubatch),
                n_outputs_max=int(outputs),
            )
            (cpu,) = engine.dry_run(shadow, plan).devices
            assert cpu == DeviceBytes("CPU", *map(int, host.split("/"))), (context, kv)
    assert not shadow.parent.exists()


def test_experts_on_the_cpu_are_taken_as_a_load_takes_them(engine: Engine) -> None:
    """Without a GPU they are there anyway: the plan's overrides must be accepted, no more."""
    path = DATA / "headers" / "qwen3-30b-a3b.gguf.header"
    header = read_header(path, file_bytes=INDEX["qwen3-30b-a3b"]["file_bytes"])
    with shadow_file(header) as shadow:
        plain = engine.dry_run(shadow, Plan(4096))
        moved = engine.dry_run(shadow, Plan(4096, n_gpu_layers=49, experts_on_cpu=48))
        split = engine.dry_run(shadow, Plan(4096, n_gpu_layers=20, tensor_split=(3.0, 1.0)))
        with pytest.raises(EngineFailed) as caught:
            engine.dry_run(shadow, Plan(4096, tensor_split=(1.0,) * 1000))
    assert caught.value.why == "bad_plan"
    weights = {sum(d.weights_bytes or 0 for d in r.devices) for r in (plain, moved, split)}
    assert len(weights) == 1


# --- beside a mapped load ---------------------------------------------------------------------


def _mapped(engine: Engine, path: Path, plan: Plan) -> Loaded:
    file = model_file(str(path), path.stat().st_size)
    order = load_order(file, plan=dataclasses.replace(plan, use_mmap=True))
    return engine.load(clearance_for(file), order, CancelToken())


@pytest.mark.model
def test_a_mapped_load_of_the_starter_model_takes_what_was_laid_out(
    own_engine: Engine, starter_model: Path
) -> None:
    for plan in PLANS:
        own_engine.unload()
        told = own_engine.dry_run(starter_model, plan)
        loaded = _mapped(own_engine, starter_model, plan)
        assert (loaded.source, loaded.devices) == ("breakdown", told.devices)
        assert loaded.engine_version.startswith("llama.cpp ")
        (cpu,) = loaded.devices
        assert loaded.memory_bytes == {
            "ram": (cpu.weights_bytes or 0) + (cpu.kv_cache_bytes or 0) + cpu.compute_buffer_bytes
        }


def test_repacked_weights_count_once_though_their_file_is_mapped_too(
    own_engine: Engine, tmp_path: Path
) -> None:
    """Where a processor has its weights rearranged, the mapped range still spans them all."""
    recipe = dataclasses.replace(
        RECIPES["llama"], n_embd=256, n_layers=2, n_head=4, n_head_kv=2, n_ff=512, n_vocab=1024,
        head_length=64,
    )  # fmt: skip
    path = tmp_path / "quantized.gguf"
    _write(recipe, path)
    tensors = sum(-(-t.size_bytes // 32) * 32 for t in read_header(path).tensors)
    loaded = _mapped(own_engine, path, Plan(1024))
    assert loaded.devices[0].weights_bytes == tensors


# --- what goes wrong --------------------------------------------------------------------------


def test_a_corrupt_header_has_a_reason(engine: Engine, tmp_path: Path) -> None:
    keys = model_keys(llama__block_count=None)
    path = Build(keys=keys).write(tmp_path / "model.gguf")
    with pytest.raises(CorruptModel) as caught:
        engine.dry_run(path, Plan(4096))
    assert (caught.value.why, caught.value.detail) == ("missing_key", "llama.block_count")


def test_missing_tensors_have_a_reason(engine: Engine, tmp_path: Path) -> None:
    path = Build().write(tmp_path / "model.gguf")
    with pytest.raises(CorruptModel) as caught, shadow_file(read_header(path)) as shadow:
        engine.dry_run(shadow, Plan(4096))
    assert caught.value.why == "refused_by_engine"
    assert not shadow.parent.exists()


def test_an_unknown_architecture_is_named(engine: Engine, tmp_path: Path) -> None:
    keys = {
        key.replace("llama.", "novel."): value
        for key, value in model_keys(general__architecture=(STRING, "novel")).items()
    }
    path = Build(keys=keys).write(tmp_path / "model.gguf")
    with pytest.raises(UnsupportedArchitecture) as caught:
        engine.dry_run(path, Plan(4096))
    assert caught.value.architecture == "novel"


def test_a_plan_that_nothing_can_do_is_refused(engine: Engine, tmp_path: Path) -> None:
    write_sliding_window_model(tmp_path / "model.gguf")
    plan = Plan(1024, kv_type_v="q8_0", flash_attention="off")
    with pytest.raises(EngineFailed) as caught:
        engine.dry_run(tmp_path / "model.gguf", plan)
    assert caught.value.why == "bad_plan"


def test_a_device_that_is_not_there_is_refused(engine: Engine, tmp_path: Path) -> None:
    write_sliding_window_model(tmp_path / "model.gguf")
    with pytest.raises(EngineFailed) as caught:
        engine.dry_run(tmp_path / "model.gguf", Plan(1024, n_gpu_layers=2, devices=("CUDA9",)))
    assert caught.value.why == "bad_plan"
    on_cpu = engine.dry_run(tmp_path / "model.gguf", Plan(1024, devices=("CUDA9",)))
    assert [device.device for device in on_cpu.devices] == ["CPU"], "no layer asks for it"


@posix_only
def test_a_hang_ends_in_time(
    own_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recurrent_model(tmp_path / "model.gguf")
    monkeypatch.setattr(process, "DRY_RUN_SECONDS", 0.2)
    own_engine.start()
    os.kill(own_engine.pid, signal.SIGSTOP)
    with pytest.raises(EngineFailed) as caught:
        own_engine.dry_run(tmp_path / "model.gguf", Plan(1024))
    assert caught.value.why == "hung"
    monkeypatch.undo()
    assert own_engine.dry_run(tmp_path / "model.gguf", Plan(1024)).devices


@posix_only
def test_a_death_is_told_and_the_next_one_works(own_engine: Engine, tmp_path: Path) -> None:
    write_recurrent_model(tmp_path / "model.gguf")
    own_engine.start()
    pid = own_engine.pid
    os.kill(pid, signal.SIGSTOP)
    killer = threading.Timer(0.1, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(EngineDied) as caught:
        own_engine.dry_run(tmp_path / "model.gguf", Plan(1024))
    killer.join()
    assert caught.value.signal == "SIGKILL"
    assert own_engine.dry_run(tmp_path / "model.gguf", Plan(1024)).devices


# --- beside a model ---------------------------------------------------------------------------


@pytest.mark.model
def test_a_loaded_model_is_left_alone(
    own_engine: Engine, starter_model: Path, tmp_path: Path
) -> None:
    write_recurrent_model(tmp_path / "model.gguf")
    second = Engine()
    runs = DryRuns(own_engine, lambda: second, idle_seconds=0.05)
    alone = runs.dry_run(tmp_path / "model.gguf", Plan(1024))
    assert not second.is_running
    file = model_file(str(starter_model), starter_model.stat().st_size)
    loaded = own_engine.load(clearance_for(file), load_order(file, plan=Plan(1024)), CancelToken())
    pid = own_engine.pid
    beside = runs.dry_run(tmp_path / "model.gguf", Plan(1024))
    assert beside.devices == alone.devices
    assert (own_engine.loaded, own_engine.pid) == (loaded, pid)
    timer = runs._timer
    assert timer is not None
    timer.join()
    assert not second.is_running, "the second worker ends when it is idle"
    runs.close()


def test_closed_dry_runs_start_nothing(own_engine: Engine, tmp_path: Path) -> None:
    write_recurrent_model(tmp_path / "model.gguf")
    runs = DryRuns(own_engine)
    runs.close()
    own_engine.close()
    with pytest.raises(EngineFailed) as caught:
        runs.dry_run(tmp_path / "model.gguf", Plan(1024))
    assert caught.value.why == "closed"
