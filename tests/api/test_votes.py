"""Picks over HTTP: which may be made, what is written down of them, and that a fit can take them for what they are."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from schemathesis.core.result import Ok
from schemathesis.python import asgi

from adapters.fingerprints import fingerprint_adapter
from adapters.store import AdapterStore
from api.app import build_app
from api.guard import Access
from engine.request import SongRequest
from engine.song_model import SongModel
from router import feedback
from router.evidence import CHANGED, GAIN, votes_to_rows
from router.feedback import Vote
from tests.api.asking import SONG, sing
from tests.api.small_app import Watching, problem
from tests.api.test_document import MODES, try_operation
from tests.shelf import make_shelf, planted, put
from tests.ui.planted import hold, make_songs
from tests.waiting import until
from ui.choices import Choice, TakeOf
from ui.songs import Songs
from ui.voting import Voting

MODEL = "0123456789abcdef"


@pytest.fixture
def shelf(random_model: SongModel, tmp_path: Path) -> AdapterStore:
    return make_shelf(tmp_path / "shelf", random_model.transformer)


@pytest.fixture
def songs(random_model: SongModel, tmp_path: Path, shelf: AdapterStore) -> Songs:
    return make_songs(random_model, tmp_path / "songs", None, shelf)


@pytest.fixture
def asked() -> list[str]:
    """One entry each time that somebody reads the model's files."""
    return []


@pytest.fixture
def voting(songs: Songs, shelf: AdapterStore, asked: list[str]) -> Voting:
    def name_model() -> str:
        asked.append("model")
        return MODEL

    return Voting(songs, shelf, name_model)


@pytest.fixture
def client(songs: Songs, voting: Voting, tmp_path: Path) -> Iterator[TestClient]:
    with Watching(
        build_app(songs, pages=False, access=Access(hosts=frozenset({"testserver"})), voting=voting), tmp_path
    ) as c:
        yield c


def compare(client: TestClient, *compositions: Any, done: bool = True) -> tuple[str, dict[str, str]]:
    """Id of a comparison of these (base, rock and folk), and its songs' ids by the adapters that sing."""
    given = compositions or ("base", "rock", "folk")
    found = client.post("/v1/compare", json={**SONG, "compositions": given}).json()
    ids = {",".join(song["request"]["composition"]) or "base": song["id"] for song in found["songs"]}
    if done:
        until(lambda: all(s["state"] == "done" for s in client.get(f"/v1/compare/{found['id']}").json()["songs"]))
    return found["id"], ids


def test_a_pick_is_written_down_with_all_a_fit_needs(
    client: TestClient, voting: Voting, shelf: AdapterStore, asked: list[str]
) -> None:
    comparison, ids = compare(client)
    answer = client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["rock"], "blind": True})
    assert answer.status_code == 201, answer.text
    (kept,) = voting.log.read().votes
    assert voting.log.path.name == "feedback.jsonl" and voting.log.path.parent == voting.songs.store.folder
    assert Vote.model_validate(answer.json()) == kept
    fingerprints = {name: fingerprint_adapter(shelf.folder / name) for name in ("folk", "rock")}
    assert abs(kept.time - datetime.now(UTC)) < timedelta(minutes=1)
    told = kept.model_dump(exclude={"time"})
    assert told == {
        "comparison": comparison,
        "caption": "folk",
        "tags": (),
        "lyrics": "hello old friend",
        "seed": 1,
        "winner": {"rock": 1.0},
        "losers": ({}, {"folk": 1.0}),
        "blind": True,
        "model_fingerprint": MODEL,
        "adapters": fingerprints,
    }
    rows = votes_to_rows([kept], ["base", "rock=1", "folk=1"], 0, 1.0, MODEL, fingerprints)
    assert rows.gains[0, 1] == GAIN and not rows.skipped

    client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["base"]})
    listed = client.get("/v1/votes").json()
    assert [vote["winner"] for vote in listed["votes"]] == [{}, {"rock": 1.0}], "newest first, both kept"
    assert [vote["blind"] for vote in listed["votes"]] == [False, True], "blind only where it is said"
    assert (listed["total"], listed["unreadable"]) == (2, [])
    assert asked == ["model"]
    page = client.get("/v1/votes?limit=1&offset=1").json()
    assert page["votes"] == listed["votes"][1:] and page["total"] == 2
    assert client.get(f"/v1/votes?comparison={comparison}").json()["votes"] == listed["votes"]
    assert client.get("/v1/votes?comparison=0123456789abcdef").json()["total"] == 0
    assert voting.of(comparison) == list(voting.read().votes) and voting.of("0123456789abcdef") == []


