"""A router's decision as HTML: what it chose and why, every candidate's predicted word errors, the nearest prompts.

Knows a decision, not who made it. Captions of fitted prompts and names come from files, so all is escaped.
"""

from __future__ import annotations

from html import escape

from router.decision import Candidate, Decision, Neighbour
from ui.figures import say_rate, say_rates
from ui.hints import hint, hinted

#: Prompts shown.
NEAREST = 3
#: Kinds of decisions that take the default for want of anything better known.
_NOT_CONFIDENT = ("abstained", "unknown ground", "no signal")


def show_decision(decision: Decision | None, opened: bool = True, label: str = "What the router chose") -> str:
    """The decision; ``opened``: whether the candidates are seen without asking for them; ``label``: what a screen
    reader calls it."""
    if decision is None:
        return ""
    chosen = f'<span class="chip">{escape(decision.name)}</span>'
    # said first, and in the same words every time
    unsure = "<strong>No confident choice, default taken.</strong> " if decision.why in _NOT_CONFIDENT else ""
    notes = "".join(f'<p class="faint">{escape(note)}</p>' for note in decision.notes)
    rows = "".join(_row(c, c.name == decision.name, c.name == decision.default) for c in decision.candidates)
    return (
        f'<section class="decided" aria-label="{escape(label)}"><h3>Router: {chosen} '
        f"<small>{hinted(f'predicted WER {say_rate(decision.wer)}', 'predicted')}, "
        f"{hinted(f'80 % of prompts within {say_rates(decision.low, decision.high)}', 'predicted_range')}</small></h3>"
        f"<p>{unsure}{escape(decision.reason)}</p>{notes}"
        f"<details{' open' if opened else ''}><summary>What it expects of each composition</summary>"
        '<table class="bars"><thead><tr><th scope="col">Composition</th><th scope="col" class="scale">0–100 %</th>'
        '<th scope="col">WER'
        f"{hint('predicted')}</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></details>{_neighbours(decision)}</section>"
    )


def _row(candidate: Candidate, chosen: bool, default: bool) -> str:
    low, high, wer = (max(0.0, min(100.0, 100 * value)) for value in (candidate.low, candidate.high, candidate.wer))
    marks = [word for word, true in (("chosen", chosen), ("default", default)) if true]
    marks += [] if candidate.available else [candidate.reason or "not on the shelf"]
    said = f'<span class="faint">{escape(", ".join(marks))}</span>' if marks else ""
    kinds = " ".join(word for word, true in (("chosen", chosen), ("gone", not candidate.available)) if true)
    return (
        f'<tr class="{kinds}"><th scope="row">{escape(candidate.name)} {said}</th>'
        f'<td class="scale"><div class="bar" aria-hidden="true"><i class="range" style="left:{low:.1f}%;'
        f'width:{max(0.5, high - low):.1f}%"></i><i class="mean" style="left:{wer:.1f}%"></i></div></td>'
        f'<td>{say_rate(candidate.wer)} <span class="faint">{say_rates(candidate.low, candidate.high)}</span></td></tr>'
    )


def _neighbours(decision: Decision) -> str:
    if not decision.neighbours:
        return ""
    names = list(dict.fromkeys((decision.name, decision.default)))
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = "".join(_neighbour(neighbour, names) for neighbour in decision.neighbours[:NEAREST])
    return (
        "<details><summary>The nearest prompts that were measured</summary>"
        f'<table class="near"><thead><tr><th scope="col">Prompt</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        f'<p class="faint">Measured word error rates{hint("wer")}. {100 * decision.known_share:.0f} % of the measured '
        "prompts lie farther from their own nearest one than this does.</p></details>"
    )


def _neighbour(neighbour: Neighbour, names: list[str]) -> str:
    cells = "".join(f"<td>{say_rate(neighbour.wer[n]) if n in neighbour.wer else '–'}</td>" for n in names)
    distance, songs = hinted(f"distance {neighbour.distance:.2f}", "distance"), hinted(str(neighbour.songs), "songs")
    about = f"{escape(neighbour.genre)}, {distance}, {songs} songs each"
    return f'<tr><th scope="row">{escape(neighbour.caption[:80])} <span class="faint">{about}</span></th>{cells}</tr>'
