"""Everything under OPENSHELF_HOME, or in the platform's own places."""

from __future__ import annotations

from pathlib import Path

from openshelf import paths


def test_one_variable_moves_everything(tmp_path: Path) -> None:
    found = paths.find_paths({"OPENSHELF_HOME": str(tmp_path)})
    for place in (found.config, found.data, found.cache, found.logs, found.models):
        assert place.is_relative_to(tmp_path)
    assert found.models == tmp_path / "models"
    assert list(tmp_path.iterdir()) == [], "looking a place up must not create it"


def test_models_lie_where_the_hub_client_looks() -> None:
    assert paths.find_paths({"HF_HUB_CACHE": "/a"}).models == Path("/a")
    assert paths.find_paths({"HF_HOME": "/b"}).models == Path("/b/hub")
    assert paths.find_paths({"XDG_CACHE_HOME": "/c"}).models == Path("/c/huggingface/hub")
    assert paths.find_paths({}).models == Path.home() / ".cache/huggingface/hub"


def test_resources_and_license_are_found_in_a_checkout() -> None:
    assert (paths.resources() / "catalog").is_dir()
    assert "Apache License" in paths.apache_license_text().read_text(encoding="utf-8")


def test_the_home_of_nobody_is_a_name_like_any_other() -> None:
    assert paths.written_path("~") == Path.home()
    assert paths.written_path("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
