"""Measuring and fitting are asked for, and their lists and views are worked out, as the Evidence tab has them."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import Fault, RequestError
from tests.ui.planted_runs import NOW, PlantedRefits, make_findings
from tests.ui.planted_tables import COMPOSITIONS, JUDGE, SECOND, plant_results
from tests.waiting import until
from ui import evaluation_panel, refit_panel
from ui.desk import Services
from ui.evaluations import CellFailure, EvaluationRequest, EvaluationStanding
from ui.evidence_choice import choose, show_choice
from ui.evidence_desk import EvidenceDesk
from ui.evidence_views import Views
from ui.refits import RefitRequest
from ui.routing import Routing
from ui.run_list import show_runs
from ui.sources import EVALUATIONS, Sources
from ui.standings import Standing

ID = "0123456789abcdef"


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    plant_results(tmp_path / "songs" / "eval")
    plant_results(tmp_path / "songs" / EVALUATIONS / ID, compositions=("base", "folk=1"))
    (tmp_path / "model").mkdir()
    songs: Any = SimpleNamespace(store=SimpleNamespace(folder=tmp_path / "songs"))
    return Sources(songs, tmp_path / "model")


def open_desk(sources: Sources, shelf: tuple[str, ...] = ("folk", "rock")) -> EvidenceDesk:
    songs: Any = SimpleNamespace(routing=Routing(), listed=lambda limit: [])
    there: Any = SimpleNamespace(names=lambda: list(shelf))
    return EvidenceDesk(Services(songs, there, None, sources))


def test_fields_become_a_request() -> None:
    asked = evaluation_panel.read_evaluation(
        (["base", "folk"], "folk=1\n rock=.5 , folk=1 \nfolk=1", "router", " 7 ", "2")
    )
    assert asked == EvaluationRequest(
        compositions=("base", "folk=1", "folk=1,rock=0.5"), prompts="router", genres=7, seeds=2
    )


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        (([], "", "test", "6", "1"), {"compositions"}),
        ((["base"], "a=b", "test", "6", "1"), {"compositions"}),
        (([f"a{n}" for n in range(9)], "", "test", "6", "1"), {"compositions"}),
        ((["base"], "", "test", "31", "0"), {"genres", "seeds"}),
        ((["base"], "", "test", "", "1.5"), {"genres", "seeds"}),
        ((["base"], "", "test", "six", "1e9"), {"genres", "seeds"}),
        (([], "a=b", "test", "six", "1"), {"compositions", "genres"}),
    ],
)
def test_each_wrong_field_is_told_by_itself(values: tuple[Any, ...], wrong: set[str]) -> None:
    with pytest.raises(RequestError) as error:
        evaluation_panel.read_evaluation(values)
    shown = evaluation_panel.split_faults(error.value, evaluation_panel.FAULTY)
    assert {name for name, html in zip(evaluation_panel.FAULTY, shown, strict=False) if html} == wrong
    assert shown[-1] == ""  # nothing is told twice


def test_faults_of_no_field_stand_at_the_end_and_are_escaped() -> None:
    error = RequestError.of([Fault("judge", "no <i>such</i> judge"), Fault("source", "gone")])
    assert evaluation_panel.split_faults(error, ("source",)) == [
        '<p class="fault" role="alert">gone</p>',
        '<p class="fault" role="alert">no &lt;i&gt;such&lt;/i&gt; judge</p>',
    ]
    assert "broken" in evaluation_panel.split_faults(RequestError("broken"), ("source",))[1]


def test_the_estimate_counts_songs_and_time() -> None:
    request = EvaluationRequest(compositions=("base", "folk=1", "rock=1"), genres=10, seeds=2)
    html = evaluation_panel.show_estimate(request, 3.0)
    assert "<strong>60 songs</strong>" in html and "about 3 min" in html and "10 prompts" in html
    assert "told once the first are sung" in evaluation_panel.show_estimate(request, None)
    one = EvaluationRequest(compositions=("base",), genres=1)
    assert "nothing to compare" in evaluation_panel.show_estimate(one, 1.0)


def test_the_pace_is_the_median_of_stored_songs() -> None:
    def stored(sung: float, heard: float) -> Standing:
        spent = {"singing": sung / 2, "decoding": sung / 2}
        return Standing("1" * 16, "done", {}, judged={"state": "judged", "seconds": heard}, record={"spent": spent})

    songs = [stored(1, 1), stored(3, 2), stored(90, 10), Standing("2" * 16, "queued", {})]
    assert evaluation_panel.measure_pace(songs) == pytest.approx(5)
    assert evaluation_panel.measure_pace([]) is None


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (89, "89 s"), (91, "2 min"), (3599, "1 h 0 min"), (4800, "1 h 20 min")]
)
def test_times_are_said_as_one_speaks(seconds: float, said: str) -> None:
    assert evaluation_panel.say_time(seconds) == said


def test_an_evaluation_of_each_state_can_be_done_something_with() -> None:
    request = EvaluationRequest(compositions=("base", "folk=1"))
    failure = CellFailure(prompt="p", seed=1, composition="folk=1", reason="<b>no</b>")

    def shown(state: Any, **more: Any) -> str:
        standing = EvaluationStanding(id=ID, state=state, request=request, created=NOW, total=12, **more)
        return show_runs("evaluation", [evaluation_panel.describe(standing)], "none")

    going = shown("running", sung=5, heard=3, seconds_left=100.0)
    assert 'aria-valuenow="3"' in going and "5 of 12 songs sung, 3 heard, about 2 min left" in going
    assert 'data-do="cancel"' in going and "data-go" not in going
    cut = shown("cancelled", sung=5, heard=3)
    assert 'data-do="resume"' in cut and f'data-go="evidence" data-source="{ID}"' in cut and "run-progress" not in cut
    assert "data-go" not in shown("cancelled")  # nothing was heard, so there is no table
    done = shown("done", sung=12, heard=11, failed=1, failures=(failure,))
    assert "1 song could not be sung" in done and "&lt;b&gt;no" in done and "resume" not in done
    assert "went away" in shown("failed", error="the judge went away")
    assert show_runs("evaluation", [], "none") == '<p class="faint">none</p>'


def test_a_refit_is_asked_for_by_what_is_looked_at(sources: Sources) -> None:
    chosen = choose(sources.listed(), {"source": ID, "judge": SECOND})
    asked = refit_panel.read_refit(chosen, ("0.5", "0.9"))
    assert (asked.source, asked.judge, asked.feedback_weight, asked.confidence) == (ID, SECOND, 0.5, 0.9)
    for values, field in (
        (("much", "0.8"), "feedback_weight"),
        (("0", "1"), "confidence"),
        (("11", "0.8"), "feedback_weight"),
    ):
        with pytest.raises(RequestError) as error:
            refit_panel.read_refit(chosen, values)
        assert [fault.field for fault in error.value.faults] == [field]
    with pytest.raises(RequestError, match="measure"):
        refit_panel.read_refit(None, ("0", "0.8"))


def test_a_refit_is_told_in_words_and_used_or_left() -> None:
    refits = PlantedRefits()
    name = refits.start(RefitRequest(source="eval", feedback_weight=0.5)).id
    refits.move(name, done=7)

    def shown() -> str:
        return show_runs("refit", [refit_panel.describe(one) for one in refits.listed()], "none")

    assert "fitting, 7 of 30" in shown() and 'data-do="cancel"' in shown()
    refits.finish(name)
    html = shown()
    assert "+1.2 points" in html and "−1.0 to +3.0" in html and "is not shown to pay" in html
    assert "&lt;b&gt;nothing" in html and 'data-do="use"' in html and f'href="/v1/refits/{name}/report"' in html
    refits.use(name)
    assert 'data-do="restore"' in shown() and 'data-do="remove"' not in shown() and "routes this server" in shown()
    assert "is shown to pay" in refit_panel.show_findings(make_findings(signal=True))


def test_picks_are_counted_in_words() -> None:
    assert "No pick" in refit_panel.show_picks(0) and "is 1 pick " in refit_panel.show_picks(1)
    assert "are 3 picks" in refit_panel.show_picks(3)


def test_what_is_wanted_is_chosen_as_far_as_it_is_there(sources: Sources) -> None:
    listed = sources.listed()
    first, other = choose(listed, {}), choose(listed, {"source": ID, "judge": SECOND})
    assert first is not None and (first.source.id, first.judge) == ("eval", JUDGE)
    assert other is not None and (other.source.id, other.judge) == (ID, SECOND)
    gone = choose(listed, {"source": "gone", "judge": "nobody"})
    assert gone == first and choose([], {}) is None and show_choice([], None) == ""
    html = show_choice(listed, other)
    assert f'<option value="{ID}" selected>' in html and f'<option value="{SECOND}" selected>' in html


def test_views_are_worked_out_once_for_all_who_look_and_anew_when_asked(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, summary, asked = threading.Event(), sources.summary, []

    def slow(source: str, judge: str = "") -> Any:
        asked.append((source, judge))
        go.wait(30)
        return summary(source, judge)

    monkeypatch.setattr(sources, "summary", slow)
    views, source = Views(sources), sources.listed()[0]
    assert views.look(source, JUDGE) is None and views.look(source, JUDGE, 0.05) is None
    views.ask(source, JUDGE)  # is under way
    go.set()
    until(lambda: views.look(source, JUDGE) is not None)
    view = views.look(source, JUDGE)
    assert view is not None and "Genre by genre" in view.heat and "Do the judges agree" in view.more
    assert asked == [("eval", JUDGE)]
    views.ask(source, JUDGE)
    until(lambda: len(asked) == 2)


def test_a_table_that_cannot_be_compared_is_told(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    views, source = Views(sources), sources.listed()[0]
    monkeypatch.setattr(sources, "summary", lambda *_: (_ for _ in ()).throw(ValueError("odd")))
    view = views.look(source, JUDGE, 30)
    assert view is not None and "cannot be shown (ValueError)" in view.result and view.heat == ""
    monkeypatch.undo()
    view = views.look(source, "nobody", 30)
    assert view is not None and "did not hear it" in view.result


def test_the_desk_shows_what_is_wanted(sources: Sources) -> None:
    desk = open_desk(sources)
    parts, going = desk.look({"source": ID})
    assert not going and "Genre by genre" in parts["heat"] and "no router" in parts["router"]
    assert "Evaluation of 2026-01-02" in parts["evidence"]
    songs = desk.cell({}, "folk", "folk=1")
    assert songs.count("<article") == 4 and "Compare 3 compositions" in songs
    assert "choose from" in desk.cell({}, "polka", "folk=1")
    nothing = EvidenceDesk(Services(desk.songs))
    assert "no measurements" in nothing.look({})[0]["result"] and "choose another" in nothing.cell({}, "folk", "base")


def test_only_what_stands_on_the_shelf_is_compared(sources: Sources) -> None:
    source = sources.listed()[0]
    assert open_desk(sources).singable(source, "base") == list(COMPOSITIONS)
    assert open_desk(sources, ("folk",)).singable(source, "base") == ["base", "folk=1"]
