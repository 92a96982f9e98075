"""Decisions and findings for the terminal. Computes nothing.

Rates are fractions: 0.250 is one wrong word in four.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from eval.figures import NONE, show_estimate
from router.decision import Decision
from router.findings import Findings, Judged, Score
from router.reasons import say_share, shorten

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: Points of a cascade's curve that the terminal shows: songs at most, and where they stop.
_BUDGETS, _STOP = (2, 3), 0.2


def open_output() -> Console:
    """Where tables go; those for a file are not folded to eighty columns."""
    from rich.console import Console

    output = Console()
    return output if output.is_terminal else Console(width=180)


def print_decision(decision: Decision, console: Console) -> None:
    """Which composition and why, then all candidates, then the nearest measured prompts."""
    from rich.text import Text

    chosen = decision.name
    console.print(Text.assemble((chosen, "bold"), f"  {decision.reason}"), soft_wrap=True)
    for note in decision.notes:
        console.print(Text(f"Note: {note}."), soft_wrap=True)
    rows = []
    for c in decision.candidates:
        marks = ["chosen"] * (c.name == chosen) + ["default"] * (c.name == decision.default)
        span = f"{c.low:.2f} to {c.high:.2f}"
        chance = NONE if c.name == decision.default else say_share(c.chance)
        rows.append(
            (c.name, f"{c.wer:.3f}", span, f"{c.gain:+.3f}", chance, ", ".join(marks) if c.available else c.reason)
        )
    columns = ("composition", "predicted WER", "8 in 10 prompts", "gain", "chance of it", "")
    console.print(_table(f"by the policy {decision.policy}", columns, rows))
    if decision.neighbours:
        names = [c.name for c in decision.candidates]
        measured = [
            (f"{n.genre}: {shorten(n.caption, 48)}", f"{n.distance:.2f}", *(f"{n.wer[name]:.2f}" for name in names))
            for n in decision.neighbours
        ]
        console.print(_table("nearest measured prompts, and their WER", ("prompt", "distance", *names), measured))
        console.print(
            f"{decision.distance:.2f} to the nearest; {say_share(decision.known_share)} of the measured prompts are "
            "farther from the nearest of another genre.",
            style="dim",
            soft_wrap=True,
        )


def print_findings(findings: Findings, console: Console) -> None:
    """Scores by every judge, cascades, and what they come to."""
    what = "of genres left out of the fit" if findings.kind == "fit" else "of a test the router never saw"
    for judged in findings.judges:
        console.print(_score_table(judged, what))
        if judged.headroom is not None:
            console.print(f"Best single less honest oracle: {show_estimate(judged.headroom, signed=True)}", style="dim")
    if findings.curves:
        console.print(_curve_table(findings))
    if findings.calibration is not None:
        c = findings.calibration
        console.print(
            f"Intervals that promise {100 * c.promised:.0f} % hold {100 * c.covered:.0f} % of the measured WER."
        )
    for sentence in filter(None, (findings.signal, findings.blending)):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _score_table(judged: Judged, what: str) -> Table:
    role = ", by which the router chooses" if judged.selecting else ""
    columns = (
        "way of choosing",
        "macro WER",
        "gain over best single",
        "gap closed",
        "wins/ties/losses",
        "changed",
        "songs",
    )
    return _table(f"{what}, judge {judged.judge}{role}", columns, map(_tell_score, judged.scores))


def _tell_score(score: Score) -> tuple[str, ...]:
    kind = {"single": "single: ", "control": "control: ", "policy": "policy: "}.get(score.kind, "")
    return (
        f"{kind}{score.name}",
        show_estimate(score.wer),
        show_estimate(score.gain, signed=True),
        show_estimate(score.gap_closed, digits=2),
        f"{score.wins}/{score.ties}/{score.losses}",
        f"{100 * score.changed:.0f} %",
        f"{score.songs:.2f}",
    )


def _curve_table(findings: Findings) -> Table:
    rows = [
        (curve.order, str(p.budget), f"{p.songs:.2f}", show_estimate(p.selecting), show_estimate(p.independent))
        for curve in findings.curves
        for p in curve.points
        if p.budget in _BUDGETS and abs(p.stop_wer - _STOP) < 1e-9
    ]
    columns = ("order of trying", "songs at most", "songs sung", "WER, selecting judge", "WER, independent judge")
    return _table(f"cascades that stop at a WER of {_STOP:g}", columns, rows)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), box=box.MARKDOWN)
    for i, name in enumerate(columns):
        table.add_column(Text(name), justify="right" if i else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
