"""The load run passes a server that is well, and finds every fault that is planted in one that is not."""

from __future__ import annotations

import asyncio
import io
import json
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
import typer
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import bench.load
from bench.load import LoadReport, LoadSettings, load_server, measure_load
from bench.load_cli import load
from bench.load_client import ACTS, LoadClient
from bench.load_endings import Alone, Ending, check_listed
from bench.load_http import Conversation, open_client
from bench.load_ledger import Fault, Latency, Ledger
from bench.load_samples import Usage, read_numbers
from bench.load_sounds import check_karaoke, compare_sounds, read_sound
from bench.load_wishes import BAD_INPUTS, draw_song
from engine.generation import Generation
from engine.request import read_request
from engine.settings import EngineSettings
from engine.singer import Singer
from engine.song import Song
from engine.song_model import SongModel
from tests.shelf import make_shelf, own_transformer
from tests.ui.planted import make_songs, served
from ui.songs import Songs

#: What a planted server does with a request: answers it itself, or leaves it alone.
Plant = Callable[[Request], Response | None]


class Planted:
    """Middleware that answers some requests in the place of the server, or drops a header of its answers."""

    def __init__(self, app: ASGIApp, plant: Plant, dropped: str) -> None:
        self.app, self.plant, self.dropped = app, plant, dropped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def without_header(message: Message) -> None:
            if message["type"] == "http.response.start" and self.dropped:
                del MutableHeaders(scope=message)[self.dropped]
            await send(message)

        answer = self.plant(Request(scope)) if scope["type"] == "http" else None
        await (self.app if answer is None else answer)(scope, receive, without_header)


@contextmanager
def planted(
    songs: Songs, monkeypatch: pytest.MonkeyPatch, plant: Plant = lambda _: None, dropped: str = ""
) -> Iterator[str]:
    """The songs served over real HTTP, with something planted before them."""
    from api.app import build_app

    def build(given: Songs, pages: bool) -> Any:
        app = build_app(given, pages)
        app.add_middleware(Planted, plant=plant, dropped=dropped)
        return app

    monkeypatch.setattr("api.app.build_app", build)
    with served(songs, pages=False) as address:
        yield address


def run(address: str, **settings: Any) -> tuple[LoadReport, Ledger]:
    """A short load run against a server of this process."""
    ledger = Ledger()
    given = LoadSettings(**{"clients": 3, "seconds": 2.0, "again": 2, "plain": True, **settings})
    return asyncio.run(load_server(address, given, ledger)), ledger


def problem(status: int) -> Response:
    said = {"type": "about:blank", "title": "", "status": status, "detail": "planted", "request_id": "1"}
    return JSONResponse(said, status, media_type="application/problem+json")


@pytest.fixture
def model(random_model: SongModel) -> SongModel:
    """A model that takes few steps unless it is asked for more, so that there are many songs in a short run."""
    return replace(random_model, preset=replace(random_model.preset, steps=3, guidance=1.0))


@pytest.fixture
def songs(model: SongModel, tmp_path: Path) -> Songs:
    return make_songs(model, tmp_path / "songs", None)


