"""From a load and an answer to what is kept of them: scripted, and with the real model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openshelf.chat.conversation import Message
from openshelf.chat.interface import LoadTicket, Prediction
from openshelf.chat.measuring import load_measurement, model_in_memory
from openshelf.chat.opening import ModelOpener
from openshelf.chat.session import Chats
from openshelf.chat.store import ConversationStore
from openshelf.engine.devices import join_devices
from openshelf.engine.process import Engine
from openshelf.engine.protocol import DeviceBytes, Loaded, Plan, Sampling
from openshelf.fit.memory import DeviceMemory, FitRequest
from openshelf.fit.speed import LEARNED_SPREAD
from openshelf.fit.verdict import fit_on
from openshelf.fit.workload import Workload
from openshelf.hardware.detect import detect_machine
from openshelf.hardware.facts import Machine
from openshelf.library.fitting import fit_installed
from openshelf.library.hashing import sha256_of_file
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.store import Library
from openshelf.licenses.clearance import Clearance
from openshelf.licenses.effective import EffectiveLicense
from openshelf.tasks import CancelToken, no_report
from tests.fakes.engine import clearance_for, load_order, model_file
from tests.fit.machines import SMALL, shape_of, unified

MIB = 1 << 20
QUESTION = "Explain in a few sentences why the sky is blue and sunsets are red. " * 6


def _no_work() -> Workload:
    raise AssertionError("the header is read only for a speed")


def ticket_for(prediction: Prediction | None) -> LoadTicket:
    file = model_file()
    predicted = {"ram": 340 * MIB}
    return LoadTicket(
        "m", clearance_for(file), load_order(file), "fits_split", 30, predicted,
        prediction=prediction,
    )  # fmt: skip


LOADED = Loaded(
    1, 0.5, 4096, 10, "llama", "llama 1B", {"ram": 40 * MIB}, has_template=True,
    devices=(DeviceBytes("CPU", None, 0, 21 * MIB), DeviceBytes("MTL0", 300 * MIB, 10 * MIB, 9)),
    source="log", engine_version="llama.cpp 1",
)  # fmt: skip
UNIFIED = Prediction(
    devices=(
        DeviceMemory("CPU", "cpu", "ram", 20 * MIB, 0, 20 * MIB),
        DeviceMemory("metal", "gpu", "ram", 300 * MIB, 10 * MIB, 0),
    ),
    machine=SMALL,
    engine_names={"metal": "MTL0"},
    work=_no_work,
)


def test_devices_that_share_a_memory_are_one_pool_and_what_was_not_told_is_the_files() -> None:
    memory = model_in_memory(ticket_for(UNIFIED), LOADED)
    assert memory.measured_bytes == {"ram": (20 + 21 + 310) * MIB + 9}
    assert {(part.device, part.component): part.measured_bytes for part in memory.components} == {
        ("CPU", "weights"): None,
        ("CPU", "compute_buffer"): 21 * MIB,
        ("metal", "weights"): 300 * MIB,
        ("metal", "kv_cache"): 10 * MIB,
        ("metal", "compute_buffer"): 9,
    }
    kept = load_measurement(ticket_for(UNIFIED), LOADED, memory)
    assert kept is not None
    assert (kept.engine_version, kept.architecture, kept.source) == ("llama.cpp 1", "llama", "log")
    assert kept.components == memory.components


def test_what_holds_the_weights_is_named_as_a_person_knows_it() -> None:
    machine = dataclasses.replace(
        SMALL, cpu=dataclasses.replace(SMALL.cpu, name="Ryzen 9"), gpus=(unified(16),)
    )
    ticket = ticket_for(dataclasses.replace(UNIFIED, machine=machine))
    build = dataclasses.replace(LOADED, engine_folder="/opt/llama")
    memory = model_in_memory(ticket, build)
    assert memory.devices == ("M4 Max", "Ryzen 9")
    assert (memory.engine_version, memory.engine_folder) == ("llama.cpp 1", "/opt/llama")
    (cpu,) = (device for device in LOADED.devices if device.device == "CPU")
    alone = dataclasses.replace(LOADED, devices=(cpu, DeviceBytes("MTL0", 0, 0, 9)))
    assert model_in_memory(ticket, alone).devices == ("Ryzen 9",)
    assert model_in_memory(ticket_for(None), LOADED).devices == ()


def test_an_engine_that_tells_no_parts_leaves_the_pools() -> None:
    silent = dataclasses.replace(LOADED, devices=(), source="")
    memory = model_in_memory(ticket_for(UNIFIED), silent)
    assert (memory.measured_bytes, memory.components) == ({"ram": 40 * MIB}, ())
    assert load_measurement(ticket_for(UNIFIED), silent, memory) is None


def test_a_model_that_the_engine_put_on_the_cpu_is_not_said_to_be_on_the_gpu() -> None:
    ticket = ticket_for(UNIFIED)
    order = dataclasses.replace(ticket.order, plan=Plan(4096, n_gpu_layers=10))
    planned = dataclasses.replace(ticket, order=order)
    assert not model_in_memory(planned, LOADED).left_gpu
    cpu, gpu = LOADED.devices
    for devices in ((cpu,), (cpu, DeviceBytes(gpu.device, 0, 0, 9))):
        memory = model_in_memory(planned, dataclasses.replace(LOADED, devices=devices))
        assert memory.left_gpu
        assert (memory.placement, memory.n_gpu_layers) == ("fits_cpu", 0)
    assert not model_in_memory(planned, dataclasses.replace(LOADED, devices=())).left_gpu
    untold = DeviceBytes(gpu.device, None, 0, 9)
    told = dataclasses.replace(LOADED, devices=(cpu, untold))
    assert not model_in_memory(planned, told).left_gpu
    assert not model_in_memory(ticket, dataclasses.replace(LOADED, devices=(cpu,))).left_gpu


# --- with the real model ------------------------------------------------------------------------


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path / "library.sqlite3", tmp_path / "models")
    yield opened
    opened.close()


@pytest.fixture
def model(library: Library, starter_model: Path) -> InstalledModel:
    size, sha256 = starter_model.stat().st_size, sha256_of_file(starter_model)
    file = InstalledFile(starter_model.name, str(starter_model), size, sha256)
    installed = InstalledModel(
        "o/r@c:m", "o/r", "c" * 40, "m", "Q4_1", (file,), "Apache-2.0", ("apache-2.0",), None,
        "starter", "2026-11-25T00:00:00Z", None,
    )  # fmt: skip
    return library.register(
        installed, EffectiveLicense(("apache-2.0",), "Apache-2.0", (), ()), frozenset()
    )


def _clear(model: InstalledModel) -> Clearance:
    (file,) = model.files
    cleared = model_file(file.location, file.size_bytes)
    return clearance_for(
        dataclasses.replace(
            cleared, repo=model.repo, commit=model.commit, path=file.path, sha256=file.sha256
        )
    )


def _machine(engine: Engine, library: Library) -> Machine:
    found = detect_machine(CancelToken(), no_report, folders=())
    with_engine = join_devices(found, engine.devices())
    return dataclasses.replace(with_engine, learned=library.learned_rates())


@pytest.fixture
def make_chats(engine: Engine, library: Library) -> Iterator[Callable[[FitRequest], Chats]]:
    made: list[Chats] = []

    def make(request: FitRequest) -> Chats:
        opener = ModelOpener(
            library, _clear, lambda: _machine(engine, library), lambda: request, lambda: ""
        )
        made.append(Chats(ConversationStore(None), engine, opener.open_model, library))
        return made[-1]

    yield make
    for chats in made:
        chats.close()


def _ask(chats: Chats, model: InstalledModel) -> Message:
    conversation = chats.new_conversation(model.id)
    sampling = Sampling(temperature=0, max_tokens=48)
    return chats.send(conversation.id, QUESTION, model.id, sampling, CancelToken(), no_report)


@pytest.mark.model
@pytest.mark.parametrize(
    "fit_request",
    [
        FitRequest(2048),
        FitRequest(8192, kv_type_k="q8_0", kv_type_v="q8_0", ubatch=128),
        FitRequest(4096, flash_attention="off", n_outputs_max=0),
    ],
    ids=["usual", "quantized", "no-flash"],
)
def test_a_real_load_is_as_predicted_part_by_part_and_is_kept(
    make_chats: Callable[[FitRequest], Chats],
    library: Library,
    model: InstalledModel,
    fit_request: FitRequest,
) -> None:
    """A warning in the log would fail this too."""
    chats = make_chats(fit_request)
    _ask(chats, model)
    memory = chats.loaded()
    assert memory is not None
    (kept,) = library.measurements(model.id)
    assert kept.components == memory.components
    parts = {part.component: part for part in kept.components}
    assert set(parts) == {"weights", "kv_cache", "compute_buffer"}
    for name in ("weights", "kv_cache"):
        assert parts[name].difference == 0.0
    buffers = parts["compute_buffer"]
    difference = abs((buffers.measured_bytes or 0) - buffers.predicted_bytes)
    assert difference <= max(buffers.predicted_bytes // 20, MIB // 2)
    assert kept.source in ("breakdown", "log")
    assert kept.engine_version.startswith("llama.cpp ")
    assert (memory.engine_version, memory.engine_folder) == (kept.engine_version, "")
    assert len(memory.devices) == 1
    assert kept.plan.context_length == fit_request.context_length
    assert kept.plan.kv_type_k == fit_request.kv_type_k
    assert kept.plan.flash_attention == fit_request.flash_attention
    assert sum(memory.measured_bytes.values()) == sum(p.measured_bytes or 0 for p in parts.values())


@pytest.mark.model
def test_a_real_answer_teaches_what_this_processor_reaches(
    make_chats: Callable[[FitRequest], Chats],
    engine: Engine,
    library: Library,
    model: InstalledModel,
) -> None:
    answer = _ask(make_chats(FitRequest(2048)), model)
    assert answer.figures is not None
    assert answer.figures.completion_tokens >= 16
    machine = _machine(engine, library)
    (rate,) = machine.learned
    assert (rate.device, rate.kind, rate.runs) == (machine.cpu.name, "cpu", 1)
    read = (rate.bytes_per_second or 0) / answer.figures.decode_tokens_per_second
    assert 96_000_000 < read < 130_000_000, "the weights, and the rows that were in use"
    assert rate.operations_per_second is not None

    own = fit_installed(library.find(model.id), machine, FitRequest(2048)).speed
    assert own is not None
    assert own.basis == "measured"
    low, high = own.decode.low, own.decode.high
    assert low < answer.figures.decode_tokens_per_second < high

    credible = dataclasses.replace(machine, learned=(dataclasses.replace(rate, runs=3),))
    other = fit_on(shape_of("llama3.2-1b"), credible, FitRequest(2048)).speed
    assert other is not None
    assert (other.basis, other.learned) == ("estimate", True)
    expected = (rate.bytes_per_second or 0) / 800e6
    assert other.decode.low < expected < other.decode.high
    assert LEARNED_SPREAD.low < 1 < LEARNED_SPREAD.high
