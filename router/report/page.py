"""The page as text: findings through the templates, with style and script inside, and leave for nothing else.

Looks like the report of an evaluation: its style sheet, its script and its way of writing figures are used as they are.
The page's own policy (Content-Security-Policy) allows its one style sheet, its one script, and data URIs. Everything of
the findings is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

import eval.report
from eval.report.colours import ramp_steps
from eval.report.frame import digest, open_templates
from eval.report.pictures import scale_of
from router.errors import RouterError
from router.findings import Findings
from router.report import drawings, sentences
from router.report import parts as contents
from router.report.charts import draw_key
from router.report.palette import write_colours

_FOLDER = Path(__file__).parent


def render_report(findings: Sequence[Findings]) -> str:
    """The whole page as HTML: the test of a router, its fit, or both.

    Raises:
        RouterError: there are no findings.
    """
    if not findings:
        raise RouterError("there are no findings to report: give a fitted router, a test of it, or both")
    parts = contents.list_parts(findings)
    look = files(eval.report)
    heat = "".join(f".{s.name} {{ background: {s.fill}; color: {s.ink}; }}\n" for s in ramp_steps())
    own = (_FOLDER / "page.css").read_text(encoding="utf-8")
    style = (look / "report.css").read_text(encoding="utf-8") + heat + write_colours() + own
    script = (look / "report.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{digest(style)}'; script-src '{digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    rates = [score.wer for part in parts for judged in part.judged for score in judged.scores]
    text = (
        _environment()
        .get_template("page.html.j2")
        .render(
            parts=parts, policy=policy, style=Markup(style), script=Markup(script), ramp=ramp_steps(),
            kinds=contents.KINDS, orders=contents.ORDERS, rates=scale_of(drawings.list_ends(rates)),
        )
    )  # fmt: skip
    return text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair cannot be written


def fold_name(name: str) -> Markup:
    """A name that may be broken after its commas."""
    return Markup(",<wbr>").join(name.split(","))


def _environment() -> Environment:
    environment = open_templates(_FOLDER)
    environment.filters["fold"] = fold_name
    environment.globals |= {
        "key": draw_key,
        **{f.__name__: f for f in (
            drawings.draw_risk, drawings.draw_calibration, drawings.draw_map, drawings.draw_curves,
            drawings.draw_permuted,
            sentences.say_headline, sentences.say_headroom, sentences.say_risk,
            sentences.say_calibration,
            sentences.say_permuted, sentences.say_controls, sentences.say_map, sentences.say_switching,
            sentences.list_blends,
            contents.sort_scores, contents.find_best_single, contents.find_lowest, contents.list_stops,
            contents.list_points, contents.list_budgets, contents.has_independent, contents.kind_of_order,
            contents.kinds_of_map,
        )},
    }  # fmt: skip
    return environment
