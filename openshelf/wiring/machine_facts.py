"""The machine as probes, the engine, what was learned and the person's own values have it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from openshelf import wording
from openshelf.engine.builds import EngineBuilds
from openshelf.engine.devices import join_devices
from openshelf.engine.process import Engine
from openshelf.errors import OpenshelfError
from openshelf.hardware.detect import detect_machine
from openshelf.hardware.facts import Machine
from openshelf.hardware.overrides import with_overrides, without_overrides
from openshelf.library.folders import FolderCondition
from openshelf.library.store import Library
from openshelf.paths import Paths
from openshelf.reasons import Reason
from openshelf.settings import SettingsStore
from openshelf.tasks import CancelToken, Report

log = logging.getLogger(__name__)


class MachineFacts:
    def __init__(
        self,
        paths: Paths,
        settings: SettingsStore,
        library: Library,
        engine: Engine,
        builds: EngineBuilds,
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._library = library
        self._engine = engine
        self._builds = builds

    def detect(self, cancel: CancelToken, report: Report) -> Machine:
        found = detect_machine(cancel, report, folders=(self._model_folder(), Path.home()))
        try:
            found = replace(found, learned=self._library.learned_rates())
        except OpenshelfError as error:
            log.info("what was learned of the devices cannot be read: %s", error)
        return with_overrides(found, self._settings.current.hardware)

    def _model_folder(self) -> Path:
        """Where downloads go; a folder that may never answer is not asked again."""
        folders = self._library.folders
        chosen = folders.for_downloads()
        is_here = folders.look(str(chosen)).condition is FolderCondition.HERE
        return chosen if is_here else self._paths.models

    def with_engine(self, machine: Machine) -> Machine:
        try:
            devices = self._engine.devices()
            self._builds.note(devices.engine_version, devices.devices)
            joined = join_devices(without_overrides(machine), devices)
            return with_overrides(joined, self._settings.current.hardware)
        except OpenshelfError as error:
            log.warning("the engine did not say what it can use: %s", error)
            note = Reason("engine_silent", {"detail": wording.error_sentence(error)})
            return replace(machine, notes=(*machine.notes, note))
