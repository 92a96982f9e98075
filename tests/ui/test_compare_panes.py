"""What a session knows of the comparison that it looks at, while its events run at the same time."""

from __future__ import annotations

from threading import Thread

from ui.compare_panes import Seen, is_outdated, lock_of


def test_a_session_has_one_lock() -> None:
    seen: Seen = {}
    found: list[object] = []
    threads = [Thread(target=lambda: found.append(lock_of(seen))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1 and seen["lock"] is found[0]
    with lock_of(seen), lock_of(seen):
        pass


def test_a_look_at_what_the_page_was_turned_from_is_outdated() -> None:
    seen: Seen = {"page": ["new", "revealed"], "html": {"about": "new"}}
    assert not is_outdated(seen, "new", "revealed")
    assert is_outdated(seen, "new", "blind") and is_outdated(seen, "old", "open")
    assert not is_outdated(seen, "new", "revealed") and seen["strays"] == 0
    assert seen["html"] == {"about": "new"}, "only what changed is sent"


def test_a_browser_that_shows_something_else_for_long_is_believed() -> None:
    seen: Seen = {"page": ["new", "open"], "html": {"about": "new"}, "quiet": 5}
    looks = [is_outdated(seen, "old", "open") for _ in range(5)]
    assert looks == [True] * 4 + [False]
    assert seen["page"] == ["old", "open"] and seen["html"] == {} and seen["quiet"] == 0
    assert not is_outdated(seen, "old", "open")


def test_a_session_whose_memory_is_gone_looks_again() -> None:
    seen: Seen = {}
    assert not is_outdated(seen, "x", "open") and seen["page"] == ["x", "open"]
