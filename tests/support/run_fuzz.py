"""Damages a run again and again, and looks whether each time it is refused in a line or told of."""

from __future__ import annotations

import contextlib
import io
import shutil
from typing import TYPE_CHECKING, NamedTuple

from hotrow.errors import HotrowError
from hotrow.finish import check_run, report_run
from hotrow.keys.skew import keep_skews, parse_skew
from hotrow.run.ledger import append_event
from hotrow.run.seal import write_seal
from tests.support.damages import damage
from tests.support.run_files import write_run

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

LOOKED_AT = ("run.json", "attempts-*.bin", "events.jsonl", "health-*.jsonl", "errors-*.jsonl", "skew-*.csv")

_REFUSED = 2
_LINE_MAX = 1000


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    said: str


class Trial(NamedTuple):
    """One damage and what came of it."""

    damage: str
    changed: bool
    ended: Ended


def whole_run(directory: Path) -> Path:
    """A sealed run of one cell in which all is right, on a skew from a file."""
    weights = directory.parent / "weights.csv"
    weights.write_text("key,weight\n3,1\n7,2\n")
    skew = parse_skew(f"file:{weights}")
    write_run(directory, checks=[{"name": "sum", "valid": True, "count": 0, "details": {}}], skew=skew.spec)
    keep_skews(directory, [skew])
    acknowledged = {"committed": 150, "unknown": 0}
    check = {"name": "sum", "valid": True, "count": 0, "details": {}}
    append_event(
        directory,
        {
            "event": "verdict",
            "cell": 0,
            "checks": [check],
            "records": {"0": 200},
            "acknowledged": acknowledged,
        },
    )
    write_seal(directory)
    return directory


def try_damage(whole: Path, directory: Path, rng: Random, *, draw: bool = False) -> Trial:
    """Damage a copy of a run in `directory` and judge it; with `draw`, draw its report too."""
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir()
    for pattern in LOOKED_AT:
        for path in whole.glob(pattern):
            shutil.copy(path, directory)
    done = damage(directory, rng)
    changed = any(
        _content(directory / path.name) != path.read_bytes()
        for pattern in LOOKED_AT
        for path in whole.glob(pattern)
    )
    ended = judge(directory, draw=draw)
    assert ended.code != _REFUSED or ("\n" not in ended.said and len(ended.said) < _LINE_MAX), ended.said
    return Trial(done, changed, ended)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def judge(directory: Path, *, draw: bool = False) -> Ended:
    """`hotrow check`, and `hotrow report` with `draw`: what is not a HotrowError is raised."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = check_run(directory, {}, as_json=False)
            if draw:
                assert report_run(directory, {}) == code
        except HotrowError as error:
            return Ended(error.exit_code, str(error))
    return Ended(code, said.getvalue())
