"""What the pages of all reports share: how templates are read, and what lets a page's own style and script in."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eval.report import formats
from eval.report.colours import heat_class
from eval.report.pictures import draw_axis, draw_whisker


def open_templates(folder: Path) -> Environment:
    """The templates of a folder, with the words and small pictures that all reports use."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": formats.say_percent,
        "points": formats.say_points,
        "number": formats.say_number,
        "range": formats.say_range,
        "count": formats.say_count,
        "names": formats.say_list,
        "short": formats.say_composition,
        "code": formats.set_code,
        "heat": heat_class,
    }
    environment.globals |= {"axis": draw_axis, "whisker": draw_whisker}
    return environment


def digest(text: str) -> str:
    """A source expression that allows exactly this inline text (Content Security Policy Level 3)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
