"""The judge in a thread of its own: it loads in the background, listens to songs in turn, and never holds up singing.

Knows a song as a sound file and its lyrics. What becomes of a verdict is the business of whoever waits for it.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.errors import ChoirmasterError
from eval.judge import Heard
from eval.text import reference_words
from eval.wer import score

JudgeState = Literal["off", "loading", "ready", "unavailable"]
Verdict = dict[str, Any]

OFF = "the judge is off: start the server with --judge base to have it listen"
WORDLESS: Verdict = {"state": "wordless", "reason": "there are no words to judge in an instrumental"}

log = logging.getLogger(__name__)


class Ears(Protocol):
    """What is needed of a judge; ``eval.judge.Judge`` has it."""

    @property
    def title(self) -> str: ...

    def load(self) -> None: ...

    def listen(self, audio: NDArray[np.floating[Any]], sampling_rate: int) -> Heard: ...


@dataclass(frozen=True)
class Hearing:
    """One song to listen to, and who wants to know."""

    song_id: str
    sound: Path
    lyrics: str
    tell: Callable[[str, Verdict], None]


class Listener:
    """Listens to one song after another. Without a judge, or with one that cannot be had, it says so instead."""

    def __init__(self, judge: Ears | None) -> None:
        self.judge = judge
        self.state: JudgeState = "off" if judge is None else "loading"
        self.reason: str | None = OFF if judge is None else None
        self._queue: queue.SimpleQueue[Hearing | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="choirmaster-judge", daemon=True)

    def start(self) -> None:
        """Begin to load and listen."""
        self._thread.start()

    def hear(self, hearing: Hearing) -> None:
        """Queue a song; its verdict is told from the listening thread."""
        self._queue.put(hearing)

    def close(self, timeout: float = 10.0) -> None:
        """Finish the song at hand and end; what waits is not heard."""
        self._closing.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def describe(self) -> dict[str, str | None]:
        """The judge's name, state, and why it does not listen where it does not."""
        return {"name": self.judge.title if self.judge else None, "state": self.state, "reason": self.reason}

    def _work(self) -> None:
        self._load()
        while (hearing := self._queue.get()) is not None and not self._closing.is_set():
            try:
                hearing.tell(hearing.song_id, self._verdict(hearing))
            except Exception:  # one song's verdict must not end the listening
                log.exception("the verdict on song %s was lost", hearing.song_id)

    def _load(self) -> None:
        if self.judge is None:
            return
        try:
            self.judge.load()
            score("one", "one")  # the normaliser loads with its first words
        except ChoirmasterError as error:
            self.state, self.reason = "unavailable", str(error)
        except Exception as error:  # songs are sung without a judge all the same
            log.exception("the judge does not load")
            self.state = "unavailable"
            self.reason = f"the judge does not load ({type(error).__name__}): the log has the details"
        else:
            self.state = "ready"
        if self.reason:
            log.warning("no judge: %s", self.reason)

    def _verdict(self, hearing: Hearing) -> Verdict:
        if not reference_words(hearing.lyrics):
            return WORDLESS
        if self.judge is None or self.state != "ready":
            return {"state": "unavailable", "reason": self.reason}
        try:
            audio, rate = soundfile.read(hearing.sound, dtype="float32", always_2d=True)
            heard = self.judge.listen(audio.T, rate)
            return verdict(self.judge.title, hearing.lyrics, heard)
        except Exception as error:
            if isinstance(error, ChoirmasterError):
                return {"state": "failed", "reason": f"the judge could not listen: {error}"}
            if hearing.sound.is_file():
                log.exception("the judge failed on song %s", hearing.song_id)
            said = f"the judge could not listen ({type(error).__name__}): the server's log has the details"
            return {"state": "failed", "reason": said}


def verdict(judge: str, lyrics: str, heard: Heard) -> Verdict:
    """What a judge made of a song, as it is stored: transcript, rates, counts, and the words side by side."""
    errors = asdict(score(lyrics, heard.text))
    words = [dict(pair) for pair in errors.pop("alignment")]
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in errors.items()}
    return {
        "state": "judged",
        "judge": judge,
        "transcript": heard.text,
        **rounded,
        "seconds": round(heard.seconds, 3),
        "words": words,
    }
