"""``choirmaster fit`` writes a router that finds the planted adapters, and answers wrong options in one line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.errors import RouterError
from router.feedback import FeedbackLog, Vote
from router.fit_table import parse_controls, pick_judge
from router.prompt import RouterPrompt
from router.router import Router
from tests.router.planted_router import ADAPTERS, JUDGE, MODEL, SECOND, Words, plant_table
from tests.verbs import Run, verb_runner

run = verb_runner("fit")
TABLE = plant_table(names=("base", "a=1", "b=1", "random=1"), genres=6, prompts=2)


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence model that takes no time."""
    monkeypatch.setattr("router.sentences.load_sentence_model", lambda name: Words())
    monkeypatch.setattr("router.router.load_sentence_model", lambda name: Words())


@pytest.fixture
def table(tmp_path: Path) -> Path:
    TABLE.write(tmp_path / "eval" / "table.parquet")
    return tmp_path / "eval"


def test_it_fits_tells_and_writes(run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["choirmaster", "fit", "table"])
    log = FeedbackLog(tmp_path / "feedback.jsonl")
    vote = Vote(
        time=datetime.now(UTC), comparison="c1", caption="a quiet song", lyrics="words", seed=1, winner={"a": 1.0},
        losers=({},), blind=True, model_fingerprint=MODEL, adapters={"a": ADAPTERS["a"]},
    )  # fmt: skip
    log.append(vote)
    log.append(vote.model_copy(update={"comparison": "c2", "model_fingerprint": "other"}))
    out = tmp_path / "router.json"
    code, shown, told = run(table, "--out", out, "--feedback", log.path, "--feedback-weight", 1)
    assert code == 0, told
    assert "12 prompts of 6 genres, 3 compositions, random=1 as controls, fitted by planted int8 beam 5" in told
    assert "1 pick of people took part at weight 1; 1 did not" in told and "sung by another song model" in told
    for text in (
        f"judge {JUDGE}",
        f"judge {SECOND}",
        "single: a=1",
        "control: random=1",
        "oracle",
        "cascades that stop",
    ):
        assert text in shown
    assert f"the router is in {out}" in shown and re.search(r"^fitted in \d+ s$", shown, re.MULTILINE)
    router = Router.load(out)
    assert router.file.compositions == ("base", "a=1", "b=1") and router.file.adapters == ADAPTERS
    assert router.findings.controls == ("random=1",) and router.findings.curves
    assert router.findings.command == "choirmaster fit table"
    assert router.file.votes is not None and router.file.votes.used == 1
    decision = router.route(RouterPrompt(caption="a very loud loud song with fiddle", tags=("loud",), lyrics="words"))
    assert decision.order[0] == decision.name and decision.candidates[0].name == "b=1"
    json.loads(out.read_text())


def test_what_a_control_did_not_sing_costs_no_prompt_and_what_others_did_not_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.validation.permute_labels", lambda *given: ())
    songs = TABLE.songs
    first = songs.prompt.iloc[0]
    kept = songs[
        (songs.composition != "random=1") & ((songs.composition != "b=1") | (songs.prompt != first))
        | (songs.composition == "random=1") & songs.genre.isin(list(dict.fromkeys(songs.genre))[1:4])
    ]
    replace(TABLE, songs=kept).write(tmp_path / "table.parquet")
    code, shown, told = run(tmp_path, "--out", tmp_path / "router.json")
    assert code == 0, told
    assert "11 prompts of 6 genres, 3 compositions, random=1 as controls" in told
    assert "4 of 70 songs are left out, since not all compositions sang them; b=1 lacks most, 2 of 24" in told
    assert "control: random=1" in shown and len(Router.load(tmp_path / "router.json").file.prompts) == 11


