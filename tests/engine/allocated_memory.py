"""Really loads models by plans and prints what llama.cpp allocated per device; runs as a child.

Reads [file, plan] pairs as JSON from stdin. Nothing is mapped, so that every weight is allocated.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import threading

from openshelf.engine import worker_llama
from openshelf.engine.protocol import Plan
from openshelf.engine.worker_memory import breakdown


def main() -> None:
    devices, log = worker_llama.start(sys.stderr.write)
    answers = []
    for path, plan in json.load(sys.stdin):
        model = worker_llama.Model(
            path,
            dataclasses.replace(Plan(**plan), use_mmap=False),
            devices,
            log,
            stop=threading.Event(),
            report=lambda fraction: None,
        )
        figures = breakdown(model.context)
        assert figures is not None
        answers.append([dataclasses.astuple(device) for device in figures])
        model.close()
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main()
