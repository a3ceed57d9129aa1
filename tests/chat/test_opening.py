"""A load is planned for the memory that is free now, and refused with what would help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from openshelf.chat.interface import LoadTicket
from openshelf.chat.opening import ModelOpener
from openshelf.errors import DoesNotFit
from openshelf.fit.memory import FitRequest
from openshelf.fit.pools import RAM_RESERVE_BYTES
from openshelf.hardware.facts import Machine
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.tasks import CancelToken
from openshelf.wording import error_sentence
from tests.fakes.engine import clearance_for, model_file
from tests.fakes.tiny_model import write_sliding_window_model
from tests.fit.machines import machine, nvidia

ROOMY = machine(16, 12)
MIB = 1 << 20


class Shelf:
    def __init__(self, path: Path) -> None:
        write_sliding_window_model(path, window=4096)
        file = InstalledFile(path.name, str(path), path.stat().st_size, "5" * 64)
        self.model = InstalledModel(
            "o/r@c:m", "o/r", "c" * 40, "Tiny", "F32", (file,), "mit", ("mit",), None,
            "starter", "2026-11-25T00:00:00Z", None,
        )  # fmt: skip

    def find(self, model_id: str) -> InstalledModel:
        return self.model


@pytest.fixture
def open_on(tmp_path: Path) -> Callable[..., LoadTicket]:
    shelf = Shelf(tmp_path / "tiny.gguf")

    def open_on(*machines: Machine, context: int = 4096) -> LoadTicket:
        """On the machine as it is when it is looked at, each time another one."""
        looks = iter(machines)
        opener = ModelOpener(
            shelf, lambda model: clearance_for(model_file()), lambda: next(looks),
            lambda: FitRequest(context_length=context), lambda: "",
        )  # fmt: skip
        ticket = opener.open_model("m", CancelToken())
        for _ in machines[1:]:
            ticket = opener.open_model("m", CancelToken())
        return ticket

    return open_on


def with_free(free_bytes: int, total_bytes: int | None = None) -> Machine:
    memory = replace(
        ROOMY.memory,
        total_bytes=total_bytes or ROOMY.memory.total_bytes,
        available_bytes=RAM_RESERVE_BYTES + free_bytes,
    )
    return replace(ROOMY, memory=memory)


def needed(ticket: LoadTicket) -> int:
    return sum(ticket.order.plan.needed_bytes.values())


def test_each_load_is_planned_anew_for_what_is_free_now(open_on: Callable[..., LoadTicket]) -> None:
    gpu = machine(16, 12, nvidia(8, 7))
    assert open_on(gpu).order.plan.n_gpu_layers > 0
    assert open_on(gpu, machine(16, 12, nvidia(8, 1))).order.plan.n_gpu_layers == 0
    assert open_on(gpu, ROOMY).order.plan.n_gpu_layers == 0, "the GPU is gone"
    most = needed(open_on(ROOMY))
    assert needed(open_on(with_free(most))) == most
    with pytest.raises(DoesNotFit):
        open_on(ROOMY, with_free(most - 1))


def test_what_is_refused_says_what_would_help(open_on: Callable[..., LoadTicket]) -> None:
    short, long = needed(open_on(ROOMY, context=2048)), needed(open_on(ROOMY, context=4096))
    assert short + MIB < long
    with pytest.raises(DoesNotFit) as raised:
        open_on(with_free(long - 1))
    refusal = raised.value
    assert (refusal.why, refusal.device, refusal.needed_bytes) == ("shorter", "RAM", long)
    assert 2048 <= refusal.context_length < 4096
    assert open_on(with_free(long - 1), context=refusal.context_length), "it does fit then"
    assert f"{refusal.context_length:,}" in error_sentence(refusal)

    with pytest.raises(DoesNotFit) as raised:
        open_on(with_free(short - 1), context=2048)
    assert (raised.value.why, raised.value.context_length) == ("taken", 0)
    assert "other programs have the rest" in error_sentence(raised.value)

    small = with_free(short - 1, RAM_RESERVE_BYTES + short - 1)
    with pytest.raises(DoesNotFit) as raised:
        open_on(small, context=2048)
    assert raised.value.why == ""
    assert "Choose a smaller build" in error_sentence(raised.value)
