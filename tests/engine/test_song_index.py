"""The index of songs: it finds what reading every file would, and whatever befalls it, no song is lost or missed."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from engine import song_index
from engine.song_query import SongQuery, timestamp
from engine.songs import SongStore
from tests.engine.planted_songs import planted_song, write_record

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def store(tmp_path: Path) -> SongStore:
    return SongStore(tmp_path / "songs")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(song_index, "PATIENCE", 0.05)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often each file is read."""
    counted: Counter[str] = Counter()
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        counted[path.name] += 1
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    yield counted


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [str(record["id"]) for record in records]


def file_of(store: SongStore) -> Path:
    return store.folder / song_index.FILE


def is_used(store: SongStore) -> bool:
    """Whether the file on disk is sound, current and holds just the songs there are."""
    with closing(sqlite3.connect(file_of(store))) as db:
        rows = {row[0] for row in db.execute("SELECT id FROM songs")}
        version = db.execute("PRAGMA user_version").fetchone()[0]
        return rows == store.ids() and version == song_index.SCHEMA


def test_twenty_of_five_thousand_songs_are_listed_by_reading_twenty_files(tmp_path: Path, reads: Counter[str]) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(5000):
        created = (start + timedelta(minutes=number)).isoformat()
        write_record(tmp_path, f"{number:08x}", created=created, caption="folk" if number % 7 else "jazz")
    store = SongStore(tmp_path)
    assert store.count() == 5000 == reads["song.json"]
    reads.clear()
    assert ids(store.browse(limit=20)) == [f"{number:08x}" for number in range(4999, 4979, -1)]
    assert ids(store.browse(SongQuery(text="JAZZ"), 20, 700)) == [f"{7 * n:08x}" for n in range(14, -1, -1)]
    assert store.count(SongQuery(text="jazz")) == 715
    assert next(iter(store))["id"] == f"{4999:08x}"
    assert reads["song.json"] == 20 + 15 + 1
    reads.clear()
    began = time.monotonic()
    assert len(SongStore(tmp_path).browse()) == 20 and reads["song.json"] == 20, "nor when a server starts again"
    assert time.monotonic() - began < 2


def test_queries_find_what_a_reader_of_all_files_would(tmp_path: Path) -> None:
    rng = random.Random(5)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    songs: list[dict[str, Any]] = []
    for number in range(120):
        wer = rng.choice([None, None, 0.0, 0.25, 0.5, 1.5])
        names = rng.sample(["clear", "soft", "clear-2"], rng.choice([0, 0, 1, 2]))
        songs.append(
            {
                "id": f"{number:08x}",
                "created": (start + timedelta(hours=rng.randrange(2000))).isoformat(),
                "caption": rng.choice(["Folk song", "50% jazz", "r_b", "RNB", "chanson d'ÉTÉ", "back\\slash"]),
                "lyrics": rng.choice(["hello there", "Hello, 100 %", "", "nul\0inside", 'it\'s "quoted"']),
                "composition": dict.fromkeys(names, 0.5),
                **({"judged": {"state": "judged", "wer": wer}} if wer is not None else {}),
                **({"comparison": "abcdef012345"} if rng.random() < 0.2 else {}),
            }
        )
        write_record(tmp_path, **{"song_id" if name == "id" else name: value for name, value in songs[-1].items()})
    middle = start + timedelta(hours=1000)
    since = middle.astimezone(datetime.strptime("+0530", "%z").tzinfo)

    def has(text: str) -> Callable[[dict[str, Any]], bool]:
        return lambda s: text.lower() in s["caption"].lower() or text.lower() in s["lyrics"].lower()

    def wer_of(song: dict[str, Any]) -> float | None:
        return song.get("judged", {}).get("wer")  # type: ignore[no-any-return]

    cases: list[tuple[SongQuery, Callable[[dict[str, Any]], bool]]] = [
        (SongQuery(), lambda s: True),
        *((SongQuery(text=text), has(text)) for text in ("hELLo", "%", "_", "\\", "0 %", "\0", "'", '"', "été", "zzz")),
        (SongQuery(text=""), lambda s: True),
        (SongQuery(text="songhello"), lambda s: False),
        (SongQuery(adapter="base"), lambda s: not s["composition"]),
        (SongQuery(adapter="clear"), lambda s: "clear" in s["composition"]),
        (SongQuery(adapter="cle"), lambda s: False),
        (SongQuery(comparison="abcdef012345"), lambda s: "comparison" in s),
        (SongQuery(judged=True), lambda s: wer_of(s) is not None),
        (SongQuery(judged=False), lambda s: wer_of(s) is None),
        (SongQuery(max_wer=0.25), lambda s: wer_of(s) in (0.0, 0.25)),
        (SongQuery(min_wer=0.5), lambda s: wer_of(s) in (0.5, 1.5)),
        (SongQuery(since=since), lambda s: datetime.fromisoformat(s["created"]) >= middle),
        (SongQuery(until=since), lambda s: datetime.fromisoformat(s["created"]) < middle),
        (
            SongQuery(text="hello", judged=True, since=since, adapter="base"),
            lambda s: (
                has("hello")(s)
                and wer_of(s) is not None
                and datetime.fromisoformat(s["created"]) >= middle
                and not s["composition"]
            ),
        ),
    ]
    newest = sorted(songs, key=lambda s: (s["created"], s["id"]), reverse=True)
    store = SongStore(tmp_path)
    for query, wanted in cases:
        expected = [song["id"] for song in newest if wanted(song)]
        assert ids(store.browse(query, 1000)) == expected, query
        assert store.count(query) == len(expected)
        assert ids(store.browse(query, 7, 3)) == expected[3:10]
    assert len(store.browse(limit=10**30)) == 120 and store.browse(offset=10**30) == [] == store.browse(limit=0)


