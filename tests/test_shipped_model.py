"""The shipped model and the real judge, end to end: typed words are sung and heard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from adapters.places import TINY_MODEL
from engine.planning import plan_song
from engine.request import SongRequest
from engine.singer import Singer
from engine.song_model import SongModel, load_song_model
from eval.alignment import measure_alignment
from eval.judge import Judge
from eval.wer import micro_wer, score

#: Neither of the training texts nor of the frozen prompts.
SONGS = (
    ("a quiet folk song", "The kitchen light is still on\nYour letter lies on the table\nI read it over again\n"
     "As slowly as I am able"),
    ("slow country ballad with a warm male voice", "[verse]\nWe painted the old house yellow\nThe summer we both were "
     "poor\nThe color has faded a little\nBut I still love the door"),
    ("bright pop song, female voice", "[chorus]\nMeet me after the party\nUnder the station clock\nI have been "
     "counting the minutes\nWalking around the block"),
)  # fmt: skip


@pytest.fixture(scope="module")
def model() -> SongModel:
    return load_song_model()


@pytest.fixture(scope="module")
def singer(model: SongModel) -> Singer:
    return Singer(model)


def test_the_folder_is_small_and_holds_no_pickle() -> None:
    files = [p for p in TINY_MODEL.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 40e6
    assert {p.suffix for p in files} <= {".json", ".safetensors", ".md", ".parquet"}


def test_the_config_names_heads_that_follow_the_words(model: SongModel, singer: Singer) -> None:
    requests = [SongRequest(caption=caption, lyrics=lyrics, seed=7) for caption, lyrics in SONGS[:2]]
    found = {(h.layer, h.head): h for h in measure_alignment(singer, requests)}
    named = [(layer, head) for layer, heads in model.alignment_heads.items() for head in heads]
    assert named
    for place in named:
        assert found[place].accuracy > 0.85 > 0.4 > found[place].chance


@pytest.mark.slow
def test_the_judge_hears_the_words(singer: Singer) -> None:
    judge, found = Judge("base"), []
    for seed, (caption, lyrics) in enumerate(SONGS * 2):
        song = singer.sing(SongRequest(caption=caption, lyrics=lyrics, seed=seed))
        found.append(score(lyrics, judge.listen(song.audio, song.sampling_rate).text))
    assert micro_wer(found) < 0.4


@pytest.mark.slow
def test_other_words_are_not_heard(singer: Singer) -> None:
    """The judge hears what is sung, not what would be plausible: against another song's words it must fail."""
    (caption, lyrics), (_, others) = SONGS[:2]
    song = singer.sing(SongRequest(caption=caption, lyrics=lyrics, seed=1))
    assert score(others, Judge("base").listen(song.audio, song.sampling_rate).text).wer > 0.7


def test_the_same_request_gives_the_same_bits(singer: Singer) -> None:
    request = SongRequest(caption=SONGS[0][0], lyrics=SONGS[0][1], seed=11)
    first, second = singer.sing(request), singer.sing(request)
    np.testing.assert_array_equal(first.audio, second.audio)
    assert first.plan == second.plan == plan_song(request)[0]


def test_an_instrumental_has_no_words_and_is_not_silent(singer: Singer) -> None:
    song = singer.sing(SongRequest(caption="calm jazz", lyrics="[intro]", duration=6, seed=2))
    assert song.seconds == pytest.approx(6, abs=0.05) and np.sqrt((song.audio**2).mean()) > 0.01


@pytest.mark.slow
def test_the_command_line_sings_the_same_song_as_the_engine(singer: Singer, tmp_path: Path) -> None:
    import soundfile

    caption, lyrics = SONGS[0]
    out = tmp_path / "song.wav"
    command = [sys.executable, "-m", "choirmaster", "sing", "--caption", caption, "--lyrics-file", "-", "--seed", "4"]
    # Another number of threads rounds otherwise, and a judge that was loaded here has set its own.
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    arguments = [*command, "--plan", "--out", str(out)]
    subprocess.run(arguments, input=lyrics.encode(), check=True, timeout=300, env=environment)
    song = singer.sing(SongRequest(caption=caption, lyrics=lyrics, seed=4))
    heard, _ = soundfile.read(out, dtype="float32")
    np.testing.assert_allclose(heard.T, song.audio, atol=2**-14)
    assert song.plan is not None
    assert json.loads(out.with_suffix(".plan.json").read_text())["frames"] == song.plan.frames
