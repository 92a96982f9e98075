"""An audit as a coloured table for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from training.audit import WORDLESS_LIMIT, Audit

BAR_WIDTH = 28
#: Singers and styles listed by name; the rest are counted.
NAMED = 12


def render(audit: Audit) -> RenderableType:
    """The findings, a histogram of durations and the problems, one below the other."""
    table = Table(
        title=f"{escape(audit.name)} · {audit.fingerprint}", title_justify="left", show_header=False, box=None
    )
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("clips", f"{audit.clips} · {audit.hours:.2f} h")
    table.add_row("with words", _share(audit.with_words, audit.clips, 1 - WORDLESS_LIMIT))
    table.add_row("words", f"{audit.words} · {audit.words_per_second:.2f} a second where there are any")
    table.add_row("with word times", _share(audit.timed, audit.clips, 0))
    table.add_row("with caption", _share(audit.with_caption, audit.clips, 1))
    table.add_row("with tags", _share(audit.with_tags, audit.clips, 0))
    table.add_row("singers", _counts(audit.singers))
    table.add_row("styles", _counts(audit.styles))
    table.add_row("sampling rates", escape(", ".join(f"{r} Hz ({n})" for r, n in audit.sampling_rates.items()) or "–"))
    table.add_row("channels", ", ".join(f"{c} ({n})" for c, n in audit.channels.items()) or "–")
    table.add_row(
        "at full scale", f"{_part(audit.full_scale, audit.clips)}; cut off: {_part(audit.cut_off, audit.clips)}"
    )
    table.add_row("sounds", "[red]see below[/]" if audit.broken else "[green]all there and unchanged[/]")
    table.add_row("seconds", f"{audit.shortest:.1f} shortest · {audit.median:.1f} median · {audit.longest:.1f} longest")
    most = max(count for _, _, count in audit.histogram)
    for low, high, count in audit.histogram:
        bar = "█" * max(1, round(BAR_WIDTH * count / most)) if count else ""
        table.add_row(f"  {low:g} to {high:g}" if high else f"  over {low:g}", f"[blue]{bar}[/] {count}")
    problems = [Text(f"! {problem}", "yellow") for problem in audit.problems]
    return Group(table, *(problems or [Text("no problems found", "green")]))


def _share(count: int, of: int, enough: float) -> str:
    return f"[{'green' if count / of >= enough else 'yellow'}]{_part(count, of)}[/]"


def _part(count: int, of: int) -> str:
    return f"{count} ({count / of:.0%})"


def _counts(names: dict[str, int]) -> str:
    listed = [f"{name} {count}" for name, count in list(names.items())[:NAMED]]
    rest = len(names) - len(listed)
    return escape(", ".join(listed)) + (f" and {rest} more" if rest else "")
