"""The filters of the History tab as HTML, and the places that ``browser/history.js`` fills: list, count, undo bar.

Knows no song. Names of the fields are those of ``ui.history_query``.
"""

from __future__ import annotations

from html import escape

from ui.hints import hint

_CHOICES: dict[str, tuple[tuple[str, str], ...]] = {
    "judged": (("", "Judged or not"), ("yes", "Judged"), ("no", "Not judged")),
    "state": (
        ("", "Sung or on the way"),
        ("done", "Sung"),
        ("queued", "Waiting"),
        ("singing", "Being sung"),
        ("failed", "Failed"),
        ("cancelled", "Cancelled"),
    ),
    "compared": (("", "Alone or together"), ("yes", "Only comparisons and cascades"), ("no", "Only single songs")),
}


def show_page() -> str:
    """All of the tab. Its list is empty until the browser has asked for it."""
    return (
        '<past-songs><form class="filters card" role="search" aria-label="Find past songs">'
        f"{_text()}{_adapter()}{_rates()}{_select('judged', 'Judge', 'past_judged')}"
        f"{_select('state', 'State', 'past_state')}{_select('compared', 'Sung together', 'past_compared')}{_days()}"
        '<button type="reset" class="button">Clear filters</button></form>'
        '<div class="bars"></div><p class="told" role="alert"></p>'
        '<div class="over"><p class="count" role="status" tabindex="-1">Looking for songs…</p>'
        f'<p class="legend faint"><span>WER{hint("wer")}</span><span>Length{hint("length")}</span>'
        f"<span>Sung with{hint('composition')}</span></p></div>"
        '<div class="over picked"><label><input type="checkbox" class="all"> Select all on this page</label>'
        '<button type="button" class="button remove-picked" disabled>Delete selected</button>'
        '<span class="faint hint-line">What is deleted can be brought back for some minutes.</span></div>'
        '<ol class="list" aria-label="Past songs"></ol><div class="nothing"></div><div class="unreadable"></div>'
        '<nav class="pages" aria-label="Pages of past songs" hidden>'
        '<button type="button" class="button newer">Newer</button><span class="page"></span>'
        '<button type="button" class="button older">Older</button></nav></past-songs>'
    )


def _field(name: str, label: str, term: str, control: str) -> str:
    return (
        f'<div class="field {name}"><span class="name"><label for="past-{name}">{escape(label)}</label>{hint(term)}'
        f'</span>{control}<p class="fault" id="past-{name}-fault" hidden></p></div>'
    )


def _text() -> str:
    control = (
        '<input id="past-text" name="text" type="search" maxlength="1000" autocomplete="off" '
        'placeholder="folk, kitchen light…" aria-describedby="past-text-fault">'
    )
    return _field("text", "Words or style", "past_text", control)


def _adapter() -> str:
    control = (
        '<select id="past-adapter" name="adapter" aria-describedby="past-adapter-fault">'
        '<option value="">Any adapter or none</option><option value="base">No adapter (base)</option></select>'
    )
    return _field("adapter", "Adapter", "past_adapter", control)


def _rates() -> str:
    inputs = "".join(
        f'<input id="past-{name}" name="{name}" inputmode="decimal" '
        f'autocomplete="off" placeholder="{empty}" aria-label="{said}" aria-describedby="past-{name}-fault">{between}'
        for name, said, empty, between in (
            ("from_wer", "WER from, percent", "0", "<span>to</span>"),
            ("to_wer", "WER to, percent", "any", "<span>%</span>"),
        )
    )
    return (
        f'<div class="field rates"><span class="name">WER{hint("wer")}</span><div class="pair" role="group" '
        f'aria-label="Word error rate">{inputs}</div><p class="fault" id="past-from_wer-fault" hidden></p>'
        '<p class="fault" id="past-to_wer-fault" hidden></p></div>'
    )


def _select(name: str, label: str, term: str) -> str:
    options = "".join(f'<option value="{value}">{escape(said)}</option>' for value, said in _CHOICES[name])
    control = f'<select id="past-{name}" name="{name}" aria-describedby="past-{name}-fault">{options}</select>'
    return _field(name, label, term, control)


def _days() -> str:
    return "".join(
        _field(
            name,
            label,
            term,
            f'<input id="past-{name}" name="{name}" type="date" min="2000-01-01" max="2999-12-31" '
            f'aria-describedby="past-{name}-fault">',
        )
        for name, label, term in (("since", "First day", "past_since"), ("until", "Last day", "past_until"))
    )
