"""The Policy screen: a draft is tried out at once, saved, imported, exported; managed is fixed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit
from pytestqt.qtbot import QtBot

from openshelf.hardware.facts import Machine
from openshelf.licenses.clearance import Verdict
from openshelf.policy.organization import Organization, Policy, Rules, load_policy
from openshelf.policy.writing import policy_text
from openshelf.services import Services
from openshelf.shelf.preview import PolicyPreview
from openshelf.shelf.rows import Shelf, ShelfQuestion
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.policy import PolicyPage
from openshelf.ui.pages.policy_draft import DraftPanel
from openshelf.ui.pages.policy_preview import ReasonRow
from openshelf.ui.places import Place
from openshelf.ui.widgets import TextLabel
from tests.fakes.example_data import example_shelf
from tests.fakes.example_models import FakeModels
from tests.fakes.services import FakePolicies, example_preview

LEFT = Qt.MouseButton.LeftButton
MakeWindow = Callable[..., MainWindow]
COMPANY = Policy(
    Organization(name="Example GmbH", domicile="DE", use_regions=("DE",), commercial=True),
    Rules(allow_only=("mit", "apache-2.0"), strict_labels=True),
    name="House rules",
)


def open_page(window: MainWindow) -> PolicyPage:
    window.open_place(Place.POLICY)
    page = window.page(Place.POLICY)
    assert isinstance(page, PolicyPage)
    return page


def draft_of(window: MainWindow, qtbot: QtBot) -> DraftPanel:
    draft = open_page(window).draft
    qtbot.waitUntil(lambda: draft.preview.counts[Verdict.ALLOWED].text() != "—")
    return draft


def answer(draft: DraftPanel, qtbot: QtBot, name: str, words: str) -> None:
    """Press one of the three answers, as a person does."""
    answers = draft.facts.rows[name].answers
    assert answers is not None
    button = next(b for b in answers._group.buttons() if b.text() == words)
    qtbot.mouseClick(button, LEFT)


def type_into(field: QLineEdit | None, qtbot: QtBot, text: str) -> None:
    assert field is not None
    field.clear()
    qtbot.keyClicks(field, text)


def visible(draft: DraftPanel) -> str:
    return "\n".join(label.text() for label in draft.findChildren(TextLabel) if label.isVisible())


def section_text(draft: DraftPanel, verdict: Verdict) -> str:
    section = draft.preview.sections[verdict]
    return "\n".join(label.text() for label in section.findChildren(TextLabel))


def row_about(draft: DraftPanel, words: str) -> ReasonRow:
    """The row of a blocked model's reason that holds these words."""
    rows = draft.preview.sections[Verdict.BLOCKED].rows
    return next(row for row in rows if words in row.sentence.text())


@pytest.fixture
def saved(services: Services) -> Services:
    services.policies.save(COMPANY)
    return services


def test_without_a_policy_everything_is_unknown(window: MainWindow, qtbot: QtBot) -> None:
    draft = draft_of(window, qtbot)
    assert draft.draft == Policy()
    assert "There is no policy yet" in visible(draft)
    assert not draft.save_button.isEnabled()
    assert draft.undo.isHidden()
    assert draft.remove.isHidden()
    total = sum(int(label.text().split()[0]) for label in draft.preview.counts.values())
    assert total == sum(example_preview(Policy()).families.values())
    assert "cannot be installed before" not in draft.preview.state.text()


def test_a_fact_is_tried_out_at_once_with_reasons_and_models(
    window: MainWindow, qtbot: QtBot
) -> None:
    draft = draft_of(window, qtbot)
    assert draft.preview.counts[Verdict.BLOCKED].text().startswith("0 families")
    answer(draft, qtbot, "commercial", "Yes")
    type_into(draft.facts.rows["domicile"].field, qtbot, "de")
    section = draft.preview.sections[Verdict.BLOCKED]
    qtbot.waitUntil(section.more.isVisible)
    assert len(section.rows) == 3
    qtbot.mouseClick(section.more, LEFT)
    text = section_text(draft, Verdict.BLOCKED)
    assert "closing paragraph" in text, "the clause"
    assert "Qwen Research License Agreement" in text
    row = row_about(draft, "Llama 4 Community License Agreement gives no rights where you are")
    assert not row.models.isVisible()
    qtbot.mouseClick(row.opener, LEFT)
    assert row.models.isVisible()
    assert "Llama 4 Scout" in row.models.text()
    assert "cannot be installed before" in draft.preview.state.text()


