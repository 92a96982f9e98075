"""Songs in other formats: the same sound, the same bytes every time, made once, and never gone too early."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine import transcoding
from engine.errors import SongError
from engine.transcoding import SoundCache, checksum, number_stream, transcoded

ROOT = Path(__file__).parent.parent.parent
RATE = 16000


@pytest.fixture
def flac(tmp_path: Path) -> Path:
    return write_flac(tmp_path / "song.flac")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundCache]:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    made = SoundCache(max_files=4, grace=0.0)
    yield made
    made.clear()


def write_flac(path: Path, seed: int = 0, seconds: float = 5.0) -> Path:
    time_ = np.arange(round(seconds * RATE)) / RATE
    left = 0.4 * np.sin(2 * np.pi * (220 + 20 * seed) * time_)
    soundfile.write(path, np.stack([left, 0.5 * left], 1), RATE, subtype="PCM_16")
    return path


@pytest.mark.parametrize("form", ["wav", "mp3", "ogg"])
def test_the_sound_is_the_same(flac: Path, cache: SoundCache, form: str) -> None:
    expected, _ = soundfile.read(flac)
    path = cache.get(flac, form)
    info = soundfile.info(path)
    assert path.suffix == f".{form}" and info.format == form.upper()
    heard, rate = soundfile.read(path)
    assert rate == RATE and abs(len(heard) - len(expected)) <= 2500 and heard.shape[1] == 2
    for channel in (0, 1):  # loudest tone of each half second
        spectrum = np.abs(np.fft.rfft(heard[RATE : 2 * RATE, channel]))
        assert spectrum.argmax() == 220
        assert np.std(heard[RATE : 2 * RATE, channel]) == pytest.approx(np.std(expected[:RATE, channel]), rel=0.03)


def test_wav_holds_the_very_samples(flac: Path, cache: SoundCache) -> None:
    one, _ = soundfile.read(flac, dtype="int16")
    other, _ = soundfile.read(cache.get(flac, "wav"), dtype="int16")
    assert np.array_equal(one, other)


def test_flac_is_the_songs_own_file(flac: Path, cache: SoundCache) -> None:
    assert cache.get(flac, "flac") == flac == transcoded(flac, "flac")
    assert not list(Path(tempfile.gettempdir()).iterdir())


@pytest.mark.parametrize("form", ["wav", "mp3", "ogg"])
def test_a_file_made_again_has_the_same_bytes_and_time(flac: Path, cache: SoundCache, form: str) -> None:
    first = cache.get(flac, form)
    data, changed = first.read_bytes(), first.stat().st_mtime_ns
    cache.clear()
    assert not first.exists()
    again = cache.get(flac, form)
    assert again.read_bytes() == data and again.stat().st_mtime_ns == changed == flac.stat().st_mtime_ns
    again.unlink()  # by whoever tidies up temporary files
    assert cache.get(flac, form).read_bytes() == data


def test_the_checksum_is_the_one_libogg_writes(flac: Path) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, soundfile.read(flac)[0], RATE, format="OGG")
    ogg = buffer.getvalue()
    first = ogg.index(b"OggS", 4)
    page = bytearray(ogg[:first])
    written = int.from_bytes(page[22:26], "little")
    page[22:26] = bytes(4)
    assert checksum(bytes(page)) == written
    serial = number_stream(ogg)
    assert len(serial) == len(ogg) and number_stream(serial) == serial
    assert np.array_equal(
        soundfile.read(io.BytesIO(serial))[0], soundfile.read(buffer if not buffer.seek(0) else "")[0]
    )
    assert number_stream(b"") == b"" and number_stream(b"no ogg") == b"no ogg"


def test_a_song_that_was_replaced_is_made_anew(flac: Path, cache: SoundCache) -> None:
    before = cache.get(flac, "wav").read_bytes()
    write_flac(flac, seed=1)
    assert cache.get(flac, "wav").read_bytes() != before


def count_work(monkeypatch: pytest.MonkeyPatch, pause: float = 0.0) -> list[str]:
    done: list[str] = []
    real = transcoding._transcode

    def work(source: Path, out: Path, form: str) -> None:
        done.append(f"{source.name} {form}")
        time.sleep(pause)
        real(source, out, form)

    monkeypatch.setattr(transcoding, "_transcode", work)
    return done


def test_of_many_who_ask_at_once_one_does_the_work(
    flac: Path, cache: SoundCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = count_work(monkeypatch, 0.1)
    with ThreadPoolExecutor(16) as pool:
        paths = set(pool.map(lambda number: cache.get(flac, ("wav", "mp3")[number % 2]), range(32)))
    assert len(paths) == 2 and sorted(done) == ["song.flac mp3", "song.flac wav"]


def test_other_songs_do_not_wait(tmp_path: Path, cache: SoundCache, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, quick = write_flac(tmp_path / "slow.flac"), write_flac(tmp_path / "quick.flac")
    real, go = transcoding._transcode, threading.Event()

    def work(source: Path, out: Path, form: str) -> None:
        assert source != slow or go.wait(30)
        real(source, out, form)

    monkeypatch.setattr(transcoding, "_transcode", work)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cache.get, slow, "wav")
        assert cache.get(quick, "wav").is_file() and not waiting.done()
        go.set()
        assert waiting.result().is_file()


def test_the_least_recently_used_go_first(tmp_path: Path, cache: SoundCache, monkeypatch: pytest.MonkeyPatch) -> None:
    done = count_work(monkeypatch)
    songs = [write_flac(tmp_path / f"{number}.flac", number, 0.2) for number in range(6)]
    paths = [cache.get(song, "wav") for song in songs[:4]]
    cache.get(songs[0], "wav")
    paths.extend(cache.get(song, "wav") for song in songs[4:])
    assert [path.exists() for path in paths] == [True, False, False, True, True, True]
    assert len(done) == 6 and len(list(paths[0].parent.iterdir())) == 4


def test_files_are_bounded_in_bytes_too(tmp_path: Path, cache: SoundCache) -> None:
    cache.max_bytes = 100_000
    paths = [cache.get(write_flac(tmp_path / f"{number}.flac", number, 1.0), "wav") for number in range(3)]
    assert [path.exists() for path in paths] == [False, False, True]


def test_a_file_that_was_just_given_out_stays(tmp_path: Path, cache: SoundCache) -> None:
    cache.grace = 0.5
    songs = [write_flac(tmp_path / f"{number}.flac", number, 0.2) for number in range(8)]
    paths = [cache.get(song, "wav") for song in songs]
    assert all(path.exists() for path in paths)
    time.sleep(0.6)
    cache.get(songs[-1], "wav")
    assert [path.exists() for path in paths] == [False] * 4 + [True] * 4


def test_under_pressure_every_file_can_still_be_opened(tmp_path: Path, cache: SoundCache) -> None:
    cache.grace = 1.0
    songs = [write_flac(tmp_path / f"{number}.flac", number, 0.1) for number in range(12)]

    def ask(number: int) -> bool:
        return cache.get(songs[number % 12], ("wav", "ogg")[number % 2]).read_bytes()[:4] in (b"RIFF", b"OggS")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(200)))


@pytest.mark.parametrize("form", ["aac", "", "WAV", "../x"])
def test_other_formats_are_refused(flac: Path, cache: SoundCache, form: str) -> None:
    with pytest.raises(SongError, match="no format songs can be had in: choose one of flac, wav, mp3, ogg"):
        cache.get(flac, form)


def test_songs_that_are_not_there_or_broken_are_told(tmp_path: Path, cache: SoundCache) -> None:
    for form in ("flac", "wav"):
        with pytest.raises(SongError, match="No such file"):
            cache.get(tmp_path / "none.flac", form)
    (tmp_path / "broken.flac").write_bytes(b"fLaC, or so it says")
    with pytest.raises(SongError, match="cannot be turned into mp3") as raised:
        cache.get(tmp_path / "broken.flac", "mp3")
    assert "/" not in str(raised.value)


def test_a_full_disk_is_told_leaves_nothing_and_passes(
    flac: Path, cache: SoundCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> Any:
        raise OSError(28, "No space left on device", str(flac))

    for place, name in ((transcoding, "_transcode"), (Path, "replace"), (transcoding, "claim_folder")):
        cache.clear()
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            with pytest.raises(SongError, match=r"No space left on device.*ask for flac") as raised:
                cache.get(flac, "wav")
            assert "/" not in str(raised.value), "where files lie is nobody's business"
        assert not [path for path in Path(tempfile.gettempdir()).rglob("*") if path.is_file()]
        assert cache.get(flac, "wav").is_file()


def test_the_files_go_with_their_process_and_those_of_a_killed_one_with_the_next(flac: Path, cache: SoundCache) -> None:
    folder = Path(tempfile.gettempdir())
    script = (
        "import sys, os; from pathlib import Path; from engine.transcoding import transcoded\n"
        "print(transcoded(Path(sys.argv[1]), 'wav'), flush=True); sys.stdin.readline()"
    )

    def start() -> subprocess.Popen[str]:
        command, pipe = [sys.executable, "-c", script, str(flac)], subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env={"TMPDIR": str(folder)})

    with start() as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        assert path.is_file() and path.parent.parent == folder and path.parent.stat().st_mode & 0o777 == 0o700
        cache.get(flac, "wav")
        assert path.is_file(), "a living process keeps its files"
        process.communicate("\n")
    assert not path.parent.exists()
    with start() as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        process.kill()
    assert path.is_file()
    cache.clear()
    cache.get(flac, "wav")
    assert not path.parent.exists()
