"""What people write and paste, and what may become a file of ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf.errors import OpenshelfError, UnsafeName, UsageError
from openshelf.hub.names import check_path, is_repo_id, safe_join
from openshelf.hub.targets import TargetKind, parse_target


@pytest.mark.parametrize(
    ("text", "repo", "quant", "file"),
    [
        ("ada/Small-GGUF", "ada/Small-GGUF", None, None),
        ("ada/Small-GGUF:Q4_K_M", "ada/Small-GGUF", "Q4_K_M", None),
        ("ada/Small-GGUF:latest", "ada/Small-GGUF", None, None),
        ("ada/Small-GGUF/x.gguf", "ada/Small-GGUF", None, "x.gguf"),
        ("ada/Small-GGUF/Q4/x.gguf", "ada/Small-GGUF", None, "Q4/x.gguf"),
        ("hf:ada/Small:Q8_0", "ada/Small", "Q8_0", None),
        ("hf://ada/Small", "ada/Small", None, None),
        ("hf.co/ada/Small:Q4_0", "ada/Small", "Q4_0", None),
        ("https://huggingface.co/ada/Small", "ada/Small", None, None),
        ("https://huggingface.co/ada/Small/tree/main", "ada/Small", None, None),
        ("https://huggingface.co/ada/Small/blob/main/a/x.gguf", "ada/Small", None, "a/x.gguf"),
        (
            "https://huggingface.co/ada/Small/resolve/main/x.gguf?download=true",
            "ada/Small", None, "x.gguf",
        ),
        ("https://huggingface.co/ada/Small?show_file_info=x.gguf", "ada/Small", None, "x.gguf"),
        ("http://127.0.0.1:5/ada/Small", "ada/Small", None, None),
        ("llama-server -hf ada/Small:Q4_0 -c 8192", "ada/Small", "Q4_0", None),
        ("ollama run hf.co/ada/Small:Q4_0", "ada/Small", "Q4_0", None),
        ("  ada/Small\n", "ada/Small", None, None),
        ("./llama-server -hf ada/Small:Q4_0", "ada/Small", "Q4_0", None),
        ("/opt/llama/llama-server -hf ada/Small:Q4_0 --port 80", "ada/Small", "Q4_0", None),
        ("C:\\llama\\llama-server.exe -hf ada/Small:Q4_0", "ada/Small", "Q4_0", None),
        ("$ llama-server \\\n  -hf ada/Small:Q4_0 \\\n  -c 0", "ada/Small", "Q4_0", None),
        ("llama-cli --hf-repo=ada/Small:Q4_0", "ada/Small", "Q4_0", None),
        ("llama-server -hf ada/Small -hff a/x-Q8_0.gguf", "ada/Small", None, "a/x-Q8_0.gguf"),
        ("llama-server --hf-repo ada/Small --hf-file x.gguf -c 0", "ada/Small", None, "x.gguf"),
        ("docker run -v m:/m ghcr.io/g/l:server -hf ada/Small:Q4_0", "ada/Small", "Q4_0", None),
        ("docker model run hf.co/ada/Small:Q4_0", "ada/Small", "Q4_0", None),
        ("ollama run huggingface.co/ada/Small:UD-Q4_K_XL", "ada/Small", "UD-Q4_K_XL", None),
        ("ollama run hf.co/ada/Small", "ada/Small", None, None),
        ("ollama pull hf.co/ada/Small:q4_0 --insecure", "ada/Small", "q4_0", None),
        ("hf download ada/Small x.gguf --local-dir .", "ada/Small", None, "x.gguf"),
        ("huggingface-cli download ada/Small --include '*Q4*'", "ada/Small", None, None),
        ("`ada/Small:Q4_0`", "ada/Small", "Q4_0", None),
        ("<https://hf.co/ada/Small>", "ada/Small", None, None),
        ("https://hf.co/ada/Small:Q4_0", "ada/Small", "Q4_0", None),
        ("hf.co/ada/Small/blob/main/x.gguf", "ada/Small", None, "x.gguf"),
        ("https://huggingface.co/ada/Small/tree/main/Q4_K_M", "ada/Small", None, None),
        ("https://huggingface.co/ada/Small?local-app=llama.cpp#top", "ada/Small", None, None),
        ("https://huggingface.co/ada/Small/discussions/3", "ada/Small", None, None),
    ],
)  # fmt: skip
def test_hub_targets(text: str, repo: str, quant: str | None, file: str | None) -> None:
    target = parse_target(text, endpoint_host="127.0.0.1:5")
    assert target.kind is TargetKind.HUB
    assert (target.repo, target.quant, target.file) == (repo, quant, file)


def test_revision_of_an_address_is_kept() -> None:
    address = f"https://huggingface.co/ada/Small/blob/{'a' * 40}/x.gguf"
    assert parse_target(address).revision == "a" * 40
    assert parse_target(address).is_forced


@pytest.mark.parametrize(
    "text",
    [
        "./x.gguf",
        "/tmp/O'Neil a=b/my x.gguf",
        "/tmp/x.gguf",
        "~/x.gguf",
        "C:\\x.gguf",
        "c:/x.gguf",
        "../a/b.gguf",
        "x.gguf",
    ],
)
def test_paths(text: str) -> None:
    target = parse_target(text)
    assert target.kind is TargetKind.PATH
    assert target.path is not None
    assert "~" not in str(target.path)


@pytest.mark.parametrize("text", ["SmolLM2", "ada/Small@12345678:Small-Q4_K_M", "local@1234:x"])
def test_installed(text: str) -> None:
    assert parse_target(text).kind is TargetKind.INSTALLED


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "a\0b/c", "ada/", "/".join("abc"), "hf:x", "ada/../etc", "ada/Small:", "a/b:c d",
        "https://example.org/a/b", "https://huggingface.co/", "https://huggingface.co/datasets/a/b",
        "ada/Small/readme.md", "javascript://x/y/z", "rm -rf /", "http://[", "x" * 3000,
        "ada/Small:Q4/../../x", "ollama run ada/Small:8b", "ollama run evil.example/ada/Small",
        "llama-server -hf", "hf download --help x/y", "llama-server -hf 'ada/Small",
        "run ada/Small", "llama-server -hf ada/Small -hff ../../x", "llama-server -hf ../../x",
        "https://huggingface.co@evil.example/a/b", "a--b/c",
    ],
)  # fmt: skip
def test_nonsense(text: str) -> None:
    if text == "ada/Small:":
        assert parse_target(text).quant is None
        return
    with pytest.raises(UsageError):
        parse_target(text)


@given(st.text(max_size=80))
def test_anything_is_understood_or_refused(text: str) -> None:
    try:
        target = parse_target(text)
    except UsageError:
        return
    if target.kind is TargetKind.HUB:
        assert is_repo_id(target.repo)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["..", ".", "", "a", "C:", "~", "nul"])).map("/".join)
)
def test_no_name_leads_out_of_its_folder(text: str) -> None:
    folder = Path("/library/snapshots/x")
    try:
        joined = safe_join(folder, text)
    except UnsafeName:
        return
    assert os.path.normpath(joined) == str(joined)
    assert folder in joined.parents


def test_ordinary_names_are_fine() -> None:
    for path in ("x.gguf", "Q4/x-00001-of-00002.gguf", "模型-Q4_K_M.gguf", "نموذج.gguf", ".hidden"):
        assert str(check_path(path)) == path


def test_errors_show_the_name() -> None:
    with pytest.raises(OpenshelfError, match="evil"):
        check_path("../evil")


@pytest.mark.parametrize(
    "text",
    [
        "llama-server -hf ada/Small-GGUF:Q4_K_M --hf-token hf_abcdefghijklmnop",
        "llama-server -hf ada/Small-GGUF:Q4_K_M --hf-token=s3cret",
        "https://ada:s3cret@huggingface.co/ada/Small-GGUF",
        "https://huggingface.co/ada/Small-GGUF?token=s3cret&x=1",
        "HF_TOKEN=hf_abcdefghijklmnop llama-server -hf ada/Small-GGUF",
    ],
)
def test_what_is_kept_of_a_pasted_line_is_no_secret(text: str) -> None:
    """The text goes into the list of downloads and the log of acceptances."""
    target = parse_target(text)
    assert target.repo == "ada/Small-GGUF"
    assert "s3cret" not in repr(target)
    assert "hf_abc" not in repr(target)