def test_accents_are_found_however_they_are_encoded(tmp_path: Path) -> None:
    write_record(tmp_path, "00000001", lyrics="e\u0301te\u0301")
    write_record(tmp_path, "00000002", lyrics="ÉTÉ STRASSE")
    store = SongStore(tmp_path)
    assert store.count(SongQuery(text="été")) == store.count(SongQuery(text="E\u0301T")) == 2
    assert ids(store.browse(SongQuery(text="straße"))) == ["00000002"]


@pytest.mark.parametrize(
    "fields",
    [
        {"adapter": "../x"},
        {"adapter": "Clear"},
        {"max_wer": float("nan")},
        {"max_wer": float("inf")},
        {"min_wer": -1},
        {"since": "2026-01-01T00:00:00"},
        {"until": "soon"},
        {"text": "x" * 1001},
        {"comparison": ""},
        {"colour": "red"},
    ],
)
def test_queries_that_can_mean_nothing_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SongQuery.model_validate(fields)


@pytest.mark.parametrize(
    "nonsense", [None, 7, "x", [1], {"wer": "x"}, {"wer": float("nan")}, {"\ud800": 10**400}, True]
)
def test_json_that_says_strange_things_is_listed_all_the_same(tmp_path: Path, nonsense: Any) -> None:
    names = ("created", "reading", "judged", "seconds", "adapters", "comparison", "caption", "lyrics", "composition")
    write_record(tmp_path, "00000001", **dict.fromkeys(names, nonsense))
    write_record(tmp_path, "00000002", caption="lone \ud800 half")
    store = SongStore(tmp_path)
    assert ids(store.browse()) == ["00000002", "00000001"] and store.count(SongQuery(judged=True)) == 0


def test_times_without_a_zone_or_sense_are_told_apart() -> None:
    assert (
        timestamp("2026-01-01")
        == timestamp("2026-01-01T01:00:00+01:00")
        == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    )
    assert timestamp("soon") == timestamp(None) == timestamp("9999999-01-01") == 0


def test_changes_made_by_hand_are_seen_when_a_server_starts(store: SongStore, reads: Counter[str]) -> None:
    for number in range(6):
        store.save(f"{number:08x}", planted_song(), "tiny")
    assert store.count() == 6
    shutil.rmtree(store.folder / "00000000")
    shutil.copytree(store.folder / "00000001", store.folder / "0000000a")
    path = store.folder / "00000002" / "song.json"
    path.write_text(path.read_text().replace("hello there", "goodbye now"))
    reads.clear()
    again = SongStore(store.folder)
    assert again.count() == 6 and again.count(SongQuery(text="goodbye")) == 1
    assert reads["song.json"] == 2, "only what is new or changed is read"
    assert store.count() == 6 and store.count(SongQuery(text="goodbye")) == 1, "and by the other, through the file"


def test_a_song_that_comes_or_goes_while_the_server_runs_is_seen(store: SongStore) -> None:
    store.save("00000001", planted_song(), "tiny")
    assert store.count() == 1
    write_record(store.folder, "00000002")
    assert store.count() == 2
    shutil.rmtree(store.folder / "00000001")
    assert ids(store.browse()) == ["00000002"] and store.count() == 1
    path = store.folder / "00000002" / "song.json"
    path.write_text(path.read_text().replace("folk", "jazz"))
    store.rebuild()
    assert store.count() == 1 and is_used(store)


def test_two_servers_on_one_folder_see_each_others_songs(tmp_path: Path) -> None:
    one, other = SongStore(tmp_path), SongStore(tmp_path)
    assert one.count() == other.count() == 0
    one.save("00000001", planted_song(), "tiny")
    other.save("00000002", planted_song(), "tiny")
    assert sorted(ids(one.browse())) == sorted(ids(other.browse())) == ["00000001", "00000002"]
    other.annotate("00000001", judged={"wer": 0.5})
    assert ids(one.browse(SongQuery(judged=True))) == ["00000001"]
    assert one.delete("00000001") and not other.delete("00000001")
    assert ids(other.browse()) == ids(one.browse()) == ["00000002"] and other.count() == 1


def save_some(folder: Path, first: int) -> None:
    store = SongStore(folder)
    for number in range(first, first + 15):
        store.save(f"{number:08x}", planted_song(number), "tiny")
        store.annotate(f"{number:08x}", judged={"wer": 0.5})
        if number % 5 == 4:
            store.delete(f"{number:08x}")
        assert len(store.browse(limit=1)) == 1


