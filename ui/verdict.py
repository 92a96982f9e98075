"""What the judge heard, beside what was to be sung: the same lines twice, with the word errors marked in both.

Knows a stored verdict (``ui.listening``) and the lyrics as typed; everything from either is escaped.
"""

from __future__ import annotations

from html import escape
from typing import Any

from eval.marking import LEGEND, SIGNS, Mark, align_lines, mark_heard, mark_written
from eval.report.formats import say_percent
from ui.hints import hint, hinted
from ui.stored import number, read_verdict


def show_verdict(judged: dict[str, Any] | None, lyrics: str) -> str:
    """A verdict as HTML."""
    if judged is None:
        return ""
    judged = read_verdict(judged)
    state = judged["state"]
    if state == "waiting":
        return '<section class="verdict"><p class="working" role="status">The judge is listening…</p></section>'
    if state != "judged":
        title = "Not judged" if state != "wordless" else "Nothing to judge"
        reason = escape(str(judged.get("reason") or ""))
        return f'<section class="verdict"><p class="note-box"><strong>{title}</strong>: {reason}.</p></section>'
    lines = align_lines(lyrics, judged.get("words", []))
    rows = "".join(
        f'<div class="row"><p class="sung">{" ".join(map(_word, mark_written(tokens)))}</p>'
        f'<p class="heard">{" ".join(map(_word, mark_heard(tokens)))}</p></div>'
        for tokens in lines
    )
    legend = "".join(
        f'<li><span class="w {kind}">{f"<i>{sign}</i>" if sign else ""}{name}</span></li>'
        for kind, sign, name in LEGEND
    )
    return (
        f'<section class="verdict" aria-label="What the judge heard">{_figures(judged)}'
        f'<ul class="legend" aria-label="Legend">{legend}</ul>'
        f'<div class="sides"><div class="row head"><h3>To be sung</h3><h3>Heard</h3></div>{rows}</div>'
        f'<p class="transcript"><span>{escape(str(judged.get("judge")))} wrote</span> '
        f"“{escape(str(judged.get('transcript')))}”</p></section>"
    )


def _word(mark: Mark) -> str:
    if mark.kind == "equal":
        return f'<span class="w equal">{escape(mark.text)}</span>'
    if not mark.text:
        return '<span class="gap" aria-hidden="true">·</span>'
    return (
        f'<span class="w {mark.kind}" title="{escape(mark.said)}"><i aria-hidden="true">{SIGNS[mark.kind]}</i>'
        f'{escape(mark.text)}<span class="sr"> ({escape(mark.said)})</span></span>'
    )


def _figures(judged: dict[str, Any]) -> str:
    rate = number(judged.get("wer"))
    counts = (("substitutions", "another word"), ("deletions", "missing"), ("insertions", "extra"))
    said = ", ".join(hinted(f"{number(judged.get(key)):.0f} {name}", key) for key, name in counts)
    letters = judged.get("cer")
    cer = (
        ""
        if letters is None
        else f'<p class="cer"><strong>{say_percent(number(letters))}<small>%</small></strong>'
        f"<span>character error rate{hint('cer')}</span></p>"
    )
    came = hinted(f"{number(judged.get('hits')):.0f} of {number(judged.get('reference_words')):.0f} words", "hits")
    level = "good" if rate <= 0.2 else "fair" if rate <= 0.5 else "poor"
    return (
        f'<div class="figures"><p class="wer {level}"><strong>{say_percent(rate)}<small>%</small></strong>'
        f"<span>word error rate{hint('wer')}</span></p>{cer}"
        f"<p>{came} came through<br>"
        f'<span class="faint">{said}</span></p></div>'
    )
