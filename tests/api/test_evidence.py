"""Results tables over HTTP: listed, summed up, and songs of a cell heard and looked at; what is not there is told."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from api.evidence import evidence_routes
from eval.table import PARQUET
from tests.api.small_app import Watching, problem, small_app
from tests.ui.planted_tables import (
    COMPOSITIONS,
    JUDGE,
    SECOND,
    plant_results,
    planted_record,
    planted_sound,
    wrong_words,
)
from ui.sources import Sources

SONG: dict[str, Any] = {"prompt": "folk-0", "seed": 1, "composition": "base"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watching]:
    folder = tmp_path_factory.mktemp("evidence")
    plant_results(folder / "songs" / "eval")
    (folder / "model").mkdir()
    (folder / "model" / PARQUET).write_bytes(b"damaged")
    songs: Any = SimpleNamespace(store=SimpleNamespace(folder=folder / "songs"))
    app = small_app(evidence_routes(Sources(songs, folder / "model"), frozenset({(1, 0)})))
    yield Watching(app, folder, Path("/secret"))


def test_tables_are_listed_and_a_damaged_one_is_told(client: Watching) -> None:
    shipped, ours = client.get("/v1/evidence").json()["sources"]
    assert shipped["id"] == "shipped" and "is no results table" in shipped["fault"] and shipped["judges"] == []
    assert ours["judges"] == [JUDGE, SECOND] and ours["compositions"] == list(COMPOSITIONS) and ours["fault"] is None
    assert (ours["model"], ours["prompts"], ours["seeds"], ours["songs"]) == ("planted", 4, 2, 24)
    assert "is no results table" in problem(client.get("/v1/evidence/shipped"), 409)


def test_a_summary_holds_the_planted_rates(client: Watching) -> None:
    told = client.get("/v1/evidence/eval", params={"judge": SECOND}).json()
    assert (told["judge"], told["source"]["id"], told["resamples"]) == (SECOND, "eval", 10_000)
    rates = {row["composition"]: row["macro"]["value"] for row in told["summary"]["words"]}
    for name in COMPOSITIONS:
        planted = [wrong_words(genre, seed, name) / 10 for genre in ("folk", "rock") for seed in (1, 2)]
        assert rates[name] == pytest.approx(np.mean(planted))


def test_a_song_of_a_cell_is_heard_and_looked_at(client: Watching) -> None:
    cell = {"genre": "folk", "composition": "base"}
    songs = client.get("/v1/evidence/eval/cells", params=cell).json()["songs"]
    assert [song["wer"] for song in songs] == [0.4, 0.5, 0.4, 0.5] and songs[0]["request"]["seed"] == 1
    heard = client.get("/v1/evidence/eval/audio", params=SONG)
    assert heard.content == planted_sound() and heard.headers["content-type"] == "audio/flac"
    part = client.get("/v1/evidence/eval/audio", params=SONG, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"fLaC")
    assert client.head("/v1/evidence/eval/audio", params=SONG).headers["content-length"] == str(len(heard.content))
    maps = client.get("/v1/evidence/eval/attention", params=SONG).json()
    numbers = np.frombuffer(base64.b64decode(maps["data"]), "<f2").reshape(maps["shape"])
    np.testing.assert_array_equal(numbers[0], planted_record().recorded[0].maps)
    assert (maps["words"], maps["alignment_heads"]) == (["ten", "words"], [[1, 0]])
    length = client.head("/v1/evidence/eval/attention", params=SONG)
    assert length.content == b"" and int(length.headers["content-length"]) > 100


@pytest.mark.parametrize(
    ("path", "params", "status", "said"),
    [
        ("/nope", {}, 404, "there is no results table 'nope': choose from shipped, eval"),
        ("/eval", {"judge": "nobody"}, 404, f"choose from {JUDGE}, {SECOND}"),
        ("/eval/cells", {"genre": "jazz", "composition": "base"}, 404, "choose from folk, rock"),
        ("/eval/cells", {"genre": "folk"}, 422, "composition"),
        ("/eval/audio", {**SONG, "seed": 2}, 404, "the sound of this song was not kept"),
        ("/eval/audio", {**SONG, "seed": 3}, 404, "the table has no song"),
        ("/eval/audio", {**SONG, "prompt": "../../elsewhere"}, 404, "the table has no song"),
        ("/eval/attention", {**SONG, "seed": 2}, 404, "maps of this song were not kept"),
        ("/eval/attention", {**SONG, "seed": "first"}, 422, "seed"),
    ],
)
def test_what_is_not_there_is_told(client: Watching, path: str, params: dict[str, Any], status: int, said: str) -> None:
    told = problem(client.get(f"/v1/evidence{path}", params=params), status)
    assert said in told
