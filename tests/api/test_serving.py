"""A real server: where it says it is, how it ends when told to, and what is left when it is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

import server
from api.serving import DrainingServer
from engine.errors import ChoirmasterError
from engine.song_model import SongModel
from tests.api.asking import read_events
from tests.api.small_app import problem
from tests.waiting import until

ROOT = Path(server.__file__).parent
SONG = {"caption": "folk", "lyrics": "Meet me under the station clock", "seed": 3}


def test_a_port_in_use_is_told_in_one_line() -> None:
    with server.open_port("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ChoirmasterError, match=rf"{port}.*--port"):
            server.open_port("127.0.0.1", port)
    with pytest.raises(ChoirmasterError, match="--host"):
        server.open_port("no such host", 0)


@pytest.mark.parametrize(
    ("key", "hosts", "said"),
    [("short", [], "8 to 256"), ("with some spaces", [], "spaces"), ("ключ-ключ-ключ", [], "ASCII"),
     ("", [], "8 to 256"), (None, ["a b"], "--allow-host"), (None, ["sing.example.org:x"], "--allow-host"),
     (None, ["sing.example.org:65536"], "--allow-host"),
     (None, [""], "--allow-host")],
)  # fmt: skip
def test_keys_and_hosts_that_can_be_none_are_refused(key: str | None, hosts: list[str], said: str) -> None:
    with pytest.raises(ChoirmasterError, match=said):
        server.read_access(key, hosts)


def test_serve_says_where_it_is(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[Any] = []
    monkeypatch.setattr("engine.song_model.load_song_model", lambda *_, **__: random_model)
    monkeypatch.setattr(server, "_run", lambda *given: ran.append((given[0], given[3].getsockname()[1], given[4])))
    server.serve(port=0, outputs=tmp_path / "here", judge="none", no_router=True, api_key="12345678", drain=7)
    shown = capsys.readouterr().out
    [(app, port, drain)] = ran
    assert f"http://localhost:{port}/" in shown and "random" not in shown.partition("model")[0]
    assert (
        re.search(r"judge\s+none", shown)
        and re.search(r"router\s+none", shown)
        and "?key=" in shown
        and "12345678" not in shown
        and drain == 7
    )
    with TestClient(app, "http://localhost", headers={"X-API-Key": "12345678"}) as client:
        page = client.get("/")
        assert page.status_code == 200 and "Choirmaster" in page.text
        assert client.get("/healthz").json()["model"] == random_model.name
        assert client.get("/v1/adapters").status_code == client.get("/v1/exports").status_code == 200
        problem(client.get("/v1/nothing"), 404)


def test_a_router_that_is_not_there_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    missing = tmp_path / "router.json"
    with pytest.raises(ChoirmasterError, match=r"there is no router .*choirmaster fit"):
        server.serve(port=0, outputs=tmp_path / "here", router=missing)
    with pytest.raises(ChoirmasterError, match="contradict"):
        server.serve(port=0, outputs=tmp_path / "here", router=missing, no_router=True)


def test_a_name_may_come_with_a_port() -> None:
    assert server.read_access(None, ["sing.example.org:8443"]).hosts == {"sing.example.org:8443"}


class Planted:
    """Songs or exports at hand that take ``seconds``, and what a server that ends asked of them."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.given, self.stopped = seconds, -1.0, threading.Event()
        self.asked: list[str] = []

    def refuse(self) -> None:
        self.asked.append("refuse")

    def drain(self, seconds: float) -> bool:
        self.asked.append("drain")
        self.given = seconds
        return not self.stopped.wait(min(seconds, self.seconds))

    def stop(self) -> None:
        self.asked.append("stop")
        self.stopped.set()

    def close(self, timeout: float = 60.0) -> None:
        self.stop()


class Deaf(Planted):
    """Long work that does not end while it is listening, unless it is given little time."""

    def close(self, timeout: float = 60.0) -> None:
        self.asked.append(f"close {timeout:g}")
        self.stopped.wait(timeout)


def test_a_second_signal_does_not_wait_for_an_evaluation_that_listens() -> None:
    songs, exports, work = Planted(60), Planted(), Deaf()
    draining: Any = DrainingServer(uvicorn.Config(FastAPI()), songs, exports, 30, [work])  # type: ignore[arg-type]
    draining.handle_exit(signal.SIGTERM, None)
    until(lambda: "drain" in songs.asked)
    told = time.monotonic()
    draining.handle_exit(signal.SIGTERM, None)
    until(lambda: draining.should_exit)
    work.stopped.set()
    assert time.monotonic() - told < 10 and songs.asked[-1] == "stop" and work.asked[0] == "refuse"


@pytest.mark.parametrize(("seconds", "signals"), [(0.05, 1), (60, 2)])
def test_exports_are_finished_like_songs_within_the_same_time(seconds: float, signals: int) -> None:
    songs, exports = Planted(0.2), Planted(seconds)
    draining: Any = DrainingServer(uvicorn.Config(FastAPI()), songs, exports, 30)  # type: ignore[arg-type]
    draining.handle_exit(signal.SIGTERM, None)
    assert songs.asked[0] == exports.asked[0] == "refuse"
    if signals == 2:
        until(lambda: "drain" in exports.asked)
        draining.handle_exit(signal.SIGTERM, None)
    until(lambda: draining.should_exit)
    assert exports.asked[:2] == ["refuse", "drain"] and exports.asked[-1] == "stop"
    assert 29 < exports.given < 29.9, "what the songs took is gone"


