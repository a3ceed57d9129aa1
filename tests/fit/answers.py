"""Questions to a llama.cpp, asked in a child (engine_answers.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openshelf.fit.memory import FitRequest

TYPE_NUMBERS = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8}
_TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Job:
    """One model, and what is asked of it; of `keys_only` the engine makes the tensors."""

    path: Path
    requests: Sequence[FitRequest]
    gpu_layers: int = 0
    split: tuple[float, ...] = ()
    experts_on_cpu: int = 0
    keys_only: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "metadata" if self.keys_only else "path": str(self.path),
            "gpu_layers": self.gpu_layers,
            "split": self.split,
            "experts_on_cpu": self.experts_on_cpu,
            "asks": [
                [
                    r.context_length,
                    r.ubatch,
                    r.n_outputs_max,
                    TYPE_NUMBERS[r.kv_type_k],
                    TYPE_NUMBERS[r.kv_type_v],
                    {"auto": -1, "off": 0, "on": 1}[r.flash_attention],
                ]
                for r in self.requests
            ],
        }


def ask(jobs: Sequence[Job], environment: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """An answer per job: `figures` per request {device: (weights, caches, compute) in bytes}."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fit.engine_answers"],
        input=json.dumps([job.as_json() for job in jobs]),
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[dict[str, Any]] = json.loads(done.stdout.rpartition("\n")[2])
    return answers
