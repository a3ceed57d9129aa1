"""What the table of builds says of a packager, its date and its recipe."""

from __future__ import annotations

from dataclasses import replace

from openshelf.ui.models import model_words
from tests.fakes.example_models import example_listing


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
