"""How long the server takes to be ready, to its first judged song, and how much memory it then holds.

A server of its own is started on a free port and asked over HTTP, as anyone would.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from bench.singing import LYRICS
from engine.errors import ChoirmasterError

ROOT = Path(__file__).parent.parent


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


def measure_serving(model: str | None = None, judge: str = "base", patience: float = 180.0) -> ServingCost:
    """Start a server, have one song sung and judged, and stop it.

    Raises:
        ChoirmasterError: the server did not come up, or the song was not judged, within ``patience`` seconds.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as outputs:
        command = [sys.executable, str(ROOT / "server.py"), "--port", str(port), "--outputs", outputs, "--judge", judge]
        started = time.monotonic()
        process = subprocess.Popen([*command, *(["--model", model] if model else [])], stdout=subprocess.DEVNULL)
        try:
            _until(lambda: bool(_ask(f"{address}/healthz")), process, patience, "answer")
            ready = time.monotonic() - started
            asked = time.monotonic()
            song = _ask(f"{address}/v1/songs?wait=true", {"caption": "folk", "lyrics": LYRICS, "seed": 1})
            sung = time.monotonic() - asked
            judged = f"{address}/v1/songs/{song['id']}"
            _until(lambda: _ask(judged)["judged"]["state"] == "judged", process, patience, "judge its song")
            return ServingCost(ready, sung, time.monotonic() - asked, _peak_memory(process.pid))
        finally:
            process.terminate()
            process.wait(30)


def _ask(address: str, fields: dict[str, Any] | None = None) -> Any:
    body = None if fields is None else json.dumps(fields).encode()
    with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=120) as answer:
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


def _peak_memory(process: int) -> float | None:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), None)
