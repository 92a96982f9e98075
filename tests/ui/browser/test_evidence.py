"""The Evidence tab in a real browser: planted tables, songs of a cell, sung again, measuring and fitting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from engine.song_model import SongModel
from eval.table import read_table
from tests.router.report.planted import make_findings as make_router_findings
from tests.shelf import make_shelf
from tests.ui.browser.site import CHROMIUM, FLAGS, MARKS, STICKING_OUT, Site, resize
from tests.ui.planted import FakeJudge, FakeRouter, make_songs, served
from tests.ui.planted_runs import PlantedEvaluations, PlantedRefits
from tests.ui.planted_tables import JUDGE, SECOND, plant_results
from ui.sources import EVALUATIONS, Sources
from ui.voting import Voting

pytestmark = MARKS

ID = "0123456789abcdef"
#: Fields of the tab, by id: others ask for the like.
GENRES, WEIGHT = (f"#{name} :is(input, textarea)" for name in ("evaluate-genres", "refit-weight"))
#: Contrast of every number of the heat map to its cell (WCAG 2.2), the lowest of all.
CONTRAST = """() => {
  const light = (rgb) => {
    const [r, g, b] = rgb.match(/\\d+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const of = (cell) => {
    const ink = getComputedStyle(cell.querySelector(".star, b")).color;
    const pair = [getComputedStyle(cell).backgroundColor, ink].map(light);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  };
  return Math.min(...[...document.querySelectorAll(".genre-heat td[class^=heat]")].map(of));
}"""


@dataclass
class Evidence(Site):
    """A site with planted tables, and runs that stand as they are told to."""

    sources: Any = None
    evaluations: Any = None
    refits: Any = None


@pytest.fixture(scope="module")
def site(random_model: SongModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("evidence")
    judge, shelf = FakeJudge("ten birds"), make_shelf(folder / "shelf", random_model.transformer)
    songs = make_songs(random_model, folder / "songs", judge, shelf, router=FakeRouter())
    plant_results(folder / "songs" / "eval")
    plant_results(folder / "songs" / EVALUATIONS / ID, compositions=("base", "folk=1"))
    (folder / "model").mkdir()
    sources = Sources(songs, folder / "model")
    runs: dict[str, Any] = {"evaluations": PlantedEvaluations(), "refits": PlantedRefits()}
    voting = Voting(songs, shelf, lambda: "planted")
    with served(songs, shelf=shelf, voting=voting, sources=sources, **runs) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield Evidence(url, songs, shelf, judge, browser, sources=sources, **runs)
        browser.close()


@pytest.fixture(autouse=True)
def no_runs(site: Evidence) -> None:
    site.evaluations.known.clear()
    site.evaluations.refused, site.refits.used = None, None
    site.refits.known.clear()


def open_evidence(site: Evidence, **options: Any) -> Any:
    page = site.open("/?tab=evidence", **options)
    page.locator("#evidence-heat .cell").first.wait_for()
    return page


def rows_of(page: Any) -> list[str]:
    return page.locator("#evidence-heat tbody th").all_inner_texts()  # type: ignore[no-any-return]


def test_the_table_says_what_was_planted(site: Evidence) -> None:
    page = open_evidence(site)
    songs = read_table(site.songs.store.folder / "eval").songs
    songs = songs[songs["judge"] == JUDGE]
    rates = songs.groupby(["genre", "composition"])["wer"].mean()  # all lyrics of one length
    for (genre, name), rate in rates.items():
        cell = page.locator(f".cell[data-genre='{genre}'][data-composition='{name}']")
        best = rate == rates[genre].min()
        assert cell.locator("b").inner_text() == f"{'★' if best else ''}{100 * rate:.1f}"
        assert ("the best of this genre" in cell.get_attribute("aria-label")) == best
    assert page.locator(".finding .said").inner_text()
    assert page.locator(".standings tbody tr").count() == 3
    # nobody is told of a table before the tab is opened
    other = site.open()
    assert other.locator("#evidence-heat .cell").count() == 0
    other.get_by_role("tab", name="Evidence").click()
    other.locator("#evidence-heat .cell").first.wait_for()


def test_columns_are_sorted_up_down_and_as_they_came(site: Evidence) -> None:
    page = open_evidence(site)
    assert rows_of(page) == ["folk", "rock"]
    head = page.locator("#evidence-heat thead th", has_text="rock=0.5")
    for direction, order in (
        ("ascending", ["rock", "folk"]), ("descending", ["folk", "rock"]), (None, ["folk", "rock"]),
    ):  # fmt: skip
        head.get_by_role("button").press("Enter")
        assert head.get_attribute("aria-sort") == direction and rows_of(page) == order
    page.locator(".standings thead th", has_text="mean of prompts").get_by_role("button").first.click()
    macro = [float(v) for v in page.locator(".standings tbody td:nth-child(3)").evaluate_all(
        "all => all.map((cell) => cell.dataset.value)")]  # fmt: skip
    assert macro == sorted(macro) and len(set(macro)) > 1


def test_a_cell_is_opened_and_closed_by_the_keyboard_and_its_song_is_heard(site: Evidence) -> None:
    page = open_evidence(site)
    cell = page.locator(".cell[data-genre=folk][data-composition=base]")
    cell.focus()
    bubble = page.locator("#hint-bubble")
    bubble.wait_for()
    assert "folk, base: 45.0 % of the words wrong" in bubble.inner_text()
    cell.press("Enter")
    page.locator("#cell-title:focus").wait_for()
    assert cell.get_attribute("aria-expanded") == "true"
    songs = page.locator(".cell-songs article")
    assert songs.count() == 4 and songs.locator("audio").count() == 2  # those of seed 1 were kept
    audio = songs.first.locator("audio")
    audio.evaluate("a => { a.preload = 'auto'; a.load(); }")
    page.wait_for_function("a => a.duration > 0.9 && a.duration < 1.1", arg=audio.element_handle())
    assert "words" in songs.first.locator(".sung .substitute").inner_text()
    songs.first.locator("details.maps summary").click()
    songs.first.locator("attention-map canvas").first.wait_for()
    page.get_by_role("button", name="Close").click()
    page.locator("#cell-title").wait_for(state="detached")
    assert cell.evaluate("e => e === document.activeElement") and cell.get_attribute("aria-expanded") is None


def test_intervals_are_shown_where_they_are_wanted(site: Evidence) -> None:
    page = open_evidence(site)
    # cells of two prompts have none of their own
    page.evaluate("""() => { const small = document.createElement('small'); small.textContent = '1 to 2';
        document.querySelector('.genre-heat .cell').append(small); }""")
    assert not page.locator(".genre-heat .cell small").is_visible()
    page.get_by_label("Show intervals").check()
    assert page.locator(".genre-heat .cell small").is_visible()


def test_a_song_is_sung_again_by_its_composition_and_seed(site: Evidence) -> None:
    page = open_evidence(site)
    page.locator(".cell[data-genre=rock][data-composition='rock=0.5']").click()
    song = page.locator(".cell-songs article").nth(1)
    song.get_by_role("button", name="Sing it now").click()
    song.locator(".sung-again .said", has_text="Sung now: 50.0 % of the words wrong; measured: 20.0 %").wait_for()
    address = song.locator(".again-player audio").get_attribute("src")
    standing = site.songs.standing(address.split("/")[3])
    assert standing is not None
    assert standing.request["composition"] == {"rock": 0.5} and standing.request["seed"] == 2
    assert standing.request["steps"] == 2 and standing.request["lyrics"] == "[verse]\nten words"
    assert song.locator("attention-map canvas").count() > 0


def test_all_compositions_are_compared_on_the_prompt_of_a_song(site: Evidence) -> None:
    page = open_evidence(site)
    page.locator(".cell[data-genre=folk][data-composition=base]").click()
    page.route("**/v1/compare", lambda route: route.fulfill(
        status=429, content_type="application/json", body='{"detail": "too many <b>songs</b> wait"}'))  # fmt: skip
    song = page.locator(".cell-songs article").nth(1)
    song.get_by_role("button", name="Compare 3").click()
    song.locator(".fault", has_text="too many <b>songs</b> wait").wait_for()
    site.troubles.clear()  # a refusal is told to the console, too
    page.unroute("**/v1/compare")
    with page.expect_response("**/v1/compare") as told:
        song.get_by_role("button", name="Compare 3").click()
    compared = site.songs.comparison(told.value.json()["id"])
    assert [one.request.get("composition", {}) for one in compared] == [{}, {"folk": 1.0}, {"rock": 0.5}]
    assert {one.request["seed"] for one in compared} == {2}
    page.locator("#tab-compare-button[aria-selected=true]").wait_for()


def test_tables_and_judges_are_changed_and_the_focus_stays(site: Evidence) -> None:
    page = open_evidence(site)
    page.locator(".cell").first.click()
    page.locator("#cell-title").wait_for()
    judge = page.locator("#evidence-choice select[name=judge]")
    judge.focus()
    judge.select_option(SECOND)
    page.locator(".finding", has_text=f"heard by {SECOND}").wait_for()
    page.locator("#cell-title").wait_for(state="detached")
    page.wait_for_function("document.activeElement.name === 'judge'")
    page.locator("#evidence-choice select[name=source]").select_option(ID)
    page.wait_for_function("document.querySelectorAll('.genre-heat thead th').length === 3")
    page.evaluate("window.choirmaster.go('evidence', { source: 'eval' })")
    page.wait_for_function("document.querySelectorAll('.genre-heat thead th').length === 4")
    assert page.locator("#evidence-choice select[name=source]").input_value() == "eval"


def test_a_bar_stands_where_figures_take_long(site: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    go, summary = threading.Event(), site.sources.summary

    def slow(*given: Any) -> Any:
        go.wait(60)
        return summary(*given)

    monkeypatch.setattr(site.sources, "summary", slow)
    page = site.open("/?tab=evidence")
    page.locator("#evidence-state [role=progressbar]").wait_for()
    assert page.locator("#evidence-heat .cell").count() == 0
    go.set()
    page.locator("#evidence-heat .cell").first.wait_for()
    page.locator("#evidence-state [role=progressbar]").wait_for(state="detached")


def test_without_a_table_and_a_router_it_says_so(site: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.sources, "listed", lambda: [])
    monkeypatch.setattr(site.songs.routing, "state", "off")
    monkeypatch.setattr(site.songs.routing, "reason", "no router is used here")
    page = site.open("/?tab=evidence")
    page.locator("#evidence-result .empty", has_text="Nothing was measured").wait_for()
    page.locator("#evidence-router", has_text="no router is used here").wait_for()
    page.get_by_role("button", name="Start fitting").click()
    page.locator("#refit-trouble [role=alert]", has_text="measure some compositions first").wait_for()


def test_an_evaluation_is_asked_for_followed_cancelled_and_gone_on_with(site: Evidence) -> None:
    page = open_evidence(site)
    page.locator("#evaluate-estimate strong", has_text="18 songs").wait_for()
    page.locator("#evaluate-compositions").get_by_role("checkbox", name="rock").uncheck()
    page.locator("#evaluate-more textarea").fill("folk=0.5,rock=0.5")
    page.locator(GENRES).fill("99")
    page.get_by_role("button", name="Start measuring").click()
    page.locator(".field-fault [role=alert]", has_text="99 is too many: choose 1 to 30").wait_for()
    assert page.locator(GENRES).input_value() == "99" and not site.evaluations.known
    page.locator(GENRES).fill("2")
    page.locator("#evaluate-estimate strong", has_text="6 songs").wait_for()
    page.get_by_role("button", name="Start measuring").click()
    bar = page.locator("#evaluations [role=progressbar]")
    bar.wait_for()
    [(name, standing)] = site.evaluations.known.items()
    assert standing.request.compositions == ("base", "folk=1", "folk=0.5,rock=0.5") and standing.request.genres == 2
    cancel = page.locator("#evaluations [data-do=cancel]")
    cancel.focus()
    site.evaluations.move(name, sung=5, heard=3, seconds_left=30.0)
    page.locator("#evaluations .said", has_text="5 of 6 songs sung, 3 heard, about 30 s left").wait_for()
    assert bar.get_attribute("aria-valuenow") == "3"
    assert cancel.evaluate("e => e === document.activeElement")  # the bar moved, the list was not drawn anew
    cancel.press("Enter")
    page.locator("#evaluations .chip", has_text="cancelled").wait_for()
    page.locator("#evaluations [data-do=resume]").click()
    bar.wait_for()
    site.evaluations.move(name, state="done", sung=6, heard=6)
    page.locator("#evaluations .chip", has_text="done").wait_for()
    page.locator("#evaluations [data-do=remove]").click()
    page.locator("#evaluations", has_text="Nothing was measured here yet").wait_for()


def test_what_an_evaluation_lacks_is_told_beside_its_field(site: Evidence) -> None:
    page = open_evidence(site)
    page.locator("#evaluate-estimate strong").wait_for()
    page.locator("#evaluate-more textarea").fill("ghost")
    page.get_by_role("button", name="Start measuring").click()
    page.locator(".field-fault [role=alert]", has_text="there is no adapter ghost").wait_for()
    page.locator("#evaluate-more textarea").fill("folk=")
    page.locator(".field-fault [role=alert]", has_text="no weighted adapter").wait_for()


def test_the_table_of_an_evaluation_is_shown_from_its_list(site: Evidence) -> None:
    from ui.evaluations import EvaluationRequest

    site.evaluations.start(EvaluationRequest(compositions=("base", "folk=1")))
    [standing] = site.evaluations.known.values()
    site.evaluations.known = {ID: standing.model_copy(update={"id": ID, "state": "done", "heard": 12})}
    page = open_evidence(site)
    page.get_by_role("button", name="Show its table").click()
    page.wait_for_function("document.querySelectorAll('.genre-heat thead th').length === 3")


def test_a_router_is_fitted_used_and_left_again(site: Evidence) -> None:
    page = open_evidence(site)
    page.locator(WEIGHT).fill("much")
    page.get_by_role("button", name="Start fitting").click()
    said = "must be a number, not the text 'much': choose 0 to 10"
    page.locator(".field-fault [role=alert]", has_text=said).wait_for()
    page.locator(WEIGHT).fill("0.5")
    page.get_by_role("button", name="Start fitting").click()
    page.locator("#refits [role=progressbar]").wait_for()
    [(name, standing)] = site.refits.known.items()
    assert (standing.request.source, standing.request.judge) == ("eval", JUDGE)
    assert standing.request.feedback_weight == 0.5
    site.refits.move(name, done=7)
    page.locator("#refits .said", has_text="fitting, 7 of 30").wait_for()
    site.refits.finish(name)
    page.locator("#refits", has_text="+1.2 points").wait_for()
    assert page.locator("#refits a").get_attribute("href") == f"/v1/refits/{name}/report"
    page.get_by_role("button", name="Use this router").click()
    page.locator("#refits .chip", has_text="routes this server").wait_for()
    assert site.refits.used == name
    page.get_by_role("button", name="Back to the router of the start").click()
    page.get_by_role("button", name="Use this router").wait_for()
    assert site.refits.used is None


def test_the_router_is_told_with_its_curve(site: Evidence) -> None:
    page = open_evidence(site)
    page.locator("#evidence-router .chart svg[role=img]").wait_for()
    signal = page.locator("#evidence-router details", has_text=make_router_findings(kind="fit").signal).last
    for details in (signal, page.locator("#evidence-router details:has(table)").last):
        assert not details.locator(":scope > :not(summary)").first.is_visible()
        details.locator("> summary").click()
        details.locator(":scope > :not(summary)").first.wait_for()
    assert page.locator("#evidence-router tbody th", has_text="new seed").first.is_visible()
    assert page.locator("#evidence-router a[href='/v1/router/report']").count() == 1


def test_nothing_sticks_out_and_all_can_be_read(site: Evidence) -> None:
    page = open_evidence(site)
    page.get_by_label("Show intervals").check()
    page.locator(".cell").first.click()
    page.locator("#cell-title:focus").wait_for()
    for width in resize(page):
        assert page.evaluate(STICKING_OUT, width) == []
        assert page.evaluate(CONTRAST) >= 4.5
        table = page.locator("#evidence-heat .wide")
        inside = table.evaluate("e => { e.scrollLeft = 9999; return e.getBoundingClientRect().left; }")
        head = page.locator("#evidence-heat tbody th").first.evaluate("e => e.getBoundingClientRect().left")
        assert abs(head - inside) < 8  # the genre stays while the table moves
        assert page.locator(".cell").first.evaluate("e => e.getBoundingClientRect().height") >= 32
