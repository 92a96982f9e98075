"""The target measurement on a fake singer and judge with known mistakes: figures, resuming, failures, the verb."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import CliRunner

from adapters.errors import AdapterError
from adapters.fingerprints import fingerprint_model
from engine.errors import SongError
from eval import cli
from eval.clips import Clip, ClipLog, plan_clips
from eval.journal import LogError
from eval.judge import AudioError, Heard
from eval.prompts import read_prompts
from eval.targets import CoverageError, measure_clips, read_coverage, run_name, summarise
from eval.text import reference_words
from eval.weights import JudgeUnavailable
from tests.adapters.exported import transformer
from tests.shelf import make_shelf, planted, put


class FakeStage:
    """Sings silence and hears the lyrics, less their first word in the genres it is bad at."""

    def __init__(self, bad: tuple[str, ...] = ()) -> None:
        self.bad = bad
        self.sung: list[Clip] = []

    def sing(self, clip: Clip) -> SimpleNamespace:
        self.sung.append(clip)
        return SimpleNamespace(audio=np.zeros((2, 480), np.float32), sampling_rate=48_000)

    def listen(self, audio: NDArray[np.float32], sampling_rate: int) -> Heard:
        clip = self.sung[-1]
        words = reference_words(clip.lyrics)
        return Heard(" ".join(words[clip.genre in self.bad :]), (), 0.5, audio.shape[1] / sampling_rate)


def log_in(folder: Path) -> ClipLog:
    return ClipLog(folder / "out" / "clips.jsonl")


def test_plan() -> None:
    prompts = read_prompts()
    clips = plan_clips(prompts, seed=42)
    lines = [c for c in clips if c.kind == "line"]
    songs = [c for c in clips if c.kind == "song"]
    assert len(lines) == len(songs) == 120
    by_id = {p.id: (i, p) for i, p in enumerate(prompts)}
    for line, song in zip(lines, songs, strict=True):
        position, prompt = by_id[line.prompt]
        assert line.lyrics == prompt.lines[position % 4]
        assert song.lyrics == prompt.lyrics
        assert line.seed == song.seed == 42 + position
    assert plan_clips(prompts, seed=42, limit=30) == clips[:60]
    assert len({c.genre for c in clips[:60]}) == 30
    three = plan_clips(prompts, seed=42, takes=3)
    assert len({(c.kind, c.prompt, c.seed) for c in three}) == 720 and set(clips) < set(three)


def test_figures_of_known_mistakes(tmp_path: Path) -> None:
    clips = plan_clips(read_prompts(), seed=0)
    stage = FakeStage(bad=("folk",))
    log = log_in(tmp_path)
    assert measure_clips(clips, stage.sing, stage.listen, log, "run") == ()
    report = summarise(clips, log.read("run"), covered=("folk", "pop"))
    assert (report.planned, report.measured, report.failures) == (240, 240, ())
    figures = {f.label: f for f in report.figures}
    assert list(figures) == [
        "single lines, all genres", "single lines, well-covered genres",
        "four-line songs, all genres", "four-line songs, well-covered genres",
    ]  # fmt: skip
    songs = figures["four-line songs, all genres"]
    assert songs.clips == 120
    assert songs.wer.estimate == pytest.approx(4 / songs.words)  # one word in each of four folk songs
    assert songs.wer.low <= songs.wer.estimate <= songs.wer.high
    assert figures["single lines, well-covered genres"].clips == 8
    assert figures["single lines, well-covered genres"].wer.estimate == pytest.approx(
        4 / figures["single lines, well-covered genres"].words
    )
    genres = {g.genre: g for g in report.genres}
    assert len(genres) == 30 and genres["folk"].well_covered and not genres["rock"].well_covered
    assert genres["folk"].song_wer and genres["rock"].song_wer == 0.0
    assert report.speed is not None and report.speed.songs == 120


def test_goes_on_where_it_stopped(tmp_path: Path) -> None:
    clips = plan_clips(read_prompts(), seed=0, limit=5)
    log = log_in(tmp_path)
    first = FakeStage()

    def stop_at_seventh(clip: Clip) -> SimpleNamespace:
        if len(first.sung) == 6:
            raise KeyboardInterrupt
        return first.sing(clip)

    with pytest.raises(KeyboardInterrupt):
        measure_clips(clips, stop_at_seventh, first.listen, log, "run")
    assert len(log.read("run")) == 6
    second = FakeStage()
    seen: list[Clip] = []
    measure_clips(clips, second.sing, second.listen, log, "run", seen.append)
    assert second.sung == list(clips[6:]) and seen == list(clips)
    assert len(log.read("run")) == 10
    third = FakeStage()
    measure_clips(clips, third.sing, third.listen, log, "another run", seen.append)
    assert len(third.sung) == 10 and len(log.read("run")) == 10


def test_a_torn_last_line_is_sung_again(tmp_path: Path) -> None:
    clips = plan_clips(read_prompts(), seed=0, limit=2)
    log, stage = log_in(tmp_path), FakeStage()
    measure_clips(clips, stage.sing, stage.listen, log, "run")
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-20])
    assert len(log.read("run")) == 3
    measure_clips(clips, stage.sing, stage.listen, log, "run")
    assert stage.sung[4:] == [clips[3]]
    assert len(log.read("run")) == 4 and log.path.read_bytes().endswith(b"\n")


def test_a_log_of_something_else_is_refused(tmp_path: Path) -> None:
    log = ClipLog(tmp_path / "clips.jsonl")
    log.path.write_text('{"run": 1}\n')
    with pytest.raises(LogError, match=r"clips.jsonl:1 is no clip"):
        log.read("run")
    log.path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(LogError, match="cannot be read"):
        log.read("run")
    (tmp_path / "file").touch()
    clips, stage = plan_clips(read_prompts(), seed=0, limit=1), FakeStage()
    with pytest.raises(LogError, match="choose another --out"):
        measure_clips(clips, stage.sing, stage.listen, ClipLog(tmp_path / "file" / "clips.jsonl"), "run")


@pytest.mark.parametrize("error", [SongError("out of memory"), AudioError("NaN")])
def test_one_failing_clip_fails_alone(tmp_path: Path, error: Exception) -> None:
    clips = plan_clips(read_prompts(), seed=0, limit=2)
    log, stage = log_in(tmp_path), FakeStage()

    def sing(clip: Clip) -> SimpleNamespace:
        if clip == clips[1]:
            raise error
        return stage.sing(clip)

    failures = measure_clips(clips, sing, stage.listen, log, "run")
    assert [(f.prompt, f.kind, f.reason) for f in failures] == [(clips[1].prompt, "song", str(error))]
    report = summarise(clips, log.read("run"), None, failures)
    assert (report.planned, report.measured) == (4, 3) and report.failures == failures
    assert measure_clips(clips, stage.sing, stage.listen, log, "run") == ()


def test_nothing_sung_has_no_figures() -> None:
    report = summarise(plan_clips(read_prompts(), seed=0), (), ("folk",))
    assert (report.figures, report.genres, report.speed, report.measured) == ((), (), None, 0)


def test_coverage(tmp_path: Path) -> None:
    genres = ["folk", "pop"]
    assert read_coverage(tmp_path, genres) is None
    path = tmp_path / "coverage.json"
    path.write_text('{"well_covered": ["pop"], "clips": {"pop": 900}}')
    assert read_coverage(tmp_path, genres) == ("pop",)
    for text in ("[]", '{"well_covered": "pop"}', "{", '{"other": []}'):
        path.write_text(text)
        with pytest.raises(CoverageError, match="must hold"):
            read_coverage(tmp_path, genres)
    path.write_text('{"well_covered": ["Pop"]}')
    with pytest.raises(CoverageError, match=r"no prompt has: \['Pop'\]"):
        read_coverage(tmp_path, genres)


def test_names_of_runs_and_models(tmp_path: Path) -> None:
    assert run_name({"a": 1, "b": 2}) == run_name({"b": 2, "a": 1}) != run_name({"a": 1, "b": 3})
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "config.json").write_text("{}")
    before = fingerprint_model(tmp_path)
    (tmp_path / "sub" / "notes.txt").write_text("ignored")
    (tmp_path / "targets.json").write_text("{}")
    assert fingerprint_model(tmp_path) == before
    (tmp_path / "sub" / "config.json").write_text("[]")
    assert fingerprint_model(tmp_path) != before
    assert fingerprint_model(Path("some/hub-id")) != fingerprint_model(Path("other/hub-id"))


Verb = Callable[..., tuple[int, FakeStage]]


@pytest.fixture
def verb(tmp_path: Path) -> Verb:
    """The verb with a stage instead of engine and judge."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "coverage.json").write_text('{"well_covered": ["folk"]}')

    def run(limit: int, steps: int | None = None, bad: tuple[str, ...] = ()) -> tuple[int, FakeStage]:
        stage = FakeStage(bad)
        options = cli.Options(model=str(model), out=tmp_path / "out", limit=limit, steps=steps, alignment=0)
        return cli.run(options, stage.sing, stage.listen), stage

    return run


