import pytest

from engine.errors import RequestError
from engine.request import SongRequest, read_request


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lyrics": "a" * 100_000}, "lyrics has 100,000 characters, at most 5,000 are allowed; shorten"),
        ({"lyrics": "😀😀😀"}, "no word in '😀😀😀' can be sung: write English words"),
        ({"lyrics": "你好世界"}, "can be sung"),
        ({"duration": 0}, "duration: 0 is too short: choose 0.5 to 600 seconds"),
        ({"duration": 1e9}, "1000000000 is too long: choose 0.5 to 600 seconds"),
        ({"duration": float("nan")}, "duration must be a finite number, not nan: choose 0.5 to 600"),
        ({"steps": 0}, "steps: 0 is too few: choose 1 to 200"),
        ({"seed": -1}, "seed: -1 is too small: choose 0 to 2147483647"),
        ({"tempo": 10}, "beats per minute"),
        ({"durations": [0.2, 99]}, "syllable 2 would last 99 s"),
        ({"duration": 8, "tempo": 120}, "duration and tempo contradict each other"),
        ({"captoin": "folk"}, "captoin is not a field of a song request"),
        ({"lyrics": 5}, "lyrics must be text, not 5"),
    ],
)
def test_bad_requests_name_value_limit_and_remedy(fields: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        read_request(fields)


@pytest.mark.parametrize("lyrics", ["", "[verse]", "hello\x00world", "  \n", "one 😀 word"])
def test_unusual_but_singable_requests_pass(lyrics: str) -> None:
    assert read_request({"lyrics": lyrics, "caption": "xyzzy \x00"}).lyrics == lyrics


def test_a_seed_is_drawn_where_none_is_given() -> None:
    assert len({read_request({}).seed for _ in range(8)}) > 1


def test_the_same_song_by_another_composition() -> None:
    asked = SongRequest(lyrics="hello", seed=3, composition={"rock": 1.0}, attention=None)
    assert asked.sung_by({"folk": 0.5}) == asked.model_copy(update={"composition": {"folk": 0.5}})
    assert asked.sung_by({}, 4) == asked.model_copy(update={"composition": {}, "seed": 4})
    with pytest.raises(RequestError, match="no adapter name"):
        asked.sung_by({"../x": 1})
    with pytest.raises(RequestError, match="seed: -1 is too small"):
        asked.sung_by({}, -1)
