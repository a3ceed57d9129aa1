"""Scenes of the chat, library and hardware pages: name, what is done, what is prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from PySide6.QtWidgets import QApplication

from openshelf.chat.conversation import AnswerFigures, Conversation, Message, MessageState, Role
from openshelf.chat.interface import ModelInMemory
from openshelf.chat.live import LiveAnswer, LivePhase
from openshelf.errors import EngineFailed
from openshelf.fit.verdict import FitVerdict
from openshelf.hardware.overrides import with_overrides
from openshelf.library.downloads import Download, DownloadState
from openshelf.library.folders import ModelFolder
from openshelf.library.installed import InstalledFile, InstalledModel
from openshelf.library.measurements import ComponentMemory
from openshelf.library.scanning import ScanReport, Stranger
from openshelf.library.updates import UpdateReport
from openshelf.reasons import Reason
from openshelf.services import Services
from openshelf.ui.main_window import MainWindow
from openshelf.ui.places import Place
from tests.fakes.downloads import installed_model
from tests.fakes.engine_builds import FakeEngineBuilds, example_builds
from tests.fakes.example_data import example_machine, plain_machine
from tests.fakes.example_updates import example_update
from tests.fakes.folders import GONE, HERE

ANSWER = """Either side can end the agreement with **30 days’ written notice**. Within those days \
you owe:

1. the return or certified deletion of all confidential material (§9.2);
2. payment of accepted work up to the notice date (§9.4);
3. a hand-over call, if asked for (§9.5).

```python
from datetime import date, timedelta
deadline = date(2026, 12, 1) + timedelta(days=30)
```

| Clause | Due |
|---|---|
| §9.2 | within 30 days |
| §9.4 | with the `last` invoice |
"""
_TITLES = (
    ("Contract clause summary", 0),
    ("Rust borrow checker", 0),
    ("Rechnung auf Deutsch", 1),
    ("Procurement questions", 4),
    ("SQL window functions", 5),
    ("<b>A title that is much longer than the list is wide</b>", 60),
)


MEASURED = (
    ("gpu:0", "weights", 6_300_000_000, 6_300_000_000),
    ("gpu:0", "kv_cache", 1_140_000_000, 1_140_000_000),
    ("gpu:0", "compute_buffer", 130_000_000, 140_000_000),
    ("CPU", "weights", 400_000_000, None),
    ("CPU", "compute_buffer", 20_000_000, 1_000_000),
)


def with_chats(services: Services) -> Services:
    """Six conversations, the first with a question and an answer."""
    chats = services.chats
    model = installed_model()
    services.library.add(model)  # type: ignore[attr-defined]
    small = installed_model("SmolLM2-135M-Instruct", "Q4_1")
    services.library.add(small)  # type: ignore[attr-defined]
    now = datetime.now(UTC)
    for number, (title, days) in enumerate(_TITLES, start=1):
        at = (now - timedelta(days=days, seconds=number)).isoformat()
        chats.all[number] = Conversation(number, title, at, at, model.id)  # type: ignore[attr-defined]
        chats.texts[number] = []  # type: ignore[attr-defined]
    question = "Summarise the termination clause and list what we owe within 30 days."
    figures = AnswerFigures(3606, 412, 0, 0.4, 310.0, 21.3)
    chats.texts[1] = [  # type: ignore[attr-defined]
        Message(11, 1, None, Role.USER, question, MessageState.COMPLETE, now.isoformat()),
        Message(
            12, 1, 11, Role.ASSISTANT, f"<think>\nClause 9.\n</think>\n{ANSWER}",
            MessageState.COMPLETE, now.isoformat(), model.id, figures, thought_seconds=6.2,
        ),
    ]  # fmt: skip
    chats.all_versions = {11: (9, 11), 12: (10, 12, 13)}  # type: ignore[attr-defined]
    chats.in_memory = ModelInMemory(  # type: ignore[attr-defined]
        model.id, 8192, 41, 41, FitVerdict.FITS_GPU.value,
        {"gpu:0": 7_570_000_000, "ram": 420_000_000}, {"gpu:0": 7_580_000_000, "ram": 401_000_000},
        3.1,
        tuple(ComponentMemory(*row) for row in MEASURED),
        engine_version="llama.cpp 0.5.0-dev", devices=("NVIDIA GeForce RTX 4070 Laptop GPU",),
    )  # fmt: skip
    return services


def with_dead_engine(services: Services) -> Services:
    """The answer was cut off by kill -9."""
    with_chats(services)
    texts = services.chats.texts  # type: ignore[attr-defined]
    died = replace(
        texts[1][1],
        content="Either side can end the agreement with **30 days’ written",
        state=MessageState.ENGINE_DIED,
        figures=None,
        detail={"code": "engine_killed", "signal": "SIGKILL", "tail": "ggml_cuda_init: found 1"},
    )
    texts[1] = [texts[1][0], died]
    services.chats.in_memory = None  # type: ignore[attr-defined]
    return services


def with_missing_drive(services: Services) -> Services:
    """A second folder with room, a drive that is not here with one model, and files to import."""
    with_library(services)
    library, folders = services.library, services.folders
    drive, nas = "/media/ada/STICK/models", "/mnt/nas/models"
    away = installed_model(
        "Qwen3-4B-Instruct-2507", "Q6_K", missing=True, away=drive,
        last_used_at="2026-09-01T08:00:00Z", installed_at="2026-11-23T09:00:00Z",
        files=(InstalledFile("q.gguf", f"{drive}/q.gguf", 3_300_000_000, "9" * 64, None, drive),),
    )  # fmt: skip
    library.add(away)  # type: ignore[attr-defined]
    folders.folders += [  # type: ignore[attr-defined]
        ModelFolder(nas, replace(HERE, identity=(2, 2), free_bytes=1_800_000_000_000)),
        ModelFolder(drive, GONE),
    ]
    strangers = (Stranger(f"{nas}/phi-4-Q4_K_M.gguf", 9_100_000_000),)
    folders.found = ScanReport((), strangers=strangers)  # type: ignore[attr-defined]
    return services


def with_thousands(services: Services) -> Services:
    """As many models as a team's shelf has."""
    library = services.library
    for number in range(5000):
        sha256 = f"{number:064x}"
        file = InstalledFile("a.gguf", f"/models/{number}.gguf", 700_000_000 + number, sha256)
        library.models.append(  # type: ignore[attr-defined]
            installed_model(f"Model {number:04}", "Q4_K_M", files=(file,))
        )
    return services


