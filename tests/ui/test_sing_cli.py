"""The ``sing`` verb on a random model: files come out, and every bad option is told in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner, Result

from adapters.composition import format_composition
from choirmaster import app
from engine.errors import ChoirmasterError, ModelError, RequestError, SongError, UnknownAdapter
from engine.karaoke import Karaoke, KaraokeLine, KaraokeWord
from engine.singer import Singer
from engine.song_model import SongModel
from router.cascade import Wish
from router.errors import RouterError
from tests.shelf import make_shelf
from tests.ui.planted import FakeRouter, LearningJudge

LYRICS = "hello there\\nmy friend"


@pytest.fixture(autouse=True)
def loaded(random_model: SongModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The random model is "loaded" whatever is asked for; loading itself has tests of its own."""
    monkeypatch.setattr("engine.song_model.load_song_model", lambda *_, **__: random_model)


def sing(*options: str, stdin: str | bytes | None = None) -> Result:
    result = CliRunner().invoke(app, ["sing", "--steps", "2", *options], input=stdin)
    if isinstance(result.exception, ChoirmasterError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize("form", ["flac", "wav", "ogg", "mp3"])
def test_every_format_holds_the_planned_seconds(tmp_path: Path, form: str) -> None:
    out = tmp_path / f"song.{form}"
    sing("--caption", "folk", "--lyrics", LYRICS, "--seed", "3", "--duration", "4", "--out", str(out))
    audio, rate = soundfile.read(out)
    assert rate == 48000 and audio.shape[1] == 2
    assert len(audio) / rate == pytest.approx(4, abs=0.1)
    assert np.abs(audio).max() > 0.1


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    written = []
    for seed in ("5", "5", "6"):
        sing("--lyrics", LYRICS, "--seed", seed, "--out", str(tmp_path / "song.wav"))
        written.append((tmp_path / "song.wav").read_bytes())
    assert written[0] == written[1] != written[2]


def test_the_plan_is_written_beside_the_song(tmp_path: Path) -> None:
    sing("--lyrics", LYRICS, "--seed", "1", "--plan", "--out", str(tmp_path / "song.flac"))
    plan = json.loads((tmp_path / "song.plan.json").read_text())
    assert [n["slot"] for n in plan["notes"]] == [0, 1, 2, 3, 4]


def test_the_times_of_the_words_are_written_beside_the_song(
    tmp_path: Path, random_model: SongModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = Karaoke(
        lines=(KaraokeLine(text="hello", start=0.5, end=1, words=(KaraokeWord(text="hello", start=0.5, end=1),)),)
    )
    monkeypatch.setattr("engine.singer.align_words", lambda *_: timed)
    sing("--lyrics", "hello", "--lrc", "--out", str(tmp_path / "song.flac"))
    assert (tmp_path / "song.lrc").read_text() == "[00:00.50] <00:00.50> hello <00:01.00>\n"
    monkeypatch.setattr("engine.singer.align_words", lambda *_: Karaoke(reason="planted"))
    result = sing("--lyrics", "hello", "--lrc", "--out", str(tmp_path / "other.flac"))
    assert "no .lrc was written: planted" in result.output and not (tmp_path / "other.lrc").exists()


def test_a_mistyped_adapter_is_told_before_a_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.song_model.load_song_model", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(UnknownAdapter, match="there is no adapter jazz: choose from lyrics, "):
        sing("--lyrics", LYRICS, "--composition", "jazz")


def test_words_come_from_a_file_or_standard_input(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("hello there\nmy friend", encoding="utf-8")
    one, two, three = (tmp_path / f"{n}.wav" for n in "123")
    sing("--lyrics", LYRICS, "--seed", "1", "--out", str(one))
    sing("--lyrics-file", str(words), "--seed", "1", "--out", str(two))
    sing("--lyrics-file", "-", "--seed", "1", "--out", str(three), stdin="hello there\nmy friend")
    assert one.read_bytes() == two.read_bytes() == three.read_bytes()


def test_an_unknown_style_is_told_and_sung_all_the_same(tmp_path: Path) -> None:
    result = sing("--caption", "qqqq zzzz", "--lyrics", LYRICS, "--out", str(tmp_path / "song.flac"))
    assert "no genre was recognised" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--lyrics", "word " * 20_000), "100,000 characters, at most 5,000"),
        (("--lyrics", "🎵🎶"), "no word in '🎵🎶' can be sung"),
        (("--lyrics", "привет мир"), "Latin letters"),
        (("--lyrics", LYRICS, "--duration", "0"), "duration: 0 is too short: choose 0.5 to 600 seconds"),
        (("--lyrics", LYRICS, "--duration", "1e9"), "duration: 1000000000 is too long: choose 0.5 to 600 seconds"),
        (("--lyrics", LYRICS, "--duration", "60"), "60 s is too long: the model 'tiny' sings at most 24 s"),
        (("--lyrics", LYRICS, "--duration", "nan"), "finite number"),
        (("--lyrics", LYRICS, "--tempo", "10"), "tempo: 10 is too slow: choose 75 to 200 beats per minute"),
        (("--lyrics", LYRICS, "--tempo", "100", "--duration", "9"), "contradict"),
        (("--lyrics", LYRICS, "--seed", "-1"), "seed: -1 is too small"),
        (("--lyrics", LYRICS, "--out", "song.txt"), "no sound file name"),
        (("--lyrics", LYRICS, "--lyrics-file", "x"), "contradict"),
        (("--lyrics-file", "/nowhere/x.txt"), "cannot be read: No such file"),
    ],
)
def test_bad_options_name_value_limit_and_remedy(options: tuple[str, ...], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        sing(*options)


def test_nul_bytes_are_no_words_and_other_encodings_are_told(tmp_path: Path) -> None:
    (tmp_path / "latin1.txt").write_bytes("na\xefve caf\xe9".encode("latin-1"))
    with pytest.raises(RequestError, match="UTF-8"):
        sing("--lyrics-file", str(tmp_path / "latin1.txt"))
    sing("--lyrics", "hello\0there", "--out", str(tmp_path / "song.flac"))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SongError, match="choose another place with --out"):
        sing("--lyrics", LYRICS, "--out", str(tmp_path / "file" / "song.flac"))


@pytest.fixture
def routed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, random_model: SongModel) -> tuple[str, ...]:
    """Options that sing by a planted router and shelf."""
    make_shelf(tmp_path / "shelf", random_model.transformer)
    router = FakeRouter()
    monkeypatch.setattr("router.router.Router.load", lambda *_: router)
    return ("--shelf", str(tmp_path / "shelf"), "--seed", "3", "--lyrics", "hello old friend")


