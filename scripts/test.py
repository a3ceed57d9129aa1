"""Makes `.venv`, installs Openshelf, its starter model and the test extra, and runs pytest.

Arguments are passed on to pytest.
"""

import os
import sys

import prepare
import prerequisites

# Two processes use two cores; more would fight over them with the engine's own threads.
DEFAULT_ARGUMENTS = ["-n", "2", "--dist", "loadfile"]


def run():
    python = prepare.prepare_environment(extras=("test",))
    prerequisites.require_libraries(window=True)
    os.chdir(prepare.ROOT)
    words = sys.argv[1:] or DEFAULT_ARGUMENTS
    return prepare.replace_process([str(python), "-m", "pytest", *words])


if __name__ == "__main__":
    sys.exit(prepare.reported(run))
