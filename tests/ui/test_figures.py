from datetime import UTC, datetime, timedelta, timezone

import pytest

from ui.figures import say_moment, say_rate, say_rates


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (datetime(2026, 11, 24, 18, 40, 59, tzinfo=UTC), "2026-11-24 18:40 UTC"),
        (datetime(2026, 11, 24, 23, 40, tzinfo=timezone(timedelta(hours=-2))), "2026-11-25 01:40 UTC"),
        ("2026-11-24T18:40:00Z", "2026-11-24 18:40 UTC"),
        ("2026-11-24T18:40:00+02:00", "2026-11-24 16:40 UTC"),
        ("2026-11-24T18:40:00", "2026-11-24 18:40 UTC"),
        ("0001-01-01T00:00:00+05:00", ""),
        ("yesterday", ""),
        ("", ""),
        (None, ""),
        (5, ""),
    ],
)
def test_moments_have_one_form(time: object, said: str) -> None:
    assert say_moment(time) == said


def test_rates_are_percent_with_one_decimal() -> None:
    assert (say_rate(0), say_rate(1 / 3), say_rate(1.5)) == ("0.0 %", "33.3 %", "150.0 %")
    assert say_rates(0.1, 0.404) == "10.0–40.4 %" and say_rates(None, 0.4) == say_rates(0.1, None) == ""
