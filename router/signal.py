"""Whether there is anything to route, in one sentence. Knows figures, not where they come from."""

from __future__ import annotations

from eval.resampling import Estimate
from router.findings import Judged, Score


def describe_signal(
    judged: Judged, router: Score, permuted: tuple[float, ...] = (), default: str = "", seeds: int = 0
) -> tuple[bool, str]:
    """Whether choosing by prompt is shown to pay, and the sentence.

    It is where the interval of the router's gain lies above zero, as the judge heard it that the router was not fitted
    to, if there is one. Otherwise the sentence says whether nothing can be won, or what can be won was not found.

    Args:
        router: the router's score among those of ``judged``.
        permuted: gains of routers fitted to shuffled prompts.
        default: composition that the router sings where it finds nothing better.
        seeds: songs of a prompt by each composition, of which an honest oracle chooses on half.
    """
    luck, gain = "", router.gain
    if permuted:
        reached = sum(value >= gain.value for value in permuted)
        luck = f" {reached} of {len(permuted)} routers fitted to shuffled prompts gained as much."
    gained = f"the router gains {say_points(gain)} points of WER over {_name_opponent(judged, default)}"
    if gain.low is None or gain.high is None:
        return False, f"No routable signal can be told from so few prompts: {gained}.{luck}"
    if gain.low > 0:
        closed = router.gap_closed
        sure = closed is not None and closed.low is not None  # of a gap that may be none, a share says nothing
        share = f" and closes {100 * closed.value:.0f} % of the gap to {_name_oracle(seeds)}" if closed and sure else ""
        return True, f"There is a routable signal: {gained}{share}{_doubt_headroom(judged)}.{luck}"
    doubt = "which is a loss" if gain.high < 0 else "which cannot be told from zero"
    if judged.headroom is None:
        said = f"with one seed per prompt nobody knows what could be won; {gained}, {doubt}"
        return False, f"No routable signal: {said}.{luck}"
    could = f"an honest oracle would win {say_points(judged.headroom)}"
    if not judged.distinguishable:
        said = f"{could}, which cannot be told from zero, and {gained}, {doubt}"
        return False, f"No routable signal: {said}.{luck}"
    return False, f"No routable signal in captions and lyrics: {could}, but {gained}, {doubt}.{luck}"


def describe_unused(default: str, policy: str, followed: Score, opponent: str) -> str:
    """The sentence of a router that fitting found no signal for, tried on other songs.

    Args:
        policy: its name.
        followed: what that policy would have come to, had the router listened to it.
        opponent: the best single composition of these songs.
    """
    gain = followed.gain
    over = "over it" if opponent in ("", default) else f"over the best single composition of these songs, {opponent}"
    told = (
        f"This router always sings its default, {default}, because fitting found no signal. Had its policy, {policy}, "
        f"been followed, it would have gained {say_points(gain)} points of WER {over}, at a WER of "
        f"{say_points(followed.wer)} %"
    )
    if gain.low is None or gain.high is None:
        return f"{told}; so few prompts tell nothing."
    if gain.low > 0:
        return f"{told}, which is above zero: fitting to more songs may find a signal."
    return f"{told}, {'which is a loss' if gain.high < 0 else 'which cannot be told from zero'}."


def _name_opponent(judged: Judged, default: str) -> str:
    if not judged.opponent or not default or judged.opponent == default:
        return "the best single composition"
    return f"the best single composition ({judged.opponent} as this judge hears it, not the default {default})"


def _name_oracle(seeds: int) -> str:
    songs = max(1, seeds // 2)
    return f"an honest oracle, which chooses on {songs} song{'s' if songs > 1 else ''} of each composition"


def _doubt_headroom(judged: Judged) -> str:
    if judged.headroom is None or judged.distinguishable:
        return ""
    return f"; yet what an honest oracle would win, {say_points(judged.headroom)}, cannot be told from zero"


def say_points(estimate: Estimate) -> str:
    """``3.1 (1.0 to 5.2)``."""
    told = f"{100 * estimate.value:.1f}"
    if estimate.low is None or estimate.high is None:
        return told
    return f"{told} ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"
