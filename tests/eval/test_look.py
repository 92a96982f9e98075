"""One song under several compositions: what is told and written is what the engine captured."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from adapters.errors import AdapterError
from adapters.store import AdapterStore
from engine.attention_maps import merge_words
from engine.errors import UnknownAdapter
from engine.lyric_map import LyricMap
from engine.request import AttentionWish, SongRequest
from engine.singer import Singer
from engine.song_model import SongModel
from eval.heads import Alignment
from eval.look import Look, LookError, look_at, look_table, write_look
from eval.look_cli import attention, find_prompt
from eval.prompts import EVERYDAY, read_prompts
from tests.shelf import make_shelf, own_transformer

REQUEST = SongRequest(caption="folk", lyrics="[verse]\nMy father built\nthis crooked gate", seed=3, steps=2)
COMPOSITIONS: tuple[dict[str, float], ...] = ({}, {"folk": 1.0}, {"folk": 0.5, "rock": -0.5})
NAMES = ["base", "folk=1", "folk=0.5,rock=-0.5"]


@pytest.fixture(scope="module")
def singer(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Singer:
    model = own_transformer(random_model)
    return Singer(model, make_shelf(tmp_path_factory.mktemp("shelf"), model.transformer))


@pytest.fixture(scope="module")
def look(singer: Singer) -> Look:
    told: list[str] = []
    made = look_at(singer, REQUEST, COMPOSITIONS, "folk-1", told.append)
    assert told == NAMES
    return made


def test_every_head_is_what_the_same_request_captures(singer: Singer, look: Look) -> None:
    assert list(look.voices) == NAMES and len(look.heads) == 24
    assert look.words == ("My", "father", "built", "this", "crooked", "gate")
    wish = AttentionWish(heads=look.heads)
    song = singer.sing(REQUEST.model_copy(update={"attention": wish, "composition": {"folk": 1.0}}))
    assert song.attention is not None
    frame = song.attention.recorded[-1]
    merged = merge_words(frame.maps, song.attention.lyric_map)
    voice = look.voices["folk=1"]
    np.testing.assert_allclose(voice.maps * merged.sum(-1, keepdims=True), merged, atol=1e-6)
    np.testing.assert_allclose(voice.discarded, 1 - merged.sum(-1), atol=1e-6)
    np.testing.assert_allclose(voice.maps.sum(-1), 1, atol=1e-5)
    assert look.edges[-1] == pytest.approx(song.attention.edges[-1])


def test_alignment_is_told_how_many_frames_the_bins_stand_for(singer: Singer, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []

    def measure(maps: NDArray[np.float32], lyric_map: LyricMap, rate: float, frames: int) -> Alignment:
        told.append((maps.shape[1], frames))
        return Alignment(None, None)

    monkeypatch.setattr("eval.look.measure_alignment", measure)
    long = REQUEST.model_copy(update={"lyrics": "my father built this crooked gate\n" * 10, "steps": 1})
    found = look_at(singer, long, COMPOSITIONS[:1], "folk-1")
    rate = singer.model.frame_rate / singer.model.transformer.config.patch_size
    [(bins, frames)] = told
    assert bins == 256 < frames == round(float(found.edges[-1]) * rate)


def test_compositions_start_alike_and_end_apart(singer: Singer, look: Look) -> None:
    again = look_at(singer, REQUEST, COMPOSITIONS[:1], "folk-1")
    np.testing.assert_allclose(again.voices["base"].maps, look.voices["base"].maps, atol=1e-6)
    assert abs(look.voices["base"].maps - look.voices["folk=1"].maps).max() > 1e-3


def test_what_is_written_is_what_was_measured(look: Look, tmp_path: Path) -> None:
    written = write_look(look, tmp_path / "new")
    assert sorted(p.name for p in written) == sorted(p.name for p in (tmp_path / "new").iterdir())
    assert [p.suffix for p in written] == [".npz", ".png", ".png", ".png", ".png"]
    with np.load(written[0], allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    bins = len(stored["edges"]) - 1
    assert stored["maps"].shape == (3, 24, bins, 6) and stored["discarded"].shape == (3, 24, bins)
    assert stored["compositions"].tolist() == NAMES and stored["words"].tolist() == list(look.words)
    assert stored["heads"].tolist() == [[layer, head] for layer in range(6) for head in range(4)]
    for at, voice in enumerate(look.voices.values()):
        np.testing.assert_allclose(stored["maps"][at], voice.maps, atol=1e-3)
        assert stored["diagonal"][at].tolist() == [m.diagonal for m in voice.measures]
        assert stored["dominant_null"][at].tolist() == [m.dominant_null for m in voice.measures]
        assert stored["dominant_token"][at].tolist() == [m.dominant_token for m in voice.measures]
        assert stored["alignment"][at].tolist() == list(voice.alignment)
    for path in written[1:]:
        assert Image.open(io.BytesIO(path.read_bytes())).width == 1100
    assert len({path.read_bytes() for path in written[2:]}) == 3


def test_the_table_tells_figures_beside_their_nulls(look: Look) -> None:
    console = Console(width=240, record=True, file=io.StringIO())
    console.print(look_table(look), markup=False)
    rows = [line for line in console.export_text().splitlines() if line.startswith("| ")][1:]
    assert [row.split("|")[1].strip() for row in rows] == NAMES
    voice = look.voices["base"]
    best = max(voice.measures, key=lambda m: m.diagonal or 0)
    assert f"layer {best.layer} head {best.head}: {best.diagonal:.3f} ({best.diagonal_null:.3f})" in rows[0]
    followed = [m for m in voice.measures if (m.layer, m.head) in look.aligned or not look.aligned]
    mass, null = (np.mean([getattr(m, name) for m in followed]) for name in ("lyric_mass", "lyric_mass_null"))
    assert f"{mass:.3f} ({null:.3f})" in rows[0]
    assert f"{voice.mean_discarded:.3f}" in rows[0] and voice.mean_discarded == pytest.approx(1 - mass, abs=1e-3)


def test_nothing_to_look_at_is_told(singer: Singer) -> None:
    for lyrics in ("", "[verse]\n[chorus]"):
        with pytest.raises(LookError, match="hold no word"):
            look_at(singer, REQUEST.model_copy(update={"lyrics": lyrics}), COMPOSITIONS, "x")
    with pytest.raises(UnknownAdapter, match="there is no adapter nope"):
        look_at(singer, REQUEST, ({}, {"nope": 1.0}), "x", lambda name: pytest.fail("a song was sung for nothing"))


def test_a_folder_that_cannot_be_written_into_is_told(look: Look, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LookError, match="choose another --out"):
        write_look(look, tmp_path / "file" / "folder")


def test_an_unknown_prompt_names_the_nearest() -> None:
    prompts = read_prompts(EVERYDAY)
    assert find_prompt(prompts, "folk-1", EVERYDAY).id == "folk-1"
    with pytest.raises(LookError, match=r"no prompt 'folk1' among the 120 of .*everyday.jsonl: nearest are folk-1"):
        find_prompt(prompts, "folk1", EVERYDAY)
    with pytest.raises(LookError, match="nearest are folk-1, folk-2, folk-3"):
        find_prompt(prompts, "????", EVERYDAY)


def test_bad_input_is_told_before_a_model_is_loaded(tmp_path: Path) -> None:
    missing = str(tmp_path / "model")
    with pytest.raises(LookError, match="neither --prompt nor --lyrics"):
        attention(model=missing)
    with pytest.raises(LookError, match="both given"):
        attention(prompt="folk-1", lyrics="la", model=missing)
    with pytest.raises(LookError, match="caption of its own"):
        attention(prompt="folk-1", caption="loud", model=missing)
    with pytest.raises(LookError, match="no prompt 'nobody'"):
        attention(prompt="nobody", model=missing)
    with pytest.raises(AdapterError, match="no adapter nope"):
        attention(lyrics="la la", compositions="base,nope", model=missing)
    with pytest.raises(AdapterError, match="stands twice"):
        attention(lyrics="la la", compositions="base,base", model=missing)


def test_the_verb_writes_and_tells(
    singer: Singer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.song_model.load_song_model", lambda folder: singer.model)
    shelf = singer.shelf
    assert isinstance(shelf, AdapterStore)
    attention(lyrics="my old gate", caption="folk", seed=3, steps=1, shelf=shelf.folder, out=tmp_path)
    told = capsys.readouterr()
    assert "folk=1" in told.out and "rock=1" in told.out and "typed, seed 3" in told.out
    assert "typed.3.attention.npz" in told.err
    assert {p.name for p in tmp_path.iterdir()} == {
        "typed.3.attention.npz",
        "typed.3.attention.png",
        *(f"typed.3.{name}.heads.png" for name in ("base", "folk=1", "rock=1")),
    }
