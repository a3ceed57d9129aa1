"""Scenes of how a question is asked: settings, saved prompts, files that go along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QApplication

from openshelf.chat.attachments import Attachment, AttachmentKind
from openshelf.chat.presets import Preset, PresetKind
from openshelf.engine.asking import Sampling
from openshelf.services import Services
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.chat_attaching import HeldFile
from openshelf.ui.places import Place
from tests.fakes.aids import RECOMMENDED, FakeAdvisor, fake_aids
from tests.fakes.example_data import example_machine
from tests.screens.room_scenes import with_chats

CONTRACT = Attachment(
    AttachmentKind.PDF, "msa-2026.pdf", tokens=3120, is_counted=True,
    facts={"pages": 12, "pages_read": 12},
)  # fmt: skip
PROMPT = "You read contracts for a procurement team. Quote the clause for each point."
FILES = (
    replace(CONTRACT, is_counted=False),
    Attachment(AttachmentKind.TEXT, "notes.md", tokens=410),
    Attachment(AttachmentKind.PDF, "a very long name of an annex to the agreement, signed.pdf",
               tokens=2200, facts={"pages": 2400, "pages_read": 2000}),
    Attachment(AttachmentKind.IMAGE, "floor plan.png", tokens=1024,
               facts={"width": 4000, "height": 3000}),
)  # fmt: skip


def with_advice(services: Services) -> Services:
    """The publisher names settings, the template thinks, and things are saved."""
    with_chats(services)
    advice = replace(RECOMMENDED, can_switch_thinking=True)
    aids = fake_aids(FakeAdvisor(advice))
    aids.presets.keep(Preset(PresetKind.PROMPT, "Contract reader", prompt=PROMPT))
    aids.presets.keep(Preset(PresetKind.SAMPLING, "Exact", sampling=Sampling(temperature=0.0)))
    chats = services.chats
    chats.all[1] = replace(chats.all[1], system_prompt=PROMPT)  # type: ignore[attr-defined]
    texts = chats.texts[1]  # type: ignore[attr-defined]
    texts[0] = replace(texts[0], attachments=(CONTRACT,))
    return replace(services, chat_aids=aids)


def _settle() -> None:
    for _ in range(30):
        QApplication.processEvents()


def _open(number: int) -> Callable[[MainWindow, Services], None]:
    def act(window: MainWindow, services: Services) -> None:
        window.set_machine(example_machine())
        window.open_place(Place.CHAT)
        page = window.page(Place.CHAT)
        page._open_conversation(services.chats.all[number])  # type: ignore[attr-defined]
        _settle()

    return act


def _show_files(window: MainWindow, services: Services) -> None:
    _open(1)(window, services)
    attaching = window.page(Place.CHAT).attaching  # type: ignore[attr-defined]
    attaching._files = [
        HeldFile(replace(one, is_counted=False), one if one.is_counted else None) for one in FILES
    ]
    attaching.show()
    window.page(Place.CHAT).area.composer.edit.setPlainText("Compare them.")  # type: ignore[attr-defined]


def _show_more(window: MainWindow, services: Services) -> None:
    window.set_machine(example_machine())
    window.open_place(Place.CHAT)
    page = window.page(Place.CHAT)
    page.start_new()  # type: ignore[attr-defined]
    _settle()
    panel = page.inspector.panel  # type: ignore[attr-defined]
    panel.more_button.setChecked(True)
    panel.seed.setText("7")
    panel.stop.setText("END")
    panel.set_schema("{}")
    page.asking._on_prompt_chosen("Contract reader")  # type: ignore[attr-defined]


def with_calls(services: Services) -> Services:
    """The model asks for two tools."""
    services = with_advice(services)
    texts = services.chats.texts[1]  # type: ignore[attr-defined]
    calls = (
        '<tool_call>\n{"name": "search_clauses", "arguments": {"words": ["notice", "30 days"], '
        '"limit": 5}}\n</tool_call>\n'
        '<tool_call>\n{"name": "add_reminder", "arguments": {"on": "2026-12-31"}}\n</tool_call>'
    )
    texts[1] = replace(texts[1], content=f"I look for the clause.\n\n{calls}")
    return services


ASKING = (
    ("chat-tools", _open(1), with_calls),
    ("chat-attached", _open(1), with_advice),
    ("chat-attaching", _show_files, with_advice),
    ("chat-settings", _show_more, with_advice),
)
