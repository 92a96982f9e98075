"""What the judge heard, beside what was to be sung: the same lines twice, with the word errors marked in both.

Knows a stored verdict (``ui.listening``) and the lyrics as typed; everything from either is escaped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

from eval.text import reference_words, sung_lines
from ui.stored import number, read_verdict

_LEGEND = (
    ("equal", "", "as written"),
    ("substitute", "≠", "another word"),
    ("delete", "−", "missing"),
    ("insert", "+", "extra"),
)
_SIGN = {kind: sign for kind, sign, _ in _LEGEND}


@dataclass
class Token:
    """One written word and what became of it: the alignment steps of the normalised words it stands for."""

    written: str
    steps: list[dict[str, str]] = field(default_factory=list)


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
        f'<div class="row"><p class="sung">{" ".join(map(_written, tokens))}</p>'
        f'<p class="heard">{_heard(tokens)}</p></div>'
        for tokens in lines
    )
    legend = "".join(
        f'<li><span class="w {kind}">{f"<i>{sign}</i>" if sign else ""}{name}</span></li>'
        for kind, sign, name in _LEGEND
    )
    return (
        f'<section class="verdict" aria-label="What the judge heard">{_figures(judged)}'
        f'<ul class="legend" aria-label="Legend">{legend}</ul>'
        f'<div class="sides"><div class="row head"><h3>To be sung</h3><h3>Heard</h3></div>{rows}</div>'
        f'<p class="transcript"><span>{escape(str(judged.get("judge")))} wrote</span> '
        f"“{escape(str(judged.get('transcript')))}”</p></section>"
    )


def align_lines(lyrics: str, words: list[dict[str, str]]) -> list[list[Token]]:
    """Share the alignment out among the written words, line by line.

    The judge's words are normalised ("don't" is two, "twenty one" is one), so each written word takes as many as it
    normalises to; where that does not add up over a line, or the song, the normalised words are shown instead.
    """
    reference = [w["reference"] for w in words if w["reference"]]
    lines = [[Token(word) for word in line.split()] for line in sung_lines(lyrics)]
    sizes = [[len(reference_words(token.written)) for token in line] for line in lines]
    if [w for line in lines for token in line for w in reference_words(token.written)] != reference:
        by_line = [reference_words(line) for line in sung_lines(lyrics)]
        if [w for line in by_line for w in line] != reference:
            by_line = [reference]
        lines = [[Token(word) for word in line] for line in by_line]
        sizes = [[1] * len(line) for line in by_line]
    owners = [token for line, row in zip(lines, sizes, strict=True) for token, size in zip(line, row, strict=True)
              for _ in range(size)]  # fmt: skip
    if not owners:
        return [[Token("", list(words))]]
    at = -1
    for step in words:
        at += bool(step["reference"])
        owners[max(0, at)].steps.append(step)
    return lines


def _written(token: Token) -> str:
    kinds = [step["kind"] for step in token.steps if step["reference"]]
    if not kinds or set(kinds) == {"equal"}:
        return f'<span class="w equal">{escape(token.written)}</span>'
    kind = "delete" if set(kinds) == {"delete"} else "substitute"
    heard = " ".join(step["heard"] for step in token.steps if step["heard"] and step["reference"])
    said = "missing" if kind == "delete" else f"heard as {heard}"
    return _word(kind, token.written, said)


def _heard(tokens: list[Token]) -> str:
    parts: list[str] = []
    for step in (step for token in tokens for step in token.steps):
        kind = step["kind"]
        if kind == "delete":
            parts.append('<span class="gap" aria-hidden="true">·</span>')
        elif kind == "equal":
            parts.append(f'<span class="w equal">{escape(step["heard"])}</span>')
        else:
            said = "extra" if kind == "insert" else f"instead of {step['reference']}"
            parts.append(_word(kind, step["heard"], said))
    return " ".join(parts)


def _word(kind: str, text: str, said: str) -> str:
    return (
        f'<span class="w {kind}" title="{escape(said)}"><i aria-hidden="true">{_SIGN[kind]}</i>{escape(text)}'
        f'<span class="sr"> ({escape(said)})</span></span>'
    )


def _figures(judged: dict[str, Any]) -> str:
    rate = number(judged.get("wer"))
    counts = (("substitutions", "another word"), ("deletions", "missing"), ("insertions", "extra"))
    said = ", ".join(f"{number(judged.get(key)):.0f} {name}" for key, name in counts)
    level = "good" if rate <= 0.2 else "fair" if rate <= 0.5 else "poor"
    return (
        f'<div class="figures"><p class="wer {level}"><strong>{100 * rate:.0f}<small>%</small></strong>'
        f"<span>word error rate</span></p>"
        f"<p>{number(judged.get('hits')):.0f} of {number(judged.get('reference_words')):.0f} words came through<br>"
        f'<span class="faint">{said}</span></p></div>'
    )
