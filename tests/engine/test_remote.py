"""A model on a server, against a fake one on loopback: what is asked, what is made of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from openshelf import wording
from openshelf.engine.protocol import ChatMessage, Done, Sampling
from openshelf.engine.remote import RemoteEngine
from openshelf.engine.remote_http import Limits
from openshelf.errors import (
    CancelledByUser,
    ClearanceRefused,
    ContextFull,
    EngineFailed,
    NetworkFailure,
    Offline,
    RateLimited,
    ServerFailed,
)
from openshelf.network import EgressLog, NetworkOptions
from openshelf.tasks import CancelToken
from tests.fakes.model_server import MODEL, FakeModelServer
from tests.fakes.servers import KEY, SHORT, clearance_for_server, remote_engine, server_order

HELLO = (ChatMessage("user", "Hello"),)


@pytest.fixture
def fake() -> Iterator[FakeModelServer]:
    with FakeModelServer() as running:
        yield running


@pytest.fixture
def loaded(fake: FakeModelServer) -> RemoteEngine:
    engine = remote_engine()
    load(engine, fake)
    return engine


def load(engine: RemoteEngine, fake: FakeModelServer) -> None:
    order = server_order(fake.address)
    engine.load(clearance_for_server(order), order, CancelToken())


def ask(
    engine: RemoteEngine,
    messages: tuple[ChatMessage, ...] = HELLO,
    sampling: Sampling | None = None,
) -> tuple[str, Done]:
    parts: list[str] = []
    done = engine.chat(
        messages, sampling or Sampling(), CancelToken(), lambda text, count: parts.append(text)
    )
    return "".join(parts), done


def test_an_answer_with_its_figures(loaded: RemoteEngine) -> None:
    text, done = ask(loaded)
    assert text == "Hello there, friend."
    assert (done.finish_reason, done.template) == ("stop", "server")
    assert (done.prompt_tokens, done.completion_tokens, done.cached_tokens) == (30, 5, 10)
    assert done.first_token_seconds > 0


def test_what_is_sent(loaded: RemoteEngine, fake: FakeModelServer) -> None:
    ask(loaded)
    (chat,) = fake.chats()
    assert chat.body == {
        "model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": True,
        "stream_options": {"include_usage": True}, "temperature": 0.7, "top_p": 0.95,
        "max_tokens": 1024,
    }  # fmt: skip
    assert chat.key is None
    assert chat.headers["accept-encoding"] == "identity"
    changed = Sampling(top_k=5, min_p=0.2, repeat_penalty=1.1, seed=7, stop=("x",))
    ask(loaded, (*HELLO, ChatMessage("assistant", "Well")), changed)
    body = fake.chats()[-1].body
    assert (body["top_k"], body["min_p"], body["seed"], body["stop"]) == (5, 0.2, 7, ["x"])
    assert body["repeat_penalty"] == body["repetition_penalty"] == 1.1
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_stand_between_their_marks(
    name: str, loaded: RemoteEngine, fake: FakeModelServer
) -> None:
    fake.reasoning, fake.reasoning_name = ["Hm", "m."], name
    text, _ = ask(loaded)
    assert text == "<think>\nHmm.\n</think>\n\nHello there, friend."
    ask(loaded, (*HELLO, ChatMessage("assistant", text), *HELLO))
    assert fake.chats()[-1].body["messages"][1]["content"] == "Hello there, friend."
    ask(loaded, (*HELLO, ChatMessage("assistant", text)))
    assert fake.chats()[-1].body["messages"][1]["content"] == text, "what is gone on with stays"


def test_a_server_that_knows_no_stream_options(loaded: RemoteEngine, fake: FakeModelServer) -> None:
    fake.error_body = {"detail": "Extra inputs are not permitted: stream_options"}
    fake.fail("status:422")
    text, done = ask(loaded)
    assert text == "Hello there, friend."
    assert (done.prompt_tokens, done.completion_tokens) == (0, 0), "nobody counted"
    assert "stream_options" not in fake.chats()[-1].body


def test_no_usage_no_speed(loaded: RemoteEngine, fake: FakeModelServer) -> None:
    fake.usage = None
    _, done = ask(loaded)
    assert (done.prompt_tokens, done.completion_tokens) == (0, 0)
    assert (done.prefill_tokens_per_second, done.decode_tokens_per_second) == (0.0, 0.0)
    fake.usage = {"prompt_tokens": -1, "completion_tokens": "5"}
    assert ask(loaded)[1].prompt_tokens == 0


def test_the_end_without_its_mark(loaded: RemoteEngine, fake: FakeModelServer) -> None:
    fake.fail("no_done")
    assert ask(loaded)[1].finish_reason == "stop"
    fake.fail("length")
    assert ask(loaded)[1].finish_reason == "length"


def test_context_told_assumed_and_from_the_meta_data(fake: FakeModelServer) -> None:
    engine, order = remote_engine(), server_order(fake.address)
    for entry, length, source in (
        ({"max_model_len": 4096}, 4096, "told"),
        ({"meta": {"n_ctx": 512, "n_ctx_train": 8192}}, 512, "told"),
        ({"max_model_len": -5}, 2048, "assumed"),
        ({"max_model_len": "4096", "meta": []}, 2048, "assumed"),
    ):
        fake.models = [{"id": MODEL, **entry}]
        loaded = engine.load(clearance_for_server(order), order, CancelToken())
        assert (loaded.context_length, loaded.source) == (length, source)


def test_a_list_of_anything(fake: FakeModelServer) -> None:
    bad = [None, 7, {}, {"id": None}, {"id": ""}, {"id": "a\nb"}, {"id": "x" * 300}, {"id": " a"}]
    fake.models = [*bad, {"id": "good", "aliases": ["other", 3], "owned_by": None}]
    engine = remote_engine()
    server = server_order(fake.address).server
    (found,) = engine.models(server, CancelToken())
    assert (found.id, found.aliases) == ("good", ("other",))
    fake.models = [{"id": f"m{number}"} for number in range(2000)]
    assert len(engine.models(server, CancelToken())) == 500


def test_ollamas_latest_and_an_alias(fake: FakeModelServer) -> None:
    engine = remote_engine()
    fake.models = [{"id": "llama3:latest", "aliases": ["big"]}]
    for name in ("llama3", "llama3:latest", "big"):
        assert engine.probe(server_order(fake.address, name), CancelToken()).name == "llama3:latest"
    with pytest.raises(ServerFailed) as caught:
        engine.probe(server_order(fake.address, "llama"), CancelToken())
    assert (caught.value.why, caught.value.detail) == ("no_model", "llama")


def test_tokens_are_counted_where_the_server_counts(
    loaded: RemoteEngine, fake: FakeModelServer
) -> None:
    assert loaded.count_tokens(HELLO, CancelToken()) == 1
    fake.counts = False
    assert loaded.count_tokens(HELLO, CancelToken()) is None


# --- the key ------------------------------------------------------------------------------------


def test_the_key_goes_to_its_server_and_nowhere_else(
    fake: FakeModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    fake.key, egress = KEY, EgressLog()
    with FakeModelServer() as other:
        fake.elsewhere = other.address.removesuffix("/v1")
        engine = remote_engine(KEY, egress)
        load(engine, fake)
        ask(engine)
        assert {request.key for request in fake.requests} == {f"Bearer {KEY}"}
        for stage, act in (("chat", ask), ("models", lambda e: load(e, fake))):
            fake.fail("redirect", stage)
            with pytest.raises(ServerFailed) as caught:
                act(engine)
            assert caught.value.why == "redirected"
            assert caught.value.detail == other.address.split("/")[2]
            load(engine, fake)
        assert other.requests == []
    assert KEY not in caplog.text
    assert KEY not in repr(egress.entries())
    assert all(KEY not in request.path for request in fake.requests)


def test_a_server_that_repeats_the_key(fake: FakeModelServer) -> None:
    fake.key = "another"
    with pytest.raises(ServerFailed) as caught:
        load(remote_engine(KEY), fake)
    assert caught.value.why == "bad_key"
    assert KEY not in str(caught.value)
    assert KEY not in wording.error_sentence(caught.value)
    assert "Bearer •••" in caught.value.detail


# --- clearance, switch, log ---------------------------------------------------------------------


def test_no_clearance_no_request(fake: FakeModelServer) -> None:
    engine, order = remote_engine(), server_order(fake.address)
    right = clearance_for_server(order)
    for slip in (
        replace(right, origin=""),
        replace(right, origin="http://127.0.0.1:1"),
        replace(right, repo="another/model"),
        replace(right, policy_sha256="1" * 64),
    ):
        with pytest.raises(ClearanceRefused):
            engine.load(slip, order, CancelToken())
    assert fake.requests == []
    assert engine.loaded is None


def test_the_switch_closes_the_network_and_not_this_machine(fake: FakeModelServer) -> None:
    options = NetworkOptions(offline=True)
    engine = RemoteEngine(lambda address: options, lambda address: None, None, SHORT)
    load(engine, fake)
    assert ask(engine)[0] == "Hello there, friend."
    order = server_order("http://192.168.1.20:8000/v1")
    with pytest.raises(Offline):
        engine.load(clearance_for_server(order), order, CancelToken())


def test_the_switch_ends_an_answer_that_runs(
    fake: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A name that is this machine's address, and that nobody knows to be.
    monkeypatch.setattr("openshelf.network.is_loopback", lambda host: False)
    switch = threading.Event()
    engine = RemoteEngine(
        lambda address: NetworkOptions(offline=switch.is_set()), lambda address: None, None, SHORT
    )
    load(engine, fake)
    fake.pause_before = 2
    seen: list[str] = []

    def on_tokens(text: str, count: int) -> None:
        seen.append(text)
        if len(seen) == 2:
            switch.set()

    started = time.monotonic()
    with pytest.raises(Offline):
        engine.chat(HELLO, Sampling(), CancelToken(), on_tokens)
    assert time.monotonic() - started < 1.0
    assert "".join(seen) == "Hello there"
    assert fake.gone.wait(5)


def test_what_went_out_is_in_the_log(fake: FakeModelServer) -> None:
    egress = EgressLog()
    engine = remote_engine(None, egress)
    load(engine, fake)
    ask(engine)
    first, second = egress.entries()
    assert (first.purpose, second.purpose) == ("models of a server", "chat with a server")
    assert first.received_bytes > 50
    assert second.received_bytes > 500
    assert first.host == second.host == fake.address.split("/")[2]


# --- stopping -----------------------------------------------------------------------------------


def stopped_while(
    act: Callable[[CancelToken], object],
    fake: FakeModelServer,
    shown: threading.Event | None = None,
) -> float:
    """Seconds from the cancel until `act` returned: once the server holds its answer and what it
    sent before is `shown`. The server must have seen the end as well."""
    cancel = CancelToken()
    at: list[float] = []

    def stop() -> None:
        assert fake.holding.wait(5)
        assert shown is None or shown.wait(5)
        at.append(time.monotonic())
        cancel.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    act(cancel)
    thread.join()
    seconds = time.monotonic() - at[0]
    assert fake.gone.wait(5), "the connection is closed"
    return seconds


PATIENT = Limits(connect=5, first=30, silent=30, short=30)


@pytest.mark.parametrize("where", ["prompt", "tokens"])
def test_stop_during_an_answer(where: str, fake: FakeModelServer) -> None:
    engine = remote_engine(limits=PATIENT)
    load(engine, fake)
    if where == "prompt":
        fake.fail("silence")
    else:
        fake.pause_before = 3
    parts: list[str] = []
    shown = threading.Event()

    def on_tokens(text: str, count: int) -> None:
        parts.append(text)
        if len(parts) == 3:
            shown.set()

    def act(cancel: CancelToken) -> None:
        done = engine.chat(HELLO, Sampling(), cancel, on_tokens)
        assert done.finish_reason == "cancelled"

    assert stopped_while(act, fake, shown if where == "tokens" else None) < 0.5
    assert "".join(parts) == ("" if where == "prompt" else "Hello there,")
    fake.pause_before = None
    assert ask(engine)[0] == "Hello there, friend."


def test_stop_during_the_load(fake: FakeModelServer) -> None:
    engine, order = remote_engine(limits=PATIENT), server_order(fake.address)
    fake.fail("silence", "models")

    def act(cancel: CancelToken) -> None:
        with pytest.raises(CancelledByUser):
            engine.load(clearance_for_server(order), order, cancel)

    assert stopped_while(act, fake) < 0.5
    load(engine, fake)


def test_close_ends_what_runs(fake: FakeModelServer) -> None:
    engine = remote_engine(limits=PATIENT)
    load(engine, fake)
    fake.fail("silence")
    closer = threading.Thread(target=lambda: (fake.holding.wait(5), engine.close()))
    closer.start()
    with pytest.raises(CancelledByUser):
        engine.chat(HELLO, Sampling(), CancelToken(), print)
    closer.join()
    with pytest.raises(EngineFailed, match="closed"):
        ask(engine)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("7", 7.0), ("0.2", 1.0), ("nan", 60.0), ("soon", 60.0), ("999999", 3600.0), ("", 60.0),
     ("Thu, 01 Jan 1970 00:00:00 GMT", 1.0), ("-5", 1.0)],
)  # fmt: skip
def test_asked_to_wait(
    written: str, seconds: float, loaded: RemoteEngine, fake: FakeModelServer
) -> None:
    fake.error_headers = {"Retry-After": written} if written else {}
    fake.fail("status:429")
    with pytest.raises(RateLimited) as caught:
        ask(loaded)
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"type": "exceed_context_size_error", "message": "request exceeds"}},
        {"object": "error", "message": "This model's maximum context length is 4096 tokens."},
        {"error": {"code": "context_length_exceeded"}},
    ],
)
def test_too_long_is_told_apart(
    body: dict[str, object], loaded: RemoteEngine, fake: FakeModelServer
) -> None:
    fake.error_body = body
    fake.fail("status:400")
    with pytest.raises(ContextFull) as caught:
        ask(loaded)
    assert caught.value.why == "said"
    assert loaded.loaded is not None


def test_nobody_listens() -> None:
    with FakeModelServer() as gone:
        address = gone.address
    order = server_order(address)
    with pytest.raises(ServerFailed) as caught:
        remote_engine().load(clearance_for_server(order), order, CancelToken())
    assert caught.value.why == "refused"


def test_a_certificate_that_nobody_vouches_for(fake: FakeModelServer) -> None:
    """Speaking TLS to what speaks none fails as what it is, and no key goes out."""
    order = server_order(fake.address.replace("http:", "https:"))
    with pytest.raises(ServerFailed) as caught:
        remote_engine(KEY).load(clearance_for_server(order), order, CancelToken())
    assert caught.value.why == "tls"
    assert fake.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of an authority of one's own, for 127.0.0.1."""
    x509 = pytest.importorskip("cryptography.x509", reason="comes with the keychain on Linux")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A company's own CA")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("ca") / "own.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_a_ca_of_ones_own_and_a_stop_inside_tls(certificate: Path) -> None:
    with FakeModelServer(certificate) as fake:
        options = NetworkOptions(ca_file=str(certificate))
        engine = RemoteEngine(lambda address: options, lambda address: KEY, None, PATIENT)
        load(engine, fake)
        assert ask(engine)[0] == "Hello there, friend."
        fake.fail("silence")

        def act(cancel: CancelToken) -> None:
            done = engine.chat(HELLO, Sampling(), cancel, print)
            assert done.finish_reason == "cancelled"

        assert stopped_while(act, fake) < 0.5
        assert ask(engine)[0] == "Hello there, friend."
        with pytest.raises(ServerFailed) as caught:
            load(remote_engine(KEY), fake)
        assert caught.value.why == "tls", "without it nobody vouches for the server"


def test_a_failure_makes_the_next_load_look_again(
    loaded: RemoteEngine, fake: FakeModelServer
) -> None:
    fake.fail("reset")
    with pytest.raises(NetworkFailure):
        ask(loaded)
    assert loaded.loaded is None
    load(loaded, fake)
    assert ask(loaded)[0] == "Hello there, friend."