def test_an_opened_reason_stays_open_while_facts_change(window: MainWindow, qtbot: QtBot) -> None:
    draft = draft_of(window, qtbot)
    type_into(draft.facts.rows["domicile"].field, qtbot, "DE")
    qtbot.waitUntil(lambda: "no rights where you are" in section_text(draft, Verdict.BLOCKED))
    draft.preview.sections[Verdict.BLOCKED].more.setChecked(True)
    row = row_about(draft, "Llama 4 Community License Agreement")
    qtbot.mouseClick(row.opener, LEFT)
    answer(draft, qtbot, "commercial", "Yes")
    qtbot.waitUntil(lambda: "commercial use" in section_text(draft, Verdict.BLOCKED))
    assert row is row_about(draft, "Llama 4 Community License Agreement")
    assert row.models.isVisible()


def test_missing_facts_that_decide_lead_to_their_question(
    window: MainWindow, qtbot: QtBot, themed_app: QApplication
) -> None:
    draft = draft_of(window, qtbot)
    row = draft.preview._missing.row("mau_over_on_release")
    assert row is not None
    assert "Unknown: decides for" in draft.facts.rows["mau_over_on_release"].waiting.text()
    qtbot.mouseClick(row.link, LEFT)
    focus = QApplication.focusWidget()
    assert focus is not None
    assert "Were you over the limit" in focus.accessibleName()
    answer(draft, qtbot, "mau_over_on_release", "No")
    qtbot.waitUntil(lambda: draft.preview._missing.row("mau_over_on_release") is None)
    assert draft.facts.rows["mau_over_on_release"].waiting.isHidden()


def test_saving_writes_the_file_and_puts_it_in_force(
    window: MainWindow, services: Services, qtbot: QtBot
) -> None:
    draft = draft_of(window, qtbot)
    type_into(draft.facts.rows["name"].field, qtbot, "Example GmbH")
    type_into(draft.facts.rows["annual_revenue_usd"].field, qtbot, "4 million")
    answer(draft, qtbot, "hosts_service", "No")
    qtbot.mouseClick(draft.rules.ticks["require_osi"], LEFT)
    qtbot.mouseClick(draft.save_button, LEFT)
    qtbot.waitUntil(lambda: "Saved, and in force" in draft.notice.text.text())
    policy = load_policy(services.paths.policy_file)
    assert policy.organization == Organization(
        name="Example GmbH", annual_revenue_usd=4_000_000, hosts_service=False
    )
    assert policy.rules == Rules(require_osi=True)
    assert services.policies.current.policy == policy
    assert not draft.save_button.isEnabled()
    assert draft.facts.rows["annual_revenue_usd"].field.text() == "4,000,000"  # type: ignore[union-attr]


def test_a_value_that_makes_no_sense_is_said_and_not_saved(
    window: MainWindow, qtbot: QtBot
) -> None:
    draft = draft_of(window, qtbot)
    answer(draft, qtbot, "commercial", "Yes")
    row = draft.facts.rows["mau"]
    type_into(row.field, qtbot, "many")
    assert "Write a number" in row.problem.text()
    assert not draft.save_button.isEnabled()
    assert draft.draft.organization == Organization(commercial=True)
    type_into(row.field, qtbot, "20M")
    assert row.problem.isHidden()
    assert draft.draft.organization.mau == 20_000_000
    assert draft.save_button.isEnabled()


def test_the_keyboard_goes_down_the_form(
    window: MainWindow, qtbot: QtBot, themed_app: QApplication
) -> None:
    draft = draft_of(window, qtbot)
    window.resize(1360, 2400)
    qtbot.wait(30)
    first = draft.facts.rows["name"].field
    assert first is not None
    first.setFocus()
    tops, names = [], []
    while (focus := QApplication.focusWidget()) is not None and draft.form.isAncestorOf(focus):
        tops.append(focus.mapTo(draft.form, focus.rect().center()).y())
        names.append(focus.accessibleName())
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert tops == sorted(tops)
    assert all(names)
    for words in ("Is the use commercial?: Unknown", "Only licenses approved by OSI",
                  "Delete chats after so many days"):  # fmt: skip
        assert words in names


def test_changes_can_be_undone(make_window: MakeWindow, saved: Services, qtbot: QtBot) -> None:
    draft = draft_of(make_window(saved), qtbot)
    answer(draft, qtbot, "commercial", "Unknown")
    type_into(draft.rules.regions, qtbot, "CN")
    assert draft.is_changed
    qtbot.mouseClick(draft.undo, LEFT)
    assert not draft.is_changed
    assert draft.draft.organization.commercial is True
    assert draft.rules.regions.text() == ""


