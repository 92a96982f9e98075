"""Fields for numbers, with a mark that says what each means.

Plain text: whatever is typed stays, and what is wrong with it is said in our own words. Knows no field by name.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.hints import hint


def make_number(label: str, placeholder: str, elem_id: str, **more: Any) -> gr.Textbox:
    """The field alone."""
    return gr.Textbox(
        label=label,
        placeholder=placeholder,
        lines=1,
        max_lines=1,
        min_width=84,
        elem_classes="number",
        elem_id=elem_id,
        **more,
    )


def mark(term: str) -> None:
    """Put a mark at the field's label, inside the same column of class ``field``. ``term``: of ``ui.hints.TERMS``."""
    gr.HTML(hint(term), elem_classes="mark")
