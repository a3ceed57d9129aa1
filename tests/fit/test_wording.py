"""Every code that fit can emit has a sentence, and every sentence has a code."""

from __future__ import annotations

import re
from pathlib import Path

from openshelf import fit
from openshelf.fit.memory import FitRequest
from openshelf.fit.verdict import fit_on
from openshelf.wording import sentence
from openshelf.wording.fit import TEMPLATES
from openshelf.wording.words import TEMPLATES as WORDS
from tests.fit.machines import DESKTOP, INDEX, LAPTOP, MAC, SMALL, shape_of


def test_codes_and_sentences_match() -> None:
    source = "".join(
        path.read_text("utf-8") for folder in fit.__path__ for path in Path(folder).glob("*.py")
    )
    refused = {name.removeprefix("BadWords.") for name in WORDS}
    assert set(re.findall(r'"((?:fit|rank)_[a-z_]+)"', source)) - refused == set(TEMPLATES)


def test_sentences_are_filled() -> None:
    for model in INDEX:
        for on in (SMALL, LAPTOP, DESKTOP, MAC):
            result = fit_on(shape_of(model), on, FitRequest())
            for reason in (*result.reasons, *result.remedies):
                text = sentence(reason)
                assert "?" not in text
                assert "{" not in text
