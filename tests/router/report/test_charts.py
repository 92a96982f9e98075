"""Marks, intervals and lines lie where their figures say, and texts cannot become markup."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from eval.report.pictures import Scale
from eval.resampling import Estimate
from router.report.charts import Axis, Plane, draw_chart, draw_interval, draw_mark, draw_path, draw_rule, draw_strip
from router.report.palette import pick_kind
from tests.eval.report.reading import Element, read_page

PLANE = Plane(Axis(Scale(0.0, 10.0), "songs", "{:g}".format), Axis(Scale(0.0, 1.0), "WER", "{:.1f}".format))
KIND = pick_kind(1)


def read(drawn: Markup) -> Element:
    return read_page(str(drawn))


def value(element: Element, name: str) -> float:
    """The figure a coordinate stands for; two percent are kept free at either end."""
    share = (float(element.attributes[name].rstrip("%")) - 2) / 96
    return 10 * share if name.startswith("x") else 1 - share


def test_a_mark_lies_at_its_figures_and_tells_itself() -> None:
    (mark,) = read(draw_mark(PLANE, 2.5, 0.4, KIND, "<b>&")).find("svg", "at")
    assert (value(mark, "x"), value(mark, "y")) == pytest.approx((2.5, 0.4))
    (path,) = mark.find("path", KIND.name)
    assert path.attributes["d"] == KIND.shape.path
    assert path.find("title")[0].text == "<b>&"


def test_lines_run_from_point_to_point() -> None:
    points = [(0.0, 1.0), (4.0, 0.5), (10.0, 0.25)]
    lines = read(draw_path(PLANE, points, KIND)).find("line", "path")
    ends = [((value(x, "x1"), value(x, "y1")), (value(x, "x2"), value(x, "y2"))) for x in lines]
    flat = [end for pair in ends for end in pair]
    assert [v for end in flat for v in end] == pytest.approx(
        [v for end in (points[0], points[1], points[1], points[2]) for v in end]
    )
    assert not draw_path(PLANE, points[:1], KIND)


def test_an_interval_has_its_ends_or_is_not_drawn() -> None:
    (line,) = read(draw_interval(PLANE, 3.0, Estimate(0.5, 0.25, 0.75), KIND)).find("line", "span")
    assert (value(line, "x1"), value(line, "x2")) == pytest.approx((3.0, 3.0))
    assert (value(line, "y1"), value(line, "y2")) == pytest.approx((0.25, 0.75))
    assert not draw_interval(PLANE, 3.0, Estimate(0.5, None, None), KIND)


def test_a_chart_has_ticks_titles_and_a_label() -> None:
    chart = read(draw_chart(PLANE, [draw_rule(PLANE, (0, 0), (10, 1))], "<what> it shows"))
    assert [t.text for t in chart.find("svg", "left")[0].find("text")] == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert [t.text for t in chart.find("svg", "below")[0].find("text")] == ["0", "2", "4", "6", "8", "10"]
    (field,) = chart.find("svg", "field", role="img")
    assert field.attributes["aria-label"] == "<what> it shows"
    assert len(field.find("line", "grid")) == 12
    assert len(field.find("line", "reference")) == 1
    for tick, text in zip((0.0, 1.0), (0, -1), strict=True):
        assert value(chart.find("svg", "left")[0].find("text")[text], "y") == pytest.approx(tick)


def test_a_plane_without_ticks_says_only_what_its_axes_are() -> None:
    plane = Plane(Axis(Scale(-1, 1), "first"), Axis(Scale(-1, 1), "second"))
    chart = read(draw_chart(plane, [], "map"))
    assert chart.find("div", "bare") and not chart.find("text")
    assert [p.text for p in chart.find("p", "title")] == ["second", "first"]


def test_a_strip_has_a_stroke_for_every_figure_and_a_dot_for_the_one() -> None:
    strip = read(draw_strip(Scale(0.0, 10.0), [1.0, 2.0, 7.5], 9.0, "gains"))
    assert [value(s, "x1") for s in strip.find("line", "stroke")] == pytest.approx([1.0, 2.0, 7.5])
    at = float(strip.find("circle", "dot")[0].attributes["cx"].rstrip("%"))
    assert 10 * (at - 2) / 96 == pytest.approx(9.0, abs=1e-3)
    assert not read(draw_strip(Scale(0.0, 1.0), [0.5], None, "gains")).find("circle")
