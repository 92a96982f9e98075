"""The page says what the findings say, needs nothing beside it, and lets nothing of them become markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict, replace

import pytest

from router.errors import RouterError
from router.findings import Findings, read_findings
from router.report.page import fold_name, render_report
from tests.eval.report.reading import Element, read_page, section
from tests.router.report.planted import (
    GENRES,
    INDEPENDENT,
    LONG,
    SELECTING,
    make_bare,
    make_findings,
    make_long,
)

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)> {{ 7 * 7 }} \u202e \ud800'


def rate(text: str) -> float:
    """The first figure of a cell, as a fraction."""
    return float(text.split()[0].replace("−", "-")) / 100


def test_every_judge_has_a_table_with_the_figures_of_every_way(both: tuple[Findings, Findings], page: Element) -> None:
    found = section(page, "result").find("table")
    captions = [t.find("caption")[0].text for t in found]
    assert [INDEPENDENT in c for c in captions] == [True, False, True, False]
    assert [SELECTING in c for c in captions] == [False, True, False, True]
    judged = {j.judge: j for j in both[1].judges}
    for drawn, judge in zip(found, (INDEPENDENT, SELECTING), strict=False):
        scores = {s.name.removesuffix("=1"): s for s in judged[judge].scores}
        rows = {row[0].rpartition(" ")[0]: row for row in drawn.rows()[1:]}
        assert rows.keys() == scores.keys()
        for name, score in scores.items():
            row = rows[name]
            assert rate(row[1]) == pytest.approx(score.wer.value, abs=6e-4)
            assert rate(row[3]) == pytest.approx(score.gain.value, abs=6e-4)
            assert score.regret is not None and rate(row[4]) == pytest.approx(score.regret.value, abs=6e-4)
            assert score.gap_closed is not None and rate(row[5]) == pytest.approx(score.gap_closed.value, abs=6e-3)
            assert row[6] == f"{score.wins}, {score.ties}, {score.losses}"
            assert rate(row[7]) == pytest.approx(score.changed) and float(row[8]) == pytest.approx(score.songs)


def test_intervals_are_drawn_where_their_figures_say(page: Element) -> None:
    first = section(page, "result").find("table")[0]
    ticks = [(float(t.attributes["x"].rstrip("%")), float(t.text)) for t in first.find("text")]
    (x0, v0), (x1, v1) = ticks[0], ticks[-1]
    for row, cells in zip(first.find("tr")[1:], first.rows()[1:], strict=True):
        low, high = map(float, re.findall(r"([\d.]+) to ([\d.]+)", cells[1])[0])
        (line,) = row.find("line", "whisker")
        for end, value in (("x1", low), ("x2", high)):
            at = float(line.attributes[end].rstrip("%"))
            assert v0 + (at - x0) * (v1 - v0) / (x1 - x0) == pytest.approx(value, abs=0.06)


def test_every_genre_has_its_rates_in_their_colours(both: tuple[Findings, Findings], page: Element) -> None:
    first = section(page, "genres").find("table")[0]
    names = first.rows()[0][1:]
    assert len(names) == 8 and len(first.find("tr")) == 2 + len(GENRES)
    for row, known in zip(first.find("tr")[1:-1], both[1].genre_rows, strict=True):
        genre, *cells = row.children
        assert genre.text == known.genre
        for name, cell in zip(names, cells, strict=True):
            value = {key.removesuffix("=1"): v for key, v in known.wer.items()}[name]
            assert float(cell.attributes["data-value"]) == pytest.approx(value)
            assert f"heat-{min(10, int(10 * value))}" in cell.attributes["class"].split()


def test_genres_that_lack_a_way_have_a_dash() -> None:
    found = make_findings()
    first, *others = found.genre_rows
    lacking = {name: value for name, value in first.wer.items() if name != "oracle"}
    page = read_page(render_report([replace(found, genre_rows=(replace(first, wer=lacking), *others))]))
    rows = section(page, "genres").find("table")[0].rows()
    assert rows[1][rows[0].index("oracle")] == "–" and rows[2][rows[0].index("oracle")] != "–"


def test_cascades_stand_by_order_and_budget(both: tuple[Findings, Findings], page: Element) -> None:
    found = section(page, "cascade").find("table")[0]
    rows = {row[0]: row[1:] for row in found.rows()[1:]}
    assert found.rows()[0][1:] == ["at most 1 song", *(f"at most {n} songs" for n in range(2, 6))]
    for curve in both[1].curves:
        points = [point for point in curve.points if point.stop_wer == 0.2]
        for cell, point in zip(rows[curve.order], points, strict=True):
            assert point.independent is not None
            assert rate(cell) == pytest.approx(point.independent.value, abs=6e-4)
            assert f"{point.songs:.2f} songs" in cell
    assert len(section(page, "cascade").find("figure")[0].find("svg", "at")) == 7 * 5
    summaries = [s.text for s in section(page, "cascade").find("summary")]
    assert summaries.count("Other thresholds") == summaries.count("By the judge that chose") == 2


def test_without_an_independent_judge_cascades_say_so() -> None:
    found = make_findings()
    curves = tuple(
        replace(curve, points=tuple(replace(point, independent=None) for point in curve.points))
        for curve in found.curves
    )
    part = section(read_page(render_report([replace(found, curves=curves)])), "cascade")
    assert "so they flatter" in part.text and "judge that chose" in part.find("caption")[0].text
    assert not part.find("figure")[0].find("line", "reference")  # the best single is another judge's figure
    alone = replace(found, curves=curves, judges=found.judges[:1])
    part = section(read_page(render_report([alone])), "cascade")
    assert all(figure.find("line", "reference") for figure in part.find("figure"))


def test_maps_have_a_mark_and_a_row_for_every_prompt(both: tuple[Findings, Findings], page: Element) -> None:
    charts = section(page, "map").find("figure")
    tables = section(page, "map").find("table")
    for chart, drawn, found in zip(charts, tables, reversed(both), strict=True):
        titles = {t.text for t in chart.find("title")}
        assert len(chart.find("svg", "at")) == len(drawn.rows()) - 1 == len(found.map)
        assert f"{found.map[0].prompt} ({found.map[0].genre})" in " ".join(titles)
        chosen = {point.name.removesuffix("=1") for point in found.map}
        assert {row[1] for row in drawn.rows()[1:]} == chosen
    legend = section(page, "map").find("ul", "legend")[0]
    assert "base the default" in " ".join(legend.text.split())


def test_risk_calibration_controls_and_blends_have_their_figures(
    both: tuple[Findings, Findings], page: Element
) -> None:
    found = both[1]
    risk = section(page, "risk").find("table")[0].rows()[1:]
    assert [rate(row[2]) for row in risk] == pytest.approx([point.wer.value for point in found.risk], abs=6e-4)
    assert found.calibration is not None
    bins = section(page, "calibration").find("table")[0].rows()[1:]
    assert [rate(row[1]) for row in bins] == pytest.approx([b.observed for b in found.calibration.bins], abs=6e-4)
    strip = section(page, "controls").find("svg", "plot", role="img")[0]
    assert len(strip.find("line", "stroke")) == len(found.permuted)
    assert [row[0] for row in section(page, "controls").find("table")[0].rows()[1:]] == ["random choice", "random"]
    assert "switched off" in section(page, "blends").text
    assert found.command in section(page, "method").text


def test_noise_is_called_noise() -> None:
    page = read_page(render_report([make_findings(False, "fit")]))
    assert "No routable signal" in section(page, "result").text
    assert "no gain is shown" in page.find("p", "finding")[0].text


def test_what_is_missing_is_told_in_its_place() -> None:
    page = read_page(render_report([make_bare()]))
    for name, told in {
        "genres": "no rates by genre", "cascade": "No cascade was replayed", "risk": "no curve", "map": "no map",
        "calibration": "no predictions", "controls": "No control was scored", "blends": "was not tested",
    }.items():  # fmt: skip
        assert told in section(page, name).text
    result = section(page, "result")
    assert "Only the judge the router was fitted by" in result.text
    assert {row[5] for row in result.find("table")[0].rows()[1:]} == {"–"}
    assert not page.find("figure")


def test_findings_without_any_judge_make_a_page() -> None:
    page = read_page(render_report([replace(make_bare(), judges=())]))
    assert "No judge’s scores" in section(page, "result").text


def test_nothing_to_report_is_refused() -> None:
    with pytest.raises(RouterError, match="give a fitted router"):
        render_report([])


def test_findings_read_back_from_json_make_the_same_page(both: tuple[Findings, Findings], text: str) -> None:
    read = [read_findings(json.loads(json.dumps(asdict(found), allow_nan=False))) for found in both]
    assert render_report(read) == text


def test_long_names_may_break_and_are_whole() -> None:
    text = render_report([make_long()])
    assert text.count("<wbr>") > 4
    assert LONG in section(read_page(text), "result").text
    assert fold_name("a,<b>") == "a,<wbr>&lt;b&gt;"


def test_texts_of_the_findings_never_become_markup() -> None:
    found = make_findings(prompts=1)
    judges = tuple(
        replace(j, judge=EVIL, scores=tuple(replace(s, name=EVIL + s.name) for s in j.scores)) for j in found.judges
    )
    evil = replace(
        found, policy=EVIL, default=EVIL, compositions=(EVIL,), controls=(EVIL,), judges=judges, signal=EVIL,
        blending=EVIL, command=EVIL,
        map=tuple(replace(p, prompt=EVIL, genre=EVIL, caption=EVIL, name=EVIL) for p in found.map),
        genre_rows=tuple(replace(r, genre=EVIL, wer={EVIL + n: v for n, v in r.wer.items()}) for r in found.genre_rows),
        curves=tuple(replace(c, order=EVIL + c.order) for c in found.curves),
    )  # fmt: skip
    text = render_report([evil])
    text.encode("utf-8")
    page = read_page(text)
    assert len(page.find("script")) == 1 and not page.find("img") and "7 * 7" in text
    assert not [e for e in page.walk() for name in e.attributes if name.startswith("on") or name == "style"]


def test_the_page_allows_its_own_style_and_script_alone_and_links_nowhere(text: str, page: Element) -> None:
    (meta,) = page.find("meta", **{"http-equiv": "Content-Security-Policy"})
    policy = meta.attributes["content"]
    for tag in ("style", "script"):
        (inner,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    links = [e.attributes[key] for e in page.walk() for key in ("src", "href") if key in e.attributes]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"url\(|@import|https?://", text)


def test_ids_are_unique_and_every_link_has_a_target(page: Element) -> None:
    ids = [e.attributes["id"] for e in page.walk() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for link in page.find("nav")[0].find("a"):
        assert link.attributes["href"].removeprefix("#") in ids
