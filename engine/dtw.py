"""Dynamic time warping: the monotone path through a matrix of energies that gathers the most of their squares.

Plain numbers; knows neither words nor attention.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_DIAGONAL, _FRAME, _TOKEN = 0, 1, 2  # where a step came from


def warp(energy: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """The path through ``energy`` [frames, tokens] from corner to corner with the least sum of ``-energy**2``.

    Each step goes on by one frame, one token or both; of equal ways the one by both is taken, then the one by a frame.
    All cells on an anti-diagonal are worked out at once, so ten minutes of 800 tokens take about a second.

    Returns:
        [cells, 2]: frame and token of every cell on the path, in order.
    """
    frames, tokens = energy.shape
    if not frames or not tokens:
        return np.empty((0, 2), np.int64)
    cost = -np.square(energy.T, dtype=np.float32).ravel()  # [tokens * frames]
    stride = frames - 1  # from one cell of an anti-diagonal to the next, one token on and one frame back
    came = np.zeros((frames + tokens - 1, tokens), np.int8)
    # sums of the last two anti-diagonals by token, one place to the right, so that place 0 is outside
    before, last = np.full(tokens + 1, np.inf), np.full(tokens + 1, np.inf)
    before[0] = 0  # the way into the first cell
    for diagonal in range(frames + tokens - 1):
        first, end = max(0, diagonal - frames + 1), min(tokens, diagonal + 1)
        both, token, frame = before[first:end], last[first:end], last[first + 1 : end + 1]
        best = np.minimum(token, frame)
        choice = came[diagonal, first:end]
        np.add(token < frame, _FRAME, out=choice, casting="unsafe")
        choice[both <= best] = _DIAGONAL
        here = np.full(tokens + 1, np.inf)
        at = diagonal + first * stride
        cells = cost[at : diagonal + (end - 1) * stride + 1 : max(1, stride)]
        np.add(np.minimum(best, both), cells, out=here[first + 1 : end + 1])
        before, last = last, here
    frame_at, token_at = frames - 1, tokens - 1
    path = [(frame_at, token_at)]
    while frame_at or token_at:
        step = came[frame_at + token_at, token_at]
        frame_at -= step != _TOKEN
        token_at -= step != _FRAME
        path.append((frame_at, token_at))
    return np.array(path[::-1], np.int64)