def test_a_server_that_is_well_passes(model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = own_transformer(model)
    shelf = make_shelf(tmp_path / "shelf", model.transformer)
    songs = make_songs(model, tmp_path / "songs", None, shelf)
    monkeypatch.setattr(bench.load, "_adapters", _told(["folk", "rock"]))
    with served(songs, pages=False) as address:
        report, ledger = run(address, seconds=6.0, plain=False, again=3)
    assert report.passed, report.faults
    assert report.alone.songs == 3 and report.alone.worst_correlation > 0.999
    assert report.first_step.count and report.done.count and report.songs_per_minute > 0
    assert report.done.p50 is not None and report.first_step.p50 is not None
    assert report.first_step.p50 < report.done.p50 <= (report.done.p95 or 0)
    assert report.usage.batch_rows > 0 and report.usage.memory_first is None
    assert sum(report.fates.values()) == len(ledger.songs) and not ledger.with_fate("open")
    compositions = [song.fields["composition"] for song in ledger.songs.values()]
    assert {"folk", "rock"} & {name for names in compositions for name in re.findall("folk|rock", str(names))}


@pytest.mark.parametrize("act", ACTS)
def test_every_act_can_be_done_again_and_again(act: str, songs: Songs) -> None:
    ledger = Ledger()

    async def act_often(address: str) -> None:
        async with open_client(address) as http:
            client = LoadClient(1, Conversation(http, ledger), Random(5), [])
            for _ in range(5):
                await getattr(client, act)()

    with served(songs, pages=False) as address:
        asyncio.run(act_often(address))
    assert not ledger.faults and not ledger.with_fate("failed")


def test_bad_input_is_refused_as_it_says(songs: Songs) -> None:
    ledger = Ledger()

    async def send_all(address: str) -> None:
        async with open_client(address) as http:
            client = LoadClient(1, Conversation(http, ledger), Random(5), [])
            for bad in BAD_INPUTS:
                await client.send(bad)
            with pytest.raises(Fault, match="a list: POST /v1/songs answered 422 rather than 200"):
                await client.send(replace(BAD_INPUTS[1], status=200))
            with pytest.raises(Fault, match="does not name the moon"):
                await client.send(replace(BAD_INPUTS[1], says="the moon"))

    with served(songs, pages=False) as address:
        asyncio.run(send_all(address))
    assert BAD_INPUTS[1].name == "a list" and sum(ledger.answers.values()) == len(BAD_INPUTS) + 2


def test_an_answer_of_500_is_found(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def plant(request: Request) -> Response | None:
        if request.method == "POST":
            asked.append("")
        return problem(500) if request.method == "POST" and len(asked) % 3 == 0 else None

    with planted(songs, monkeypatch, plant) as address:
        report, _ = run(address)
    assert not report.passed and report.statuses()["500"] >= 1
    assert any("answered 500 rather than 202" in fault for fault in report.faults)


def test_silence_is_found(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    def plant(request: Request) -> Response | None:
        return Response(_flac(np.zeros((48_000, 2)))) if request.url.path.endswith("/audio") else None

    with planted(songs, monkeypatch, plant) as address:
        report, _ = run(address, seconds=1.0)
    assert not report.passed and "is silent" in report.faults[0]


def test_a_lost_song_is_found(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[str] = []

    def plant(request: Request) -> Response | None:
        found = re.fullmatch("/v1/songs/([0-9a-f]{16})", request.url.path)
        if found is None:
            return None
        lost.append(found[1])
        return problem(404) if found[1] == lost[0] else None

    with planted(songs, monkeypatch, plant) as address:
        report, ledger = run(address)
    assert not report.passed and any(lost[0] in fault and "lost" in fault for fault in report.faults)
    assert ledger.songs[lost[0]].fate == "failed"


def test_a_song_that_feels_its_batch_mates_is_found(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    number = iter(range(1000))

    def plant(request: Request) -> Response | None:
        """Another noise whenever a sound is asked for, of the length that its song has."""
        if not request.url.path.endswith("/audio"):
            return None
        record = songs.store.record(request.url.path.split("/")[3])
        assert record is not None
        noise = np.random.default_rng(next(number)).normal(size=(round(record["seconds"] * 48_000), 2)) / 10
        return Response(_flac(noise))

    with planted(songs, monkeypatch, plant) as address:
        report, _ = run(address)
    assert report.fault_count == report.alone.songs == 2 and report.alone.worst_correlation < 0.1
    assert all("sung again alone" in fault for fault in report.faults)


class FailingSinger(Singer):
    """Fails in decoding every second song."""

    count = 0

    def finish(self, generation: Generation) -> Song:
        self.count += 1
        if self.count % 2:
            raise OSError("planted")
        return super().finish(generation)


@pytest.mark.parametrize("plain", [True, False])
def test_a_song_that_failed_is_found(plain: bool, model: SongModel, songs: Songs) -> None:
    songs.engine.singer = FailingSinger(model)
    with served(songs, pages=False) as address:
        report, _ = run(address, plain=plain)
    assert not report.passed and any("failed" in fault for fault in report.faults)


def test_a_full_queue_is_waited_for(model: SongModel, tmp_path: Path) -> None:
    tight = EngineSettings(max_queue=1, max_songs=1)
    songs = make_songs(model, tmp_path / "songs", None, settings=tight)
    with served(songs, pages=False) as address:
        report, _ = run(address, clients=6, seconds=3.0)
    assert report.passed and report.queue_waits == report.statuses()["429"] > 0


def test_a_full_queue_that_does_not_say_how_long_is_found(
    model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tight = EngineSettings(max_queue=1, max_songs=1)
    songs = make_songs(model, tmp_path / "songs", None, settings=tight)
    with planted(songs, monkeypatch, dropped="retry-after") as address:
        report, _ = run(address, clients=6)
    assert any("Retry-After" in fault for fault in report.faults)


def test_a_server_that_is_gone_is_found(songs: Songs) -> None:
    with served(songs, pages=False) as address:
        pass
    with pytest.raises(httpx.ConnectError):
        run(address)


def test_songs_that_do_not_come_back_are_found(songs: Songs) -> None:
    with served(songs, pages=False) as address, httpx.Client(base_url=address, trust_env=False) as http:
        asked = {"lyrics": "hello old friend", "steps": 2}
        ids = [http.post("/v1/songs?wait=true", json=asked).json()["id"] for _ in range(3)]

        def check(done: list[str], removed: list[str]) -> list[str]:
            ledger = Ledger()
            for song_id in [*done, *removed]:
                ledger.accept(song_id, {}, 0.0).fate = "done" if song_id in done else "deleted"
            assert asyncio.run(check_listed(address, ledger)) == 3
            return ledger.faults

        assert check(ids, []) == []
        assert "does not list 1 songs, among them 0123456789abcdef" in check([*ids, "0123456789abcdef"], [])[0]
        assert f"lists the removed or unknown 1 songs, among them {ids[2]}" in check(ids[:2], ids[2:])[0]


def test_the_asking_can_be_ended_early(songs: Songs) -> None:
    async def end_early(address: str) -> LoadReport:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(1.0, stop.set)
        return await load_server(address, LoadSettings(3, 600, again=1, plain=True), Ledger(), stop=stop)

    with served(songs, pages=False) as address:
        report = asyncio.run(end_early(address))
    assert report.passed and report.interrupted and report.seconds < 60 and report.alone.songs == 1


@pytest.mark.slow
def test_a_server_of_its_own_ends_and_comes_back_well() -> None:
    told: list[str] = []
    # Ctrl-C reaches only whoever measures, who ends the asking and reports.
    timer = threading.Timer(0.1, signal.raise_signal, [signal.SIGINT])

    def tell(what: str, done: float, of: float, state: str) -> None:
        told.append(what)
        if what == "under load" and done > 4 and not timer.ident:
            timer.start()

    report = measure_load(LoadSettings(clients=3, seconds=600, again=2), tell)
    assert report.passed, report.faults
    assert report.interrupted and report.seconds < 120 and report.alone.songs == 2
    assert report.ending is not None and report.ending.code == 0 and report.ending.seconds < 60
    assert report.ending.listed == report.fates["done"] >= 5
    assert (report.usage.memory_first or 0) > 100
    assert list(dict.fromkeys(told))[-2:] == ["ending the server", "starting it anew"]


def test_what_is_found_is_printed_written_and_told_by_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = Usage(60, 12.5, 9.5, 1.5, 0.125, 40, 500.0, 510.0, 520.0)
    report = LoadReport(
        clients=4,
        seconds=60.0,
        songs_per_minute=40.0,
        done=Latency.of([3.0, 4.0, 5.0]),
        first_step=Latency.of([]),
        fates={"done": 40, "deleted": 2},
        usage=usage,
        alone=Alone(20, 1e-3, 0.9999),
        ending=Ending(3.0, 0, 40),
        answers={"GET /v1/songs 200": 2, "POST /v1/songs 200": 1, "POST /v1/songs 429": 3},
    )
    asked: list[LoadSettings] = []

    def measure(settings: LoadSettings, tell: Any) -> LoadReport:
        asked.append(settings)
        tell("under load", 1.0, 2.0, "")
        return report

    monkeypatch.setattr(bench.load, "measure_load", measure)
    out = tmp_path / "load.json"
    load(minutes=2, clients=4, out=out)
    shown = capsys.readouterr().out
    assert asked == [LoadSettings(clients=4, seconds=120.0)]
    assert re.search(r"songs per minute +\| +40\.0 \|", shown) and "4.0 s, 4.9 s" in shown and "unknown" in shown
    assert "200: 3, 429: 3" in " ".join(shown.split())
    written = json.loads(out.read_text())
    assert written["passed"] is True and written["statuses"] == {"200": 3, "429": 3}
    assert written["usage"]["memory_last"] == 510.0 and written["ending"]["listed"] == 40

    report.faults, report.fault_count = ["a song is [lost]"], 30
    with pytest.raises(typer.Exit) as stop:
        load(out=out)
    assert stop.value.exit_code == 1 and json.loads(out.read_text())["passed"] is False
    assert "a song is [lost]" in capsys.readouterr().out


def test_latencies_are_quantiles() -> None:
    seconds = np.random.default_rng(0).exponential(size=500)
    found = Latency.of(seconds.tolist())
    assert found.count == 500
    assert (found.p50, found.p95) == pytest.approx((np.quantile(seconds, 0.5), np.quantile(seconds, 0.95)))
    assert Latency.of([2.0]) == Latency(1, 2.0, 2.0) and Latency.of([]) == Latency(0, None, None)


def test_sounds_are_told_apart() -> None:
    sound = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32) / 10
    assert compare_sounds(sound, sound).same
    assert compare_sounds(sound, sound + np.float32(0.009)).same
    spike = sound.copy()
    spike[10] += 0.05
    assert compare_sounds(sound, spike).same and compare_sounds(sound, spike).difference == pytest.approx(0.05)
    assert not compare_sounds(sound, sound[::-1]).same
    assert not compare_sounds(sound, -sound).same and not compare_sounds(sound, sound[1:]).same
    assert read_sound("it", _flac(sound), 1000 / 48_000).shape == (1000, 2)
    click = np.zeros((480_000, 2))
    click[5] = 0.02
    for data, said in (
        (b"", "decoded"),
        (_flac(sound)[:60], "decoded|samples"),
        (_flac(np.zeros((0, 2))), "decoded|samples"),
        (_flac(sound / 1000), "silent"),
        (_flac(click), "silent"),
    ):
        with pytest.raises(Fault, match=said):
            read_sound("it", data)
    with pytest.raises(Fault, match="lasts"):
        read_sound("it", _flac(sound), 3.0)


def test_words_out_of_order_are_found() -> None:
    def karaoke(*times: float) -> dict[str, Any]:
        words = [{"text": "la", "start": start, "end": start + 0.5} for start in times]
        return {"lines": [{"words": words}] if words else []}

    assert check_karaoke("it", karaoke(0, 0.5, 2), 3) and not check_karaoke("it", karaoke(), 3)
    for times in ((1, 0), (0, 3), (-1, 1)):
        with pytest.raises(Fault, match="out of order"):
            check_karaoke("it", karaoke(*times), 3)


def test_numbers_are_read_with_their_labels() -> None:
    songs = '# TYPE songs counter\nsongs_total{outcome="done"} 3.0\nsongs_total{outcome="failed"} 0\n'
    text = f"{songs}# TYPE rows gauge\nrows 4\n"
    assert read_numbers(text) == {"songs_total{outcome=done}": 3, "songs_total{outcome=failed}": 0, "rows": 4}


def test_songs_asked_for_are_of_all_kinds_and_can_be_sung() -> None:
    rng, adapters = Random(0), ["a", "b", "c"]
    drawn = [draw_song(rng, adapters) for _ in range(300)]
    requests = [read_request(fields) for fields in drawn]
    assert {len(request.lyrics.splitlines()) for request in requests} == {1, 2, 3, 4}
    assert {len(request.composition) for request in requests} == {0, 1, 2, 3}
    assert all("seed" in fields for fields in drawn) and any(isinstance(f["composition"], str) for f in drawn)
    assert len({fields.get("steps") for fields in drawn}) > 5
    assert drawn[:5] == [draw_song(again, adapters) for again in [Random(0)] for _ in range(5)]


def _told(adapters: list[str]) -> Callable[[httpx.AsyncClient], Any]:
    async def tell(_: httpx.AsyncClient) -> list[str]:
        return adapters

    return tell


def _flac(sound: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, 48_000, format="FLAC")
    return buffer.getvalue()
