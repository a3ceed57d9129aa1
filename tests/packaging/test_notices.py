"""The third-party notices name everything the app is built on."""

from __future__ import annotations

from types import ModuleType


def test_direct_and_indirect_parts_are_named(notices: ModuleType) -> None:
    text = notices.third_party_notices()
    for name in ("PySide6_Essentials 6.11", "llama_cpp_python 0.3.36", "numpy ", "httpx2 "):
        assert f"\n{name}" in text
    assert "LGPL-3.0-only" in text
    assert "Permission is hereby granted" in text  # a whole MIT text
    assert "pytest" not in text.lower()
