"""Damages copies of a run at random and judges each: it must be refused in one line or get a warning."""

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
    """The exit code of a command and its output."""

    code: int
    output: str


class Trial(NamedTuple):
    """One damage, whether it changed the files, and how the command ended."""

    damage: str
    changed: bool
    ended: Ended


def whole_run(directory: Path) -> Path:
    """Write a sealed, undamaged run of one cell whose skew comes from a file."""
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
    """Damage a copy of the run `whole` in `directory` and judge it; with `draw`, draw its report too."""
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
    is_short_line = "\n" not in ended.output and len(ended.output) < _LINE_MAX
    assert ended.code != _REFUSED or is_short_line, ended.output
    return Trial(done, changed, ended)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def judge(directory: Path, *, draw: bool = False) -> Ended:
    """How `hotrow check` ends on a run, and with `draw` `hotrow report` too.

    Raises every error that is not a HotrowError.
    """
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            code = check_run(directory, {}, as_json=False)
            if draw:
                assert report_run(directory, {}) == code
        except HotrowError as error:
            return Ended(error.exit_code, str(error))
    return Ended(code, output.getvalue())
