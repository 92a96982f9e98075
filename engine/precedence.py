"""Who goes first: songs that somebody waits for come before those of the background, which wait for a quiet moment.

Knows the order of jobs, and nothing of what is done with them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from engine.jobs import Job


class Line:
    """Jobs that wait for the same thing, oldest first, but those of the background after all others."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs)

    @property
    def first(self) -> Job | None:
        """The job whose turn it is, None where nobody waits."""
        return next((job for job in self._jobs if not job.background), None) or next(iter(self._jobs), None)

    def find_next(self, others: Iterable[Job], most: int) -> Job | None:
        """The job whose turn it is, as long as fewer than ``most`` of ``others`` take its room. Those of the background
        take none from songs that somebody waits for."""
        job = self.first
        if job is None or sum(job.background or not other.background for other in others) >= most:
            return None
        return job

    def append(self, job: Job) -> None:
        """Put a job at the end."""
        self._jobs.append(job)

    def remove(self, job: Job) -> None:
        """Take a job out.

        Raises:
            ValueError: it is not there.
        """
        self._jobs.remove(job)

    def take(self) -> Job:
        """Take out the job whose turn it is.

        Raises:
            ValueError: nobody waits.
        """
        found = self.first
        if found is None:
            raise ValueError("nobody waits in this line")
        self._jobs.remove(found)
        return found


def find_joining(queue: Line, ready: Line, running: Sequence[Job], sung: Line, most: int) -> Job | None:
    """The job of ``ready`` that may be sung beside ``running``, of which at most ``most`` are sung or ``sung``; one of
    the background may while no other is being sung or waits to be."""
    job = ready.find_next((*running, *sung), most)
    if job is not None and job.background and not all(other.background for other in (*queue, *running)):
        return None
    return job


def pick_sung(running: Sequence[Job], limit: float) -> list[Job]:
    """The songs that take steps now. Those of the background stand still while another is being sung; their time, of
    ``limit`` seconds, does not run out meanwhile."""
    awaited = [job for job in running if not job.background]
    if not awaited:
        return list(running)
    for job in running:
        if job.background:
            job.deadline = time.monotonic() + limit
    return awaited
