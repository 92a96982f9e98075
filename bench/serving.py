"""A server of its own on a free port, asked over HTTP as anyone would; how soon it is ready and has judged a song.

Knows how ``server.py`` is started and stopped, and nothing of what is asked of it by others.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from bench.memory import resident_memory
from bench.singing import LYRICS
from engine.errors import ChoirmasterError

ROOT = Path(__file__).parent.parent
#: Seconds a server that was told to end gets beyond those in which it finishes its songs.
GRACE = 30.0

# A proxy of the environment has no business between this machine and itself.
_DIRECT = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class ServingCost:
    """Seconds from start to an answering ``/healthz``, and from asking for a song to its verdict; peak memory in MB.

    ``peak_memory`` is the largest resident set so far, None where the system does not tell (it is read from Linux's
    /proc).
    """

    ready: float
    first_song: float
    first_verdict: float
    peak_memory: float | None


@dataclass(frozen=True)
class RunningServer:
    """A server in a process of its own; ``ready``: seconds from its start to its first answer."""

    address: str
    process: subprocess.Popen[bytes]
    ready: float

    def memory(self, kind: str = "VmRSS") -> float | None:
        """Resident memory in MB, or its peak as ``VmHWM``; None where the system does not tell."""
        return resident_memory(self.process.pid, kind)


@contextmanager
def running_server(
    outputs: Path, *options: str, patience: float = 180.0, complaints: Path | None = None
) -> Iterator[RunningServer]:
    """A server of the songs in ``outputs``, which is told to end when the block is left, if it still runs then.

    Args:
        options: further ones of ``server.py``.
        complaints: a file to which what it writes to standard error is added, rather than shown.

    Raises:
        ChoirmasterError: the server did not answer within ``patience`` seconds.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, str(ROOT / "server.py"), "--port", str(port), "--outputs", str(outputs), *options]
    environment = {name: value for name, value in os.environ.items() if name != "CHOIRMASTER_API_KEY"}
    errors = None if complaints is None else complaints.open("ab")
    started = time.monotonic()
    try:
        # In a process group of its own, so that Ctrl-C reaches only whoever measures.
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment, process_group=0)
    finally:
        if errors is not None:
            errors.close()
    try:
        _until(lambda: bool(_ask(f"{address}/healthz")), process, patience, "answer")
        yield RunningServer(address, process, time.monotonic() - started)
    finally:
        process.terminate()
        try:
            process.wait(2 * GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure_serving(model: str | None = None, judge: str = "base", patience: float = 180.0) -> ServingCost:
    """Start a server, have one song sung and judged, and stop it.

    Raises:
        ChoirmasterError: the server did not come up, or the song was not judged, within ``patience`` seconds.
    """
    options = ["--judge", judge, *(["--model", model] if model else [])]
    with (
        tempfile.TemporaryDirectory() as outputs,
        running_server(Path(outputs), *options, patience=patience) as server,
    ):
        asked = time.monotonic()
        song = _ask(f"{server.address}/v1/songs?wait=true", {"caption": "folk", "lyrics": LYRICS, "seed": 1})
        sung = time.monotonic() - asked
        judged = f"{server.address}/v1/songs/{song['id']}"
        _until(lambda: _ask(judged)["judged"]["state"] == "judged", server.process, patience, "judge its song")
        return ServingCost(server.ready, sung, time.monotonic() - asked, server.memory("VmHWM"))


def _ask(address: str, fields: dict[str, Any] | None = None) -> Any:
    body = None if fields is None else json.dumps(fields).encode()
    with _DIRECT.open(Request(address, body, {"Content-Type": "application/json"}), timeout=120) as answer:
        return json.load(answer)


def _until(ready: Any, process: subprocess.Popen[bytes], patience: float, what: str) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            if ready():
                return
        except URLError:
            pass
        if process.poll() is not None or time.monotonic() > end:
            raise ChoirmasterError(f"the server did not {what} within {patience:g} s: start it by hand to see why")
        time.sleep(0.05)