def test_stopping_it_leaves_the_router_that_was_there(
    run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("router.validation.validate", stop)
    (tmp_path / "router.json").write_text("the old one")
    code, shown, told = run(table, "--out", tmp_path / "router.json")
    assert code == 130 and "Stopped. Nothing was written" in told and not shown
    assert (tmp_path / "router.json").read_text() == "the old one"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_judge_who_heard_less_and_a_table_of_unknown_origin_are_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = TABLE.songs
    kept = songs[(songs.judge == JUDGE) | (songs.composition == "base")]
    about = {"prompts": {"file": "test.jsonl"}}
    replace(TABLE, songs=kept, about=about).write(tmp_path / "table.parquet")
    monkeypatch.setattr(
        "router.validation.permute_labels", lambda *given: ()
    )  # takes long, and is not asked about here
    code, shown, told = run(tmp_path, "--out", tmp_path / "router.json")
    assert code == 0, told
    assert f"{SECOND} scores nothing: " in told and "no cascades are shown: " in told
    assert "of the frozen prompts of test.jsonl: this router must not be tested on them" in told
    assert "does not tell which model sang it" in told and "a server will refuse this router" in told
    assert "the table has no fingerprint of a, b, so that a changed adapter" in told
    assert f"judge {JUDGE}" in shown and SECOND not in shown
    with pytest.raises(RouterError, match=r"of the model of no name with fingerprint unknown, this one has feed"):
        Router.load(tmp_path / "router.json").check("feed")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--out", "."), "--out . is no name for a router: end it in .json"),
        (("--out", "router.txt"), "end it in .json"),
        (("--judge", "nobody"), f"the judge 'nobody' is not one of the table's: choose from {JUDGE}, {SECOND}"),
        (("--controls", "c=1"), "the control c=1 is not in the table: choose from base, a=1, b=1, random=1"),
        (("--controls", "A"), "is no adapter name"),
        (("--controls", "a=1,b=1,random=1"), "so there is nothing to choose between"),
        (("--feedback", "none.jsonl"), "--feedback none.jsonl is no file"),
        (("--feedback-weight", "1"), "no --feedback: name a log"),
        (("--confidence", "0.2"), "Invalid value for '--confidence'"),
    ],
)
def test_wrong_options_are_told(run: Run, table: Path, options: tuple[str, ...], said: str) -> None:
    code, _, told = run(table, *options)
    assert code == 2 and said in told


def test_tables_without_a_choice_are_told(run: Run, tmp_path: Path) -> None:
    songs = TABLE.songs
    for kept, said in (
        (songs[songs.composition == "a=1"], "the table has the composition a=1 only, so there is nothing to choose"),
        (songs[songs.genre == "harp"], "the table has the genre 'harp' only"),
        (songs[:0], "the table has no rows"),
    ):
        replace(TABLE, songs=kept).write(tmp_path / "table.parquet")
        code, _, told = run(tmp_path / "table.parquet", "--out", tmp_path / "router.json")
        assert code == 2 and said in told and told.count("\n") == 1
    code, _, told = run(tmp_path / "nowhere")
    assert code == 2 and "is no results table (there is none)" in told
    assert not (tmp_path / "router.json").exists()


def test_a_judge_is_known_by_the_beginning_of_its_name() -> None:
    judges = ["base int8 beam 5", "tiny.en int8 beam 5"]
    assert [pick_judge(asked, judges) for asked in ("", "base", "tiny.en", judges[1])] == [
        *judges[:1],
        *judges,
        judges[1],
    ]
    for asked in ("tiny", "b"):
        with pytest.raises(RouterError, match=r"choose from base int8 beam 5, tiny\.en int8 beam 5"):
            pick_judge(asked, judges)
    with pytest.raises(RouterError, match="choose from"):
        pick_judge("base", ["base int8 beam 5", "base float32 beam 5"])


def test_controls_are_random_adapters_unless_named() -> None:
    names = ("base", "lyrics=1", "lyrics=0.5,nolyrics=0.5", "random=1", "random-2=0.5", "randomised=1")
    assert parse_controls(None, names) == ("random=1", "random-2=0.5")
    assert parse_controls("", names) == ()
    assert parse_controls("nolyrics=.5+lyrics=.5, random", names) == ("lyrics=0.5,nolyrics=0.5", "random=1")
