"""The page as text: sections through the template, with its style and its script inside, and leave for nothing else.

The page's own policy (Content-Security-Policy) allows its one style sheet, its one script, and data URIs, so that even
a hostile caption that got through as markup could neither run nor ask anybody. Everything of the table is escaped.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from eval.marking import LEGEND, SIGNS
from eval.report import findings, formats
from eval.report.attention import MEASURES, SCORE
from eval.report.colours import ramp_steps
from eval.report.frame import digest, open_templates
from eval.report.origin import list_measures
from eval.report.pictures import draw_stack
from eval.report.sections import KINDS, Options, gather
from eval.results import Results

_FOLDER = Path(__file__).parent


def render_report(results: Results, options: Options | None = None) -> str:
    """The whole page as HTML.

    Raises:
        TableError: see :func:`eval.report.sections.gather`.
    """
    report = gather(results, options or Options())
    heat = "".join(f".{s.name} {{ background: {s.fill}; color: {s.ink}; }}\n" for s in ramp_steps())
    # of equal width, which no style sheet can say without their number
    even = f".heat.genres thead th:not(:first-child) {{ width: {84 / len(report.compositions):.2f}%; }}\n"
    style = (_FOLDER / "report.css").read_text(encoding="utf-8") + heat + even
    script = (_FOLDER / "report.js").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src '{digest(style)}'; "
        f"script-src '{digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    page = _environment().get_template("report.html.j2")
    text = page.render(
        report=report, policy=policy, style=Markup(style), script=Markup(script), ramp=ramp_steps(), legend=LEGEND,
        signs=SIGNS, kinds=KINDS, measures=(*MEASURES, SCORE), glossary=list_measures(),
    )  # fmt: skip
    return text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair cannot be written


def _environment() -> Environment:
    environment = open_templates(_FOLDER)
    environment.filters["p"] = formats.say_p
    environment.globals |= {
        "stack": draw_stack,
        "say_choice": findings.say_choice,
        "say_stability": findings.say_stability,
        "say_factorial": findings.say_factorial,
    }
    return environment
