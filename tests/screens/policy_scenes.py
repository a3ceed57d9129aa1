"""Scenes of the Policy screen: name, what is done, what is prepared."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QApplication

from openshelf.licenses.acceptance import AcceptanceForm
from openshelf.policy.organization import Organization, Policy, Rules
from openshelf.policy.writing import policy_text
from openshelf.services import Services
from openshelf.ui.main_window import MainWindow
from openshelf.ui.pages.policy import PolicyPage, PolicyTab
from openshelf.ui.pages.policy_records import EraseSheet
from openshelf.ui.pages.policy_waiver import WaiverSheet
from openshelf.ui.places import Place
from tests.fakes.example_data import example_machine
from tests.fakes.real_offers import KIMI, LARGE_COMPANY, company_policy, real_offer, with_offer
from tests.fakes.services import FakePolicies

Act = Callable[[MainWindow, Services], None]

COMPANY = Policy(
    Organization(
        name="Example GmbH", domicile="DE", use_regions=("DE", "FR"), commercial=True,
        internal_only=True, annual_revenue_usd=4_000_000, redistributes=False, hosts_service=False,
    ),
    Rules(allow_only=None, deny_classes=("non-commercial", "research-only"), strict_labels=True),
    name="House rules",
)  # fmt: skip
MANAGED = """name = "Group policy"
[organization]
name = "Example Group"
domicile = "DE"
commercial = true
mau_over_on_release = false
[rules]
require_osi = true
deny_vendor_regions = ["CN"]
deny_classes = ["research-only"]
"""


def _page(window: MainWindow) -> PolicyPage:
    window.set_machine(example_machine())
    window.open_place(Place.POLICY)
    page = window.page(Place.POLICY)
    assert isinstance(page, PolicyPage)
    _settle()
    return page


def _settle() -> None:
    for _ in range(30):
        QApplication.processEvents()


def _open(window: MainWindow, services: Services) -> None:
    _page(window)


def _open_reasons(window: MainWindow, services: Services) -> None:
    """Two reasons opened, the form at its end."""
    page = _page(window)
    for section in page.draft.preview.sections.values():
        for row in section.rows[:1]:
            row.opener.click()
    _settle()
    bar = page.draft.form.verticalScrollBar()
    bar.setValue(bar.maximum())


def _open_fields(window: MainWindow, services: Services) -> None:
    """The last of the facts, above the rules."""
    form = _page(window).draft
    _settle()
    field = form.facts.rows["fields_of_use"].field
    assert field is not None
    field.setText("military")
    field.textEdited.emit("military")
    form.form.ensureWidgetVisible(form.facts.rows["fields_of_use"], 50, 300)


def _type_badly(window: MainWindow, services: Services) -> None:
    page = _page(window)
    field = page.draft.facts.rows["mau"].field
    assert field is not None
    field.setText("a few")
    field.textEdited.emit("a few")
    page.draft.rules.only_listed.click()


def _ask(window: MainWindow, services: Services) -> None:
    _page(window).ask_about("unsloth/Qwen3-14B-GGUF:Q4_K_M")


def _import_bad(window: MainWindow, services: Services) -> None:
    path = services.paths.config / "sent.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('name = "Sent"\n[rules]\nrequire_osi = "yes"\n', encoding="utf-8")
    _page(window).draft.import_file(str(path))


def _open_log(window: MainWindow, services: Services) -> None:
    _page(window).show_tab(PolicyTab.LOG)


def _erase(window: MainWindow, services: Services) -> None:
    _open_log(window, services)
    _settle()
    log = _page(window).log
    log.erase_button.click()
    sheet = window.findChild(EraseSheet)
    assert sheet is not None
    sheet.choose("Ada Lovelace")
    sheet.tick.setChecked(True)


def _take_back(window: MainWindow, services: Services) -> None:
    _open_log(window, services)
    _settle()
    log = _page(window).log
    log.view.selectRow(1)
    log.details.take_back.click()


def _waive(window: MainWindow, services: Services) -> None:
    _open_log(window, services)
    _settle()
    _page(window).log.waive_button.click()
    sheet = window.findChild(WaiverSheet)
    assert sheet is not None
    sheet.target_field.setText("unsloth/Kimi-K2-Instruct-GGUF")
    sheet.look_up()
    _settle()
    sheet.until_field.setText("next year")
    sheet.action.click()


def _with_stopped(services: Services) -> Services:
    policy = company_policy(
        LARGE_COMPANY, allow_only=("apache-2.0", "mit"), deny_vendor_regions=("CN",)
    )
    return with_offer(with_log(services), real_offer(KIMI, policy), policy)


def _with_company(services: Services) -> Services:
    services.policies.save(COMPANY)
    return services


def _with_broken_file(services: Services) -> Services:
    from dataclasses import replace

    path = services.paths.policy_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('[organization]\nmau = "many"\n', encoding="utf-8")
    return replace(services, policies=FakePolicies(services.paths))


def _with_managed(services: Services) -> Services:
    from dataclasses import replace

    path = services.paths.policy_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(policy_text(Policy(rules=Rules(strict_labels=True))), encoding="utf-8")
    return replace(services, policies=FakePolicies(services.paths, MANAGED))


def with_log(services: Services) -> Services:
    """Seven acceptances of three people, one of them taken back."""
    models = (
        ("unsloth/Qwen3-14B-GGUF", "Qwen3-14B-Q3_K_M.gguf", ("apache-2.0",), "allowed"),
        ("bartowski/Llama-3.2-3B-Instruct-GGUF", "Llama-3.2-3B-Instruct-Q8_0.gguf",
         ("llama3.2",), "allowed_with_obligations"),
        ("unsloth/DeepSeek-R1-Distill-Llama-8B-GGUF", "model.gguf", ("mit", "llama3.1"),
         "allowed_with_obligations"),
        ("someone/unlabelled-GGUF", "x.gguf", ("none",), "needs_review"),
    )  # fmt: skip
    people = (("Ada Lovelace", "Ticket 482"), ("Grace Hopper", ""), ("<b>Mallory</b>", ""))
    first = ""
    for number in range(7):
        repo, file, ids, verdict = models[number % len(models)]
        person, note = people[number % len(people)]
        record_id = services.acceptances.append(
            {
                "accepted_by": {"os_user": person[:3].lower(), "display": person, "role": "member"},
                "on_behalf_of": "Example GmbH",
                "note": note,
                "model": {"repo": repo, "commit": "5ab33fa" + "0" * 33,
                          "files": [{"path": file, "sha256": "ab" * 32, "size": 3_420_000_000}]},
                "effective": {"expression": " AND ".join(ids), "ids": list(ids), "flags": []},
                "texts": [{"license": ids[0], "sha256": "cd" * 32, "shown": number % 2 == 0}],
                "obligations_shown": [{"id": "x", "license": ids[-1], "ref": "§1.b.i(B)"}],
                "verdict": verdict,
                "unreviewed": verdict == "needs_review",
                "reasons": [],
                "policy": {"name": "House rules", "sha256": "ef" * 32},
                "facts": {"commercial": True, "domicile": "DE"},
                "method": "checkbox",
                "supersedes": None,
            }
        )  # fmt: skip
        first = first or record_id
    services.acceptances.revoke(first, AcceptanceForm(display_name="Ada Lovelace"), "ada")
    return services


def _with_tampered_log(services: Services) -> Services:
    with_log(services)
    path = services.acceptances.path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    return services


def _same(services: Services) -> Services:
    return services


POLICY_SCENES: tuple[tuple[str, Act, Callable[[Services], Services]], ...] = (
    ("policy-first", _open, _same),
    ("policy-company", _open, _with_company),
    ("policy-reasons", _open_reasons, _with_company),
    ("policy-fields", _open_fields, _with_company),
    ("policy-bad-value", _type_badly, _with_company),
    ("policy-asked", _ask, _same),
    ("policy-import-bad", _import_bad, _with_company),
    ("policy-broken", _open, _with_broken_file),
    ("policy-managed", _open, _with_managed),
    ("policy-log", _open_log, with_log),
    ("policy-log-empty", _open_log, _same),
    ("policy-erase", _erase, with_log),
    ("policy-take-back", _take_back, with_log),
    ("policy-waive", _waive, _with_stopped),
    ("policy-log-tampered", _open_log, _with_tampered_log),
)
