"""Singing with adapters: how they are asked for, what a bad wish is answered, and that the same song comes again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from adapters.store import AdapterStore
from api.app import build_app
from choirmaster import main
from engine.engine import Engine
from engine.errors import RequestError, SongError
from engine.request import SongRequest, read_request
from engine.singer import Singer
from engine.song_model import SongModel
from engine.songs import SongStore
from tests.shelf import make_shelf, own_transformer
from ui.listening import Listener
from ui.songs import Songs

SONG: dict[str, Any] = {"caption": "folk", "lyrics": "hello there", "seed": 1, "steps": 2}
BLEND = {"folk": 0.6, "rock": -0.25}


@pytest.fixture(scope="module")
def shelf(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> AdapterStore:
    return make_shelf(tmp_path_factory.mktemp("shelf"), random_model.transformer)


@pytest.fixture
def model(random_model: SongModel) -> SongModel:
    return own_transformer(random_model)


@pytest.fixture
def singer(model: SongModel, shelf: AdapterStore) -> Singer:
    return Singer(model, shelf)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"folk": 1}, {"folk": 1.0}),
        ({"rock": -0.25, "folk": 0.6}, BLEND),
        ("rock=-.25, folk=0.6", BLEND),
        ("folk", {"folk": 1.0}),
        ("base", {}),
        ("", {}),
        ({}, {}),
        ({"folk": 0}, {}),
    ],
)
def test_a_composition_is_asked_for_as_text_or_as_weights_by_name(given: Any, meant: dict[str, float]) -> None:
    request = read_request({**SONG, "composition": given})
    assert request.composition == meant and list(request.composition) == sorted(meant)
    assert SongRequest.model_validate_json(request.model_dump_json()) == request


WRONG = [
    ("folk=loud", "'folk=loud' is no weighted adapter: write a composition like"),
    ("folk,folk", "adapter folk stands twice"),
    ({"folk": 5}, "adapter folk has weight 5: give a number from -4 to 4"),
    ({"../../etc": 1}, "'../../etc' is no adapter name"),
    ({"folk": "loud"}, "composition: folk must be a number, not "),
    ({f"a{n}": 1 for n in range(17)}, "17 adapters was asked for: at most 16"),
    (7, "composition must be an object with names and values, not 7"),
    (["folk"], "give weights by adapter name, for example"),
    (None, "give weights by adapter name, for example"),
]


@pytest.mark.parametrize(("given", "told"), WRONG)
def test_a_composition_that_cannot_be_is_refused_with_a_remedy(given: Any, told: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_request({**SONG, "composition": given})
    assert told in str(refused.value) and str(refused.value).startswith("composition")


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_is_a_number(weight: float) -> None:
    with pytest.raises(RequestError, match="composition: folk must be a finite number"):
        read_request({**SONG, "composition": {"folk": weight}})


def test_adapters_are_heard_and_leave_no_trace(singer: Singer) -> None:
    wishes = [{}, {"folk": 1.0}, BLEND, {}, BLEND, {"folk": 1.0}, {"folk": 0.0}]
    songs = [singer.sing(SongRequest(**SONG, composition=wish)).latents for wish in wishes]
    for one, other in ((0, 3), (0, 6), (1, 5), (2, 4)):
        np.testing.assert_array_equal(songs[one], songs[other])
    assert min(np.abs(songs[a] - songs[b]).max() for a, b in ((0, 1), (1, 2), (0, 2))) > 1e-2


def test_the_condition_does_not_change_with_the_adapters(singer: Singer) -> None:
    """They change the transformer alone: seeds, plans and words stay comparable across compositions."""
    songs = [singer.sing(SongRequest(**SONG, composition=wish)) for wish in ({}, BLEND)]
    assert songs[0].plan == songs[1].plan and songs[0].sampling == songs[1].sampling


def test_an_unknown_adapter_is_named_beside_those_there_are(model: SongModel, singer: Singer) -> None:
    request = SongRequest(**SONG, composition={"jazz": 1.0, "folk": 1.0})
    for ask in (singer.preview, singer.sing):
        with pytest.raises(RequestError, match=r"^there is no adapter jazz: choose from folk, rock$"):
            ask(request)
    with pytest.raises(RequestError, match="none, since the shelf is empty"):
        Singer(model).preview(request)


def test_the_song_on_disk_keeps_its_composition_and_is_sung_again_from_it(
    model: SongModel, shelf: AdapterStore, tmp_path: Path
) -> None:
    store = SongStore(tmp_path)
    with Engine(model, store, shelf) as engine:
        job = engine.submit(SongRequest(**SONG, composition=BLEND))
        song = job.result(60)
        engine.submit(SongRequest(**SONG)).result(60)
        record = json.loads((tmp_path / job.id / "song.json").read_text(encoding="utf-8"))
        assert record["request"]["composition"] == BLEND
        again = engine.submit(read_request(record["request"])).result(60)
        np.testing.assert_array_equal(again.audio, song.audio)
        planned = engine.submit(read_request({**record["request"], "plan": record["plan"]})).result(60)
        np.testing.assert_array_equal(planned.audio, song.audio)


def test_a_damaged_adapter_fails_its_song_alone(model: SongModel, tmp_path: Path) -> None:
    shelf = make_shelf(tmp_path / "shelf", model.transformer)
    with Engine(model, None, shelf) as engine:
        before = engine.submit(SongRequest(**SONG)).result(60)
        (shelf.folder / "rock" / "adapter_model.safetensors").write_bytes(b"torn")
        with pytest.raises(SongError, match="adapter_model"):
            engine.submit(SongRequest(**SONG, composition={"folk": 1.0, "rock": 1.0})).result(60)
        after = engine.submit(SongRequest(**SONG)).result(60)
        np.testing.assert_array_equal(before.audio, after.audio)


@pytest.fixture
def client(model: SongModel, shelf: AdapterStore, tmp_path: Path) -> Iterator[TestClient]:
    store = SongStore(tmp_path / "songs")
    songs = Songs(Engine(model, store, shelf), store, Listener(None))
    application = build_app(songs, pages=False)
    with TestClient(application, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def test_over_http_a_composition_is_sung_and_told(client: TestClient) -> None:
    sung = {}
    for wish in ("", "folk=0.6,rock=-0.25", BLEND):
        answer = client.post("/v1/songs?wait=true", json={**SONG, "composition": wish}).json()
        assert answer["state"] == "done"
        assert answer["record"]["request"]["composition"] == (BLEND if wish else {})
        sung[str(wish)] = client.get(answer["links"]["audio"]).content
    base, text, weights = sung.values()
    assert text == weights != base


@pytest.mark.parametrize(
    ("composition", "status", "told"),
    [
        *((composition, 422, told) for composition, told in WRONG),
        ({"jazz": 1}, 404, "there is no adapter jazz: choose from folk, rock"),
        ("jazz", 404, "choose from folk, rock"),
    ],
)
def test_over_http_a_bad_wish_is_answered_at_once_in_a_sentence(
    client: TestClient, composition: Any, status: int, told: str
) -> None:
    answer = client.post("/v1/songs", json={**SONG, "composition": composition})
    assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"
    assert told in answer.json()["detail"]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main(["sing", "--lyrics", "hello there", "--seed", "1", "--steps", "2", *map(str, arguments)])
    assert isinstance(stop.value.code, int)
    return stop.value.code, capsys.readouterr().err


def test_the_command_line_sings_with_a_composition(
    model: SongModel,
    shelf: AdapterStore,
    singer: Singer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import soundfile

    monkeypatch.setattr("engine.song_model.load_song_model", lambda *_, **__: own_transformer(model))
    wish = ("--caption", "folk", "--shelf", shelf.folder, "--composition", "folk=0.6,rock=-0.25")
    assert run(capsys, *wish, "--out", tmp_path / "song.wav")[0] == 0
    heard, _ = soundfile.read(tmp_path / "song.wav", dtype="float32")
    wanted = singer.sing(SongRequest(**SONG, composition=BLEND))
    np.testing.assert_allclose(heard.T, wanted.audio, atol=2**-14)


def test_the_command_line_tells_a_bad_composition_in_one_line(
    model: SongModel,
    shelf: AdapterStore,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.song_model.load_song_model", lambda *_, **__: model)
    here = ("--shelf", shelf.folder, "--out", tmp_path / "song.wav")
    code, said = run(capsys, *here, "--composition", "jazz")
    assert code == 2 and "choirmaster: there is no adapter jazz: choose from folk, rock" in said
    code, said = run(capsys, *here, "--composition", "folk=9")
    assert code == 2 and said.strip() == (
        "choirmaster: composition: adapter folk has weight 9: give a number from -4 to 4"
    )
    assert not (tmp_path / "song.wav").exists()
