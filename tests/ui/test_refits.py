"""A router fitted anew to a planted table finds what is planted, and the server routes by it when told to."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.fingerprints import fingerprint_model
from engine.errors import RequestError
from engine.song_model import SongModel
from eval.table import PARQUET, Table
from router.errors import RouterError
from router.fit_table import FitOptions
from router.prompt import RouterPrompt
from router.router import Router
from tests.router.planted_router import JUDGE, SECOND, Words, plant_table
from tests.ui.planted import FakeRouter, make_songs, settle
from tests.waiting import until
from ui.errand_keeper import MOST_KEPT
from ui.errands import CLOSED, Refused
from ui.refit_records import RECORDS
from ui.refit_work import RefitWork, fit_elsewhere
from ui.refits import RefitError, RefitRequest, Refits, RefitStanding
from ui.sources import Sources

LOUD = RouterPrompt(caption="a very loud loud song with fiddle", tags=("loud",), lyrics="words")


class Planted:
    """A service over a table in ``eval`` that may be opened again, as by a server that starts anew."""

    def __init__(self, model: SongModel, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.refits: Refits | None = None

    def write(self, table: Table) -> None:
        mark = fingerprint_model(self.folder / "model")
        table = replace(table, about=table.about | {"model_fingerprint": mark})
        table.write(self.folder / "songs" / "eval" / PARQUET)

    def open(self) -> Refits:
        self.close()
        songs = make_songs(self.model, self.folder / "songs", None, router=FakeRouter())
        settle(songs.routing)
        model = self.folder / "model"
        self.refits = Refits(songs, Sources(songs, model), None, model, Words)  # type: ignore[arg-type]
        return self.refits

    def close(self) -> None:
        if self.refits is not None:
            self.refits.close()
            self.refits.songs.close()


@pytest.fixture(scope="module")
def planted(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    found = Planted(random_model, tmp_path_factory.mktemp("refits"))
    found.write(plant_table(names=("base", "a=1", "b=1", "random=1"), genres=6, prompts=2))
    yield found
    found.close()


def finish(refits: Refits, refit: str) -> RefitStanding:
    def ended() -> RefitStanding | None:
        found = refits.standing(refit)
        return found if found is not None and found.state not in ("queued", "running") else None

    found = until(ended, 300)
    assert found is not None
    return found


def test_it_is_fitted_told_used_and_found_again(planted: Planted) -> None:
    refits = planted.open()
    routing, stages = refits.songs.routing, set[tuple[str, int, int]]()
    begun = refits.start(RefitRequest(source="eval", judge="second", confidence=0.7))
    assert begun.state in ("queued", "running") and begun.report is None and not begun.used
    with pytest.raises(RefitError, match="has no router"):
        refits.use(begun.id)

    def watch() -> bool:
        found = refits.standing(begun.id)
        assert found is not None
        stages.add((found.stage, found.done, found.total))
        return found.state == "done"

    until(watch, 300)
    assert {total for _, _, total in stages} >= {0, 6} and any("genre" in stage for stage, _, _ in stages)
    done = refits.standing(begun.id)
    assert done is not None and done.findings is not None and done.error is None
    found = done.findings
    assert found.compositions == ("base", "a=1", "b=1") and found.default == "base"
    assert (found.judge, found.scored_by, found.prompts, found.genres) == (SECOND, JUDGE, 12, 6)
    assert found.gain is not None and found.gain.value > 0.1 and found.seconds > 0
    assert "prompts whose genre was left out of the fit" in found.sentences[0]
    assert any("random=1 as controls" in note for note in found.notes)
    file = refits.folder / done.id / "router.json"
    fitted = Router.load(file, Words())
    assert fitted.file.confidence == 0.7 and fitted.findings.command.startswith("POST /v1/refits")
    page = refits.report(done.id)
    assert page is not None and "<!doctype html>" in page[:100].lower() and "Genre by genre" in page

    assert routing.decide(LOUD).name == "folk=0.5" and routing.describe()["used"] is None
    used = refits.use(done.id)
    assert used is not None and used.used and routing.describe() == {"state": "ready", "reason": None, "used": done.id}
    assert routing.decide(LOUD).order == fitted.route(LOUD).order != ("folk=0.5", "base", "rock=1")
    with pytest.raises(RefitError, match="go back to its own router first"):
        refits.remove(done.id)
    refits.restore()
    assert routing.decide(LOUD).name == "folk=0.5" and routing.used is None

    again = planted.open()
    assert again.standing(done.id) == done
    file.write_text("damaged")
    with pytest.raises(RefitError):
        again.use(done.id)
    assert again.songs.routing.decide(LOUD).name == "folk=0.5", "what is in use stays where another cannot be"
    assert again.remove(done.id) == "removed" and not file.exists() and again.listed() == []


def test_one_that_is_cancelled_ends_at_once_and_leaves_no_router(planted: Planted) -> None:
    refits = planted.open()
    first = refits.start(RefitRequest(source="eval"))
    waiting = [refits.start(RefitRequest(source="eval")) for _ in range(3)]
    assert [one.id for one in refits.listed()] == [one.id for one in (*waiting[::-1], first)]
    for one in waiting:
        assert refits.remove(one.id) == "cancelled"
    until(lambda: (found := refits.standing(first.id)) and found.state == "running")
    assert refits.cancel(first.id)
    assert finish(refits, first.id).state == "cancelled"
    until(lambda: not list(refits.folder.iterdir()))  # of none of them is anything left
    with pytest.raises(RefitError, match="is cancelled and has no router"):
        refits.report(first.id)
    for unknown in ("nope", "0123456789abcdef"):
        assert refits.standing(unknown) is None is refits.use(unknown) is None is refits.report(unknown)
        assert refits.remove(unknown) is None and not refits.cancel(unknown)


def test_one_that_was_under_way_when_the_server_ended_is_told_so(planted: Planted) -> None:
    refits = planted.open()
    begun = refits.start(RefitRequest(source="eval"))
    refits.close()
    with pytest.raises(Refused, match="shutting down"):
        refits.start(RefitRequest(source="eval"))
    again = planted.open()
    told = again.standing(begun.id)
    assert told is not None and (told.state, told.error) == ("cancelled", CLOSED)
    record = again.folder / begun.id / RECORDS.name
    record.write_text(json.dumps(json.loads(record.read_text()) | {"state": "running", "error": None}))  # it was killed
    told = planted.open().standing(begun.id)
    assert told is not None and (told.state, told.error) == ("cancelled", CLOSED)


def test_a_router_of_another_model_is_not_used(planted: Planted) -> None:
    refits = planted.open()
    plant_table(genres=2, prompts=1).write(planted.folder / "songs" / "eval" / PARQUET)  # of another fingerprint
    done = finish(refits, refits.start(RefitRequest(source="eval")).id)
    assert done.state == "done", done.error
    with pytest.raises(RefitError, match="fitted to songs of the model planted"):
        refits.use(done.id)
    assert refits.songs.routing.used is None


@pytest.mark.parametrize(
    ("table", "request_", "field", "said"),
    [
        ({}, {"source": "nowhere"}, "source", "there is no results table 'nowhere'"),
        ({}, {"judge": "nobody"}, "judge", f"choose from {JUDGE}, {SECOND}"),
        ({"genres": 1}, {}, "source", "the table has the genre 'harp' only"),
        ({"names": ("a=1",)}, {}, "source", "nothing to choose between"),
        ({"seeds": 1}, {}, "source", "start an evaluation with 2 seeds or more"),
    ],
)
def test_what_cannot_be_fitted_is_told_by_its_field(
    planted: Planted, table: dict[str, object], request_: dict[str, str], field: str, said: str
) -> None:
    refits = planted.open()
    planted.write(plant_table(**{"genres": 3, "prompts": 1, **table}))  # type: ignore[arg-type]
    with pytest.raises(RequestError, match=said) as raised:
        refits.start(RefitRequest.model_validate({"source": "eval", **request_}))
    assert [fault.field for fault in raised.value.faults] == [field]


def plant_done(refits: Refits, number: int) -> str:
    """A refit that an earlier run of the server ended."""
    name = f"{number:016x}"
    created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    told = RefitStanding(id=name, state="done", request=RefitRequest(source="eval"), created=created)
    RECORDS.write(refits.folder / name, told)
    return name


def test_one_that_is_being_put_to_use_is_not_removed(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    name = plant_done(planted.open(), 1)
    refits = planted.open()
    loading, go = threading.Event(), threading.Event()

    def slow(_: object) -> Any:
        loading.set()
        go.wait(60)
        raise RouterError("damaged")

    monkeypatch.setattr("ui.refits.read_router_file", slow)
    errors = list[RefitError]()

    def use() -> None:
        try:
            refits.use(name)
        except RefitError as error:
            errors.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    assert loading.wait(60)
    try:
        with pytest.raises(RefitError, match="is being put to use"):
            refits.remove(name)
    finally:
        go.set()
        thread.join(60)
    assert len(errors) == 1 and refits.remove(name) == "removed"


def test_the_newest_that_ended_are_kept_and_the_one_in_use(random_model: SongModel, tmp_path: Path) -> None:
    planted = Planted(random_model, tmp_path)
    refits = planted.open()
    names = [plant_done(refits, number) for number in range(MOST_KEPT + 2)]
    refits = planted.open()
    refits.songs.routing.used = names[0]
    refits._settle(refits._known[names[-1]])
    assert {one.id for one in refits.listed()} == {names[0], *names[2:]}
    assert {path.name for path in refits.folder.iterdir()} >= {names[0], *names[2:]}
    assert not (refits.folder / names[1]).exists()
    planted.close()


def test_a_damaged_record_hides_no_other(
    random_model: SongModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    planted = Planted(random_model, tmp_path)
    folder = planted.open().folder
    names = [plant_done(planted.open(), number) for number in range(5)]
    for name, damage in zip(names, (b"{", b"\xff", b'{"id": "1"}'), strict=False):
        (folder / name / RECORDS.name).write_bytes(damage)
    moved = (folder / names[3] / RECORDS.name).read_bytes()  # what tells of another folder is believed neither
    (folder / "f00d000000000000").mkdir()
    (folder / "f00d000000000000" / RECORDS.name).write_bytes(moved)
    (folder / "abad1dea00000000").symlink_to(folder / names[4])
    refits = planted.open()
    assert [one.id for one in refits.listed()] == [names[4], names[3]]
    assert caplog.text.count(f"{RECORDS.name} cannot be read") == 3
    assert refits.remove(names[0]) is None and (folder / names[0]).is_dir()
    planted.close()


def test_tables_that_something_is_fitted_to_are_told(planted: Planted) -> None:
    planted.write(plant_table(genres=3, prompts=1))
    refits = planted.open()
    assert refits.tables() == set()
    begun = refits.start(RefitRequest(source="eval"))
    assert refits.tables() == {"eval"}
    refits.cancel(begun.id)
    finish(refits, begun.id)
    assert refits.tables() == set()


def test_a_router_written_just_before_the_cancellation_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, out = threading.Event(), tmp_path / "router.json"

    class Process:
        """Ends the work in the moment in which nobody wants it any more."""

        exitcode = 0

        def __init__(self, target: object, args: tuple[Any, ...], **_: object) -> None:
            self.there = args[2]

        def start(self) -> None:
            out.write_text("whole")
            stopped.set()

        def terminate(self) -> None: ...

        def join(self, timeout: float | None = None) -> None: ...

        def is_alive(self) -> bool:
            return False

    context = SimpleNamespace(Pipe=multiprocessing.Pipe, Process=Process)
    monkeypatch.setattr("ui.refit_work.get_context", lambda _: context)
    work = RefitWork(tmp_path / "table", out, FitOptions("", None, 0.0, 0.8), None, "planted")
    assert fit_elsewhere(work, Words, stopped, lambda _: None) == 0.0 and not out.exists()
