from __future__ import annotations

import pytest

from eval.resampling import Estimate
from router.findings import Judged, Score
from router.signal import describe_signal


def told(gain: Estimate, headroom: Estimate | None, permuted: tuple[float, ...] = ()) -> tuple[bool, str]:
    above = None if headroom is None or headroom.low is None else headroom.low > 0
    closed = None if headroom is None else Estimate(gain.value / headroom.value, 0.1 if above else None, None)
    score = Score("router", "router", Estimate(0.4, 0.3, 0.5), gain, None, closed, 1, 2, 3, 0.5)
    return describe_signal(Judged("j", False, (score,), headroom, above), score, permuted)


SURE, UNSURE = Estimate(0.1, 0.05, 0.15), Estimate(0.01, -0.03, 0.05)


@pytest.mark.parametrize(
    ("gain", "headroom", "signal", "said"),
    [
        (SURE, Estimate(0.2, 0.1, 0.3), True, "There is a routable signal.*10.0 .5.0 to 15.0.*closes 50 %"),
        (SURE, UNSURE, True, "There is a routable signal.*best single composition[.]"),
        (UNSURE, SURE, False, "No routable signal in captions and lyrics.*win 10.0.*cannot be told from zero"),
        (UNSURE, UNSURE, False, "No routable signal: an honest oracle would win 1.0.*cannot be told from zero"),
        (Estimate(-0.1, -0.2, -0.05), SURE, False, "No routable signal.*gains -10.0.*which is a loss"),
        (UNSURE, None, False, "No routable signal: with one seed"),
        (Estimate(0.1, None, None), SURE, False, "No routable signal can be told from so few prompts"),
    ],
)
def test_what_is_said_follows_from_the_intervals(
    gain: Estimate, headroom: Estimate | None, signal: bool, said: str
) -> None:
    import re

    found, sentence = told(gain, headroom)
    assert found is signal and re.search(said, sentence), sentence
    assert sentence.endswith(".") and "None" not in sentence


def test_shuffled_prompts_are_counted() -> None:
    assert told(SURE, None, (0.0, 0.1, 0.2, -0.1))[1].endswith(
        "2 of 4 routers fitted to shuffled prompts gained as much."
    )
