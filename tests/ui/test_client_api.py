"""What programs call by ``gradio_client``: the same answers and the same sentences as over HTTP, with the same key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from api.export_jobs import ExportJobs
from api.guard import Access
from engine.song_model import SongModel
from tests.shelf import make_shelf
from tests.ui.planted import FakeJudge, FakeRouter, hold, make_songs, served
from tests.waiting import until
from ui.client_answers import brief_song
from ui.client_evidence import evidence_calls
from ui.client_lists import list_calls
from ui.client_shelf import shelf_calls
from ui.client_songs import song_calls
from ui.own_routes import OwnRoutes
from ui.songs import Songs
from ui.voting import Voting

CALLS = (song_calls, list_calls, shelf_calls, evidence_calls)
KEY = "a-key-of-the-tests"
MISTAKEN = {"composition": "folk", "format": "mp3"}
WISH = {"caption": "folk", "lyrics": "hello old friend", "seed": 7, "steps": 2}


@pytest.fixture(scope="module")
def songs(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Songs:
    folder = tmp_path_factory.mktemp("client")
    shelf = make_shelf(folder / "shelf", random_model.transformer)
    return make_songs(random_model, folder / "songs", FakeJudge("hello cold friend"), shelf, router=FakeRouter())


@pytest.fixture(scope="module")
def address(songs: Songs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    shelf: Any = songs.engine.singer.shelf
    model = next(tmp_path_factory.getbasetemp().glob("random-model*"))  # where the fixture wrote it
    exports = ExportJobs(songs.store.folder / "exports", shelf, str(model))
    voting = Voting(songs, shelf, lambda: "planted")
    with served(songs, access=Access(key=KEY), shelf=shelf, exports=exports, voting=voting) as url:
        until(lambda: songs.routing.state == "ready")
        yield url


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, headers={"Authorization": f"Bearer {KEY}"}, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def over_http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, headers={"X-API-Key": KEY}, timeout=60) as asked:
        yield asked


async def nobody(*_: Any) -> None:
    """An application that answers nothing."""


def call(client: Client, name: str, /, **given: Any) -> Any:
    return client.predict(**given, api_name=f"/{name}")


def test_a_song_is_sung_heard_and_linked(client: Client, over_http: httpx.Client) -> None:
    song = call(client, "sing", **WISH)
    assert (song["state"], song["seed"], song["judged"]) == ("done", 7, "judged")
    assert song["wer"] == pytest.approx(1 / 3, abs=1e-4) and song["transcript"] == "hello cold friend"
    sound = over_http.get(song["links"]["audio"])
    assert sound.status_code == 200 and sound.content[:4] == b"fLaC"
    whole = call(client, "song", song=song["id"])
    assert whole == over_http.get(song["links"]["self"]).json()
    words = call(client, "karaoke", song=song["id"])
    assert words == over_http.get(song["links"]["karaoke"]).json()
    assert call(client, "karaoke", song=song["id"], format="lrc")["text"].count("\n") >= 1


def test_the_same_seed_gives_the_same_song_by_either_way(client: Client, over_http: httpx.Client) -> None:
    one = call(client, "sing", **WISH)
    other = over_http.post("/v1/songs?wait=true", json=WISH).json()
    sounds = [over_http.get(f"/v1/songs/{song['id']}/audio?format=wav").content for song in (one, other)]
    assert sounds[0] == sounds[1] and len(sounds[0]) > 1000


def test_a_routed_song_tells_why(client: Client) -> None:
    decision = call(client, "route", caption="folk", lyrics="hello old friend", tags=["slow"])
    assert decision["name"] == "folk=0.5" and decision["candidates"][0]["wer"] == 0.2
    song = call(client, "sing", **WISH, composition="routed")
    assert song["composition"] == {"folk": 0.5} and song["decision"] == decision["reason"]


def test_a_song_that_failed_tells_its_error_and_not_the_routers_reason() -> None:
    song = {"id": "0" * 16, "state": "failed", "error": "it took too long", "links": {}}
    told = brief_song({**song, "decision": {"reason": "folk sings this best"}, "judged": {"reason": "nobody heard it"}})
    assert (told["error"], told["decision"], told["judge_reason"]) == (
        "it took too long", "folk sings this best", "nobody heard it",
    )  # fmt: skip


def test_songs_are_compared_and_one_is_picked(client: Client, over_http: httpx.Client) -> None:
    found = call(client, "compare", compositions=["base", "rock=1", "routed"], **WISH)
    assert [song["composition"] for song in found["songs"]] == [{}, {"rock": 1.0}, {"folk": 0.5}]
    assert {song["judged"] for song in found["songs"]} == {"judged"}
    assert call(client, "comparison", comparison=found["id"]) == found
    pick = call(client, "vote", comparison=found["id"], song=found["songs"][1]["id"], blind=True)
    assert pick["winner"] == {"rock": 1.0}
    assert call(client, "votes")["votes"] == over_http.get("/v1/votes").json()["votes"]


def test_a_cascade_ends_and_names_the_best(client: Client) -> None:
    found = call(client, "cascade", **WISH, budget=2, stop_wer=0.0)
    assert found["state"] == "done" and len(found["takes"]) == 2 and found["stopped"] == "budget"
    assert found["best"] in {take["song"] for take in found["takes"]}
    assert call(client, "cascade_state", cascade=found["id"]) == found
    assert call(client, "cancel_cascade", cascade=found["id"])["state"] == "done"


def test_songs_are_listed_cancelled_deleted_and_restored(client: Client, songs: Songs) -> None:
    singer, held = songs.engine.singer, hold(songs)
    going = call(client, "sing", **WISH, wait=False)
    assert going["state"] in ("queued", "singing") and going["wer"] is None
    assert going["id"] in {song["id"] for song in call(client, "songs", limit=3)["songs"]}
    call(client, "cancel", song=going["id"])
    held.go.set()
    songs.engine.singer = singer
    until(lambda: call(client, "song", song=going["id"])["state"] == "cancelled")
    done = call(client, "sing", **WISH)
    with pytest.raises(AppError, match="is done: only one that waits"):
        call(client, "cancel", song=done["id"])
    assert call(client, "delete", song=done["id"])["state"] == "deleted"
    with pytest.raises(AppError, match="there is no song"):
        call(client, "song", song=done["id"])
    call(client, "restore", song=done["id"])
    assert call(client, "song", song=done["id"])["judged"]["wer"] == done["wer"]


def test_adapters_are_listed_and_exported(client: Client, over_http: httpx.Client) -> None:
    assert [card["name"] for card in call(client, "adapters")["adapters"]] == ["folk", "rock"]
    made = call(client, "export", composition="folk=0.6,rock=0.4", format="peft")
    assert made["state"] == "done", made
    assert over_http.get(f"/v1/exports/{made['id']}/file").status_code == 200
    assert [export["id"] for export in call(client, "exports")["exports"]] == [made["id"]]
    assert call(client, "remove_export", export=made["id"])["state"] == "removed"
    assert call(client, "presets")["limits"]["steps"]["maximum"] == 200


@pytest.mark.parametrize(
    ("name", "given", "way"),
    [
        ("sing", {"steps": 0}, ("post", "/v1/songs", {"steps": 0})),
        ("sing", {"steps": "many"}, ("post", "/v1/songs", {"steps": "many"})),
        ("sing", {"lyrics": "🎵🎶"}, ("post", "/v1/songs", {"lyrics": "🎵🎶"})),
        ("sing", {"duration": 5, "tempo": 90}, ("post", "/v1/songs", {"duration": 5, "tempo": 90})),
        ("sing", {"composition": "ghost"}, ("post", "/v1/songs", {"composition": "ghost"})),
        ("compare", {"compositions": []}, ("post", "/v1/compare", {"compositions": []})),
        ("compare", {"compositions": ["base", "base"]}, ("post", "/v1/compare", {"compositions": ["base", "base"]})),
        ("cascade", {"budget": 99}, ("post", "/v1/cascades", {"budget": 99})),
        ("route", {"tags": "slow"}, ("post", "/v1/route", {"tags": "slow"})),
        ("song", {"song": "f" * 16}, ("get", f"/v1/songs/{'f' * 16}", None)),
        ("remove_adapter", {"name": "ghost"}, ("delete", "/v1/adapters/ghost", None)),
        ("songs", {"limit": 1000}, ("get", "/v1/songs?limit=1000", None)),
        ("export", MISTAKEN, ("post", "/v1/exports", MISTAKEN)),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_in_the_same_words(
    client: Client, over_http: httpx.Client, name: str, given: dict[str, Any], way: tuple[str, str, Any]
) -> None:
    method, path, body = way
    problem = over_http.request(method, path, json=body) if body is not None else over_http.request(method, path)
    assert problem.status_code >= 400
    with pytest.raises(AppError) as refused:
        call(client, name, **given)
    assert str(refused.value) == problem.json()["detail"]


@pytest.mark.parametrize("given", ["", "../../etc", "a/audio", "..", "a b"])
def test_what_is_no_id_leads_nowhere_else(client: Client, given: str) -> None:
    with pytest.raises(AppError, match="is no id or name of songs"):
        call(client, "song", song=given)


def test_without_the_key_nothing_is_answered(address: str) -> None:
    with pytest.raises(Exception, match="credentials"):
        Client(address, verbose=False, analytics_enabled=False)
    with httpx.Client(base_url=address) as stranger:
        for path in ("/gradio_api/call/sing", "/gradio_api/queue/join", "/gradio_api/run/sing", "/gradio_api/mcp/"):
            assert stranger.post(path, json={"data": []}).status_code == 401


def test_all_calls_are_described_and_nothing_else_of_the_page_can_be_called(client: Client) -> None:
    described: Any = client.view_api(return_format="dict")
    names = {call.__name__ for calls in CALLS for call in calls(OwnRoutes(nobody))}
    assert {name.lstrip("/") for name in described["named_endpoints"]} == names and not described["unnamed_endpoints"]
    for name, call_of in described["named_endpoints"].items():
        assert call_of["description"].endswith("."), name
    others = [e for e in client.endpoints.values() if str(e.api_name).lstrip("/") not in names]
    assert all(endpoint.api_visibility == "private" for endpoint in others)
