"""A process that stores songs, killed without warning, again and again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from engine.songs import SongStore
from tests.engine.planted_songs import PlantedMaps, planted_song

ROOT = Path(__file__).parent.parent.parent
ROUNDS = 8


def save_on_and_on(folder: Path) -> None:
    """Store songs, note something on each, delete every fifth; tell of each when it is done."""
    store = SongStore(folder)
    start = time.time_ns()
    for number in range(1_000_000):
        song_id = f"{start + number:016x}"
        store.save(song_id, planted_song(number, seconds=0.5, attention=PlantedMaps(b"maps" * 1000)), "tiny")
        print("saved", song_id, flush=True)
        store.annotate(song_id, judged={"state": "judged", "wer": 0.25})
        print("judged", song_id, flush=True)
        if number % 5 == 4:
            print("goes", song_id, flush=True)
            store.delete(song_id)
            print("gone", song_id, flush=True)


@pytest.mark.slow
def test_a_process_killed_at_any_moment_leaves_whole_songs_and_all_it_had_finished(tmp_path: Path) -> None:
    rng = random.Random(time.time_ns())
    told: dict[str, list[str]] = {}
    script = "import sys; from pathlib import Path; from tests.engine.test_killed_saving import save_on_and_on as on\n"
    for _ in range(ROUNDS):
        command = [sys.executable, "-c", f"{script}on(Path(sys.argv[1]))", str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(rng.uniform(0, 0.3))
            process.kill()
            for line in (first + process.stdout.read()).splitlines(keepends=True):
                if line.endswith("\n"):
                    what, song_id = line.split()
                    told.setdefault(song_id, []).append(what)
    store = SongStore(tmp_path)
    listed = {str(record["id"]): record for record in store}
    assert store.count() == len(listed) == len(store.browse(limit=100_000)) >= ROUNDS
    finished = {song_id for song_id, steps in told.items() if "goes" not in steps}
    assert finished <= listed.keys(), "a finished song is never lost"
    assert not listed.keys() & {song_id for song_id, steps in told.items() if "gone" in steps}
    for song_id, record in listed.items():
        audio, rate = soundfile.read(store.audio(song_id))
        assert (len(audio) / rate, record["seconds"]) == (0.5, 0.5)
        assert store.attention(song_id).read_bytes() == b"maps" * 1000
        assert "judged" in record or "judged" not in told.get(song_id, []), "what was noted is noted"
    names = {path.name for path in tmp_path.iterdir() if not path.name.startswith("index.sqlite")}
    assert names == listed.keys(), "nothing half written is left"
    assert all({p.name for p in (tmp_path / i).iterdir()} == {"song.flac", "attention.npz", "song.json"} for i in names)
