"""Run as a program: the real server of llama.cpp on a loopback port of the system's choice.

Arguments: the model's file, a key or nothing. Prints its address and ends with stdin.
"""

from __future__ import annotations

import sys

import xllamacpp


def main(path: str, key: str = "") -> None:
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {"SmolLM2"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 1024
    params.n_parallel = 1
    params.warmup = False
    params.ui = False
    params.cpuparams.n_threads = 1
    if key:
        params.api_keys = [key]
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
