"""Access tokens: kept for one Hub, in the keychain or in a private file, and sent nowhere else."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from openshelf.cli.main import run_command
from openshelf.errors import UnwritableFile, UsageError
from openshelf.hub.client import HubClient
from openshelf.hub.tokens import FILE, KEYCHAIN, SERVER_KEY, TokenStore
from openshelf.keychain import SystemKeychain
from openshelf.network import DEFAULT_ENDPOINT, NetworkWishes, options_from
from openshelf.paths import find_paths
from tests.fakes.hub.loopback import LoopbackHub
from tests.fakes.keychain import FakeKeychain

TOKEN = "hf_abcdefghijklmnop"
MIRROR = "https://mirror.example"


@pytest.fixture
def keychain() -> FakeKeychain:
    return FakeKeychain()


@pytest.fixture
def store(tmp_path: Path, keychain: FakeKeychain) -> TokenStore:
    return TokenStore(tmp_path / "config" / "tokens.json", keychain)


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "config" / "tokens.json"


def test_a_token_lies_in_the_keychain_and_nowhere_else(
    store: TokenStore, keychain: FakeKeychain, tmp_path: Path
) -> None:
    assert store.store(DEFAULT_ENDPOINT, f"  {TOKEN}\n").place == KEYCHAIN
    assert list(keychain.secrets.values()) == [TOKEN]
    assert TOKEN not in file_of(tmp_path).read_text("utf-8")
    assert store.token_for(DEFAULT_ENDPOINT) == TOKEN
    assert TOKEN not in repr(store.stored())
    assert store.forget(DEFAULT_ENDPOINT)
    assert (store.token_for(DEFAULT_ENDPOINT), keychain.secrets, store.stored()) == (None, {}, ())
    assert not store.forget(DEFAULT_ENDPOINT)


def test_a_servers_key_of_the_same_origin_is_another_secret(
    store: TokenStore, keychain: FakeKeychain, tmp_path: Path
) -> None:
    keys = TokenStore(tmp_path / "config" / "server_keys.json", keychain, SERVER_KEY)
    store.store(MIRROR, TOKEN)
    keys.store(f"{MIRROR}:443", "sk-server")
    assert (store.token_for(MIRROR), keys.token_for(f"{MIRROR}/v1")) == (TOKEN, "sk-server")
    assert keys.place_of(MIRROR) == (KEYCHAIN, "")
    assert sorted(keychain.secrets) == [f"access token for {MIRROR}", f"server key for {MIRROR}"]
    keychain.is_open = False
    keys.store("http://gpu:8000", "sk-other")
    assert keys.place_of("http://gpu:8000") == (FILE, str(tmp_path / "config/server_keys.json"))
    keychain.is_open = True
    assert keys.forget(MIRROR)
    assert (keys.place_of(MIRROR), store.token_for(MIRROR)) == (None, TOKEN)


def test_without_a_keychain_it_lies_in_a_private_file(
    store: TokenStore, keychain: FakeKeychain, tmp_path: Path
) -> None:
    keychain.is_open = False
    stored = store.store(DEFAULT_ENDPOINT, TOKEN)
    assert (stored.place, stored.path) == (FILE, str(file_of(tmp_path)))
    if os.name == "posix":
        assert stat.S_IMODE(file_of(tmp_path).stat().st_mode) == 0o600
    assert TokenStore(file_of(tmp_path), keychain).token_for(DEFAULT_ENDPOINT) == TOKEN
    assert store.forget(DEFAULT_ENDPOINT)
    assert TOKEN not in file_of(tmp_path).read_text("utf-8")


@pytest.mark.parametrize(
    "other",
    [
        "http://huggingface.co", "https://huggingface.co:8443", "https://huggingface.co.evil.example",
        "https://evil.example/huggingface.co", "https://hf.co", MIRROR, "nonsense://", "",
    ],
)  # fmt: skip
def test_it_belongs_to_one_origin(store: TokenStore, other: str) -> None:
    store.store(DEFAULT_ENDPOINT, TOKEN)
    assert store.token_for(other) is None
    for same in ("https://huggingface.co/", "HTTPS://HuggingFace.co:443", "huggingface.co"):
        assert store.token_for(same) == TOKEN


def test_a_keychain_without_anything_of_ours_is_not_asked(
    store: TokenStore, keychain: FakeKeychain
) -> None:
    for _ in range(3):
        assert store.token_for(DEFAULT_ENDPOINT) is None
    assert keychain.asked == 0
    store.store(DEFAULT_ENDPOINT, TOKEN)
    other = TokenStore(store._path, keychain)
    for _ in range(3):
        assert other.token_for(DEFAULT_ENDPOINT) == TOKEN
    assert keychain.asked == 1


def test_another_process_logs_in_and_out(store: TokenStore, keychain: FakeKeychain) -> None:
    assert store.token_for(DEFAULT_ENDPOINT) is None
    other = TokenStore(store._path, keychain)
    other.store(DEFAULT_ENDPOINT, TOKEN)
    assert store.token_for(DEFAULT_ENDPOINT) == TOKEN
    other.forget(DEFAULT_ENDPOINT)
    assert store.token_for(DEFAULT_ENDPOINT) is None


def test_one_hub_does_not_change_another(store: TokenStore) -> None:
    store.store(DEFAULT_ENDPOINT, TOKEN)
    store.store(MIRROR, "own")
    assert [stored.endpoint for stored in store.stored()] == [DEFAULT_ENDPOINT, MIRROR]
    store.forget(DEFAULT_ENDPOINT)
    assert store.token_for(MIRROR) == "own"


@pytest.mark.parametrize("token", ["", " \n", "two words", "a\nb", "x" * 1001, "tök", "a\x1b[0m"])
def test_what_is_no_token_is_refused(store: TokenStore, token: str) -> None:
    with pytest.raises(UsageError) as caught:
        store.store(DEFAULT_ENDPOINT, token)
    assert not token.strip() or token.strip() not in caught.value.detail
    assert store.stored() == ()


@pytest.mark.parametrize(
    "endpoint", ["ftp://x", "https://", "https://a:b@c.example", "https://x:y"]
)
def test_what_is_no_hub_is_refused(store: TokenStore, endpoint: str) -> None:
    with pytest.raises(UsageError):
        store.store(endpoint, TOKEN)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"https://huggingface.co": 3}', "null"])
def test_a_broken_file_holds_no_token(store: TokenStore, tmp_path: Path, content: str) -> None:
    file_of(tmp_path).parent.mkdir()
    file_of(tmp_path).write_text(content, "utf-8")
    assert store.token_for(DEFAULT_ENDPOINT) is None
    store.store(DEFAULT_ENDPOINT, TOKEN)
    assert store.token_for(DEFAULT_ENDPOINT) == TOKEN


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, keychain: FakeKeychain) -> None:
    (tmp_path / "config").write_text("in the way")
    with pytest.raises(UnwritableFile):
        TokenStore(file_of(tmp_path), keychain).store(DEFAULT_ENDPOINT, TOKEN)


def test_unencrypted_is_said(store: TokenStore) -> None:
    assert store.store("http://mirror.example", TOKEN).is_plain_http
    assert not store.store("http://127.0.0.1:80", TOKEN).is_plain_http


class Broken(KeyringBackend):
    """A backend that raises something of its own, with the secret in it."""

    priority = 1

    def get_password(self, service: str, username: str) -> str:
        raise RuntimeError(f"locked {service}")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise LookupError(password)

    def delete_password(self, service: str, username: str) -> None:
        raise RuntimeError("locked")


class InMemory(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


def test_the_systems_keychain(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "openshelf")
    chain = SystemKeychain()
    assert not chain.put("x", TOKEN), "the null backend takes everything and keeps nothing"
    monkeypatch.setattr("keyring.core._keyring_backend", InMemory())
    assert chain.put("x", TOKEN)
    assert chain.get("x") == keyring.get_password("Openshelf", "x") == TOKEN
    assert chain.forget("x")
    assert (chain.forget("x"), chain.get("x")) == (False, None)
    monkeypatch.setattr("keyring.core._keyring_backend", Broken())
    assert (chain.put("x", TOKEN), chain.get("x"), chain.forget("x")) == (False, None, False)
    assert "LookupError" in caplog.text
    assert TOKEN not in caplog.text


def test_it_is_sent_to_its_own_hub_alone(store: TokenStore) -> None:
    """What a mirror would learn: nothing."""
    with LoopbackHub() as hub, LoopbackHub() as mirror:
        for one in (hub, mirror):
            one.tokens.add(TOKEN)
            one.add_repo("a/m-GGUF", {"m-Q4_0.gguf": b"GGUF"}, gated="auto", access={TOKEN})
        store.store(hub.endpoint, TOKEN)
        for one, expected in ((hub, f"Bearer {TOKEN}"), (mirror, None)):
            environment = {"HF_ENDPOINT": one.endpoint}
            options = options_from(environment, NetworkWishes(token_for=store.token_for))
            assert TOKEN not in repr(options)
            client = HubClient(options)
            client.repo("a/m-GGUF")
            client.close()
            assert one.requests[-1].header("authorization") == expected
            assert not any(TOKEN in request.path for request in one.requests)


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_login_and_logout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, f"{TOKEN}\n")
    assert run_command(["login", "--endpoint", MIRROR, "--json"]) == 0
    answer = capsys.readouterr()
    assert json.loads(answer.out) == {
        "endpoint": MIRROR, "stored_in": "file", "path": str(find_paths().tokens_file)
    }  # fmt: skip
    assert "no keychain" in answer.err
    assert TOKEN not in answer.out + answer.err
    assert not any(TOKEN in path.read_text("utf-8") for path in find_paths().logs.rglob("*"))

    typed(monkeypatch, "two words\n")
    assert run_command(["login", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"
    for removed in (True, False):
        assert run_command(["logout", "--endpoint", MIRROR, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"endpoint": MIRROR, "removed": removed}


def test_a_stored_token_opens_a_private_repository(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with LoopbackHub() as hub:
        hub.tokens.add(TOKEN)
        files = {"m-Q4_0.gguf": b"GGUF"}
        hub.add_repo("a/m-GGUF", files, private=True, access={TOKEN}, card={"license": "mit"})
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        assert run_command(["license", "a/m-GGUF", "--json"]) == 4
        typed(monkeypatch, f"{TOKEN}\n")
        assert run_command(["login"]) == 0
        capsys.readouterr()
        assert run_command(["license", "a/m-GGUF", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["effective"] == ["mit"]
