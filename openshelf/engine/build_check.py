"""Starts a worker of an engine build that a person named, and asks whether that build is sound."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from openshelf.engine.connection import Connection, worker_environment
from openshelf.engine.protocol import ENGINE_FOLDER, BuildChecked, CheckBuild, Refused
from openshelf.engine.refusals import error_of
from openshelf.engine.waiting import Limits, Waiting
from openshelf.errors import CancelledByUser, EngineDied, EngineFailed, OpenshelfError
from openshelf.tasks import CancelToken

CHECK_SECONDS = 30.0
"""A driver may take its time when it is first spoken to."""
_PROJECTORS_FOLDER = "MTMD_CPP_LIB"
_SEARCH_PATHS = {"linux": "LD_LIBRARY_PATH", "darwin": "DYLD_LIBRARY_PATH"}


def start_checked(
    command: Sequence[str], folder: str, cancel: CancelToken
) -> tuple[Connection, BuildChecked]:
    """A worker of the build in `folder`, and what that said of itself.

    Raises EngineFailed: what the worker refused it for, build_crashed, build_wrong_cpu, hung;
    CancelledByUser.
    """
    try:
        environment = worker_environment()
        connection = Connection(command, {**environment, **_variables(folder, environment)})
        return connection, _ask(connection, cancel)
    except EngineDied as death:
        raise _failure_of(death) from death


def _variables(folder: str, environment: Mapping[str, str]) -> dict[str, str]:
    """What makes a worker's binding, and the system's loader, take the libraries of `folder`."""
    variables = {ENGINE_FOLDER: folder, _PROJECTORS_FOLDER: folder}
    if name := _SEARCH_PATHS.get(sys.platform):
        variables[name] = os.pathsep.join(filter(None, (folder, environment.get(name))))
    return variables


def _ask(connection: Connection, cancel: CancelToken | None) -> BuildChecked:
    """Raises EngineFailed, EngineDied; then the worker is ended."""
    connection.during = "check"
    call = connection.request(CheckBuild)
    try:
        event = Waiting(connection, call, cancel, Limits(CHECK_SECONDS)).next()
        if isinstance(event, Refused):
            raise _as_failure(error_of(event, ""))
        if not isinstance(event, BuildChecked):
            raise EngineFailed("wrong_worker", type(event).__name__)
    except OpenshelfError:
        connection.end()
        raise
    finally:
        connection.finish(call)
    connection.during = ""
    return event


def _as_failure(error: OpenshelfError) -> OpenshelfError:
    """A stub model that is refused for whatever reason says that the build is not sound."""
    if isinstance(error, CancelledByUser):
        return error
    if isinstance(error, EngineFailed):
        if error.why == "engine_missing":
            return EngineFailed("build_unloadable", error.detail, error.tail)
        return error
    return EngineFailed("engine_wrong_result", str(error))


def _failure_of(death: EngineDied) -> EngineFailed:
    if death.why == "wrong_cpu":
        return EngineFailed("build_wrong_cpu", tail=death.tail)
    detail = death.signal or f"exit {death.exit_status}"
    return EngineFailed("build_crashed", detail, death.tail)