@contextmanager
def started(outputs: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A server in a process of its own."""
    with server.open_port("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, str(ROOT / "server.py"), "--port", str(port), "--judge", "none"]
    with (outputs.parent / "stderr.txt").open("ab") as complaints:
        process = subprocess.Popen(
            [*command, "--outputs", str(outputs), *options],
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env={name: value for name, value in os.environ.items() if name != "CHOIRMASTER_API_KEY"},
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:

            def answers() -> bool:
                assert process.poll() is None, (outputs.parent / "stderr.txt").read_text()
                try:
                    return client.get("/healthz").status_code == 200
                except httpx.TransportError:
                    return False

            until(answers, 180)
            yield process, client
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


def end(process: subprocess.Popen[bytes], outputs: Path) -> None:
    """It ended by itself, with nothing to complain about."""
    code = process.wait(60)
    complaints = (outputs.parent / "stderr.txt").read_text()
    assert (code, "Traceback" in complaints) == (0, False), complaints


@pytest.mark.slow
def test_told_to_end_it_finishes_what_it_has_accepted(tmp_path: Path) -> None:
    outputs = tmp_path / "songs"
    with started(outputs, "--drain", "60") as (process, client):
        ids = [client.post("/v1/songs", json={**SONG, "seed": n, "steps": 40}).json()["id"] for n in range(4)]
        seen: list[str] = []
        url = str(client.base_url)
        thread = threading.Thread(target=lambda: seen.extend(_kinds(url, ids[-1])))
        thread.start()
        process.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status_code == 503)
        problem(client.post("/v1/songs", json=SONG), 503)
        assert client.get("/healthz").status_code == 200, "it lives until its songs are done"
        thread.join(60)
        end(process, outputs)
    assert seen[-2:] == ["done", "judged"]
    assert {path.parent.name for path in outputs.glob("*/song.json")} == set(ids)


@pytest.mark.slow
def test_what_is_not_finished_in_time_is_cancelled(tmp_path: Path) -> None:
    outputs = tmp_path / "songs"
    with started(outputs, "--drain", "0.5") as (process, client):
        long = {**SONG, "steps": 200, "duration": 24}
        ids = [client.post("/v1/songs", json=long).json()["id"] for _ in range(3)]
        seen: list[str] = []
        url = str(client.base_url)
        thread = threading.Thread(target=lambda: seen.extend(_kinds(url, ids[-1])))
        thread.start()
        until(lambda: client.get(f"/v1/songs/{ids[0]}").json()["step"] > 0)
        told = time.monotonic()
        process.send_signal(signal.SIGTERM)
        end(process, outputs)
        assert time.monotonic() - told < 30
        thread.join(60)
    assert seen[-1] == "cancelled"
    assert not list(outputs.glob("*/song.json"))


@pytest.mark.slow
def test_a_second_signal_cuts_it_short(tmp_path: Path) -> None:
    outputs = tmp_path / "songs"
    with started(outputs, "--drain", "600") as (process, client):
        for _ in range(3):
            client.post("/v1/songs", json={**SONG, "steps": 200, "duration": 24})
        process.send_signal(signal.SIGINT)
        until(lambda: client.get("/readyz").status_code == 503)
        process.send_signal(signal.SIGINT)
        end(process, outputs)


@pytest.mark.slow
def test_killed_it_loses_no_finished_song_and_lists_no_broken_one(tmp_path: Path) -> None:
    outputs = tmp_path / "songs"
    with started(outputs) as (process, client):
        done = [client.post("/v1/songs?wait=true", json={**SONG, "seed": n}).json()["id"] for n in range(2)]
        ids = [client.post("/v1/songs", json={**SONG, "seed": n, "steps": 4}).json()["id"] for n in range(6)]
        until(lambda: client.get(f"/v1/songs/{ids[0]}").json()["state"] == "done")
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    with started(outputs) as (process, client):
        listed = client.get("/v1/songs?limit=100").json()
        there = {song["id"] for song in listed["songs"]}
        assert {*done, ids[0]} <= there <= {*done, *ids} and listed["total"] == len(there)
        for song_id in there:
            assert client.get(f"/v1/songs/{song_id}/audio").content[:4] == b"fLaC"
            assert _kinds(str(client.base_url), song_id) == ["done", "judged"]
        for song_id in {*ids} - there:
            problem(client.get(f"/v1/songs/{song_id}"), 404)
        process.send_signal(signal.SIGTERM)
        end(process, outputs)


def _kinds(url: str, song_id: str) -> list[str]:
    with httpx.stream("GET", f"{url}/v1/songs/{song_id}/events", timeout=60) as answer:
        return [event["event"] for event in read_events(answer.iter_lines()) if "event" in event]
