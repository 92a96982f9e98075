"""Whether the server lives and can sing, what its model takes, and its numbers."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import ClientDisconnect

from api.app import build_app
from api.guard import RequestIds
from api.metrics import MAX_ADAPTERS, EngineNumbers, Metrics, RequestCounter
from engine.song_model import SongModel
from engine.statistics import EngineStatistics
from tests.api.asking import SONG, sing
from tests.api.small_app import problem
from tests.ui.planted import FakeJudge, hold, make_songs
from ui.songs import Songs


def numbers(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_closing_ends_engine_and_judge(songs: Songs) -> None:
    with TestClient(build_app(songs, pages=False), "http://localhost") as client:
        assert client.get("/healthz").json()["status"] == "ok"
        assert client.get("/readyz").json() == {"status": "ready", "queued": 0, "limit": 256}
        held = hold(songs)
        client.post("/v1/songs", json=SONG)
        held.go.set()
    assert not songs.engine.alive and not songs.listener._thread.is_alive()
    ended = TestClient(build_app(songs, pages=False), "http://localhost")  # its lifespan does not run
    problem(ended.get("/healthz"), 503)
    problem(ended.get("/readyz"), 503)


def test_the_numbers_follow_what_is_done(client: TestClient, songs: Songs) -> None:
    sing(client)
    held = hold(songs)
    gone = client.post("/v1/songs", json=SONG).json()["id"]
    client.get("/v1/songs/0123456789abcdef")
    client.get("/v1/songs/fedcba9876543210")
    client.get("/nowhere/at/all")
    client.delete(f"/v1/songs/{gone}")
    held.go.set()
    found = numbers(client)
    assert found["choirmaster_songs_total", (("outcome", "done"),)] == 1
    assert found["choirmaster_adapter_songs_total", (("adapter", "base"),)] == 1
    assert found["choirmaster_step_seconds_count", ()] >= 2 and found["choirmaster_queue_limit", ()] == 256
    assert found["choirmaster_step_seconds_bucket", (("le", "+Inf"),)] == found["choirmaster_step_seconds_count", ()]
    requests = {labels: value for (name, labels), value in found.items() if name == "choirmaster_http_requests_total"}
    assert requests[("method", "GET"), ("route", "/v1/songs/{song_id}"), ("status", "4xx")] == 2
    assert requests[("method", "POST"), ("route", "/v1/songs"), ("status", "2xx")] == 2
    assert requests[("method", "GET"), ("route", "other"), ("status", "4xx")] == 1


def test_labels_of_adapters_are_bounded_and_stay() -> None:
    class Planted:
        settings = type("Settings", (), {"max_queue": 5})

        def __init__(self) -> None:
            self.counts = {f"voice-{number}": number + 1 for number in range(MAX_ADAPTERS + 10)}

        @property
        def statistics(self) -> EngineStatistics:
            return EngineStatistics(0, 0, 0, 0, 0, 0.0, ((float("inf"), 0),), {}, self.counts)

    def counted() -> dict[str, float]:
        [family] = [f for f in collector.collect() if f.name == "choirmaster_adapter_songs"]
        return {sample.labels["adapter"]: sample.value for sample in family.samples}

    engine: Any = Planted()
    collector = EngineNumbers(engine)
    first = counted()
    assert len(first) == MAX_ADAPTERS + 1
    assert first["other"] == sum(range(MAX_ADAPTERS + 1, MAX_ADAPTERS + 11))
    engine.counts = dict(reversed(engine.counts.items()))
    assert counted() == first


def test_presets_tell_what_the_loaded_model_takes(client: TestClient, songs: Songs) -> None:
    told = client.get("/v1/presets").json()
    model = songs.engine.model
    assert (told["model"], told["preset"], told["max_seconds"]) == (model.name, "tiny", 24)
    assert {preset["name"]: preset["steps"] for preset in told["presets"]}["turbo"] == 8
    assert {layer for layer, _ in told["alignment_heads"]} == set(model.alignment_heads)
    assert told["limits"]["steps"] == {"minimum": 1, "maximum": 200}
    assert told["limits"]["lyrics"] == {"maxLength": 5000}
    assert told["limits"]["compositions"]["maxItems"] == 8


def test_addresses_and_methods_that_are_none_are_refused_the_same_way(random_model: SongModel, tmp_path: Path) -> None:
    app = build_app(make_songs(random_model, tmp_path, None))  # with pages, which would answer everything
    with TestClient(app, "http://localhost") as client:
        for path in ("/v1", "/v1/", "/v1/nothing", "/v1/songs/", "/v1//songs", "/v1/songs/a/b"):
            problem(client.get(path), 404)
        for method, path, allowed in (
            ("PUT", "/v1/songs", "GET, POST"),
            ("POST", "/healthz", "GET"),
            ("PATCH", "/v1/songs/0123456789abcdef", "DELETE, GET"),
            ("DELETE", "/v1/openapi.json", "GET"),
        ):
            answer = client.request(method, path)
            assert problem(answer, 405) and answer.headers["allow"] == allowed
        page = client.get("/")
        assert page.status_code == 200 and "Choirmaster" in page.text and page.headers["x-request-id"]


@pytest.mark.parametrize("given", ["mine-1", "A.b_c-9" * 9])
def test_a_request_keeps_its_own_id(client: TestClient, given: str) -> None:
    for path in ("/healthz", "/v1/nothing", "/v1/songs"):
        answer = client.get(path, headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] == given
    assert client.get("/v1/nothing", headers={"X-Request-ID": given}).json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "a\tb", "é"])
def test_a_request_id_that_can_be_none_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/v1/nothing", headers={b"X-Request-ID": given.encode()})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] != given


def test_what_nobody_foresaw_is_told_by_its_request_id_alone(
    client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted in /home/me/secret")

    monkeypatch.setattr(songs, "standing", broken)
    answer = client.get("/v1/songs/0123456789abcdef", headers={"X-Request-ID": "find-me"})
    assert "find-me" in problem(answer, 500)
    assert "planted" not in answer.text and "secret" not in answer.text and "Traceback" not in answer.text
    assert "find-me" in caplog.text and "planted in /home/me/secret" in caplog.text


def test_the_document_is_json_that_names_every_route_and_only_problems_as_errors(client: TestClient) -> None:
    document = client.get("/v1/openapi.json").json()
    assert {"/v1/songs", "/v1/songs/{song_id}/events", "/v1/compare", "/metrics"} <= document["paths"].keys()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"] and operation["operationId"], (path, method)
            for code, answer in operation["responses"].items():
                if int(code) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, method, code)
    references = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert references <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_a_judge_is_described(random_model: SongModel, tmp_path: Path) -> None:
    songs = make_songs(random_model, tmp_path, FakeJudge())
    with TestClient(build_app(songs, pages=False), "http://localhost") as client:
        assert client.get("/healthz").json()["judge"]["name"] == "planted judge"


def test_health_is_told_while_every_thread_is_busy(
    client: TestClient, songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    def slowly(_: str) -> None:
        begun.release()
        assert go.wait(60)

    monkeypatch.setattr(songs, "standing", slowly)
    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(client.get, "/v1/songs/0123456789abcdef") for _ in range(60)]
        for _ in range(40):  # all there are
            assert begun.acquire(timeout=60)
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        go.set()
        assert {answer.result().status_code for answer in waiting} == {404}


@pytest.mark.parametrize(
    ("error", "counted"), [(ClientDisconnect(), "4xx"), (asyncio.CancelledError(), "4xx"), (ZeroDivisionError(), "5xx")]
)
def test_a_client_that_goes_away_is_no_failure_of_the_server(songs: Songs, error: BaseException, counted: str) -> None:
    async def app(*_: object) -> None:
        raise error

    metrics = Metrics(songs.engine)
    scope = {"type": "http", "method": "POST", "path": "/v1/songs", "headers": []}

    async def nothing(*_: object) -> Any: ...

    with suppress(type(error)):
        inner = RequestIds(app) if counted == "4xx" else app
        asyncio.run(RequestCounter(inner, metrics, frozenset())(scope, nothing, nothing))
    told = metrics.text().decode()
    assert f'choirmaster_http_requests_total{{method="POST",route="other",status="{counted}"}} 1.0' in told
    songs.engine.close()