def test_lists_of_licenses_and_classes(
    make_window: MakeWindow, saved: Services, qtbot: QtBot
) -> None:
    draft = draft_of(make_window(saved), qtbot)
    assert draft.rules.allowed.values == ("mit", "apache-2.0")
    qtbot.mouseClick(draft.rules.allowed._buttons["mit"], LEFT)
    menu = draft.rules.allowed.add_button.menu()
    action = next(
        a for sub in menu.actions() for a in sub.menu().actions() if a.data() == "llama3.1"
    )
    action.trigger()
    assert draft.draft.rules.allow_only == ("apache-2.0", "llama3.1")
    draft.rules.denied.add_button.menu().actions()[-1].trigger()
    assert draft.draft.rules.deny_classes == ("unknown",)
    qtbot.mouseClick(draft.rules.only_listed, LEFT)
    assert draft.draft.rules.allow_only is None


def test_import_shows_a_draft_and_can_be_undone(
    make_window: MakeWindow, saved: Services, qtbot: QtBot, tmp_path: Path
) -> None:
    sent = tmp_path / "sent.toml"
    sent.write_text(policy_text(Policy(Organization(mau=7), name="Sent")), encoding="utf-8")
    draft = draft_of(make_window(saved), qtbot)
    draft.import_file(str(sent))
    qtbot.waitUntil(lambda: draft.draft.organization.mau == 7)
    assert "not in force before you save it" in draft.notice.text.text()
    assert saved.policies.current.policy.organization.mau is None
    qtbot.mouseClick(draft.notice.button, LEFT)
    assert draft.draft.organization == COMPANY.organization
    assert not draft.is_changed


