"""Fields of forms that send themselves from the browser: a label, an input, what helps, and room for what is wrong.

``browser/fault-fields.js`` fills the room. Knows HTML and no form; text that is given must be HTML already.
"""

from __future__ import annotations

from html import escape

from ui.hints import hint


def make_field(
    form: str, name: str, label: str, control: str, *, helps: str = "", term: str = "", kind: str = "field"
) -> str:
    """A field of ``form``. ``control``: its HTML, in which ``{id}`` and ``{about}`` stand for its id and what describes
    it; ``term``: of a hint."""
    made = f"{form}-{name.replace('_', '-')}"
    about = f'aria-describedby="{made}-help {made}-fault"' if helps else f'aria-describedby="{made}-fault"'
    told = f'<p class="faint" id="{made}-help">{helps}</p>' if helps else ""
    mark = hint(term) if term else ""
    return (
        f'<div class="{kind}" data-field="{name}"><div class="label"><label for="{made}">{escape(label)}</label>{mark}'
        f"</div>{control.format(id=made, about=about)}{told}{make_fault(made)}</div>"
    )


def make_fault(of: str) -> str:
    """Room for what is wrong with a field."""
    return f'<p class="fault" id="{of}-fault" role="alert" hidden></p>'


def make_select(name: str, choices: tuple[tuple[str, str], ...]) -> str:
    """A choice of values, for :func:`make_field`."""
    options = "".join(f'<option value="{escape(value)}">{escape(label)}</option>' for value, label in choices)
    return f'<select id="{{id}}" name="{name}" {{about}}>{options}</select>'
