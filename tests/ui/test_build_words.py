"""What the table of builds says of a packager, its date and its recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openshelf.reasons import Reason
from openshelf.ui.models import model_words
from openshelf.ui.pages.model_variants import VariantsPanel
from openshelf.ui.task_bridge import TaskBridge
from tests.fakes.example_models import example_listing
from tests.fakes.services import fake_services


def test_who_made_a_build_when_and_how_is_said() -> None:
    builds = {(b.packager.name, b.quant): b for b in example_listing().builds}
    official, dynamic = builds["Qwen", "Q8_0"], builds["unsloth", "UD-Q4_K_XL"]
    stranger, matrix = builds["nobody", "Q4_K_S"], builds["bartowski", "IQ4_XS"]
    kinds = [model_words.packager_kind_words(b)[0] for b in (official, dynamic, stranger)]
    assert kinds == ["Publisher", "Known packager", "Other packager"]
    assert model_words.recipe_words(dynamic) == "dynamic"
    assert model_words.recipe_words(matrix) == "imatrix"
    assert "tags" in model_words.recipe_details(matrix)
    assert model_words.recipe_words(stranger) == ""
    assert "2026" in model_words.month_words(official)
    assert "2026" in model_words.packager_details(official)
    assert model_words.month_words(stranger) == ""
    for nonsense in ("yesterday", "9999-99-99", ""):
        assert model_words.month_words(replace(official, last_modified=nonsense)) == ""


def test_what_is_left_out_is_told_below_and_is_no_failure(
    themed_app: QApplication, qtbot: QtBot, tmp_path: Path
) -> None:
    services = fake_services(tmp_path)
    bridge = TaskBridge(services.runner)
    panel = VariantsPanel(services, bridge)
    qtbot.addWidget(panel)
    told = (Reason("models_more_packagers", {"count": 40}), Reason("models_hub_network"))
    panel.show()
    panel.show_listing(replace(example_listing(), notes=told))
    assert panel.more.text().startswith("40 more packagers")
    assert panel.more.isVisible()
    assert "40" not in panel.notice.text.text()
    panel.show_listing(replace(example_listing(), notes=told[:1]))
    assert not panel.notice.isVisible()
    bridge.close()
