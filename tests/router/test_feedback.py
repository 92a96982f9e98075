"""The log of picks: what is written is read, by many at once, across torn lines, and nothing bad gets in unnamed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from router import feedback
from router.errors import RouterError
from router.feedback import FeedbackLog, Vote

TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = Path(__file__).parent.parent.parent


def vote(**fields: Any) -> Vote:
    given: dict[str, Any] = {
        "time": TIME,
        "comparison": "fedcba9876543210",
        "caption": "folk 🎸",
        "lyrics": "hello\nold friend\u2028über",
        "seed": 7,
        "winner": {"lyrics": 1.0},
        "losers": [{}, {"lyrics": 0.5, "nolyrics": 0.5}],
        "blind": True,
        "model_fingerprint": "0123456789abcdef",
        "adapters": {"lyrics": "a" * 16, "nolyrics": "b" * 16},
    }
    return Vote(**{**given, **fields})


def test_votes_come_back_as_they_were_given_and_each_takes_one_line(tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path / "songs" / "feedback.jsonl")
    assert log.read().votes == () and not log.path.exists()
    given = [vote(seed=seed) for seed in range(3)]
    for number, one in enumerate(given, 1):
        log.append(one)
        assert log.read().votes == tuple(given[:number]), "what was known before is not taken for all"
    assert FeedbackLog(log.path).read().votes == tuple(given) and not log.read().unreadable
    content = log.path.read_bytes()
    assert content.count(b"\n") == 3 and content.endswith(b"\n")
    assert json.loads(content.splitlines()[0])["losers"] == [{}, {"lyrics": 0.5, "nolyrics": 0.5}]


def test_the_time_is_told_in_utc() -> None:
    there = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert vote(time=there).time.isoformat() == "2026-03-01T10:00:00+00:00"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"winner": {}}, "base stands there twice"),
        ({"losers": [{}, {}]}, "base stands there twice"),
        ({"winner": {"lyrics": 1.0, "none": 0.0}, "losers": [{"lyrics": 1}]}, "lyrics=1 stands there twice"),
        ({"losers": []}, "losers"),
        ({"winner": {"../etc": 1}}, "no adapter name"),
        ({"winner": {"lyrics": float("nan")}}, "winner"),
        ({"seed": -1}, "seed"),
        ({"caption": "x" * 1001}, "caption"),
        ({"time": datetime(2026, 3, 1)}, "time"),
        ({"time": None}, "time"),
        ({"stars": 5}, "stars"),
    ],
)
def test_what_is_no_pick_is_refused(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        vote(**fields)


def test_unreadable_lines_are_named_by_their_numbers_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    good = vote().model_dump_json().encode()
    extra = json.dumps({**json.loads(good), "stars": 5}).encode()
    timeless = json.dumps({key: value for key, value in json.loads(good).items() if key != "time"}).encode()
    path.write_bytes(b"\n".join([good, b"{}", b"", b"\xff\xfe", good, extra, timeless, good[:40]]))
    found = FeedbackLog(path).read()
    assert found.votes == (vote(),) * 2
    assert sorted(found.unreadable) == [2, 4, 6, 7, 8]
    assert "stars" in found.unreadable[6] and "time" in found.unreadable[7]
    assert found.unreadable[8] == "it was not written to its end"
    said = found.describe_unreadable()
    assert "line 2 (" in said and "line 8 (" in said and "mend or delete" in said
    assert "and 2 more" in feedback.Feedback((), {**found.unreadable, 9: "x", 10: "y"}).describe_unreadable()


def test_a_torn_last_line_is_kept_and_the_next_vote_begins_a_line(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    torn = vote().model_dump_json().encode()[:50]
    path.write_bytes(torn)
    log = FeedbackLog(path)
    log.append(vote(seed=8))
    log.append(vote(seed=9))
    assert path.read_bytes().startswith(torn + b"\n")
    found = log.read()
    assert [one.seed for one in found.votes] == [8, 9] and list(found.unreadable) == [1]


def test_a_whole_vote_without_its_line_end_counts(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    path.write_bytes(vote().model_dump_json().encode())
    log = FeedbackLog(path)
    assert len(log.read().votes) == 1
    log.append(vote(seed=8))
    assert [one.seed for one in log.read().votes] == [7, 8] and not log.read().unreadable


_APPEND = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from router.feedback import FeedbackLog, Vote
log = FeedbackLog(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for seed in range(20):
    log.append(Vote(time=datetime.now(UTC), comparison=sys.argv[2], lyrics="la " * 1500, seed=seed, winner={},
                    losers=({"a": 1},), blind=True, model_fingerprint=""))
"""


def test_several_processes_and_threads_append_at_once(tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    pipe = subprocess.PIPE
    others = [
        subprocess.Popen([sys.executable, "-c", _APPEND, path, name], cwd=ROOT, stdin=pipe, stdout=pipe)
        for name in ("one", "two")
    ]
    for other in others:
        assert other.stdout is not None and other.stdout.readline() == b"ready\n"
    log = FeedbackLog(path)

    def append_all(name: str) -> None:
        for seed in range(20):
            log.append(vote(comparison=name, seed=seed))

    threads = [threading.Thread(target=append_all, args=[name]) for name in ("three", "four")]
    for thread in threads:
        thread.start()
    for other in others:
        other.communicate(b"go\n", timeout=60)
        assert other.returncode == 0
    for thread in threads:
        thread.join(60)
    found = log.read()
    assert not found.unreadable
    for name in ("one", "two", "three", "four"):
        assert [one.seed for one in found.votes if one.comparison == name] == list(range(20)), "each in its own order"


def test_a_full_disk_leaves_the_log_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FeedbackLog(tmp_path / "feedback.jsonl")
    log.append(vote())
    before, write = log.path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:30]))
    with pytest.raises(RouterError, match="free some space"):
        log.append(vote(seed=8))
    assert log.path.read_bytes() == before

    def fail(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RouterError, match="Input/output error"):
        log.append(vote(seed=8))
    assert log.path.read_bytes() == before


def test_a_log_has_a_limit_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = FeedbackLog(tmp_path / "feedback.jsonl")
    log.append(vote())
    size = log.path.stat().st_size
    monkeypatch.setattr(feedback, "MAX_LOG", size + 1)
    with pytest.raises(RouterError, match=f"{size:,} bytes and may hold {size + 1:,}: move it away"):
        log.append(vote(seed=8))
    assert len(log.read().votes) == 1
    monkeypatch.setattr(feedback, "MAX_LOG", size - 1)
    with pytest.raises(RouterError, match="split it"):
        FeedbackLog(log.path).read()


def test_a_log_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    log = FeedbackLog(tmp_path)  # a folder
    for use in (log.read, lambda: log.append(vote())):
        with pytest.raises(RouterError, match=str(tmp_path)):
            use()
