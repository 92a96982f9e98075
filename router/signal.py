"""Whether there is anything to route, in one sentence. Knows figures, not where they come from."""

from __future__ import annotations

from eval.resampling import Estimate
from router.findings import Judged, Score


def describe_signal(judged: Judged, router: Score, permuted: tuple[float, ...]) -> tuple[bool, str]:
    """Whether choosing by prompt is shown to pay, and the sentence.

    It is where the interval of the router's gain lies above zero, as the judge heard it that the router was not fitted
    to, if there is one. Otherwise the sentence says whether nothing can be won, or what can be won was not found.

    Args:
        router: the router's score among those of ``judged``.
        permuted: gains of routers fitted to shuffled prompts.
    """
    luck, gain = "", router.gain
    if permuted:
        reached = sum(value >= gain.value for value in permuted)
        luck = f" {reached} of {len(permuted)} routers fitted to shuffled prompts gained as much."
    gained = f"the router gains {_points(gain)} points of WER over the best single composition"
    if gain.low is None or gain.high is None:
        return False, f"No routable signal can be told from so few prompts: {gained}.{luck}"
    if gain.low > 0:
        closed = router.gap_closed
        sure = closed is not None and closed.low is not None  # of a gap that may be none, a share says nothing
        share = f" and closes {100 * closed.value:.0f} % of the honest gap" if closed and sure else ""
        return True, f"There is a routable signal: {gained}{share}.{luck}"
    doubt = "which is a loss" if gain.high < 0 else "which cannot be told from zero"
    if judged.headroom is None:
        said = f"with one seed per prompt nobody knows what could be won; {gained}, {doubt}"
        return False, f"No routable signal: {said}.{luck}"
    could = f"an honest oracle would win {_points(judged.headroom)}"
    if not judged.distinguishable:
        said = f"{could}, which cannot be told from zero, and {gained}, {doubt}"
        return False, f"No routable signal: {said}.{luck}"
    return False, f"No routable signal in captions and lyrics: {could}, but {gained}, {doubt}.{luck}"


def _points(estimate: Estimate) -> str:
    """``3.1 (1.0 to 5.2)``."""
    told = f"{100 * estimate.value:.1f}"
    if estimate.low is None or estimate.high is None:
        return told
    return f"{told} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"
