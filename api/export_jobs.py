"""Exports, one after the other on a thread: queued, watched, cancelled, and kept until others take their room.

Knows how a composition becomes files (``adapters.exporting``) and where they are kept, and nothing of HTTP but how an
error is told.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from adapters.errors import AdapterError
from adapters.exporting import export_composition
from adapters.files import flush_folder, is_full
from adapters.store import AdapterStore
from api.export_checks import check_request
from api.export_files import HIDDEN, bury, kept_exports, pack, seal
from api.export_progress import ExportJob, Stopped, WatchedShelf
from api.export_records import ExportedFile, ExportEstimate, ExportRequest, ExportShown, Loss
from api.export_size import estimate_size
from api.failures import CLOSED_RETRY
from api.problems import Problem
from api.shelf_faults import disk_problem, explain, shelf_problem
from engine.hidden_folders import clear_abandoned, hidden_folder

RETRY_AFTER = 30

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportSettings:
    """Bounds. The newest export is kept whatever its size."""

    waiting: int = 16
    kept: int = 32
    kept_bytes: int = 50 * 10**9
    seconds: float = 3600.0


class ExportJobs:
    """The exports in ``folder``, of adapters on ``shelf`` over the song model ``model``, a folder or a hub id.

    Any thread may call. Finished exports are found again after a restart; what was waiting or failed is not.
    """

    def __init__(
        self, folder: Path, shelf: AdapterStore, model: str | Path, settings: ExportSettings | None = None
    ) -> None:
        self.folder, self.shelf, self.model = folder, shelf, model
        self.settings = settings or ExportSettings()
        clear_abandoned(folder, HIDDEN)
        self._jobs = {shown.id: ExportJob(shown) for shown in kept_exports(folder)}
        self._waiting: deque[ExportJob] = deque()
        self._lock = threading.Condition()
        self._running = False
        self._refusing = self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, request: ExportRequest) -> ExportShown:
        """Queue an export.

        Raises:
            Problem: an adapter does not exist, there is nothing to export, too many wait, or the server is closing.
        """
        check_request(request, self.shelf, self._places())
        shown = ExportShown(
            id=secrets.token_hex(8), state="queued", progress=0, created=datetime.now(UTC), request=request
        )
        with self._lock:
            if self._refusing:
                raise Problem(
                    503,
                    "the server is shutting down and takes no more exports: ask again when it is back",
                    headers={"Retry-After": str(CLOSED_RETRY)},
                )
            if len(self._waiting) >= self.settings.waiting:
                raise Problem(
                    429,
                    f"{self.settings.waiting} exports are waiting, which is the limit: ask again when some are done",
                    headers={"Retry-After": str(RETRY_AFTER)},
                )
            job = self._jobs[shown.id] = ExportJob(shown)
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="exports", daemon=True)
                self._thread.start()
            self._lock.notify_all()
        return shown

    def estimate(self, request: ExportRequest) -> ExportEstimate:
        """How large an export would be; nothing is queued.

        Raises:
            Problem: as :meth:`submit` does, and where an adapter or the song model cannot be read.
        """
        check_request(request, self.shelf, self._places())
        try:
            return estimate_size(request, self.shelf, self._model_folder)
        except AdapterError as error:
            raise shelf_problem(error, self._places()) from error
        except OSError as error:
            raise disk_problem(error) from error

    def shown(self, export_id: str) -> ExportShown | None:
        """An export as it stands, or None."""
        with self._lock:
            job = self._jobs.get(export_id)
            return None if job is None else job.now()

    def listed(self) -> list[ExportShown]:
        """All exports, the newest first."""
        with self._lock:
            return sorted((job.now() for job in self._jobs.values()), key=lambda shown: shown.created, reverse=True)

    def file(self, shown: ExportShown) -> Path:
        """Where the file of a finished export is."""
        assert shown.file is not None
        return self.folder / shown.id / shown.file.name

    def remove(self, export_id: str) -> Literal["cancelled", "removed"] | None:
        """Cancel an export that is not done, or remove one that is; None where there is none.

        Raises:
            OSError: its files cannot be removed.
        """
        with self._lock:
            job = self._jobs.get(export_id)
            if job is None:
                return None
            delete = bury(self.folder, export_id) if job.shown.state == "done" else None
            del self._jobs[export_id]
            with suppress(ValueError):
                self._waiting.remove(job)
            job.stopped.set()
            self._lock.notify_all()
        if delete is not None:
            delete()
            return "removed"
        return "cancelled" if job.shown.state in ("queued", "running") else "removed"

    def refuse(self) -> None:
        """Take no more exports; those accepted are made."""
        with self._lock:
            self._refusing = True

    def drain(self, seconds: float) -> bool:
        """Take no more exports and wait for those accepted; False where they were not made in time."""
        self.refuse()
        with self._lock:
            self._lock.wait_for(lambda: self._closed or not (self._running or self._waiting), seconds)
            return not (self._closed or self._running or self._waiting)

    def stop(self) -> None:
        """Stop the export that runs, which removes what is half done, and forget those that wait."""
        with self._lock:
            self._refusing = self._closed = True
            for job in self._jobs.values():
                job.stopped.set()
            self._waiting.clear()
            self._lock.notify_all()

    def close(self, timeout: float = 10.0) -> None:
        """Stop as :meth:`stop` does, and wait until that is done."""
        self.stop()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                job = self._waiting.popleft()
                self._running = True
                job.shown = job.shown.model_copy(update={"state": "running"})
                job.deadline = time.monotonic() + self.settings.seconds
            failure = self._failure_of(job)
            with self._lock:
                if failure is not None and not job.stopped.is_set():
                    job.shown = job.now().model_copy(update={"state": "failed", "error": failure})
                buried = self._make_room()
                self._running = False
                self._lock.notify_all()
            for delete in buried:  # gigabytes, for which nobody should wait
                delete()

    def _failure_of(self, job: ExportJob) -> str | None:
        """Do an export; why it failed, if it did."""
        place = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with hidden_folder(self.folder, HIDDEN) as place:
                self._export(job, place)
        except Stopped:
            pass
        except AdapterError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and is_full(cause):
                return disk_problem(cause).detail
            return explain(str(error), self._places(place))
        except OSError as error:
            return disk_problem(error).detail
        except MemoryError:
            return "the export needs more memory than this machine has: ask for fewer adapters or another merge"
        except Exception as error:
            log.exception("export %s failed", job.shown.id)
            return f"the export failed unexpectedly ({type(error).__name__}): the server's log has the details"
        return None

    def _export(self, job: ExportJob, place: Path) -> None:
        request = job.shown.request
        built, out = place / "built", place / "files"
        built.mkdir()
        if request.format == "comfyui":  # one file, in a folder of its own
            out.mkdir()
        target = out / f"{request.stem}.safetensors" if request.format == "comfyui" else out
        job.check()
        done = export_composition(
            request.composition,
            target,
            request.options,
            store=WatchedShelf(self.shelf, job.check),
            model=self._model_folder(),
            start=job.start,
        )
        found = pack(out, built, request.stem, job.advance)
        shown = job.shown.model_copy(
            update={
                "state": "done",
                "progress": 1.0,
                "file": ExportedFile(name=found.name, size=found.stat().st_size),
                "notes": [explain(note, self._places(place)) for note in done.notes],
                "loss": Loss.of(done.compression) if done.compression and done.compression.errors else None,
            }
        )
        seal(built, shown)
        with self._lock:
            job.check()  # from here on it is done, and who wants it no more removes it
            os.rename(built, self.folder / shown.id)
            job.shown = shown
        with suppress(OSError):  # it is there; only a power cut within seconds could lose it
            flush_folder(self.folder)

    def _model_folder(self) -> Path:
        folder = Path(self.model)
        if folder.is_dir():
            return folder
        from huggingface_hub import snapshot_download

        try:
            return Path(snapshot_download(str(self.model), local_files_only=True))
        except Exception as error:  # the hub client raises many kinds
            raise AdapterError(
                f"the files of the song model {Path(self.model).name} are not on this machine: start the server with "
                "a folder in diffusers layout"
            ) from error

    def _places(self, place: Path | None = None) -> dict[Path, str]:
        places = {self.shelf.folder: "the shelf", self.folder: "the exports"}
        if place is not None:
            places |= {place: "the export", place / "files": "the export"}
        if (folder := Path(self.model)).is_dir():
            places[folder] = "the song model"
        return places

    def _make_room(self) -> list[Callable[[], None]]:
        """Forget the oldest failures, and bury the oldest files, beyond what is kept; what deletes them."""
        buried = []
        ended = [job for job in self._jobs.values() if job.shown.state in ("done", "failed")]
        ended.sort(key=lambda job: job.shown.created, reverse=True)
        room = self.settings.kept_bytes
        for newer, job in enumerate(ended):
            room -= job.shown.file.size if job.shown.file is not None else 0
            if newer >= self.settings.kept or (newer and room < 0):
                with suppress(OSError):
                    if job.shown.state == "done":
                        buried.append(bury(self.folder, job.shown.id))
                    del self._jobs[job.shown.id]
        return buried
