"""Colours and shapes that tell kinds apart, in the light, in the dark and without colour vision.

Neighbours in the list differ in both. Knows no compositions and no orders of trying, only their places in a list.
"""

from __future__ import annotations

from typing import NamedTuple

#: For the ordinary: the default composition, and what is drawn beside the point.
PLAIN = ("#756e63", "#a69f93")
#: By place: on the light panel, on the dark one. Both have a contrast of 3 or more to it (WCAG 2.2, 1.4.11).
COLOURS = (
    ("#115e59", "#5eead4"), ("#b4521f", "#ff9d66"), ("#1d4fa8", "#8fb8ff"), ("#8a6a00", "#e6c34a"),
    ("#7d4f9e", "#c9a0e8"), ("#3d7a1c", "#9bd66b"), ("#b3266f", "#ff8ac0"),
)  # fmt: skip


class Shape(NamedTuple):
    """A mark of about ten pixels: its outline as an SVG path round the origin, and its name in matplotlib."""

    path: str
    marker: str


SHAPES = (
    Shape("M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z", "o"),
    Shape("M-4.5-4.5h9v9h-9z", "s"),
    Shape("M0-5.8L5.8 4.6H-5.8z", "^"),
    Shape("M0-6L6 0L0 6L-6 0z", "D"),
    Shape("M-1.8-5.4h3.6v3.6h3.6v3.6h-3.6v3.6h-3.6v-3.6h-3.6v-3.6h3.6z", "P"),
    Shape("M0 5.8L-5.8-4.6H5.8z", "v"),
)


class Kind(NamedTuple):
    """How one kind of thing is drawn: the class of its colour, the colours themselves, and its shape."""

    name: str
    light: str
    dark: str
    shape: Shape


def plain_kind() -> Kind:
    """The kind of the ordinary: grey and round."""
    return Kind("kind-plain", *PLAIN, SHAPES[0])


def pick_kind(place: int) -> Kind:
    """The kind of the thing at ``place``, from 0; 42 of them can be told apart."""
    at = place % len(COLOURS)
    return Kind(f"kind-{at}", *COLOURS[at], SHAPES[place % len(SHAPES)])


def write_colours() -> str:
    """The style sheet's classes: ``color`` is what lines and marks are drawn in."""
    kinds = [plain_kind(), *map(pick_kind, range(len(COLOURS)))]
    light = "".join(f".{kind.name} {{ color: {kind.light}; }}\n" for kind in kinds)
    dark = "".join(f"  .{kind.name} {{ color: {kind.dark}; }}\n" for kind in kinds)
    return f"{light}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n"
