"""The one door to the network: what may go out, through which proxy, trusting whom, how long.

Takes frozen options and returns clients and environment values; knows neither the settings nor
huggingface_hub.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import ipaddress
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from openshelf import __version__
from openshelf.errors import BadFile, BadWords, Offline, UsageError

if TYPE_CHECKING:
    import urllib3

DEFAULT_ENDPOINT = "https://huggingface.co"
USER_AGENT = f"openshelf/{__version__}"
LONGEST_ASKED_SECONDS = 3600
"""A server that asks to wait longer is asked again after an hour; the Hub's windows are 5 min."""
_PORTS = {"http": 80, "https": 443}
_LOGIN = re.compile(r"//[^/?#]*@")
_PERHAPS_LOGIN = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", re.DOTALL)
_HOST_NAME = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
_TRUE = {"1", "on", "yes", "true"}


@dataclass(frozen=True)
class NetworkOptions:
    """`token` belongs to the endpoint it was given for; rates in bytes per second."""

    offline: bool = False
    endpoint: str = DEFAULT_ENDPOINT
    proxy: str | None = None
    no_proxy: tuple[str, ...] = ()
    ca_file: str | None = None
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 30.0
    bytes_per_second: int | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """The endpoint's host, for messages."""
        return host_of(self.endpoint)


@dataclass(frozen=True)
class NetworkWishes:
    """What the settings and a stored login say, where the environment says nothing."""

    offline: bool = False
    endpoint: str = ""
    ca_file: str = ""
    bytes_per_second: int | None = None
    token_for: Callable[[str], str | None] | None = None
    """The token that was stored for a Hub's address; asked for the one in use and no other."""


def options_from(
    environment: Mapping[str, str], wishes: NetworkWishes | None = None
) -> NetworkOptions:
    """Options from HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN and the proxy variables.

    HF_TOKEN goes to the default Hub only, and comes there before a stored token. Nothing is
    refused here, so that the app starts whatever is written there; `check_endpoint` refuses it on
    first use.
    """
    wishes = wishes or NetworkWishes()
    endpoint = (environment.get("HF_ENDPOINT") or wishes.endpoint or DEFAULT_ENDPOINT).rstrip("/")
    token = environment.get("HF_TOKEN", "").strip() if endpoint == DEFAULT_ENDPOINT else ""
    if not token and wishes.token_for is not None:
        token = wishes.token_for(endpoint) or ""
    scheme = urlsplit(endpoint).scheme if "://" in endpoint else "https"
    no_proxy = _either(environment, "no_proxy") or ""
    return NetworkOptions(
        offline=wishes.offline or environment.get("HF_HUB_OFFLINE", "").lower() in _TRUE,
        endpoint=endpoint,
        proxy=_either(environment, f"{scheme}_proxy") or _either(environment, "all_proxy"),
        no_proxy=tuple(part.strip().lower() for part in no_proxy.split(",") if part.strip()),
        ca_file=wishes.ca_file or None,
        bytes_per_second=wishes.bytes_per_second,
        token=token or None,
    )


def options_for_server(
    environment: Mapping[str, str], wishes: NetworkWishes, address: str
) -> NetworkOptions:
    """Options for a server of the person's own: the same switch, proxy and CA as for the Hub, and
    never the Hub's address or token."""
    own = {name: v for name, v in environment.items() if name not in ("HF_ENDPOINT", "HF_TOKEN")}
    return options_from(own, dataclasses.replace(wishes, endpoint=address, token_for=None))


def _either(environment: Mapping[str, str], name: str) -> str | None:
    return environment.get(name) or environment.get(name.upper()) or None


def hub_environment(options: NetworkOptions) -> dict[str, str]:
    """Values that must stand in the environment while huggingface_hub is imported.

    Offline stays our own affair: the library would close loopback as well.
    """
    return {
        "HF_ENDPOINT": options.endpoint,
        "HF_HUB_OFFLINE": "0",
        "TRANSFORMERS_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DEBUG": "0",
    }


def origin_of(url: str) -> tuple[str, str, int]:
    """(scheme, host, port); a token never leaves the origin that it belongs to."""
    parts = _split(url)
    return parts.scheme, (parts.hostname or "").lower(), _port(parts)


def address_origin(url: str) -> str:
    """`scheme://host:port`, the port always written: what a key and a clearance belong to."""
    scheme, host, port = origin_of(url)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def host_of(url: str) -> str:
    """`host` or `host:port` where the port is unusual; the text itself where it is no URL."""
    try:
        parts = _split(url)
    except UsageError:
        return url
    port = _port(parts)
    name = parts.hostname or url
    return name if port == _PORTS.get(parts.scheme) else f"{name}:{port}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # a bad port is found only when it is asked for
    except ValueError as error:
        raise BadWords(why="web_address", name=_without_any_login(url)) from error
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS.get(parts.scheme, 0)


def shown_address(url: str) -> str:
    """An address without the name and the password that somebody wrote into it."""
    return _LOGIN.sub("//", url)


def _without_any_login(text: str) -> str:
    """The same for what is no address: a password with `#` or `/` in it ends the host's part, and
    without a scheme a login begins at once."""
    return _PERHAPS_LOGIN.sub(r"\1", text)


def is_web_address(url: str) -> bool:
    """Whether it is http or https to a host whose name can be one."""
    try:
        parts = urlsplit(url)
        is_place = bool(_HOST_NAME.fullmatch(parts.hostname or "")) and parts.port != 0
    except ValueError:
        return False
    return is_place and parts.scheme in _PORTS