def test_no_votes_are_an_empty_list(client: TestClient) -> None:
    assert client.get("/v1/votes").json() == {"votes": [], "total": 0, "limit": 20, "offset": 0, "unreadable": []}


def test_a_pick_of_an_earlier_run_of_the_server_is_as_good(
    client: TestClient, voting: Voting, shelf: AdapterStore, random_model: SongModel, songs: Songs
) -> None:
    comparison, ids = compare(client)
    later = make_songs(random_model, songs.store.folder, None, shelf)
    with TestClient(
        build_app(later, pages=False, voting=Voting(later, shelf, lambda: MODEL)), "http://localhost"
    ) as again:
        assert again.post(f"/v1/compare/{comparison}/vote", json={"song": ids["folk"]}).status_code == 201
    assert voting.log.read().votes[0].adapters.keys() == {"folk", "rock"}


@pytest.mark.parametrize("comparison", ["0123456789abcdef", "nothing", "..%2f..%2fetc", "%00", "F" * 16])
def test_an_unknown_comparison_is_not_found(client: TestClient, voting: Voting, comparison: str) -> None:
    problem(client.post(f"/v1/compare/{comparison}/vote", json={"song": "0123456789abcdef"}), 404)
    assert not voting.log.path.exists()


def test_nobody_picks_before_all_are_sung(client: TestClient, songs: Songs, voting: Voting) -> None:
    held = hold(songs)
    comparison, ids = compare(client, done=False)
    said = problem(client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["base"]}), 409)
    assert "pick once all are sung" in said
    held.go.set()
    until(lambda: all(s["state"] == "done" for s in client.get(f"/v1/compare/{comparison}").json()["songs"]))
    assert client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["base"]}).status_code == 201
    assert len(voting.log.read().votes) == 1


def test_a_song_that_failed_must_be_removed_first(
    client: TestClient, songs: Songs, voting: Voting, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold(songs)
    comparison, ids = compare(client, done=False)
    job = songs.engine.job(ids["rock"])
    assert job is not None
    songs.engine.cancel(job)
    held.go.set()
    until(lambda: all(songs.standing(song) and not songs.standing(song).going for song in ids.values()))  # type: ignore[union-attr]
    said = problem(client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["base"]}), 409)
    assert f"{ids['rock']} of this comparison is cancelled: remove that one" in said
    client.delete(f"/v1/songs/{ids['rock']}")
    assert client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["base"]}).status_code == 201
    assert voting.log.read().votes[0].losers == ({"folk": 1.0},)


def test_only_songs_of_the_comparison_can_be_picked(client: TestClient) -> None:
    comparison, ids = compare(client)
    alone = sing(client)["id"]
    said = problem(client.post(f"/v1/compare/{comparison}/vote", json={"song": alone}), 409)
    assert alone in said and ids["rock"] in said


def test_a_single_song_is_no_choice(client: TestClient) -> None:
    comparison, ids = compare(client, "rock")
    assert "only the song" in problem(client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["rock"]}), 409)


def group(songs: Songs, *requests: SongRequest, choices: dict[int, Choice] | None = None) -> tuple[str, list[str]]:
    comparison, jobs = songs.compare(requests, choices)
    for job in jobs:
        assert job.wait(60)
    until(lambda: all(songs.standing(job.id) is not None for job in jobs))
    return comparison, [job.id for job in jobs]


def test_songs_that_differ_in_more_than_adapters_cannot_be_picked_from(client: TestClient, songs: Songs) -> None:
    first = SongRequest(**SONG)
    for change, named in (
        ({"seed": 2, "composition": {"rock": 1}}, "different seeds"),
        ({"lyrics": "hello", "composition": {"rock": 1}}, "different lyrics"),
        ({}, "base stands there twice"),
    ):
        comparison, ids = group(songs, first, SongRequest(**{**SONG, **change}))
        assert named in problem(client.post(f"/v1/compare/{comparison}/vote", json={"song": ids[0]}), 409)


def test_takes_of_a_cascade_are_no_comparison(client: TestClient, songs: Songs) -> None:
    requests = SongRequest(**SONG), SongRequest(**{**SONG, "composition": {"rock": 1}})
    take = Choice(take=TakeOf("fedcba9876543210", 1, "rock=1", 3, 0.2, "adapters"))
    comparison, ids = group(songs, *requests, choices={1: take})
    assert "is a cascade" in problem(client.post(f"/v1/compare/{comparison}/vote", json={"song": ids[0]}), 409)


def test_songs_of_another_model_cannot_be_picked_from(client: TestClient, songs: Songs) -> None:
    comparison, ids = compare(client)
    songs.store.annotate(ids["rock"], model="large")
    said = problem(client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["base"]}), 409)
    assert "large" in said and "compare anew" in said