def with_library(services: Services) -> Services:
    """Downloads, one of them waiting, and six installed models: one is linked and unused for long,
    one has news, one is missing."""
    library, downloads = services.library, services.downloads
    accepted = services.acceptances.append({"model": {"repo": "x/y"}, "method": "checkbox"})
    models = (
        installed_model(installed_at="2026-11-22T09:00:00Z"),
        installed_model(
            "Llama-3.2-3B-Instruct", "Q8_0", license_ids=("llama3.2",),
            license_expression="LicenseRef-scancode-llama-3.2-license-2024", record_id=accepted,
            verified_at="2026-11-02T08:00:00Z", decode_tokens_per_second=52.4,
        ),
        installed_model("Mistral-Small-3.2-24B-Instruct-2506", "Q4_K_M", record_id=None,
                        decode_tokens_per_second=None, verified_at=None, news="newer"),
        installed_model("gemma-3-12b-it", "Q4_0", license_ids=("gemma",), record_id=accepted,
                        origin="lm_studio", source="import",
                        last_used_at="2026-10-11T08:00:00Z"),
        installed_model("SmolLM2-135M-Instruct", "Q4_1", decode_tokens_per_second=160.0,
                        source="starter"),
        installed_model("phi-4-mini", "Q5_K_M", missing=True, license_ids=("mit",)),
    )  # fmt: skip
    sizes = (7_300, 3_400, 14_300, 7_900, 98, 2_800)
    for number, (model, size) in enumerate(zip(models, sizes, strict=True)):
        facts = {"size_bytes": size * 1_000_000, "sha256": str(number) * 64}
        library.add(replace(model, files=(replace(model.files[0], **facts),)))  # type: ignore[attr-defined]
    downloads.put(  # type: ignore[attr-defined]
        Download(
            "d1", "unsloth/Qwen3-30B-A3B-GGUF:Q4_K_M", "Qwen3-30B-A3B", "Q4_K_M",
            DownloadState.RUNNING, 11_900_000_000, 18_600_000_000, 38e6, 176.0,
        )
    )  # fmt: skip
    downloads.put(  # type: ignore[attr-defined]
        Download(
            "d2", "x/Devstral-Small-2507-GGUF:Q4_K_M", "Devstral-Small-2507", "Q4_K_M",
            DownloadState.WAITING, 3_200_000_000, 14_300_000_000, None, None,
            Reason("The Hub asked to wait 40 s; it goes on by itself."),
        )
    )  # fmt: skip
    downloads.put(  # type: ignore[attr-defined]
        Download(
            "d3", "x/Phi-4-GGUF:Q4_K_M", "Phi-4", "Q4_K_M", DownloadState.PAUSED,
            1_000_000_000, 9_100_000_000,
        )
    )  # fmt: skip
    downloads.put(  # type: ignore[attr-defined]
        Download(
            "d4", "x/y:Q8_0", "Qwen3-14B", "Q3_K_M", DownloadState.DONE, 7_300_000_000,
            7_300_000_000, installed_id=models[0].id,
        )
    )  # fmt: skip
    return services


