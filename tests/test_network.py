"""The one door: what the environment says, what offline closes, where tokens and proxies go."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openshelf import wording
from openshelf.errors import BadFile, Offline, UsageError
from openshelf.network import (
    DEFAULT_ENDPOINT,
    EgressLog,
    NetworkOptions,
    NetworkWishes,
    check_endpoint,
    host_of,
    hub_environment,
    is_loopback,
    leaves_https,
    open_pool,
    options_from,
    origin_of,
    proxy_for,
    require_online,
    trusted_certificates,
)

TOKEN = "hf_abcdefghijklmnop"
STORED = {"https://m.example": "own", DEFAULT_ENDPOINT: "stored"}


def test_nothing_said() -> None:
    options = options_from({})
    assert options == NetworkOptions()
    assert (options.endpoint, options.offline, options.token) == (DEFAULT_ENDPOINT, False, None)


def test_environment_wins_over_settings() -> None:
    wishes = NetworkWishes(endpoint="https://mirror.example", ca_file="/ca.pem", bytes_per_second=9)
    options = options_from({"HF_ENDPOINT": "https://other.example/"}, wishes)
    assert options.endpoint == "https://other.example"
    assert (options.ca_file, options.bytes_per_second) == ("/ca.pem", 9)
    assert options_from({}, wishes).endpoint == "https://mirror.example"


@pytest.mark.parametrize(
    ("environment", "wishes", "token"),
    [
        ({"HF_TOKEN": f" {TOKEN}\n"}, NetworkWishes(), TOKEN),
        ({"HF_TOKEN": TOKEN, "HF_ENDPOINT": DEFAULT_ENDPOINT + "/"}, NetworkWishes(), TOKEN),
        ({"HF_TOKEN": TOKEN, "HF_ENDPOINT": "https://m.example"}, NetworkWishes(), None),
        ({"HF_TOKEN": TOKEN}, NetworkWishes(endpoint="https://m.example"), None),
        ({}, NetworkWishes(endpoint="https://m.example", token_for=STORED.get), "own"),
        ({"HF_TOKEN": TOKEN}, NetworkWishes(token_for=STORED.get), TOKEN),
        ({}, NetworkWishes(token_for=STORED.get), "stored"),
        (
            {"HF_ENDPOINT": "https://other.example"},
            NetworkWishes(endpoint="https://m.example", token_for=STORED.get),
            None,
        ),
        ({"HF_ENDPOINT": "https://m.example/"}, NetworkWishes(token_for=STORED.get), "own"),
        ({"HF_TOKEN": "  "}, NetworkWishes(), None),
    ],
)
def test_token_belongs_to_one_host(
    environment: dict[str, str], wishes: NetworkWishes, token: str | None
) -> None:
    options = options_from(environment, wishes)
    assert options.token == token
    assert TOKEN not in repr(options)


@pytest.mark.parametrize("value", ["1", "true", "ON", "Yes"])
def test_offline_from_the_environment(value: str) -> None:
    assert options_from({"HF_HUB_OFFLINE": value}).offline
    assert not options_from({"HF_HUB_OFFLINE": "0"}).offline


def test_proxy_by_scheme_of_the_endpoint() -> None:
    environment = {"HTTPS_PROXY": "http://s:1", "http_proxy": "http://p:2", "NO_PROXY": "a, .b.c"}
    options = options_from(environment)
    assert (options.proxy, options.no_proxy) == ("http://s:1", ("a", ".b.c"))
    assert options_from({**environment, "HF_ENDPOINT": "http://h"}).proxy == "http://p:2"
    assert options_from({"ALL_PROXY": "http://all:3"}).proxy == "http://all:3"


@pytest.mark.parametrize(
    ("url", "through"),
    [
        ("https://huggingface.co/x", True),
        ("https://cdn.example.org", False),
        ("https://example.org", False),
        ("https://notexample.org", True),
        ("https://port.example:8443", False),
        ("https://port.example", True),
        ("http://127.0.0.1:8000", False),
        ("http://localhost", False),
        ("http://[::1]:80", False),
    ],
)
def test_who_goes_through_the_proxy(url: str, through: bool) -> None:
    options = NetworkOptions(proxy="proxy:3128", no_proxy=(".example.org", "port.example:8443"))
    assert proxy_for(options, url) == ("http://proxy:3128" if through else None)
    assert proxy_for(NetworkOptions(proxy="proxy:1", no_proxy=("*",)), url) is None
    assert proxy_for(NetworkOptions(), url) is None


@pytest.mark.parametrize("host", ["huggingface.co", "192.168.1.5", "10.0.0.1:8000", "fe80::1", "x"])
def test_offline_closes_everything_but_loopback(host: str) -> None:
    require_online(NetworkOptions(), host)
    with pytest.raises(Offline) as error:
        require_online(NetworkOptions(offline=True), host)
    assert error.value.host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST.", "::1"])
def test_offline_leaves_loopback(host: str) -> None:
    require_online(NetworkOptions(offline=True), host)


@given(st.text(max_size=40))
def test_names_are_never_taken_for_loopback_by_chance(name: str) -> None:
    if is_loopback(name):
        plain = name.strip("[]").rstrip(".").lower()
        assert plain == "localhost" or plain.startswith(("127.", "::1", "0:", "00", "::ffff:127"))


def test_origin_tells_ports_apart() -> None:
    assert origin_of("https://a.b/x") == origin_of("https://A.B:443/y")
    assert origin_of("http://a.b") != origin_of("https://a.b")
    assert origin_of("http://127.0.0.1:1") != origin_of("http://127.0.0.1:2")
    assert host_of("https://a.b:443/x?secret") == "a.b"
    assert host_of("http://a.b:8080/x") == "a.b:8080"
    assert host_of("http://a.b:port/") == "http://a.b:port/"


@pytest.mark.parametrize(
    "endpoint",
    ["", "huggingface.co", "ftp://a", "https://", "https://a:b@c", "http://[", "file:///"],
)
def test_endpoints_that_cannot_be_one(endpoint: str) -> None:
    with pytest.raises(UsageError):
        check_endpoint(NetworkOptions(endpoint=endpoint))


def test_who_leaves_https() -> None:
    assert leaves_https("https://hub", "HTTP://hub")
    assert leaves_https("https://hub", "http://hub")
    assert not leaves_https("https://hub", "HTTPS://cdn")
    assert not leaves_https("http://mirror.lan", "https://cdn")
    assert not leaves_https("http://mirror.lan", "http://cdn.lan")


def test_library_is_told_to_be_quiet() -> None:
    values = hub_environment(NetworkOptions(endpoint="https://m.example"))
    for name in ("TELEMETRY", "XET", "IMPLICIT_TOKEN", "UPDATE_CHECK"):
        assert values[f"HF_HUB_DISABLE_{name}"] == "1"
    assert values["HF_ENDPOINT"] == "https://m.example"


def test_pool_refuses_offline_before_anything_else() -> None:
    pool = open_pool(NetworkOptions(offline=True))
    with pytest.raises(Offline):
        pool.get("https://cas-bridge.example/file", {})
    pool.close()


def test_own_ca_that_cannot_be_used(tmp_path: Path) -> None:
    for name in ("missing.pem", "bad.pem"):
        (tmp_path / "bad.pem").write_text("not a certificate")
        with pytest.raises(BadFile, match="ca_file"):
            trusted_certificates(NetworkOptions(ca_file=str(tmp_path / name)))


def test_egress_log_forgets_the_oldest() -> None:
    log = EgressLog(keep=2)
    for number in range(3):
        log.record("host", "download", number)
    assert [entry.received_bytes for entry in log.entries()] == [1, 2]


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://ada:s3cret@127.0.0.1:9050", "socks5h://ada:s3cret@h:1", "ftp://h", "://::://",
        "http://ada:s3cret@h:99999", "http://ada:s3cret@", "http://a\x01b:80", "http://h:0", "http://",
        "ada:s3cret#1@h:99999", "http://ada:s3cret/1@h:80",
    ],
)  # fmt: skip
def test_a_proxy_that_cannot_be_used_is_said_without_its_login(proxy: str) -> None:
    options = NetworkOptions(proxy=proxy)
    assert proxy_for(options, "http://127.0.0.1:1/") is None, "loopback needs none"
    with pytest.raises(UsageError) as error:
        proxy_for(options, "https://huggingface.co/")
    assert "HTTPS_PROXY" in wording.error_sentence(error.value)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://ada:s3cret@hub", "https://ada:s3cret@hub:99999", "ftp://ada:s3cret@hub",
        "https://ada:s3cret#@hub", "https://ada:s3cret/1@hub", "ada:s3cret@hub",
    ],
)  # fmt: skip
def test_an_address_is_said_without_its_login(endpoint: str) -> None:
    with pytest.raises(UsageError) as error:
        check_endpoint(NetworkOptions(endpoint=endpoint))
    assert "s3cret" not in str(error.value)
    assert "hub" in wording.error_sentence(error.value)


@pytest.mark.parametrize("token", ["hf_abcdefgh\r\nX-Evil: 1", "hf_abc\u20ac", "hf_a\x01b"])
def test_a_token_that_is_none_is_said_and_not_shown(token: str) -> None:
    with pytest.raises(UsageError) as error:
        check_endpoint(NetworkOptions(token=token))
    assert "HF_TOKEN" in wording.error_sentence(error.value)
    assert token not in str(error.value)
