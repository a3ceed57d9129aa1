"""Logs hold neither tokens nor the person's folder."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from openshelf.logs import redact, set_up_logging


@pytest.mark.parametrize(
    "secret",
    [
        "hf_AbCdEfGhIjKlMnOp",
        "Bearer abc.def-ghi",
        "token=supersecret",
        "access_token: supersecret",
        "authorization: Basic xyz",
        "{'authorization': 'Bearer abc.def-ghi'}",
    ],
)
def test_tokens_are_redacted(secret: str) -> None:
    written = redact(f"request with {secret} failed")
    assert "[redacted]" in written
    for part in ("AbCdEf", "abc.def", "supersecret", "xyz"):
        assert part not in written


def test_home_folder_becomes_a_tilde() -> None:
    assert redact(f"open {Path.home() / 'models' / 'x'}") == f"open {Path('~') / 'models' / 'x'}"


@pytest.fixture
def openshelf_logger():
    logger = logging.getLogger("openshelf")
    before = (list(logger.handlers), logger.propagate, logger.level)
    yield logger
    for handler in logger.handlers:
        handler.close()
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


def test_log_file_is_written_redacted(tmp_path: Path, openshelf_logger: logging.Logger) -> None:
    set_up_logging(tmp_path / "logs")
    openshelf_logger.info("with hf_AbCdEfGhIjKlMnOp")
    for handler in openshelf_logger.handlers:
        handler.flush()
    text = (tmp_path / "logs" / "openshelf.log").read_text(encoding="utf-8")
    assert "with [redacted]" in text


def test_folder_that_cannot_be_made_is_no_reason_not_to_start(
    tmp_path: Path, openshelf_logger: logging.Logger
) -> None:
    (tmp_path / "file").write_text("in the way")
    set_up_logging(tmp_path / "file" / "logs")
    openshelf_logger.info("still alive")
