"""The judge of an evaluation: one of the same make as the server's, so that nobody's songs wait for it to listen.

Knows judges, and nothing of what they are to hear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eval.ears import Listener, identify
from eval.judge import AudioError, Heard, Judge
from eval.ledger import Listening
from ui.listening import Ears

#: Cores a copy uses: the others are the song model's.
THREADS = 1


class EvaluationJudge(Listener, Protocol):
    """What is needed of an evaluation's judge."""

    def describe(self) -> dict[str, Any]: ...

    def load(self) -> None: ...


#: Makes an evaluation's judge of the server's.
CopyJudge = Callable[[Ears], EvaluationJudge]


class OneByOne:
    """A judge of another make than ours, asked for one song at a time."""

    batch = 1

    def __init__(self, judge: Ears) -> None:
        self._judge = judge

    @property
    def title(self) -> str:
        """As a table names it."""
        return self._judge.title

    def describe(self) -> dict[str, Any]:
        """All that is known of it."""
        return {"name": self.title}

    def load(self) -> None:
        """Have it ready; raises what the judge does."""
        self._judge.load()

    def listen_many(self, sounds: Sequence[tuple[NDArray[np.float32], int]]) -> list[Heard | AudioError]:
        """What it hears in each sound, [channels, samples] with its rate, or why it could not listen."""
        return [self._listen(*sound) for sound in sounds]

    def _listen(self, audio: NDArray[np.float32], rate: int) -> Heard | AudioError:
        try:
            return self._judge.listen(audio, rate)
        except AudioError as error:
            return error


def copy_judge(judge: Ears) -> EvaluationJudge:
    """A judge of the same weights, arithmetic and settings, not loaded yet; one of another make listens itself."""
    if isinstance(judge, Judge):
        return Judge(judge.name, judge.device, judge.compute_type, THREADS, judge.settings, judge.batch)
    return OneByOne(judge)


def name_listening(judge: EvaluationJudge) -> Listening:
    """A judge as the journal of an evaluation knows it.

    Raises:
        JudgeUnavailable: its weights cannot be read.
    """
    return identify(judge) if isinstance(judge, Judge) else Listening(judge.title, judge.title)
