"""A section of the Evidence tab: a card below a heading, which folds on a phone (``browser/folds.js``).

Knows how a section is put together; not what stands in it.
"""

from __future__ import annotations


def show_section(name: str, title: str, content: str, look: str = "", first: bool = False) -> str:
    """A section as HTML, open until the page folds it; one that comes ``first`` is never folded by it.

    ``title`` and ``content`` are HTML. The heading's id is ``NAME-title``; ``look`` are classes beside ``card``.
    """
    return (
        f'<section class="{" ".join(filter(None, ("card", look)))}" aria-labelledby="{name}-title">'
        f'<details class="folds" open{" data-first" if first else ""}><summary><h3 id="{name}-title">{title}</h3>'
        f"</summary>{content}</details></section>"
    )
