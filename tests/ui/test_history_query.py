"""The filters of the History tab as they are typed: what they ask for, and what is said of those that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.errors import RequestError
from engine.song_query import SongQuery
from ui.history_query import FILTERS, read_wish


def test_nothing_typed_asks_for_everything() -> None:
    for given in ({}, dict.fromkeys(FILTERS, ""), dict.fromkeys(FILTERS), {"text": "  ", "other": "x"}):
        wish = read_wish(given)
        assert (wish.listing.query, wish.listing.state, wish.page, wish.filtered) == (SongQuery(), None, 1, False)


def test_every_filter_is_read() -> None:
    wish = read_wish({
        "text": " Kitchen ", "adapter": "lyrics", "from_wer": "10", "to_wer": "33,5 %", "judged": "yes",
        "state": "done", "compared": "no", "since": "2026-03-01T00:00:00.000Z",
        "until": "2026-03-03T00:00:00+01:00", "page": "3",
    })  # fmt: skip
    query = wish.listing.query
    assert (query.text, query.adapter, query.judged, query.compared) == ("Kitchen", "lyrics", True, False)
    assert query.min_wer == pytest.approx(0.1) and query.max_wer == pytest.approx(0.335)
    assert query.since == datetime(2026, 3, 1, tzinfo=UTC) and query.until == datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert (wish.listing.state, wish.page, wish.filtered) == ("done", 3, True)


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"from_wer": "abc"}, "from_wer", "'abc' is no word error rate"),
        ({"to_wer": "-1"}, "to_wer", "percentage"),
        ({"to_wer": "nan"}, "to_wer", "percentage"),
        ({"to_wer": "1e99"}, "to_wer", "percentage"),
        ({"from_wer": "50", "to_wer": "20"}, "to_wer", "must not be below"),
        ({"judged": "perhaps"}, "judged", "yes, no"),
        ({"state": "gone"}, "state", "queued"),
        ({"compared": "1"}, "compared", "yes, no"),
        ({"adapter": "../x"}, "adapter", "one of the list"),
        ({"text": "a" * 1001}, "text", "1,000 characters"),
        ({"since": "yesterday"}, "since", "choose a day"),
        ({"since": "2026-03-01T00:00:00"}, "since", "choose a day"),
        ({"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"}, "until", "before the first"),
        ({"from_wer": ["x"], "state": {}}, "from_wer", "no word error rate"),
    ],
)
def test_what_cannot_be_is_told_of_its_filter(given: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(RequestError) as error:
        read_wish(given)
    assert [fault.field for fault in error.value.faults] == [field] and said in error.value.faults[0].message


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(RequestError) as error:
        read_wish({"from_wer": "x", "to_wer": "y", "adapter": "A", "since": "z"})
    assert {fault.field for fault in error.value.faults} == {"from_wer", "to_wer", "adapter", "since"}


@pytest.mark.parametrize(
    ("page", "read"), [("2", 2), (2, 2), ("0", 1), ("-5", 1), ("x", 1), (None, 1), ("9" * 99, 10**7)]
)
def test_pages_that_cannot_be_are_others(page: Any, read: int) -> None:
    assert read_wish({"page": page}).page == read