def _remove_one(window: MainWindow, services: Services) -> None:
    _open(Place.LIBRARY)(window, services)
    for _ in range(30):
        QApplication.processEvents()
    card = window.page(Place.LIBRARY).installed_card  # type: ignore[attr-defined]
    card.ask_to_remove(card.table.rows[1].id)


def with_own_file(services: Services) -> Services:
    """A file that somebody moved into a model folder."""
    with_library(services)
    models = services.library.models  # type: ignore[attr-defined]
    (file,) = models[1].files
    own = replace(file, folder="/mnt/nas", location="/mnt/nas/sorted/Llama.gguf", is_ours=False)
    models[1] = replace(models[1], files=(own,))
    return services


def _open_chat(number: int) -> Callable[[MainWindow, Services], None]:
    def act(window: MainWindow, services: Services) -> None:
        window.set_machine(example_machine())
        window.open_place(Place.CHAT)
        page = window.page(Place.CHAT)
        conversation = services.chats.all[number]  # type: ignore[attr-defined]
        page._open_conversation(conversation)  # type: ignore[attr-defined]

    return act


def _editing(window: MainWindow, services: Services) -> None:
    _open_chat(1)(window, services)
    for _ in range(30):
        QApplication.processEvents()
    window.page(Place.CHAT).area.transcript.edit_last_question()  # type: ignore[attr-defined]


def _searching(window: MainWindow, services: Services) -> None:
    _open_chat(1)(window, services)
    panel = window.page(Place.CHAT).panel  # type: ignore[attr-defined]
    panel.search.setText("termination clause")
    panel.search_settled.emit("termination clause")


def _begin_unsaved(window: MainWindow, services: Services) -> None:
    _open(Place.CHAT)(window, services)
    window.page(Place.CHAT).start_unsaved()  # type: ignore[attr-defined]


def with_pins(services: Services) -> Services:
    """One pinned conversation and one that is not saved."""
    with_chats(services)
    chats = services.chats.all  # type: ignore[attr-defined]
    chats[4] = replace(chats[4], is_pinned=True)
    chats[2] = replace(chats[2], is_saved=False)
    return services


def _answering(live: LiveAnswer) -> Callable[[MainWindow, Services], None]:
    def act(window: MainWindow, services: Services) -> None:
        _open_chat(1)(window, services)
        for _ in range(30):
            QApplication.processEvents()
        page = window.page(Place.CHAT)
        area = page.area  # type: ignore[attr-defined]
        area.show_transcript()
        area.transcript.add_question("And in German, please.")
        area.transcript.begin_answer().show_live(live, "Qwen3-14B")
        area.composer.set_answering(answering=True)

    return act