def test_a_bad_file_names_the_line_and_nothing_is_lost(
    make_window: MakeWindow, saved: Services, qtbot: QtBot, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('name = "Sent"\n[rules]\nrequire_osi = "yes"\n', encoding="utf-8")
    draft = draft_of(make_window(saved), qtbot)
    answer(draft, qtbot, "hosts_service", "Yes")
    before = draft.draft
    draft.import_file(str(bad))
    qtbot.waitUntil(lambda: "(line 3) must be true or false" in draft.notice.text.text())
    assert draft.draft == before
    assert load_policy(saved.paths.policy_file).rules == COMPANY.rules


def test_export_writes_the_draft(
    make_window: MakeWindow, saved: Services, qtbot: QtBot, tmp_path: Path
) -> None:
    draft = draft_of(make_window(saved), qtbot)
    answer(draft, qtbot, "hosts_service", "No")
    draft.export_file(str(tmp_path / "out.toml"))
    qtbot.waitUntil(lambda: "Written to" in draft.notice.text.text())
    assert load_policy(tmp_path / "out.toml").organization.hosts_service is False
    draft.export_file(str(tmp_path / "out.toml" / "x.toml"))
    qtbot.waitUntil(lambda: "cannot be written" in draft.notice.text.text())


def test_the_buttons_ask_for_a_file_without_stopping_the_window(
    make_window: MakeWindow, saved: Services, qtbot: QtBot, tmp_path: Path
) -> None:
    draft = draft_of(make_window(saved), qtbot)
    for button, mode in (
        (draft.import_button, QFileDialog.AcceptMode.AcceptOpen),
        (draft.export_button, QFileDialog.AcceptMode.AcceptSave),
    ):
        qtbot.mouseClick(button, LEFT)
        dialog = draft.findChild(QFileDialog)
        assert dialog is not None
        assert dialog.acceptMode() is mode
        assert dialog.nameFilters() == ["Policy files (*.toml)"]
        with qtbot.waitSignal(dialog.destroyed):
            dialog.reject()


def test_a_managed_policy_can_only_be_tightened(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    managed = (
        '[organization]\ndomicile = "US"\ncommercial = true\n'
        '[rules]\nrequire_osi = true\nallow_only = ["mit", "apache-2.0"]\n'
        'deny_classes = ["research-only"]\n'
    )
    policies = FakePolicies(services.paths, managed)
    draft = draft_of(make_window(replace(services, policies=policies)), qtbot)
    text = visible(draft)
    assert "machine-wide.toml" in text
    assert "you can only add rules" in text
    assert "Only these licenses are allowed on this machine: MIT License, Apache" in text
    assert all(not row.isEnabled() for row in draft.facts.rows.values())
    assert draft.facts.rows["domicile"].field.text() == "US"  # type: ignore[union-attr]
    assert not draft.rules.ticks["require_osi"].isEnabled()
    assert draft.rules.ticks["require_osi"].isChecked()
    assert not draft.rules.denied._buttons["research-only"].isEnabled()
    qtbot.mouseClick(draft.rules.ticks["strict_labels"], LEFT)
    qtbot.mouseClick(draft.save_button, LEFT)
    qtbot.waitUntil(lambda: policies.current.own is not None)
    in_force = policies.current.policy
    assert in_force.rules.strict_labels
    assert in_force.rules.require_osi
    assert in_force.organization.domicile == "US"
    own = load_policy(services.paths.policy_file)
    assert own.rules == Rules(strict_labels=True), "what the machine demands is not ours to write"


def test_a_broken_file_is_told_and_can_be_replaced(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    path = services.paths.policy_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[organization]\nmau = 'many'\n", encoding="utf-8")
    policies = FakePolicies(services.paths)
    draft = draft_of(make_window(replace(services, policies=policies)), qtbot)
    assert "organization.mau (line 2) must be" in draft.source.text.text()
    assert "nothing is allowed" in draft.source.text.text()
    qtbot.mouseClick(draft.save_button, LEFT)
    qtbot.waitUntil(lambda: policies.current.problem is None)
    assert "many" in policies.previous_path.read_text(encoding="utf-8")


def test_a_policy_can_be_removed(make_window: MakeWindow, saved: Services, qtbot: QtBot) -> None:
    draft = draft_of(make_window(saved), qtbot)
    qtbot.mouseClick(draft.remove, LEFT)
    qtbot.waitUntil(lambda: "no longer in force" in draft.notice.text.text())
    assert not saved.policies.current.policy.exists
    assert draft.draft == Policy()


def test_only_the_last_of_quick_changes_is_shown(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    asked: list[Policy] = []

    def preview(policy: Policy) -> PolicyPreview:
        asked.append(policy)
        return example_preview(policy)

    draft = draft_of(make_window(replace(services, preview_policy=preview)), qtbot)
    asked.clear()
    type_into(draft.facts.rows["mau"].field, qtbot, "20000000")
    qtbot.waitUntil(lambda: bool(asked))
    qtbot.wait(300)
    assert [policy.organization.mau for policy in asked] == [20_000_000]


def test_showing_a_preview_takes_the_window_no_time(
    make_window: MakeWindow, saved: Services, qtbot: QtBot
) -> None:
    draft = draft_of(make_window(saved), qtbot)
    others = [
        example_preview(replace(COMPANY, organization=Organization(commercial=flag), sha256="x"))
        for flag in (True, False, None, True, False, None)
    ]
    for preview in others[:3]:
        draft.preview.show_preview(preview, stops=True)
    best = min(_seconds(draft, preview) for preview in others[3:])
    assert best < 0.010 * 5, "a busy machine is given five times as long"


def _seconds(draft: DraftPanel, preview: PolicyPreview) -> float:
    began = time.perf_counter()
    draft.preview.show_preview(preview, stops=True)
    return time.perf_counter() - began


def test_whoever_wants_to_install_for_an_organization_is_brought_back(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    page = open_page(window)
    page.install_requested.connect(opened.append)
    monkeypatch.setattr(window, "open_install", lambda target: None)
    page.ask_about("a/b:Q4_K_M")
    assert "Fill in what you know" in page.draft.notice.text.text()
    answer(page.draft, qtbot, "commercial", "Yes")
    qtbot.mouseClick(page.draft.save_button, LEFT)
    qtbot.waitUntil(lambda: "Saved" in page.draft.notice.text.text())
    qtbot.mouseClick(page.draft.notice.button, LEFT)
    assert opened == ["a/b:Q4_K_M"]


def test_other_screens_look_again_after_a_policy_was_saved(
    make_window: MakeWindow, services: Services, qtbot: QtBot
) -> None:
    asked: list[str] = []

    def shelf(machine: Machine, question: ShelfQuestion) -> Shelf:
        asked.append(services.policies.current.policy.name)
        return example_shelf(machine, question)

    window = make_window(replace(services, shelf=shelf))
    qtbot.waitUntil(lambda: asked == [""])
    models = cast(FakeModels, services.models)
    window.open_model("Qwen3-14B")
    page = window.page(Place.MODEL)
    qtbot.waitUntil(lambda: page.listing is not None)  # type: ignore[attr-defined]
    before = len(models.asked)
    services.policies.save(COMPANY)
    qtbot.wait(30)
    window.open_place(Place.SHELF)
    qtbot.waitUntil(lambda: "House rules" in asked)
    assert len(models.asked) == before, "the Hub is asked when somebody looks"
    window.open_model("Qwen3-14B")
    qtbot.waitUntil(lambda: len(models.asked) == before + 1)