def leaves_https(before: str, after: str) -> bool:
    """Whether the way from one address to another is open to everybody on it."""
    return origin_of(before)[0] == "https" and origin_of(after)[0] != "https"


def check_endpoint(options: NetworkOptions) -> None:
    """Raise UsageError where the Hub's address, or the token for it, cannot be one."""
    parts = _split(options.endpoint)
    shown = _without_any_login(options.endpoint)
    if "@" in parts.netloc:
        raise BadWords(why="hub_address_with_name", name=shown)
    if parts.scheme not in _PORTS or not parts.hostname or parts.query:
        raise BadWords(why="hub_address", name=shown)
    if options.token and not (options.token.isascii() and options.token.isprintable()):
        raise BadWords(why="token_in_use")


def is_loopback(host: str) -> bool:
    """True for this very machine; names other than localhost are never looked up for this."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def require_online(options: NetworkOptions, host: str) -> None:
    """Raise Offline when the switch is on, except for loopback; servers on the LAN are closed too.

    `host` may carry a port.
    """
    name = host if host.count(":") > 1 else host.partition(":")[0]
    if options.offline and not is_loopback(name):
        raise Offline(host=host)


def proxy_for(options: NetworkOptions, url: str) -> str | None:
    """The proxy for this address, None to go directly. Loopback never goes through one.

    Raises UsageError for a proxy that is none, or of a kind that cannot be used."""
    parts = _split(url)
    host = (parts.hostname or "").lower()
    if not options.proxy or is_loopback(host):
        return None
    for entry in options.no_proxy:
        name, _, port = entry.partition(":")
        if port and port != str(_port(parts)):
            continue
        name = name.lstrip("*").lstrip(".")
        if name == "" or host == name or host.endswith(f".{name}"):
            return None
    return _checked_proxy(options.proxy)


def _checked_proxy(proxy: str) -> str:
    address = proxy if "://" in proxy else f"http://{proxy}"
    if not is_web_address(address):
        # Neither SOCKS nor anything else: said here, not as a failure of whoever is asked.
        raise BadWords(why="proxy", name=_without_any_login(proxy))
    return address


def trusted_certificates(options: NetworkOptions) -> ssl.SSLContext:
    """The system's trust, and the person's own CA where one is set. Raises UsageError."""
    try:
        import truststore

        context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    except ImportError:
        context = ssl.create_default_context()
    if options.ca_file:
        try:
            context.load_verify_locations(cafile=options.ca_file)
        except OSError as error:  # ssl.SSLError is one
            reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
            raise BadFile(str(reason), options.ca_file, "ca_file") from error
    return context


@dataclass(frozen=True)
class EgressEntry:
    """One request that went out: when (seconds since 1970), where, what for, bytes that came."""

    at: float
    host: str
    purpose: str
    received_bytes: int


class EgressLog:
    """What went through the door, newest last; holds no addresses' paths and no secrets."""

    def __init__(self, keep: int = 1000) -> None:
        self._entries: collections.deque[EgressEntry] = collections.deque(maxlen=keep)
        self._lock = threading.Lock()

    def record(self, host: str, purpose: str, received_bytes: int) -> None:
        with self._lock:
            self._entries.append(EgressEntry(time.time(), host, purpose, received_bytes))

    def entries(self) -> tuple[EgressEntry, ...]:
        with self._lock:
            return tuple(self._entries)


class Pool:
    """Requests with plain bodies: nothing is retried, redirected, decoded or read ahead."""

    def __init__(self, options: NetworkOptions) -> None:
        import urllib3

        self._options = options
        self._timeout = urllib3.Timeout(
            connect=options.connect_timeout_seconds, read=options.read_timeout_seconds
        )
        self._managers: dict[str | None, urllib3.PoolManager] = {}

    def get(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """The answer to a GET, its body still on the wire; whoever gets it closes it.

        Raises Offline, UsageError, and urllib3's own exceptions.
        """
        require_online(self._options, host_of(url))
        manager = self._manager(proxy_for(self._options, url))
        return manager.request(
            "GET",
            url,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers},
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=self._timeout,
        )

    def close(self) -> None:
        for manager in self._managers.values():
            manager.clear()

    def _manager(self, proxy: str | None) -> urllib3.PoolManager:
        if proxy not in self._managers:
            self._managers[proxy] = self._new_manager(proxy)
        return self._managers[proxy]

    def _new_manager(self, proxy: str | None) -> urllib3.PoolManager:
        import urllib3

        from openshelf.network_connections import POOLS

        # Certificates are read only where something needs them: loading takes 20 ms.
        trust: Any = trusted_certificates(self._options)
        if proxy is None:
            manager = urllib3.PoolManager(num_pools=4, ssl_context=trust)
        else:
            manager = urllib3.ProxyManager(
                _without_login(proxy),
                num_pools=4,
                ssl_context=trust,
                proxy_headers=_proxy_headers(proxy),
            )
        manager.pool_classes_by_scheme = POOLS
        return manager


def _without_login(proxy: str) -> str:
    parts = _split(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _proxy_headers(proxy: str) -> dict[str, str]:
    parts = _split(proxy)
    if not parts.username:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"proxy-authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def open_pool(options: NetworkOptions) -> Pool:
    """Connections for bodies of downloads: proxy, own CA and timeouts as the options say."""
    return Pool(options)
