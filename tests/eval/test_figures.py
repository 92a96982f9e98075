"""How figures are written in the terminal."""

from __future__ import annotations

from eval.figures import NONE, freeze, shorten, show_estimate, show_p, show_rate, show_tau
from eval.resampling import Estimate


def test_figures() -> None:
    found = Estimate(-0.0514, -0.1, 0.02)
    assert show_estimate(found) == "-0.051 [-0.100, 0.020]"
    assert show_estimate(found, signed=True, digits=2) == "-0.05 [-0.10, +0.02]"
    assert show_estimate(Estimate(0.5, None, None), signed=True) == "+0.500"
    assert show_estimate(None) == show_tau(None) == NONE
    assert (show_rate(1.25), show_tau(-0.5), show_p(0.0004), show_p(0.0321)) == ("1.250", "-0.50", "<0.001", "0.032")
    assert [shorten(name) for name in ("lyrics=1", "a=1,b=1", "lyrics=0.5", None)] == [
        "lyrics",
        "a=1,b=1",
        "lyrics=0.5",
        "",
    ]
    assert freeze([["a", "b"]]) == (("a", "b"),)
