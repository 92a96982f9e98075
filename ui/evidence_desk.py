"""The services behind the Evidence tab, and what each of its parts shows for a table and a judge that are wanted.

Ties sources, views, router, evaluations and refits together as HTML. Knows no components.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import islice

from adapters.composition import parse_composition
from adapters.errors import AdapterError, ChoirmasterError
from ui.cell_songs import show_cell
from ui.desk import Services
from ui.evaluation_panel import measure_pace
from ui.evidence_choice import COMPUTING, NO_SERVICE, NO_TABLE, Chosen, choose, show_choice
from ui.evidence_views import Views
from ui.form import complaint
from ui.refit_panel import show_evidence
from ui.router_evidence import show_routing
from ui.songs import MAX_COMPARED
from ui.sources import Source

#: What a visitor wants to look at: ``source`` and ``judge``, by name; what is left out is chosen.
Wanted = Mapping[str, str]
#: Seconds that a look waits for figures: what is there within them is shown without a bar before it.
PATIENCE = 0.7
#: Stored songs that tell how long one takes.
PACED_BY = 12


class EvidenceDesk:
    """What the tab asks. Every method may be called from any thread."""

    def __init__(self, services: Services) -> None:
        self.songs, self.shelf, self.voting = services.songs, services.shelf, services.voting
        self.sources, self.evaluations, self.refits = services.sources, services.evaluations, services.refits
        self.views = None if services.sources is None else Views(services.sources)

    def chosen(self, wanted: Wanted) -> tuple[list[Source], Chosen | None]:
        """All tables, and the one that is looked at with one of its judges."""
        listed = [] if self.sources is None else self.sources.listed()
        return listed, choose(listed, wanted)

    def ask(self, wanted: Wanted) -> None:
        """Begin to work out what is wanted, anew: its table may have changed."""
        chosen = self.chosen(wanted)[1]
        if chosen is not None and self.views is not None:
            self.views.ask(chosen.source, chosen.judge)

    def look(self, wanted: Wanted) -> tuple[dict[str, str], bool]:
        """Every part as HTML by name, and whether there is more to come."""
        listed, chosen = self.chosen(wanted)
        faulty = "".join(
            f'<p class="note-box">{escape(one.title)} cannot be shown: {escape(one.fault)}.</p>'
            for one in listed
            if one.fault
        )
        parts = {
            "choice": show_choice(listed, chosen), "state": faulty, "result": "", "heat": "", "more": "",
            "router": show_routing(self.songs.routing), "evidence": show_evidence(chosen),
        }  # fmt: skip
        loading = self.songs.routing.state == "loading"
        if self.views is None or chosen is None:
            return {**parts, "result": NO_SERVICE if self.views is None else NO_TABLE}, loading
        view = self.views.look(chosen.source, chosen.judge, PATIENCE)
        if view is None:
            return {**parts, "state": faulty + COMPUTING}, True
        return {**parts, "result": view.result, "heat": view.heat, "more": view.more}, loading

    def cell(self, wanted: Wanted, genre: str, composition: str) -> str:
        """The songs of a cell of what is looked at."""
        chosen = self.chosen(wanted)[1]
        if chosen is None or self.sources is None:
            return complaint("the table is not there any more: choose another one")
        try:
            songs = self.sources.cell(chosen.source.id, chosen.judge, genre, composition)
        except ChoirmasterError as error:
            return complaint(str(error))
        compared = self.singable(chosen.source, composition)
        return show_cell(chosen.source.id, chosen.judge, genre, composition, songs, compared)

    def singable(self, source: Source, first: str) -> list[str]:
        """Compositions of a table whose adapters are on the shelf, ``first`` among them, as many as one comparison
        takes."""
        there = {"base", *self.shelved()}
        found = [name for name in source.compositions if _names(name) <= there]
        chosen = list(islice((name for name in found if name != first), MAX_COMPARED - 1))
        return [name for name in found if name == first or name in chosen]

    def shelved(self) -> list[str]:
        """Adapters of the shelf, by name."""
        try:
            return [] if self.shelf is None else self.shelf.names()
        except OSError:  # the Adapters tab says what is wrong with it
            return []

    def pace(self) -> float | None:
        """Seconds that a song takes to be sung and heard here, as far as songs are stored."""
        return measure_pace(self.songs.listed(PACED_BY))

    def picks(self) -> int:
        """How many votes of people there are."""
        if self.voting is None:
            return 0
        try:
            return len(self.voting.log.read().votes)
        except ChoirmasterError:  # a fit says what is wrong with the log
            return 0


def _names(composition: str) -> set[str]:
    try:
        return set(parse_composition(composition)) or {"base"}
    except AdapterError:  # of a table that other tools made
        return {composition}
