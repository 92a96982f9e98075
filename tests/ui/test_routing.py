"""The router of a server: asked with the shelf as it is, and where there is none, why."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from adapters.fingerprints import fingerprint_adapter
from adapters.store import AdapterStore
from engine.request import SongRequest
from engine.song_model import SongModel
from engine.songs import SongStore
from router.decision import Decision
from router.errors import RouterError
from router.findings import Findings
from router.prompt import RouterPrompt
from tests.router.planted_router import MODEL, Words, plant_router
from tests.router.report.planted import make_findings
from tests.shelf import make_shelf
from tests.ui.planted import FakeRouter, decide, settle
from ui.choices import NOTHING, Choice, Choices, TakeOf, read_choice, resolve
from ui.routing import LOADING, OFF, TEST, NoRouter, Routing, ShelfPrints, open_routing, prompt_of

PROMPT = RouterPrompt(caption="folk", lyrics="hello")


def test_a_router_is_asked_with_the_fingerprints_of_the_shelf(random_model: SongModel, tmp_path: Path) -> None:
    shelf, router = make_shelf(tmp_path, random_model.transformer), FakeRouter()
    routing = Routing(lambda: router, shelf, tmp_path)
    assert routing.describe() == {"state": "loading", "reason": LOADING, "used": None}
    settle(settle(routing))  # twice does no harm
    assert routing.decide(PROMPT).name == "folk=0.5"
    assert routing.state == "ready" and routing.reason is None
    assert len(router.checked) == 1 and router.asked[-1] == PROMPT
    assert router.shelves[-1] == {name: fingerprint_adapter(tmp_path / name) for name in ("folk", "rock")}
    shelf.remove("rock")
    routing.decide(PROMPT)
    assert set(router.shelves[-1]) == {"folk"}


def test_only_adapters_that_changed_are_read_again(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, read = make_shelf(tmp_path, random_model.transformer), list[str]()

    def note(folder: Path) -> str:
        read.append(folder.name)
        return folder.name

    monkeypatch.setattr("ui.routing.fingerprint_adapter", note)
    prints = ShelfPrints(shelf)
    assert prints.read() == prints.read() == {"folk": "folk", "rock": "rock"}
    assert read == ["folk", "rock"]
    weights = tmp_path / "rock" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    assert prints.read() and read == ["folk", "rock", "rock"]
    (tmp_path / "folk" / "adapter_model.safetensors").unlink()
    assert set(prints.read()) == {"rock"}, "half an adapter sings nothing"


@pytest.mark.parametrize(
    ("fault", "said"),
    [(RouterError("fitted to another model"), "fitted to another model"), (ValueError("secret"), "ValueError")],
)
def test_a_router_that_cannot_be_used_says_why(tmp_path: Path, fault: Exception, said: str) -> None:
    routing = Routing(lambda: FakeRouter(fault), None, tmp_path)
    settle(routing)
    with pytest.raises(NoRouter, match=said) as raised:
        routing.decide(PROMPT)
    assert routing.state == "unavailable" and not raised.value.loading and "secret" not in str(raised.value)


def test_a_fitted_router_is_read_checked_and_asked(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, shelf = Words(), make_shelf(tmp_path / "shelf", random_model.transformer)
    plant_router(words).save(tmp_path / "router.json")
    monkeypatch.setattr("router.router.load_sentence_model", lambda _: words)
    monkeypatch.setattr("ui.routing.fingerprint_model", lambda _: MODEL)
    monkeypatch.setattr("ui.routing.fingerprint_adapter", lambda folder: folder.name * 4)
    routing = open_routing(None, shelf, str(tmp_path))
    settle(routing)
    quiet = RouterPrompt(caption="a very quiet quiet song with harp", lyrics="[verse]\nsing me a line of the harp")
    missing = routing.decide(quiet)
    assert missing.name == "base" and missing.order == ("base",) and not missing.candidates[0].available
    shelf.rename("folk", "a")
    shelf.rename("rock", "b")
    found = routing.decide(quiet)
    assert (found.name, found.composition, found.why) == ("a=1", {"a": 1.0}, "predicted")
    assert read_choice(Choice(found).as_json()).decision == found
    monkeypatch.setattr("ui.routing.fingerprint_model", lambda _: "f" * 16)
    other = open_routing(tmp_path / "router.json", shelf, "another model")
    settle(other)
    with pytest.raises(NoRouter, match=f"{MODEL}.*{'f' * 16}"):
        other.decide(quiet)


def test_closing_waits_for_what_is_being_loaded_and_loads_no_more() -> None:
    """A process that ends while a sentence model is being loaded is aborted."""
    begun, router, loaded = threading.Event(), FakeRouter(), list[bool]()

    def load() -> FakeRouter:
        begun.set()
        time.sleep(0.3)
        loaded.append(True)
        return router

    routing = Routing(load)
    routing.start()
    begun.wait(10)
    routing.close()
    assert loaded and not router.asked, "the sentence model comes with the first question"
    Routing().close()  # nothing to wait for
    with pytest.raises(NoRouter):
        routing.decide(PROMPT)


def test_without_a_router_there_is_a_reason(tmp_path: Path, random_model: SongModel) -> None:
    with pytest.raises(NoRouter, match="--router FILE"):
        Routing().decide(PROMPT)
    assert Routing().reason == OFF
    shelf = make_shelf(tmp_path / "shelf", random_model.transformer)
    for path in (None, tmp_path / "router.json"):
        routing = open_routing(path, shelf, str(tmp_path))
        assert routing.state == "off" and "choirmaster fit" in str(routing.reason) and routing.title == "none"
    (tmp_path / "router.json").write_text("{")
    damaged = open_routing(None, shelf, str(tmp_path))
    assert damaged.state == "loading" and "background" in damaged.title
    assert settle(damaged).state == "unavailable"
    assert "router.json" in str(damaged.reason)


def test_a_question_while_it_loads_is_told_at_once_to_come_again() -> None:
    routing, began = Routing(FakeRouter), time.monotonic()  # which nobody started
    with pytest.raises(NoRouter, match="in a moment") as raised:
        routing.decide(PROMPT)
    assert raised.value.loading
    with pytest.raises(NoRouter, match="in a moment"):
        routing.report()
    assert time.monotonic() - began < 1


def test_a_shelf_that_cannot_be_read_is_told(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = make_shelf(tmp_path, random_model.transformer)

    def refuse() -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shelf, "names", refuse)
    routing = settle(Routing(FakeRouter, shelf))
    assert routing.state == "ready", "it may be mended while the server runs"
    with pytest.raises(NoRouter, match=r"the shelf .* cannot be read \(Permission denied\): mend"):
        routing.decide(PROMPT)


def test_half_an_adapter_is_told_once(
    random_model: SongModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prints = ShelfPrints(make_shelf(tmp_path, random_model.transformer))
    weights = tmp_path / "folk" / "adapter_model.safetensors"
    whole = weights.read_bytes()
    for _ in range(2):
        caplog.clear()
        weights.unlink()
        for _ in range(3):
            assert set(prints.read()) == {"rock"}
        assert [record.getMessage().split()[2] for record in caplog.records] == ["folk"]
        weights.write_bytes(whole)
        assert set(prints.read()) == {"folk", "rock"}, "which makes another fault of the next one"


def test_a_shelf_without_its_adapters_does_not_keep_the_router_from_loading(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = FakeRouter()

    def route(prompt: RouterPrompt, shelf: object = None) -> Decision:
        if shelf is not None and not shelf:
            raise RouterError("none of the compositions can sing")
        return decide()

    monkeypatch.setattr(router, "route", route)
    routing = settle(Routing(lambda: router, AdapterStore(tmp_path / "shelf")))
    with pytest.raises(NoRouter, match="none of the compositions"):
        routing.decide(PROMPT)
    make_shelf(tmp_path / "shelf", random_model.transformer)
    assert routing.decide(PROMPT) == decide()


def test_what_the_router_knows_is_a_page_with_its_test_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rendered = list[list[str]]()

    def render(findings: list[Findings]) -> str:
        rendered.append([found.kind for found in findings])
        return f"page {len(rendered)}"

    monkeypatch.setattr("router.report.page.render_report", render)
    tested = tmp_path / TEST
    routing = settle(Routing(FakeRouter, tested=tested))
    assert routing.report() == routing.report() == "page 1", "it is made once"
    for content in ("{", "[" * 100_000, json.dumps(asdict(make_findings(kind="fit")))):
        tested.write_text(content)
        routing.report()
    assert rendered == [["fit"]] * 4 and sum("left out" in r.getMessage() for r in caplog.records) == 3
    tested.write_text(json.dumps(asdict(make_findings(kind="test"))))
    assert routing.report() == routing.report() == "page 5" and rendered[-1] == ["test", "fit"]
    with pytest.raises(NoRouter, match="--router FILE"):
        Routing().report()


def test_a_shelf_without_anything_fitted_is_no_router(monkeypatch: pytest.MonkeyPatch) -> None:
    router = FakeRouter()
    routing = Routing(lambda: router)
    settle(routing)
    routing.decide(PROMPT)

    def refuse(*_: object) -> None:
        raise RouterError("none of the compositions can sing")

    monkeypatch.setattr(router, "route", refuse)
    with pytest.raises(NoRouter, match="none of the compositions"):
        routing.decide(PROMPT)


def test_the_prompt_is_that_of_the_song() -> None:
    asked = prompt_of(SongRequest(caption="folk 🎵", lyrics="[verse]\nhello"))
    assert (asked.caption, asked.lyrics, asked.instrumental) == ("folk 🎵", "[verse]\nhello", False)
    assert prompt_of(SongRequest(lyrics="[intro]")).instrumental


def test_of_many_choices_those_of_songs_that_wait_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.choices.REMEMBERED", 2)
    waiting = {"a", "b", "c"}
    choices = Choices(SongStore(tmp_path), lambda song_id: song_id not in waiting)
    for song_id in "axbcy":  # of which x and y have ended
        choices.keep(song_id, Choice(decide()))
    assert [song_id for song_id in "axbcy" if choices.of(song_id) != NOTHING] == ["a", "b", "c"]
    waiting.clear()
    choices.keep("d", Choice(decide()))
    assert [song_id for song_id in "abcd" if choices.of(song_id) != NOTHING] == ["c", "d"]


def test_a_choice_comes_back_from_json_and_damage_is_none() -> None:
    choice = Choice(decide(), TakeOf("f" * 16, 1, "folk=0.5", 3, 0.2, "both"))
    assert read_choice(choice.as_json()) == choice
    assert read_choice({}) == read_choice({"decision": 3, "take": {"cascade": []}}) == NOTHING
    broken = {**choice.as_json()["decision"], "wer": float("nan")}
    assert read_choice({"decision": broken}) == NOTHING


@pytest.mark.parametrize(
    ("compositions", "routed", "sung", "at"),
    [
        ([{}, {}], 1, [{}, {"folk": 0.5}], 1),
        ([{}, {"folk": 0.5}], 0, [{"folk": 0.5}], 0),
        ([{"folk": 0.5}, {"rock": 1.0}, {}], 2, [{"folk": 0.5}, {"rock": 1.0}], 0),
        ([{"rock": 1.0}, {}, {"folk": 0.5}], 1, [{"rock": 1.0}, {"folk": 0.5}], 1),
    ],
)
def test_what_is_chosen_and_compared_anyway_is_sung_once(
    compositions: list[dict[str, float]], routed: int, sung: list[dict[str, float]], at: int
) -> None:
    requests = [SongRequest(lyrics="hello", seed=3, composition=c) for c in compositions]
    resolved, choices = resolve(requests, routed, decide())
    assert [r.composition for r in resolved] == sung and {r.seed for r in resolved} == {3}
    assert choices == {at: Choice(decide())}


def test_a_report_asked_for_while_the_router_is_exchanged_is_not_kept_for_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Exchanged(FakeRouter):
        @property
        def findings(self) -> Findings:
            routing.use(FakeRouter(), "newer", tmp_path)
            return replace(make_findings(kind="fit"), command="the old one")

    monkeypatch.setattr("ui.routing.fingerprint_model", lambda _: "planted")
    monkeypatch.setattr("router.report.page.render_report", lambda findings: findings[-1].command)
    routing = settle(Routing(Exchanged))
    assert routing.report() == "the old one" and routing.used == "newer"
    assert routing.report() == make_findings(kind="fit").command
