"""Engine builds without an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from openshelf.engine.builds import Build, Builds
from openshelf.engine.kept_builds import INSTALLED
from openshelf.engine.protocol import Device
from openshelf.errors import EngineFailed, OpenshelfError
from openshelf.tasks import Announcer, CancelToken

INSTALLED_BUILD = Build(
    INSTALLED,
    "/opt/openshelf/llama_cpp",
    "1f0c",
    1_790_000_000.0,
    "llama.cpp 0.5.0",
    (Device("CPU", "a CPU", "cpu", 100, 50),),
)


def example_builds(problem: EngineFailed) -> Builds:
    """The installed build, one for CUDA in use, and a chosen one for Vulkan that has `problem`."""
    cuda = replace(
        INSTALLED_BUILD,
        folder="/home/ada/llama.cpp/cuda",
        path="/home/ada/llama.cpp/cuda",
        identity="c0da",
        devices=(Device("CUDA0", "NVIDIA GeForce RTX 4070 Laptop GPU", "gpu", 8 << 30, 7 << 30),),
    )
    vulkan = replace(
        cuda,
        folder="/home/ada/llama.cpp/vulkan",
        path="/home/ada/llama.cpp/vulkan",
        identity="1ca9",
        devices=(),
        problem=problem,
    )
    return Builds((INSTALLED_BUILD, cuda, vulkan), vulkan.folder, cuda.folder, problem)


class FakeEngineBuilds:
    """`error` is what the next choice raises."""

    def __init__(self, state: Builds | None = None) -> None:
        self.announcer: Announcer[Builds] = Announcer()
        self.state = state or Builds((INSTALLED_BUILD,))
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