@pytest.mark.slow
def test_processes_that_write_at_once_do_not_break_each_other(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from tests.engine.test_song_index import save_some\n"
    commands = [
        [sys.executable, "-W", "error", "-c", f"{script}save_some(Path(sys.argv[1]), {first})", str(tmp_path)]
        for first in (0, 100, 200)
    ]
    processes = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    try:
        store = SongStore(tmp_path)
        while any(process.poll() is None for process in processes):
            assert len(store.browse(limit=100)) <= 45
            time.sleep(0.02)
    finally:
        codes = [process.wait(60) for process in processes]
    assert codes == [0, 0, 0]
    assert store.count() == store.count(SongQuery(judged=True)) == len(store.browse(limit=100)) == 36
    assert SongStore(tmp_path).count(SongQuery(judged=True)) == 36 and is_used(store)


def test_threads_that_write_and_look_at_once_agree_in_the_end(store: SongStore) -> None:
    def work(first: int) -> None:
        for number in range(first, first + 8):
            store.save(f"{number:08x}", planted_song(), "tiny")
            assert f"{number:08x}" in ids(store.browse(limit=1000))
            assert store.delete(f"{number:08x}")
            assert f"{number:08x}" not in ids(list(store))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(0, 600, 100)))
    assert store.count() == 0 and is_used(store)


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(20_000))


def garbage_inside(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    data[4096:] = random.Random(1).randbytes(len(data) - 4096)
    path.write_bytes(data)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def lost(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def other_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TABLE songs; CREATE TABLE songs (name TEXT); PRAGMA user_version = 999")


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TABLE songs; CREATE TABLE songs (name TEXT)")


HARM = [garbage, garbage_inside, cut_short, emptied, lost, other_version, other_tables]


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("running", [False, True], ids=["between runs", "while it runs"])
def test_a_harmed_index_is_made_anew(store: SongStore, harm: Callable[[Path], None], running: bool) -> None:
    for number in range(40):
        store.save(f"{number:08x}", planted_song(lyrics="la " * 300), "tiny")
    assert store.count() == 40
    if not running:
        store._index.close()
        harm(file_of(store))
        store = SongStore(store.folder)
    else:
        harm(file_of(store))
    store.save("0000aaaa", planted_song(), "tiny")
    store.annotate("0000aaaa", judged={"wer": 1.0})
    assert store.delete("00000000")
    assert store.count() == 40 == len(store.browse(limit=100))
    assert ids(store.browse(SongQuery(judged=True))) == ["0000aaaa"]
    store._index.close()
    again = SongStore(store.folder)
    assert again.count() == 40 and is_used(again)


def test_a_locked_index_holds_nobody_up_and_is_caught_up_with(
    store: SongStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(song_index, "STAND_IN", 0.5)
    store.save("00000001", planted_song(), "tiny")
    assert store.count() == 1
    with closing(sqlite3.connect(file_of(store), isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        store.save("00000002", planted_song(), "tiny")
        store.annotate("00000001", judged={"wer": 0.5})
        assert sorted(ids(store.browse())) == ["00000001", "00000002"] and store.count(SongQuery(judged=True)) == 1
        store.save("00000003", planted_song(), "tiny")
        assert store.delete("00000002") and store.count() == 2
        db.execute("ROLLBACK")
    assert "locked" in caplog.text
    time.sleep(0.6)
    assert store.count() == 2 and store.count(SongQuery(judged=True)) == 1 and is_used(store)


def test_a_full_disk_of_the_index_fails_no_song(store: SongStore, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def small(place: object, *args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(place, *args, **options)  # type: ignore[call-overload]
        if place != ":memory:":
            connection.execute("PRAGMA max_page_count = 5")
        return connection  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", small)
    for number in range(30):
        store.save(f"{number:08x}", planted_song(lyrics="la " * 600), "tiny")
    assert store.count() == 30 == len(list(store))


@pytest.mark.parametrize("harm", ["a folder in its place", "a broken link in its place"])
def test_without_a_file_the_index_lives_in_memory(store: SongStore, harm: str) -> None:
    store.folder.mkdir()
    if harm == "a folder in its place":
        (file_of(store) / "x").mkdir(parents=True)
    else:
        file_of(store).symlink_to(store.folder / "none" / "there")
    store.save("00000001", planted_song(), "tiny")
    store.annotate("00000001", judged={"wer": 0.5})
    assert store.count(SongQuery(judged=True)) == 1 == len(store.browse())
    store.save("00000002", planted_song(), "tiny")
    assert store.delete("00000001") and ids(store.browse()) == ["00000002"]


def test_a_file_that_cannot_be_read_for_a_moment_is_not_forgotten(
    store: SongStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save("00000001", planted_song(), "tiny")
    assert store.count() == 1

    def exhausted(path: Path) -> bytes:
        raise OSError(24, "Too many open files")

    for fresh in (False, True):
        looked_at = SongStore(store.folder) if fresh else store
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", exhausted)
            if fresh:
                file_of(store).unlink()
            assert looked_at.browse() == []
        assert ids(looked_at.browse()) == ["00000001"] and looked_at.count() == 1