def test_the_verb(verb: Verb, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, stage = verb(3, bad=("pop",))
    assert status == 0 and len(stage.sung) == 6
    printed = capsys.readouterr().out
    assert "single lines, all genres" in printed and "judge: base int8 beam 5; 6 of 6 clips" in printed
    assert "folk *" in printed and "| rock" in printed
    report = json.loads((tmp_path / "out" / "targets.json").read_text())
    assert report["measured"] == 6 and report["judge"] == "base int8 beam 5" and report["limit"] == 3
    assert report["figures"][0]["wer"]["level"] == 0.95
    assert report["judge_settings"]["beam"] == 5

    status, stage = verb(4)
    assert status == 0 and len(stage.sung) == 2  # three prompts were there
    status, stage = verb(4, steps=8)
    assert status == 0 and len(stage.sung) == 8  # other settings, another run
    status, stage = verb(4, steps=8)
    assert status == 0 and not stage.sung


def test_the_verb_stopped(verb: Verb, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    original = FakeStage.sing

    def stop(self: FakeStage, clip: Clip) -> SimpleNamespace:
        if len(self.sung) == 2:
            raise KeyboardInterrupt
        return original(self, clip)

    monkeypatch.setattr(FakeStage, "sing", stop)
    status, _ = verb(3)
    captured = capsys.readouterr()
    assert status == 130 and "goes on from here" in captured.err and "2 of 6 clips" in captured.out
    monkeypatch.setattr(FakeStage, "sing", original)
    status, stage = verb(3)
    assert status == 0 and len(stage.sung) == 4


def test_a_composition_is_a_run_of_its_own_and_of_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model").mkdir()
    base = transformer()
    shelf = make_shelf(tmp_path / "shelf", base)

    def sung(composition: str) -> int:
        stage = FakeStage()
        options = cli.Options(
            model=str(tmp_path / "model"),
            out=tmp_path / "out",
            limit=1,
            alignment=0,
            composition=composition,
            shelf=shelf.folder,
        )
        assert cli.run(options, stage.sing, stage.listen) == 0
        return len(stage.sung)

    assert (sung(""), sung("base"), sung("folk=0")) == (2, 0, 0), "the base model by any name"
    assert (sung("folk"), sung("folk=1"), sung("folk=0.5"), sung("folk,rock")) == (2, 0, 2, 2)
    assert sung("rock=1.0,folk=1.0") == 0
    report = json.loads((tmp_path / "out" / "targets.json").read_text())
    assert {name: weight for name, (weight, _) in report["composition"].items()} == {"folk": 1.0, "rock": 1.0}
    shelf.remove("folk")
    put(shelf, "folk", planted(base, "folk", seed=5), base)
    assert (sung("folk"), sung("rock"), sung("")) == (2, 2, 0), "another adapter of the same name"
    assert len(ClipLog(tmp_path / "out" / "clips.jsonl").read(report["run"])) == 2, "the old clips are still there"
    capsys.readouterr()


def test_an_unknown_adapter_stops_before_singing(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    shelf, stage = make_shelf(tmp_path / "shelf", transformer()), FakeStage()
    options = cli.Options(
        model=str(tmp_path / "model"), out=tmp_path / "out", limit=1, composition="folk,jazz", shelf=shelf.folder
    )
    with pytest.raises(AdapterError, match=r"there is no adapter jazz in .*: choose one of folk, rock"):
        cli.run(options, stage.sing, stage.listen)
    assert not stage.sung and not (tmp_path / "out").exists()


def test_the_verb_can_keep_to_covered_genres(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    stage = FakeStage()
    options = cli.Options(
        model=str(tmp_path / "model"), out=tmp_path / "out", covered=True, takes=2, alignment=0, limit=60
    )
    with pytest.raises(CoverageError, match="without --covered"):
        cli.run(options, stage.sing, stage.listen)
    (tmp_path / "model" / "coverage.json").write_text('{"well_covered": ["folk", "pop"]}')
    assert cli.run(options, stage.sing, stage.listen) == 0
    assert {c.genre for c in stage.sung} == {"folk", "pop"} and len(stage.sung) == 2 * 2 * 2 * 2


def test_the_verb_names_what_failed(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: FakeStage, clip: Clip) -> SimpleNamespace:
        raise SongError("too [bad] a song")

    monkeypatch.setattr(FakeStage, "sing", fail)
    status, _ = verb(1)
    assert status == 1 and "song of folk-1: too [bad] a song" in capsys.readouterr().err


def test_a_missing_judge_stops_before_singing(tmp_path: Path) -> None:
    stage = FakeStage()
    with pytest.raises(JudgeUnavailable, match="'nonsense'"):
        cli.run(cli.Options(model=str(tmp_path), out=tmp_path / "out", judge="nonsense", limit=1), stage.sing)
    assert not stage.sung


def test_options_reach_the_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command()(cli.measure)
    asked: list[cli.Options] = []

    def run(options: cli.Options) -> int:
        asked.append(options)
        return 130

    monkeypatch.setattr(cli, "run", run)
    argv = ["--limit", "3", "--seed", "7", "--steps", "8", "--judge", "small", "--threads", "1", "--out", str(tmp_path)]
    assert CliRunner().invoke(app, argv).exit_code == 130
    assert asked == [cli.Options(limit=3, seed=7, steps=8, judge="small", threads=1, out=tmp_path)]
    for wrong in (["--limit", "0"], ["--steps", "-1"], ["--seed", str(2**31)], ["--threads", "x"]):
        assert CliRunner().invoke(app, wrong).exit_code == 2
