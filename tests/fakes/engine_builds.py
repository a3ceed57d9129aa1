"""Engine builds without an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from openshelf.engine.builds import Build, Builds
from openshelf.engine.kept_builds import INSTALLED
from openshelf.engine.protocol import Device
from openshelf.errors import OpenshelfError
from openshelf.tasks import Announcer, CancelToken

INSTALLED_BUILD = Build(
    INSTALLED,
    "/opt/openshelf/llama_cpp",
    "1f0c",
    1_790_000_000.0,
    "llama.cpp 0.5.0",
    (Device("CPU", "a CPU", "cpu", 100, 50),),
)


class FakeEngineBuilds:
    """The installed build, and what a test adds; `error` is what the next choice raises."""

    def __init__(self, *others: Build) -> None:
        self.announcer: Announcer[Builds] = Announcer()
        self.state = Builds((INSTALLED_BUILD, *others))
        self.error: OpenshelfError | None = None

    def current(self) -> Builds:
        return self.state

    def change(self, state: Builds) -> None:
        self.state = state
        self.announcer.announce(state)

    def use(self, path: Path | None, cancel: CancelToken | None = None) -> Build:
        if self.error is not None:
            raise self.error
        folder = INSTALLED if path is None else str(path)
        build = self.state.build(folder)
        if build is None:
            build = replace(INSTALLED_BUILD, folder=folder, path=folder)
            self.state = replace(self.state, builds=(*self.state.builds, build))
        self.change(replace(self.state, chosen=folder, in_use=folder, problem=None))
        return build

    def forget(self, folder: str) -> None:
        kept = tuple(build for build in self.state.builds if build.folder != folder)
        self.change(Builds(kept))
