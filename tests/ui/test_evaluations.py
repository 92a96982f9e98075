"""Small evaluations sing through the server's engine without being in anybody's way, and go on where they were."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import RequestError
from engine.song_model import SongModel
from eval.grid import Grid, GridError, Plan, cannot_write
from eval.grid_log import HEARD, SUNG
from eval.judge import Heard
from eval.table import read_table
from tests.shelf import make_shelf
from tests.ui.planted import FakeJudge, hold, make_songs
from tests.ui.planted_tables import plant_prompts
from tests.waiting import until
from ui.errand_keeper import MOST_KEPT
from ui.errands import CLOSED, Refused
from ui.evaluation_records import RECORDS
from ui.evaluation_run import Evaluation, _reword
from ui.evaluations import EvaluationRequest, Evaluations, EvaluationStanding, TableNeeded
from ui.songs import Songs
from ui.sources import Sources

ASKED = EvaluationRequest(compositions=("base", "folk"), genres=2)
HEARD_TEXT = "hello cold friend"


class PacedJudge(FakeJudge):
    """Holds its breath once it has heard ``most`` songs, until ``go``."""

    most: int | None = None

    def listen(self, audio: NDArray[np.floating[Any]], sampling_rate: int) -> Heard:
        if self.most is not None and len(self.heard) == self.most:
            self.go.clear()
        return super().listen(audio, sampling_rate)


class Planted:
    """A service over a folder that may be opened again, as by a server that starts anew."""

    def __init__(self, model: SongModel, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.shelf = make_shelf(folder / "shelf", model.transformer)
        self.judge: PacedJudge | None = PacedJudge(HEARD_TEXT)
        self.opened: list[tuple[Songs, Evaluations]] = []

    def open(self) -> Evaluations:
        songs = make_songs(self.model, self.folder / "songs", self.judge, self.shelf)
        evaluations = Evaluations(songs, self.shelf, self.folder / "model")
        self.opened.append((songs, evaluations))
        return evaluations

    def close(self) -> None:
        for songs, evaluations in self.opened:
            evaluations.close()
            songs.close()
        self.opened.clear()


@pytest.fixture
def planted(random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Planted]:
    monkeypatch.setattr("ui.evaluation_run.PROMPTS", plant_prompts(tmp_path))
    found = Planted(random_model, tmp_path)
    yield found
    found.close()


def finish(evaluations: Evaluations, evaluation: str) -> EvaluationStanding:
    def ended() -> EvaluationStanding | None:
        found = evaluations.standing(evaluation)
        return found if found is not None and found.state not in ("queued", "running") else None

    found = until(ended)
    assert found is not None
    return found


def test_an_evaluation_becomes_a_table_and_no_history(planted: Planted) -> None:
    evaluations = planted.open()
    begun = evaluations.start(ASKED)
    assert begun.state in ("queued", "running") and begun.total == 4
    done = finish(evaluations, begun.id)
    assert (done.state, done.sung, done.heard, done.failed, done.error) == ("done", 4, 4, 0, None)
    table = read_table(evaluations.folder / done.id)
    assert table.compositions == ["base", "folk=1"] and len(table.songs) == 4 and len(table.heads)
    assert set(table.songs["transcript"]) == {HEARD_TEXT} and table.judges == [FakeJudge.title]
    assert table.about["command"].startswith("POST /v1/evaluations") and table.about["preset"]
    songs = evaluations.songs
    assert songs.listed(10) == [] and not list(songs.store) and songs.engine.statistics.outcomes["done"] == 4
    source = Sources(songs, planted.folder / "model").source(done.id)
    assert source.songs == 4 and source.fault is None
    asked = len(planted.judge.heard) if planted.judge else 0
    again = evaluations.start(EvaluationRequest(compositions=("base", "folk=1.0"), genres=2))
    assert (again.id, again.state) == (done.id, "done") and planted.judge and len(planted.judge.heard) == asked


def test_a_song_of_somebody_is_served_before_the_rest_of_it(planted: Planted) -> None:
    evaluations = planted.open()
    songs = evaluations.songs
    held = hold(songs)
    begun = evaluations.start(EvaluationRequest(compositions=("base", "folk"), genres=3, seeds=2))
    until(lambda: songs.engine.running)
    assert songs.engine.queued == 0
    from engine.request import SongRequest

    job = songs.submit(SongRequest(caption="folk", lyrics="hello", seed=1, steps=1))
    until(lambda: job in songs.engine._ready)
    held.go.set()
    assert job.wait(120) and job.state == "done"
    standing = evaluations.standing(begun.id)
    assert standing is not None and standing.state == "running" and standing.sung <= 2 < standing.total
    assert [listed.id for listed in songs.listed(10)] == [job.id]
    assert evaluations.cancel(begun.id) and finish(evaluations, begun.id).state == "cancelled"


def test_one_that_is_cancelled_is_a_table_of_what_is_done_and_goes_on(planted: Planted) -> None:
    evaluations, judge = planted.open(), planted.judge
    assert judge is not None
    judge.most = 1
    begun = evaluations.start(EvaluationRequest(compositions=("base",), genres=4))
    until(lambda: (found := evaluations.standing(begun.id)) and found.heard)
    assert evaluations.cancel(begun.id)
    with pytest.raises(Refused, match="is being stopped: ask again in a moment") as raised:
        evaluations.start(EvaluationRequest(compositions=("base",), genres=4))
    assert raised.value.retry_after
    judge.go.set()
    judge.most = None
    stopped = finish(evaluations, begun.id)
    assert stopped.state == "cancelled" and 0 < stopped.heard < 4 and stopped.error is None
    until(lambda: not evaluations.songs.engine._register.live())  # nothing is sung of it any more
    assert len(read_table(evaluations.folder / begun.id).songs) == stopped.heard
    heard = len(planted.judge.heard) if planted.judge else 0
    assert evaluations.start(stopped.request).id == begun.id
    done = finish(evaluations, begun.id)
    assert (done.state, done.heard) == ("done", 4) and len(read_table(evaluations.folder / begun.id).songs) == 4
    assert planted.judge and len(planted.judge.heard) - heard == 4 - stopped.heard, "nothing is heard twice"


def test_one_that_was_killed_is_told_and_goes_on_where_it_was(planted: Planted) -> None:
    evaluations = planted.open()
    begun = evaluations.start(ASKED)
    finish(evaluations, begun.id)
    planted.close()
    folder = evaluations.folder / begun.id
    # As a server leaves it that is killed while the second song is being heard and the third is written down.
    record = json.loads((folder / RECORDS.name).read_text())
    (folder / RECORDS.name).write_text(json.dumps(record | {"state": "running", "sung": 0, "heard": 0}))
    sung, heard = ((folder / name).read_text().splitlines(keepends=True) for name in (SUNG, HEARD))
    (folder / SUNG).write_text("".join(sung[:2]) + sung[2][:40])
    (folder / HEARD).write_text(heard[0])
    (folder / "table.parquet").unlink()

    again = planted.open()
    told = again.standing(begun.id)
    assert told is not None and (told.state, told.error, told.sung, told.heard) == ("cancelled", CLOSED, 2, 1)
    assert [one.id for one in again.listed()] == [begun.id] and planted.judge
    before = len(planted.judge.heard)
    assert again.start(ASKED).id == begun.id
    done = finish(again, begun.id)
    assert (done.state, done.sung, done.heard, done.created) == ("done", 4, 4, begun.created)
    assert again.songs.engine.statistics.outcomes["done"] == 2 and len(planted.judge.heard) - before == 3
    assert len(read_table(folder).songs) == 4


def test_a_server_that_ends_stops_it_and_writes_down_what_is_done(planted: Planted) -> None:
    evaluations = planted.open()
    first = evaluations.start(EvaluationRequest(compositions=("base",), genres=6))
    second = evaluations.start(ASKED)
    assert second.place == 1 or second.state == "running"
    until(lambda: (found := evaluations.standing(first.id)) and found.heard)
    planted.close()
    with pytest.raises(Refused, match="shutting down") as raised:
        evaluations.start(EvaluationRequest(compositions=("rock",)))
    assert raised.value.closing
    again = planted.open()
    for evaluation in (first, second):
        told = again.standing(evaluation.id)
        assert told is not None and (told.state, told.error) == ("cancelled", CLOSED)
    assert read_table(again.folder / first.id).judges == [FakeJudge.title]


def test_without_a_judge_there_is_none(planted: Planted) -> None:
    planted.judge = None
    evaluations = planted.open()
    assert "start the server with --judge base" in str(evaluations.reason)
    with pytest.raises(Refused, match=r"needs a judge.*--judge base") as raised:
        evaluations.start(ASKED)
    assert raised.value.retry_after is None and evaluations.listed() == []


def test_a_judge_that_cannot_be_had_or_cannot_hear_is_told(planted: Planted) -> None:
    planted.judge = PacedJudge(fault=RuntimeError("no ears"))
    evaluations = planted.open()
    failed = finish(evaluations, evaluations.start(EvaluationRequest(compositions=("base",), genres=2)).id)
    assert failed.state == "failed" and "not one song could be sung and heard: planted judge failed" in str(
        failed.error
    )
    assert failed.failed == 2 and [f.composition for f in failed.failures] == ["base", "base"]
    planted.judge = PacedJudge(HEARD_TEXT)
    again = planted.open()
    assert again.start(failed.request).id == failed.id
    assert finish(again, failed.id).state == "done"


def test_wrong_compositions_are_told_by_their_field(planted: Planted) -> None:
    evaluations = planted.open()
    asked = EvaluationRequest(compositions=("base", "jazz", "folk=9", "routed", "folk", "folk=1"))
    with pytest.raises(RequestError) as raised:
        evaluations.start(asked)
    assert {fault.field for fault in raised.value.faults} == {"compositions"}
    told = [fault.message for fault in raised.value.faults]
    for said, part in zip(told, ("no adapter jazz", "has weight 9", "routed is what the router", "twice"), strict=True):
        assert part in said
    assert evaluations.listed() == [] and not evaluations.folder.exists()


def test_more_than_may_wait_are_refused_and_one_that_waits_is_cancelled_at_once(planted: Planted) -> None:
    evaluations = planted.open()
    held = hold(evaluations.songs)
    running = evaluations.start(EvaluationRequest(compositions=("base",), genres=1))
    until(lambda: evaluations.standing(running.id).state == "running")  # type: ignore[union-attr]
    waiting = [evaluations.start(EvaluationRequest(compositions=("base",), genres=n)) for n in (2, 3, 4, 5)]
    assert [one.place for one in waiting] == [1, 2, 3, 4]
    with pytest.raises(Refused, match="4 evaluations are waiting, which is the limit") as raised:
        evaluations.start(EvaluationRequest(compositions=("base",), genres=6))
    assert raised.value.retry_after and evaluations.start(waiting[0].request).place == 1
    assert evaluations.remove(waiting[0].id) == "cancelled"
    found = evaluations.standing(waiting[0].id)
    assert found is not None and found.state == "cancelled"
    for one in [running, *waiting[1:]]:
        evaluations.cancel(one.id)
    held.go.set()
    assert finish(evaluations, running.id).state == "cancelled"
    assert evaluations.remove(running.id) == "removed" and evaluations.remove(running.id) is None
    assert evaluations.standing(running.id) is None and not (evaluations.folder / running.id).exists()
    assert not evaluations.cancel("nope") and evaluations.standing("nope") is None


def test_nobody_waits_while_the_model_is_read_and_folders_are_deleted(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluations = planted.open()
    inside, go, answers = threading.Event(), threading.Event(), list[int]()

    def slow(*given: Any, **more: Any) -> str:
        inside.set()
        go.wait(60)
        return "mark"

    def look() -> None:
        answers.append(len(evaluations.listed()))

    def look_while(doing: threading.Thread) -> None:
        doing.start()
        assert inside.wait(60)
        looking = threading.Thread(target=look, daemon=True)
        looking.start()
        looking.join(5)
        seen = len(answers)
        go.set()
        doing.join(60)
        assert seen == 1, "it did not wait"

    with monkeypatch.context() as patch:
        patch.setattr("ui.evaluations.fingerprint_model", slow)
        look_while(threading.Thread(target=evaluations.start, args=[ASKED]))
    [begun] = evaluations.listed()
    finish(evaluations, begun.id)
    for used in (inside, go, answers):
        used.clear()
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", slow)
        doing = threading.Thread(target=evaluations.remove, args=[begun.id])
        look_while(doing)
    assert answers == [0]


def test_songs_that_failed_are_not_waited_for() -> None:
    evaluation = Evaluation(
        id="0" * 16, request=ASKED, created=datetime.now(UTC), folder=Path("nowhere"), total=4, state="running"
    )
    evaluation.began = time.monotonic() - 10
    evaluation.count(sung=1, heard=1)
    cell: Any = SimpleNamespace(prompt=SimpleNamespace(id="p"), seed=1, composition="base")
    for _ in range(2):
        evaluation.fail(cell, "no ears")
    told = evaluation.describe()
    assert told.failed == 2 and told.failures[1].reason == "no ears"
    assert told.seconds_left == pytest.approx(10, abs=1), "one of four is left"


def test_what_is_said_at_a_terminal_is_said_otherwise_here(tmp_path: Path, planted: Planted) -> None:
    grid = Grid(Plan("planted", (), ({},)), tmp_path / "out", planted.shelf)
    with grid.claim(), pytest.raises(GridError) as raised, grid.claim():
        pass
    denied = cannot_write(tmp_path, PermissionError(13, "Permission denied"))
    for told in (str(raised.value), denied):
        assert "--out" not in _reword(told)
    assert "wait until it is done, and make the same request again" in _reword(str(raised.value))
    assert "mend the permissions of the songs' folder" in _reword(denied)


def plant_ended(folder: Path, number: int, state: Any = "done") -> str:
    """An evaluation that an earlier run of the server ended, a minute after the one before it."""
    name = f"{number:016x}"
    created = datetime(2026, 1, 1, tzinfo=UTC)
    told = EvaluationStanding(id=name, state=state, request=ASKED, created=created, total=4, sung=4, heard=4)
    RECORDS.write(folder / name, told)
    written = (created + timedelta(minutes=number)).timestamp()
    os.utime(folder / name / RECORDS.name, (written, written))
    return name


def test_of_too_many_those_go_that_ended_first_but_none_that_runs_or_is_fitted_to(planted: Planted) -> None:
    evaluations = planted.open()
    names = [plant_ended(evaluations.folder, number) for number in range(MOST_KEPT + 4)]
    (evaluations.folder / names[3] / "song").write_bytes(b"of its songs")
    evaluations = planted.open()
    assert len(evaluations.listed()) == MOST_KEPT + 4, "nothing goes only since a server starts"
    evaluations.needed = lambda: {names[1]}
    evaluations._known[names[2]].state = "running"
    evaluations._settle(evaluations._known[names[0]])  # it was gone on with, and has just ended
    gone = {names[3], names[4]}
    assert {one.id for one in evaluations.listed()} == {*names} - gone
    assert {path.name for path in evaluations.folder.iterdir()} == {*names} - gone
    assert [one.id for one in planted.open().listed()], "and the rest is told again"
    evaluations.needed = tuple
    evaluations._settle(evaluations._known[names[5]])
    assert {one.id for one in evaluations.listed()} == {*names} - gone - {names[1]}
    assert sum(one.state == "done" for one in evaluations.listed()) == MOST_KEPT


def test_one_whose_table_is_being_fitted_to_is_not_removed(planted: Planted) -> None:
    evaluations = planted.open()
    names = [plant_ended(evaluations.folder, number) for number in range(MOST_KEPT + 2)]
    evaluations = planted.open()
    begun, rename = set[str](), os.rename

    def bury(*given: Path) -> None:
        rename(*given)
        begun.add(names[1])

    evaluations.needed = lambda: begun
    begun.add(names[0])
    with pytest.raises(TableNeeded, match=f"a refit waits for the table of the evaluation {names[0]} or is being"):
        evaluations.remove(names[0])
    assert (evaluations.folder / names[0]).is_dir()
    begun.clear()
    with pytest.MonkeyPatch.context() as patch:  # a refit begins while the first of two is being deleted
        patch.setattr(os, "rename", bury)
        evaluations._settle(evaluations._known[names[-1]])
    assert {one.id for one in evaluations.listed()} == {*names} - {names[0]}
    begun.clear()
    assert evaluations.remove(names[1]) == "removed" and not (evaluations.folder / names[1]).exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"[]", b'{"id": 5}', b"[" * 100_000])
def test_a_damaged_record_hides_no_other_and_the_same_request_goes_on_with_its_songs(
    planted: Planted, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    evaluations = planted.open()
    begun = evaluations.start(ASKED)
    finish(evaluations, begun.id)
    other = plant_ended(evaluations.folder, 1)
    planted.close()
    (evaluations.folder / begun.id / RECORDS.name).write_bytes(damage)
    again = planted.open()
    assert [one.id for one in again.listed()] == [other] and again.standing(begun.id) is None
    assert f"{RECORDS.name} cannot be read" in caplog.text
    assert again.start(ASKED).id == begun.id
    assert finish(again, begun.id).state == "done" and not again.songs.engine.statistics.outcomes["done"]
