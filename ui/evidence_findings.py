"""Wins, kinds of failure, the two by two of lyrics and sharpness, and how far the judges agree, as HTML.

Knows a summary (``eval.summary``), and what two judges have in common (``eval.agreement``).
"""

from __future__ import annotations

from html import escape

from eval.agreement import JudgeAgreement
from eval.contrasts import CellMean, Factorial
from eval.report.colours import heat_class
from eval.report.findings import say_agreement, say_factorial, say_stability
from eval.report.formats import say_composition, say_number, say_percent, say_range
from eval.report.pictures import draw_stack
from eval.report.sections import KINDS
from eval.resampling import Estimate
from eval.summary import Summary
from ui.evidence_sections import show_section
from ui.evidence_standings import fold
from ui.hints import hint

#: The two by two as it stands on the page: rows without and with lyrics, columns plain and sharpened.
_ROWS = ((False, "Trained without lyrics"), (True, "Trained on lyrics"))
_COLUMNS = ((False, "Plain"), (True, "Attention sharpened"))


def show_wins(summary: Summary) -> str:
    """Who sings how many genres best; nothing with a single composition."""
    if not summary.wins:
        return ""
    genres = len(summary.genres)
    rows = "".join(
        f'<tr><th scope="row">{fold(w.composition)}</th><td class="drawn"><span class="won" aria-hidden="true">'
        f'<i class="alone" style="width:{100 * w.unique / genres:.2f}%"></i>'
        f'<i class="shared" style="width:{100 * w.shared / genres:.2f}%"></i></span></td>'
        f"<td>{w.unique}</td><td>{w.shared}</td></tr>"
        for w in summary.wins
    )
    repeats = f"<p>{escape(say_stability(summary.stability))}</p>" if summary.stability else ""
    content = (
        '<div class="wide" tabindex="0" role="region" aria-label="Genres won"><table class="plain">'
        f'<caption class="sr">Genres of {genres} in which a composition made the fewest '
        'errors</caption><thead><tr><th scope="col">Composition</th><td class="drawn"></td><th scope="col">alone</th>'
        f'<th scope="col">shared</th></tr></thead><tbody>{rows}</tbody></table></div>{repeats}'
    )
    return show_section("wins", f"Who sings a genre best {hint('wins')}", content)


def show_failures(summary: Summary) -> str:
    """Kinds of failure of every composition as stacked bars, with the counts as numbers; nothing where no song is."""
    if not summary.breakdowns:
        return ""
    kinds = list(summary.breakdowns[0].failures)
    known = [kind for kind in kinds if kind in KINDS]
    legend = "".join(
        f'<li><svg class="key" aria-hidden="true"><rect class="part-{kind}" width="100%" height="100%"/></svg>'
        f"<b>{kind}</b> {KINDS[kind]}</li>"
        for kind in known
    )
    heads = "".join(f'<th scope="col">{escape(kind)}</th>' for kind in kinds)
    rows = ""
    for found in summary.breakdowns:
        shares = [(kind, found.failures[kind] / found.songs) for kind in known]
        said = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in shares if share)
        bar = draw_stack(shares, f"{say_composition(found.composition)}: {said}")
        counts = "".join(f"<td>{found.failures[kind]:,}</td>" for kind in kinds)
        rows += f'<tr><th scope="row">{fold(found.composition)}</th><td class="drawn">{bar}</td>{counts}</tr>'
    content = (
        f'<ul class="kinds" aria-label="Kinds">{legend}</ul>'
        '<div class="wide" tabindex="0" role="region" aria-label="Songs of each kind">'
        '<table class="plain"><caption class="sr">Songs of each kind by composition</caption><thead><tr>'
        f'<th scope="col">Composition</th><td class="drawn"></td>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        "</div>"
    )
    return show_section("failures", f"What went wrong {hint('failures')}", content, "failures")


def show_factorial(found: Factorial | None) -> str:
    """Macro error rates of the four ways of training, and what each choice does, in words."""
    if found is None:
        return ""
    cells = {(cell.lyrics, cell.sharpened): cell for cell in found.cells}
    heads = "".join(f'<th scope="col">{said}</th>' for _, said in _COLUMNS)
    rows = "".join(
        f'<tr><th scope="row">{said}</th>{"".join(_mean(cells[lyrics, sharp]) for sharp, _ in _COLUMNS)}</tr>'
        for lyrics, said in _ROWS
    )
    content = (
        '<table class="four"><caption class="sr">Word error rate, mean of the prompts, in percent, by '
        f"training</caption><thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        f"<p>{escape(say_factorial(found))} {hint('p')}</p>"
    )
    return show_section("factorial", f"Lyrics and sharpness {hint('macro')}", content)


def show_agreement(found: JudgeAgreement | None) -> str:
    """Whether two judges tell the same, in words and as correlations; nothing where one judge listened."""
    if found is None:
        return ""
    figures = (
        ("Songs", found.song_correlation, "Whether both find the same songs hard: 1 is always, 0 is chance."),
        ("Compositions within a prompt", found.difference_correlation,
         "Whether both prefer the same composition where the words are the same, which is what choosing goes by."),
        ("Order of the compositions", found.order_tau,
         "Whether both rank the compositions alike, from −1 (upside down) over 0 (chance) to 1 (the same order)."),
    )  # fmt: skip
    rows = "".join(
        f'<tr><th scope="row"><span class="hinted" tabindex="0" data-hint="{escape(meant)}">{escape(name)}'
        f'<span class="sr"> ({escape(meant)})</span></span></th><td>{_correlation(value)}</td></tr>'
        for name, value, meant in figures
    )
    content = (
        f'<p>{escape(say_agreement(found))}</p><table class="plain"><caption class="sr">How far the judges agree'
        '</caption><thead><tr><th scope="col">Of</th><th scope="col">agreement, with its interval</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    return show_section("judges", "Do the judges agree?", content, "judges")


def _mean(cell: CellMean) -> str:
    within = say_range(cell.rate)
    return (
        f'<td class="{heat_class(cell.rate.value)}"><b>{say_percent(cell.rate.value)}</b>'
        f"{f'<small>{within}</small>' if within else ''}<small>{fold(cell.composition)}</small></td>"
    )


def _correlation(value: Estimate | None) -> str:
    if value is None:
        return "no difference was heard"
    ends = "" if value.low is None else f" ({say_number(value.low)} to {say_number(value.high)})"
    return f"<b>{say_number(value.value)}</b>{ends}"
