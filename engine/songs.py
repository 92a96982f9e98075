"""Songs on disk: ``<folder>/<id>/{song.flac, song.json}``; the JSON holds all that is needed to sing the song again."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import soundfile

from adapters.files import write_bytes_atomically, write_text_atomically
from engine.errors import SongError
from engine.singer import Song

_ID = re.compile(r"[0-9a-f]{8,32}")


class SongStore:
    """A folder of songs. The JSON is written last, so a song that has one is complete."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, song_id: str, song: Song, model: str, extra: dict[str, Any] | None = None) -> Path:
        """Write a song; returns its folder.

        Raises:
            SongError: the disk is full or the folder cannot be written.
        """
        folder = self._path(song_id)
        record = {
            "id": song_id,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "model": model,
            "request": song.request.model_dump(mode="json", exclude_none=True),
            "plan": None if song.plan is None else song.plan.model_dump(mode="json"),
            "reading": asdict(song.reading),
            "sampling": asdict(song.sampling),
            "seconds": round(song.seconds, 3),
            "sampling_rate": song.sampling_rate,
            "spent": {k: round(v, 3) for k, v in song.spent.items()},
            **(extra or {}),
        }
        try:
            write_bytes_atomically(folder / "song.flac", audio_bytes(song.audio, song.sampling_rate, "flac"))
            write_text_atomically(folder / "song.json", json.dumps(record, indent=1, ensure_ascii=False))
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise SongError(
                f"the song cannot be written to {folder} ({error.strerror or error}): free some space, or choose "
                "another folder for the songs"
            ) from error
        return folder

    def annotate(self, song_id: str, **extra: Any) -> None:
        """Add fields to a song's JSON (for example what a judge heard)."""
        record = self.record(song_id)
        if record is not None:
            write_text_atomically(
                self._path(song_id) / "song.json", json.dumps({**record, **extra}, indent=1, ensure_ascii=False)
            )

    def record(self, song_id: str) -> dict[str, Any] | None:
        """A song's JSON, or None where there is no such song or it cannot be read."""
        try:
            found: dict[str, Any] = json.loads((self._path(song_id) / "song.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found

    def audio(self, song_id: str) -> Path:
        """Path of the song's flac, whether or not it exists."""
        return self._path(song_id) / "song.flac"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """All complete songs, newest first."""
        records = [self.record(p.parent.name) for p in self.folder.glob("*/song.json") if _ID.fullmatch(p.parent.name)]
        yield from sorted((r for r in records if r), key=lambda r: str(r.get("created")), reverse=True)

    def delete(self, song_id: str) -> bool:
        """Remove a song; False where there was none."""
        folder = self._path(song_id)
        if not folder.is_dir():
            return False
        shutil.rmtree(folder)
        return True

    def _path(self, song_id: str) -> Path:
        if not _ID.fullmatch(song_id):
            raise SongError(f"{song_id[:40]!r} is no song id: ids are 8 to 32 hexadecimal digits")
        return self.folder / song_id


def audio_bytes(audio: Any, sampling_rate: int, form: str) -> bytes:
    """Audio [channels, samples] as the bytes of a sound file; ``form`` as soundfile names it (flac, wav, ogg, mp3)."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.T, sampling_rate, format=form.upper())
    return buffer.getvalue()
