"""The rooms know each other only along the arrows, and every module stays small and well named."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: What each room, or top-level module, may import of ours; a dotted name allows that module alone.
ARROWS: dict[str, set[str]] = {
    "adapters": set(),
    "engine": {"adapters"},
    "training": {"adapters", "engine"},
    "eval": {"adapters", "engine"},
    # The statistics of the table, and how a report looks; neither who sings nor who judges.
    "router": {
        "adapters",
        "engine.lyrics",
        *(f"eval.{m}" for m in ("table", "lattice", "halves", "oracle", "resampling", "statistics", "study")),
        "eval.figures",
        "eval.report",
    },
    "ui": {"adapters", "engine", "eval", "router", "training"},
    "api": {"adapters", "engine", "eval", "router", "training", "ui"},
    "bench": {"adapters", "api", "engine", "eval", "router", "server", "training", "ui"},
    "server": {"adapters", "api", "engine", "eval", "router", "training", "ui"},
    "choirmaster": {"adapters", "api", "bench", "engine", "eval", "router", "server", "training", "ui"},
}
OURS = {*ARROWS, "tests"}
LONGEST = 300


def modules() -> list[Path]:
    """Every module of ours outside the tests, relative to the checkout."""
    found = [path for room in ARROWS for path in (ROOT / room).rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in [*found, *ROOT.glob("*.py")])


def imports(source: str, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything ``source``, a module of ``package``, imports, at any depth."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = [*above, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def back_arrows(path: Path, source: str) -> list[str]:
    """The imports of the module at ``path`` that its room may not have."""
    room = path.with_suffix("").parts[0]
    allowed = ARROWS[room] | {room}
    return [
        f"{path}:{line} imports {name}, but {room} may import only {', '.join(sorted(allowed - {room})) or 'no room'}"
        for line, name in imports(source, path.parent.parts)
        if name.split(".")[0] in OURS and not any(f"{name}.".startswith(f"{target}.") for target in allowed)
    ]


@pytest.mark.parametrize("path", modules(), ids=str)
def test_imports_follow_the_arrows(path: Path) -> None:
    assert not back_arrows(path, (ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("path", "source", "allowed"),
    [
        ("engine/loop.py", "import adapters.card\nfrom engine.codec import WorldCodec", True),
        ("engine/loop.py", "from training import losses", False),
        ("engine/loop.py", "def sing():\n    import router.policy", False),
        ("engine/loop.py", "import engineering, numpy.linalg", True),
        ("engine/loop.py", "from tests.planted import x", False),
        ("adapters/card.py", "from .store import Store", True),
        ("adapters/card.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import engine", False),
        ("router/fit.py", "from eval.table import Row\nfrom eval import table\nimport eval.table as t", True),
        ("router/fit.py", "from eval.tables import Row", False),
        ("router/fit.py", "from eval import judge", False),
        ("router/fit.py", "import eval", False),
        ("ui/listen.py", "import server", False),
        ("ui/songs.py", "from api.problems import Problem", False),
        ("api/songs.py", "import ui.songs, engine.engine", True),
        ("api/app.py", "import server", False),
        ("server.py", "import ui.listen, eval.judge", True),
    ],
)
def test_the_check_sees_planted_arrows(path: str, source: str, allowed: bool) -> None:
    assert (not back_arrows(Path(path), source)) == allowed


def test_no_module_is_longer_than_300_lines() -> None:
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST}


def test_no_module_is_called_utils() -> None:
    tests = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py")]
    assert not [str(path) for path in [*modules(), *tests] if "utils" in path.with_suffix("").parts]


def test_every_room_is_packaged() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = {".".join(path.parent.parts) for path in modules() if len(path.parts) > 1}
    assert set(declared["packages"]) == packages
    assert {name.partition(".")[0] for name in (*packages, *declared["py-modules"])} == set(ARROWS)
    assert not [str(path) for path in modules() if path.with_suffix("").parts[0] not in ARROWS]
