"""The engine builds that a person named, kept in a small file; a damaged one counts as empty."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openshelf.durable import replace_file
from openshelf.engine.protocol import Device
from openshelf.engine.wire import ProtocolError, plain_fields, read_dataclass

log = logging.getLogger(__name__)

INSTALLED = ""
"""In place of a folder: the build that came with the binding."""


@dataclass(frozen=True)
class KeptBuild:
    """What a build said when it was last checked; `why` and `detail` are EngineFailed's, empty
    where it was sound."""

    folder: str
    identity: str = ""
    engine_version: str = ""
    devices: tuple[Device, ...] = ()
    why: str = ""
    detail: str = ""


@dataclass(frozen=True)
class KeptBuilds:
    """`good` are the folders that worked, the last one first."""

    chosen: str = INSTALLED
    good: tuple[str, ...] = ()
    builds: tuple[KeptBuild, ...] = ()

    def build(self, folder: str) -> KeptBuild | None:
        return next((build for build in self.builds if build.folder == folder), None)

    def with_build(self, build: KeptBuild) -> KeptBuilds:
        """In the place of what was known of that folder, or at the end."""
        if self.build(build.folder) is None:
            return replace(self, builds=(*self.builds, build))
        changed = tuple(build if old.folder == build.folder else old for old in self.builds)
        return replace(self, builds=changed)

    def with_good(self, folder: str) -> KeptBuilds:
        return replace(self, good=(folder, *(old for old in self.good if old != folder)))

    def without(self, folder: str) -> KeptBuilds:
        return KeptBuilds(
            chosen=INSTALLED if self.chosen == folder else self.chosen,
            good=tuple(good for good in self.good if good != folder),
            builds=tuple(build for build in self.builds if build.folder != folder),
        )


def read_kept(file: Path) -> KeptBuilds:
    try:
        document: Any = json.loads(file.read_bytes())
        kept: KeptBuilds = read_dataclass(KeptBuilds, document)
    except FileNotFoundError:
        return KeptBuilds()
    except (OSError, ValueError, ProtocolError, RecursionError) as error:
        log.warning("the engine builds that were named cannot be read: %s", error)
        return KeptBuilds()
    return kept


def write_kept(file: Path, kept: KeptBuilds) -> None:
    """Raises OSError."""
    replace_file(file, json.dumps(plain_fields(kept), indent=1).encode())