def _open(place: Place) -> Callable[[MainWindow, Services], None]:
    def act(window: MainWindow, services: Services) -> None:
        window.set_machine(example_machine())
        window.open_place(place)

    return act


def _open_hardware_editor(window: MainWindow, services: Services) -> None:
    """One value set by hand, a bad one in the open editor, and how to enable the other GPU."""
    machine = example_machine()
    first, second = machine.gpus
    data = {"name": second.name, "wanted": ["ROCm", "Vulkan"], "backends": ["CUDA"]}
    second = replace(second, reason=Reason("engine_without_backend", data))
    machine = replace(machine, gpus=(first, second))
    window.set_machine(with_overrides(machine, {first.id: {"free_bytes": 5 << 30}}))
    window.open_place(Place.HARDWARE)
    found = window.page(Place.HARDWARE).found  # type: ignore[attr-defined]
    found._by_part[second.id].linked.emit("enable")
    found.open_editor(first.id)
    found.editor.field("total_bytes").setText("80 GiB")
    found.editor.apply_button.click()


def _open_hardware_engines(window: MainWindow, services: Services) -> None:
    """Another build in use, and a chosen one that failed."""
    window.set_machine(example_machine())
    window.open_place(Place.HARDWARE)
    builds: Any = services.engine_builds
    builds.change(builds.state)
    for _ in range(5):  # what fits comes first, and moves the card down
        QApplication.processEvents()
    page: Any = window.page(Place.HARDWARE)
    page.found.builds_asked.emit()


def _open_plain_hardware(window: MainWindow, services: Services) -> None:
    notes = (Reason("probe_too_slow", {"probe": "AMD GPUs", "seconds": 5}),)
    window.set_machine(replace(plain_machine(), notes=notes))
    window.open_place(Place.HARDWARE)


def with_builds(services: Services) -> Services:
    builds = example_builds(EngineFailed("build_crashed", "SIGSEGV"))
    return replace(services, engine_builds=FakeEngineBuilds(builds))


def _with_update(services: Services) -> Services:
    def check(model: InstalledModel, *_: object) -> UpdateReport:
        return example_update(model)

    return replace(with_library(services), check_update=check)


def _look_for_update(window: MainWindow, services: Services) -> None:
    _open(Place.LIBRARY)(window, services)
    for _ in range(30):
        QApplication.processEvents()
    card = window.page(Place.LIBRARY).installed_card  # type: ignore[attr-defined]
    card.view.choose(card.table.rows[0].id)
    card.update_action.trigger()


def _same(services: Services) -> Services:
    return services


Act = Callable[[MainWindow, Services], None]
ROOM_SCENES: tuple[tuple[str, Act, Callable[[Services], Services]], ...] = (
    ("chat-full", _open_chat(1), with_chats),
    ("chat-edit", _editing, with_chats),
    ("chat-search", _searching, with_chats),
    ("chat-unsaved", _begin_unsaved, with_pins),
    ("chat-new", _open(Place.CHAT), with_chats),
    ("chat-empty", _open(Place.CHAT), _same),
    ("chat-engine-died", _open_chat(1), with_dead_engine),
    (
        "chat-loading",
        _answering(LiveAnswer(1, 13, LivePhase.LOADING, "", 0, None, 0.4)),
        with_chats,
    ),
    ("library-full", _open(Place.LIBRARY), with_library),
    ("library-folders", _open(Place.LIBRARY), with_missing_drive),
    ("library-many", _open(Place.LIBRARY), with_thousands),
    ("settings-folders", _open(Place.SETTINGS), with_missing_drive),
    ("library-remove", _remove_one, with_library),
    ("library-remove-own", _remove_one, with_own_file),
    ("library-update", _look_for_update, _with_update),
    ("library-empty", _open(Place.LIBRARY), _same),
    ("hardware-full", _open(Place.HARDWARE), _same),
    ("hardware-plain", _open_plain_hardware, _same),
    ("hardware-editor", _open_hardware_editor, _same),
    ("hardware-engines", _open_hardware_engines, with_builds),
)
