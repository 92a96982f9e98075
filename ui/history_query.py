"""Which songs the History tab asks for: its filters as typed, read with a sentence about each that cannot be.

Knows the names of the filters, in the form and in the address, and what a list of songs can be asked; no HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from adapters.field_faults import say_fault
from engine.engine import State
from engine.errors import Fault, RequestError
from engine.song_query import SongQuery
from ui.listing import Listing

#: In the form, and in the address.
FILTERS = ("text", "adapter", "from_wer", "to_wer", "judged", "state", "compared", "since", "until")
#: Filters by the field of a query that they set.
_NAMES = {"min_wer": "from_wer", "max_wer": "to_wer"}
_YES_NO = {"yes": True, "no": False}
#: Percent; more is no rate of errors that anything sings.
_MAX_PERCENT = 100_000.0


@dataclass(frozen=True)
class Wish:
    """What the tab wants to see: ``page`` counts from 1."""

    listing: Listing
    page: int = 1
    filtered: bool = False


def read_wish(given: Mapping[str, Any]) -> Wish:
    """The filters as they were typed; rates are percent, ``since`` and ``until`` times with their zone.

    Raises:
        RequestError: one sentence per filter that cannot be read, by the names of :data:`FILTERS`.
    """
    typed = {name: str(given.get(name) or "").strip() for name in FILTERS}
    faults: list[Fault] = []
    fields: dict[str, Any] = {name: typed[name] for name in ("text", "adapter", "since", "until") if typed[name]}
    for field, name in _NAMES.items():
        if typed[name]:
            rate = _read_percent(typed[name], name, faults)
            fields |= {} if rate is None else {field: rate}
    for name in ("judged", "compared"):
        if typed[name]:
            _choose(name, typed[name], _YES_NO, fields, faults)
    state: dict[str, Any] = {}
    if typed["state"]:
        _choose("state", typed["state"], {name: name for name in get_args(State)}, state, faults)
    low, high = fields.get("min_wer"), fields.get("max_wer")
    if low is not None and high is not None and low > high:
        faults.append(Fault("to_wer", "no rate is that small and that large: the second must not be below the first"))
    try:
        query = SongQuery.model_validate(fields)
    except ValidationError as error:
        faults += [_explain(str(found["loc"][0]), typed, say_fault(found, None, SongQuery)) for found in error.errors()]
        query = SongQuery()
    if query.since is not None and query.until is not None and query.since >= query.until:
        faults.append(Fault("until", "the last day is before the first: no song is of both"))
    if faults:
        raise RequestError.of(faults)
    return Wish(Listing(query, state.get("state")), _read_page(given.get("page")), any(typed.values()))


def _read_percent(typed: str, name: str, faults: list[Fault]) -> float | None:
    try:
        percent = float(typed.removesuffix("%").replace(",", ".").strip())
    except ValueError:
        percent = -1.0
    if 0 <= percent <= _MAX_PERCENT:
        return percent / 100
    faults.append(Fault(name, f"{typed[:20]!r} is no word error rate: give a percentage from 0, such as 30"))
    return None


def _choose(name: str, typed: str, choices: Mapping[str, Any], into: dict[str, Any], faults: list[Fault]) -> None:
    if typed in choices:
        into[name] = choices[typed]
    else:
        faults.append(Fault(name, f"{typed[:20]!r} is no choice: take one of {', '.join(choices)}"))


def _explain(field: str, typed: Mapping[str, str], reason: str) -> Fault:
    name = _NAMES.get(field, field)
    remedy = {
        "text": "use at most 1,000 characters",
        "adapter": "choose one of the list",
        "since": "choose a day",
        "until": "choose a day",
    }.get(name, reason)
    return Fault(name, f"{typed.get(name, '')[:40]!r} cannot be searched for: {remedy}")


def _read_page(given: object) -> int:
    try:
        return max(1, min(10**7, int(str(given))))
    except ValueError:
        return 1
