"""The denoising loop's one tick: a batch of songs takes its next step, and whose fault an error is.

A pass that fails is made again song by song, so that only the song at fault fails; after a lack of memory batches are
smaller for a while. Knows nothing of threads.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Sequence

import torch

from engine.failures import is_out_of_memory
from engine.jobs import Job
from engine.scheduling import choose_batch
from engine.settings import EngineSettings
from engine.singer import Singer
from engine.song import Step

#: Passes without a lack of memory after which batches may grow again.
RECOVERY_TICKS = 64

log = logging.getLogger(__name__)


class DenoisingLoop:
    """Steps songs with one singer; ``singer`` may be replaced between ticks."""

    def __init__(self, singer: Singer, settings: EngineSettings) -> None:
        self.singer, self.settings = singer, settings
        self.budget = settings.token_budget
        self._turn = self._good = 0

    def tick(
        self, jobs: Sequence[Job], told: Callable[[Job, Step | Exception], None], counted: Callable[[int, float], None]
    ) -> None:
        """Let the batch that is due take its next step.

        Args:
            jobs: all songs in the loop, oldest first; ``told`` may take songs out of it.
            told: the outcome of each song of the batch, once all are known; of all songs, where the loop itself failed.
            counted: rows of the pass and seconds it took.
        """
        try:
            batch = choose_batch(jobs, _size, self.budget, self.settings.most_padding)
            self._turn += 1
            started = time.monotonic()
            outcomes = self._step(batch)
            counted(sum(_size(job)[0] for job in batch), time.monotonic() - started)
            for job, outcome in zip(batch, outcomes, strict=True):
                job.turn = self._turn
                told(job, outcome)
        except Exception as error:  # of our own, not of a song; whoever is being sung cannot be helped
            for job in list(jobs):
                told(job, error)

    def _step(self, batch: Sequence[Job]) -> list[Step | Exception]:
        failure: Exception
        try:
            found = self.singer.step([job.generation for job in batch if job.generation is not None])
        except Exception as error:
            failure = error
        else:
            self._good += 1
            if self._good >= RECOVERY_TICKS and self.budget < self.settings.token_budget:
                self.budget, self._good = min(2 * self.budget, self.settings.token_budget), 0
            return found
        # Else the frames of the pass that failed would keep all it had in memory while the songs are tried again.
        traceback.clear_frames(failure.__traceback__)
        if len(batch) == 1:
            return [failure]
        if is_out_of_memory(failure):
            self._shrink(batch)
        log.warning("a pass of %d songs failed and is made again one by one: %s", len(batch), failure)
        return [self._step([job])[0] for job in batch]

    def _shrink(self, batch: Sequence[Job]) -> None:
        sizes = [_size(job) for job in batch]
        used = sum(rows for rows, _ in sizes) * max(frames for _, frames in sizes)
        self.budget, self._good = max(1, min(self.budget, used) // 2), 0
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _size(job: Job) -> tuple[int, int]:
    assert job.generation is not None
    return job.generation.rows, job.generation.length
