"""What one results table says as one judge heard it, worked out beside the requests, and drawn as parts of the tab.

Summaries of large tables take seconds: they are worked out one after another in a thread, and whoever asks looks
whether they are done. Knows tables (``ui.sources``) and how their figures are drawn; not who looks.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass

from adapters.errors import ChoirmasterError
from eval.agreement import JudgeAgreement, measure_agreement
from eval.table import Table
from ui.evidence_findings import show_agreement, show_factorial, show_failures, show_wins
from ui.evidence_standings import show_headline, show_standings
from ui.form import complaint
from ui.genre_heatmap import show_heatmap
from ui.sources import Source, Sources

#: Resamples of the judges' agreement; its intervals are read to two digits.
RESAMPLES = 2000
#: Views kept until they are asked for again.
KEPT = 16

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class View:
    """Parts of the tab as HTML: the finding with the standings, the heat map, and what stands below the songs."""

    result: str
    heat: str = ""
    more: str = ""


class Views:
    """Works views out. Every method may be called from any thread, and none takes long."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._pool = ThreadPoolExecutor(1, "choirmaster-evidence")
        self._asked: OrderedDict[tuple[str, str], Future[View]] = OrderedDict()
        self._agreed: dict[tuple[str, str, str], tuple[Table, JudgeAgreement | None]] = {}
        self._lock = threading.Lock()

    def ask(self, source: Source, judge: str) -> None:
        """Begin to work a view out, unless that is under way: the table may have changed since the last time."""
        key = source.id, judge
        with self._lock:
            known = self._asked.get(key)
            if known is None or known.done():
                self._asked[key] = self._pool.submit(self._draw, source, judge)
            self._asked.move_to_end(key)
            while len(self._asked) > KEPT:
                self._asked.popitem(last=False)

    def look(self, source: Source, judge: str, patience: float = 0.0) -> View | None:
        """The view, or None while it is worked out; waits ``patience`` seconds for it at most."""
        with self._lock:
            known = self._asked.get((source.id, judge))
        if known is None:
            self.ask(source, judge)
            return self.look(source, judge, patience)
        try:
            return known.result(patience)
        except NotYet:
            return None

    def _draw(self, source: Source, judge: str) -> View:
        try:
            summary = self.sources.summary(source.id, judge)
            agreement = self._agree(source, judge)
            parts: list[Callable[[], str]] = [
                lambda: show_wins(summary),
                lambda: show_failures(summary),
                lambda: show_factorial(summary.factorial),
                lambda: show_agreement(agreement),
            ]
            return View(
                show_headline(summary) + show_standings(summary), show_heatmap(summary), "".join(p() for p in parts)
            )
        except ChoirmasterError as error:
            return View(complaint(str(error)))
        except Exception as error:  # a table that other tools made must not end the page
            log.exception("the table of %s cannot be shown", source.id)
            said = f"this table cannot be shown ({type(error).__name__}): the server's log has the details"
            return View(complaint(said))

    def _agree(self, source: Source, judge: str) -> JudgeAgreement | None:
        """How the chosen judge agrees with the first other one; None with one judge, or where they share no song."""
        other = next((name for name in source.judges if name != judge), None)
        if other is None:
            return None
        table = self.sources.table(source.id)
        key = source.id, judge, other
        if key not in self._agreed or self._agreed[key][0] is not table:  # a file that changed is another table
            try:
                self._agreed[key] = table, measure_agreement(table, judge, other, RESAMPLES)
            except ChoirmasterError as error:
                log.info("the judges of %s cannot be compared: %s", source.id, error)
                self._agreed[key] = table, None
        return self._agreed[key][1]
