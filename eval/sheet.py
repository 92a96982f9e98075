"""A small table of text, for the terminal and for a README: the same cells through rich and as Markdown.

Knows no figures; what a cell says is up to whoever fills it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Sheet:
    """``rows``: as many cells each as there are ``columns``; the first column is text, the others figures.

    A cell between double asterisks is bold. ``note`` stands below, and may be empty.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def table(self) -> Table:
        """For the terminal, in Markdown so that it can be pasted. Cells are not cut."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(self.title), box=box.MARKDOWN, caption=Text(self.note) if self.note else None)
        for i, name in enumerate(self.columns):
            table.add_column(Text(name), justify="right" if i else "left", overflow="fold", no_wrap=i == 0)
        for row in self.rows:
            table.add_row(*(Text(_escape(cell), "bold" if _is_bold(cell) else "") for cell in row))
        return table

    def markdown(self) -> str:
        """As Markdown without the title, ending in a newline; the note is a paragraph below."""
        lines = [self.columns, tuple("---:" if i else "---" for i in range(len(self.columns))), *self.rows]
        text = "".join(f"| {' | '.join(map(_escape, cells))} |\n" for cells in lines)
        return text + (f"\n{self.note}\n" if self.note else "")


def _escape(cell: str) -> str:
    """A bar would end the cell."""
    return cell.replace("|", "\\|").replace("\n", " ")


def _is_bold(cell: str) -> bool:
    return len(cell) > 4 and cell.startswith("**") and cell.endswith("**")
