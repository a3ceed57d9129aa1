"""Makes `.venv`, installs Openshelf and its starter model into it, and opens the window.

Arguments are passed on: `run.py shelf --json` is `openshelf shelf --json`. Without a display the
main job is done in the terminal instead.
"""

import sys

import main_job
import prepare
import prerequisites


def run():
    words = sys.argv[1:]
    python = prepare.prepare_environment()
    opens_window = not words or words[0] in ("--smoke", "--screenshot")
    if not words and not prerequisites.has_display():
        prerequisites.require_libraries(window=False)
        return main_job.do_in_terminal(python)
    prerequisites.require_libraries(window=opens_window)
    return prepare.replace_process([str(python), "-m", "openshelf", *words])


if __name__ == "__main__":
    sys.exit(prepare.reported(run))