def test_a_routed_song_is_the_song_of_what_the_router_chose(tmp_path: Path, routed: tuple[str, ...]) -> None:
    one, two = tmp_path / "one.wav", tmp_path / "two.wav"
    said = sing(*routed, "--mode", "routed", "--out", str(one)).output
    assert "folk=0.5 predicted WER 0.20" in said and "sings</i> this best." in said and "a planted note" in said
    sing(*routed, "--composition", "folk=0.5", "--out", str(two))
    assert one.read_bytes() == two.read_bytes()


def test_a_cascade_tells_its_takes_and_writes_the_best(
    tmp_path: Path, routed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    judge = LearningJudge("nothing like it", "hello cold friend", "hello old friend")

    def find(name: str) -> LearningJudge:
        asked.append(name)
        return judge

    monkeypatch.setattr("eval.judge.Judge", find)
    out, takes = tmp_path / "best.wav", tmp_path / "all"
    result = sing(
        *routed, "--mode", "cascade", "--budget", "3", "--stop-wer", "0.4", "--retry", "adapters",
        "--judge", "planted", "--takes", str(takes), "--out", str(out),
    )  # fmt: skip
    assert asked == ["planted"]
    assert sorted(path.name for path in takes.iterdir()) == ["take-1-folk=0.5.wav", "take-2-base.wav"]
    assert out.read_bytes() == (takes / "take-2-base.wav").read_bytes()
    rows = [line.split() for line in result.output.splitlines() if line.split()[:1] in (["1"], ["2"])]
    assert rows == [["1", "folk=0.5", "3", "1.00"], ["2", "base", "3", "0.33", "best"]]
    assert "base is good enough" in " ".join(result.output.split())


def test_without_a_judge_one_song_is_sung(tmp_path: Path, routed: tuple[str, ...]) -> None:
    out = tmp_path / "song.wav"
    said = sing(*routed, "--mode", "cascade", "--judge", "none", "--out", str(out)).output
    assert "Nobody listens here" in " ".join(said.split()) and out.is_file()


def test_an_interrupted_cascade_keeps_the_best_so_far(
    tmp_path: Path, routed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = LearningJudge("nothing like it")
    monkeypatch.setattr("eval.judge.Judge", lambda _: judge)
    sung, songs = Singer.sing, list[str]()

    def interrupted(*given: Any, **more: Any) -> Any:
        songs.append("")
        if len(songs) == 2:
            raise KeyboardInterrupt
        return sung(*given, **more)

    monkeypatch.setattr(Singer, "sing", interrupted)
    out = tmp_path / "song.wav"
    result = CliRunner().invoke(app, ["sing", "--steps", "2", *routed, "--mode", "cascade", "--out", str(out)])
    assert result.exit_code == 130 and out.is_file() and len(songs) == 2
    assert "Cancelled after 2 songs" in " ".join(result.output.split())


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_takes_that_cannot_be_kept_are_not_lost(
    tmp_path: Path, routed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    import adapters.files

    monkeypatch.setattr("eval.judge.Judge", lambda _: LearningJudge("nothing like it", "hello old friend"))
    write = adapters.files.write_bytes_atomically

    def refuse(path: Path, data: bytes) -> None:
        if path.parent.name == "all":
            raise fault
        write(path, data)

    monkeypatch.setattr("adapters.files.write_bytes_atomically", refuse)
    out = tmp_path / "song.wav"
    options = ["--mode", "cascade", "--takes", str(tmp_path / "all"), "--out", str(out)]
    result = CliRunner().invoke(app, ["sing", "--steps", "2", *routed, *options])
    said = " ".join(result.output.split())
    assert "take 1 was not kept" in said and out.is_file()
    interrupted = isinstance(fault, KeyboardInterrupt)
    assert result.exit_code == (130 if interrupted else 0)
    assert ("Cancelled after 1 song;" if interrupted else "is good enough: a WER of 0.0 %") in said


def test_a_folder_for_takes_that_cannot_be_written_is_told_before_anything_is_loaded(
    tmp_path: Path, routed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("engine.song_model.load_song_model", lambda *_, **__: pytest.fail("it was loaded"))
    monkeypatch.setattr("router.router.Router.load", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(SongError, match="choose another place with --takes"):
        sing(*routed, "--mode", "cascade", "--takes", str(tmp_path / "file" / "all"), "--out", str(tmp_path / "a.wav"))


def test_a_take_of_a_long_blend_is_kept_under_a_shorter_name(
    tmp_path: Path, routed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    blend = {f"a-voice-of-a-very-long-name-number-{n}": 0.25 for n in range(16)}
    monkeypatch.setattr("ui.tries.plan_takes", lambda *_: (Wish(format_composition(blend), {}, 3),))
    takes = tmp_path / "all"
    sing(*routed, "--mode", "cascade", "--judge", "none", "--takes", str(takes), "--out", str(tmp_path / "song.wav"))
    (kept,) = takes.iterdir()
    assert kept.name.startswith("take-1-a-voice") and kept.suffix == ".wav" and len(kept.name) < 200


def test_an_instrumental_is_tried_once_and_loads_no_judge(
    tmp_path: Path, routed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eval.judge.Judge", lambda _: pytest.fail("it was made"))
    said = sing(*routed, "--lyrics", "[intro]", "--mode", "cascade", "--out", str(tmp_path / "song.wav")).output
    assert "There are no words to judge a song by" in " ".join(said.split())


def test_a_cascade_interrupted_in_its_first_take_is_no_error(
    tmp_path: Path, routed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eval.judge.Judge", lambda _: LearningJudge("nothing"))
    monkeypatch.setattr(Singer, "sing", interrupt)
    out = tmp_path / "song.wav"
    result = CliRunner().invoke(app, ["sing", "--steps", "2", *routed, "--mode", "cascade", "--out", str(out)])
    assert result.exit_code == 130 and isinstance(result.exception, SystemExit) and not out.exists()
    assert "Cancelled." in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--mode", "routed", "--composition", "folk"), "--composition and --mode routed contradict"),
        (("--budget", "3"), "--budget says nothing with --mode single: give --mode cascade"),
        (("--router", "x.json"), "--router says nothing with --mode single: give --mode routed or cascade"),
        (("--mode", "routed", "--judge", "base"), "--judge says nothing"),
        (("--mode", "cascade", "--budget", "99"), "budget: 99 is too many: choose 1 to 16 songs"),
        (("--mode", "cascade", "--stop-wer", "nan"), "stop_wer must be a finite number, not nan: choose 0 to 1"),
    ],
)
def test_options_of_other_modes_are_told(options: tuple[str, ...], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        sing("--lyrics", LYRICS, *options)


def test_a_missing_router_is_told(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match=r"router\.json"):
        sing("--lyrics", LYRICS, "--mode", "routed", "--router", str(tmp_path / "router.json"))


def test_a_missing_model_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    with pytest.raises(ModelError, match=r"holds neither song_model\.json"):
        sing("--lyrics", LYRICS, "--model", str(tmp_path))
