"""Where things lie: config, data, models, cache, logs, and the resources shipped with the app.

`OPENSHELF_HOME` puts everything under one folder; without it the platform's own places are used
and models go to the Hugging Face cache, in its layout, so that other programs find them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import platformdirs

APP_NAME = "openshelf"
APP_ID = "org.openshelf.Openshelf"


@dataclass(frozen=True)
class Paths:
    config: Path
    data: Path
    cache: Path
    logs: Path
    models: Path
    """Root of the model cache in the Hugging Face layout (`models--owner--name/…`)."""

    @property
    def settings_file(self) -> Path:
        return self.config / "settings.toml"

    @property
    def window_file(self) -> Path:
        return self.config / "window.ini"

    @property
    def policy_file(self) -> Path:
        return self.config / "policy.toml"

    @property
    def tokens_file(self) -> Path:
        """Which Hubs have an access token; the tokens themselves where there is no keychain."""
        return self.config / "tokens.json"

    @property
    def server_keys_file(self) -> Path:
        """The same for the keys of servers to chat with."""
        return self.config / "server_keys.json"

    @property
    def library_database(self) -> Path:
        return self.data / "library.sqlite3"

    @property
    def chat_database(self) -> Path:
        return self.data / "chats.sqlite3"

    @property
    def acceptance_log(self) -> Path:
        return self.data / "acceptances.jsonl"

    @property
    def downloads(self) -> Path:
        """Queue of downloads, one JSON file each; the bytes lie in `models` as `.part`."""
        return self.data / "downloads"


def find_paths(environment: Mapping[str, str] | None = None) -> Paths:
    """The places for this process; nothing is created here."""
    environment = os.environ if environment is None else environment
    home = environment.get("OPENSHELF_HOME")
    if home:
        root = written_path(home).absolute()
        return Paths(
            config=root / "config",
            data=root / "data",
            cache=root / "cache",
            logs=root / "logs",
            models=root / "models",
        )
    dirs = platformdirs.PlatformDirs(APP_NAME, appauthor=False)
    return Paths(
        config=Path(dirs.user_config_dir),
        data=Path(dirs.user_data_dir),
        cache=Path(dirs.user_cache_dir),
        logs=Path(dirs.user_log_dir),
        models=_hub_cache(environment),
    )


def _hub_cache(environment: Mapping[str, str]) -> Path:
    # The same order as huggingface_hub, which must not be imported this early.
    if cache_dir := environment.get("HF_HUB_CACHE"):
        return Path(cache_dir).expanduser()
    if hf_home := environment.get("HF_HOME"):
        return Path(hf_home).expanduser() / "hub"
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "huggingface" / "hub"


def nearest_existing(folder: Path) -> Path:
    """`folder`, or the nearest one above it that exists: it tells the volume of what is to come."""
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)


def written_path(text: str) -> Path:
    """A path as a person writes it: `~` is their home, and that of nobody stays as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


@cache
def resources() -> Path:
    """Folder of shipped data: inside the installed package, or `resources/` of the checkout.

    An editable install does not see what the wheel force-includes, so both places are tried.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "resources", package.parent / "resources"):
        if (candidate / "catalog").is_dir():
            return candidate
    raise FileNotFoundError(f"no resources folder beside {package}")


def apache_license_text() -> Path:
    """Our own LICENSE file: the text of Apache-2.0, at hand without any network."""
    shipped = resources() / "texts" / "apache-2.0.txt"
    return shipped if shipped.is_file() else resources().parent / "LICENSE"