@pytest.mark.parametrize("change", ["replaced", "removed", "unknown"])
def test_an_adapter_that_is_not_what_sang_has_no_fingerprint_in_the_vote(
    client: TestClient, songs: Songs, voting: Voting, shelf: AdapterStore, random_model: SongModel, change: str
) -> None:
    before = fingerprint_adapter(shelf.folder / "rock")
    comparison, ids = compare(client)
    if change == "unknown":
        songs.store.annotate(ids["rock"], adapters="rock")
    else:
        shelf.remove("rock")
    if change == "replaced":
        put(shelf, "rock", planted(random_model.transformer, "rock", seed=9), random_model.transformer)
    client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["rock"]})
    (vote,) = voting.log.read().votes
    assert vote.adapters.keys() == {"folk"}
    rows = votes_to_rows([vote], ["base", "rock=1"], 0, 1.0, MODEL, {"rock": before})
    assert rows.skipped == {CHANGED: 1}


def test_a_record_changed_by_hand_is_refused_with_a_reason(client: TestClient, songs: Songs) -> None:
    comparison, ids = compare(client)
    for composition in ([1], {"rock": "much"}, {"../etc": 1}):
        songs.store.annotate(ids["rock"], request={**SONG, "composition": composition})
        problem(client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["base"]}), 409)


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        (b"{", 400, "no JSON"),
        (b"[]", 422, "no JSON object"),
        (b"{}", 422, "song"),
        (b'{"song": "../etc"}', 422, "song"),
        (b'{"song": 12345678}', 422, "song"),
        (b'{"song": "0123456789abcdef", "blind": "yes"}', 422, "blind"),
        (b'{"song": "0123456789abcdef", "stars": 5}', 422, "stars is not a field of a pick"),
        (b'{"song": "' + b"0" * 100_000 + b'"}', 422, "song"),
        (b'{"song": "0123456789abcde\\ud800"}', 400, "no JSON"),
    ],
)
def test_a_wrong_body_is_named(client: TestClient, body: bytes, status: int, named: str) -> None:
    headers = {"Content-Type": "application/json"}
    said = problem(client.post("/v1/compare/0123456789abcdef/vote", content=body, headers=headers), status)
    assert named in said and len(said) < 700


def test_a_form_of_another_site_is_refused(client: TestClient) -> None:
    problem(client.post("/v1/compare/0123456789abcdef/vote", data={"song": "0123456789abcdef"}), 415)


def test_a_full_disk_and_a_full_log_are_told_apart_from_faults(
    client: TestClient, voting: Voting, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison, ids = compare(client)
    wanted = f"/v1/compare/{comparison}/vote", {"song": ids["base"]}

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert "disk is full" in problem(client.post(wanted[0], json=wanted[1]), 507)
    assert voting.log.read().votes == ()
    with monkeypatch.context() as patched:
        patched.setattr(feedback, "MAX_LOG", 10)
        assert "move it away" in problem(client.post(wanted[0], json=wanted[1]), 507)
    voting.log.path.unlink(missing_ok=True)
    voting.log.path.mkdir()
    problem(client.get("/v1/votes"), 500)


def test_lines_that_are_no_votes_are_told(client: TestClient, voting: Voting) -> None:
    comparison, ids = compare(client)
    voting.log.path.write_text('{"winner": "rock"}\n')
    client.post(f"/v1/compare/{comparison}/vote", json={"song": ids["base"]})
    found = client.get("/v1/votes").json()
    assert (found["total"], found["unreadable"]) == (1, [1])


def test_the_document_is_true(songs: Songs, voting: Voting) -> None:
    app = build_app(songs, pages=False, access=Access(hosts=frozenset({"testserver"})), voting=voting)
    client = TestClient(app)  # its lifespan does not run: it can run once, and does further below
    document = app.openapi()
    example = document["paths"]["/v1/compare/{comparison}/vote"]["post"]["requestBody"]["content"]["application/json"]
    comparison, ids = compare(client)
    shown = {**example["schema"]["examples"][0], "song": ids["base"]}
    assert client.post(f"/v1/compare/{comparison}/vote", json=shown).status_code == 201
    json.dumps(document)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    tried = [op for found in schema.get_all_operations() if isinstance(found, Ok) and "vote" in (op := found.ok()).path]
    assert len(tried) == 2
    failures = [fault for operation in tried for mode in MODES if (fault := try_operation(operation, mode, []))]
    asgi.shutdown_lifespans()
    if failures:
        raise ExceptionGroup("the document and the server differ", failures)
