"""An old run of record format 1: today's analysis gives the same figures as the code that measured it.

`old_run/` is a run directory written by commit 1187c1f, without its pictures and page. The run is `transfer`
on four hot rows at 2 and at 4 users, with receipts. Its summary.json has the figures of that commit.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from analysis.reading import read_run
from analysis.summarise import summarise
from hotrow.run.ledger import read_ledger
from hotrow.run.seal import broken_files

RUN = Path(__file__).parent / "old_run"
WORDS = {"message", "advice"}
"""Fields of warnings whose text may be improved; a warning's code may not change."""


def differences(old: Any, new: Any, at: str = "") -> list[str]:
    """One line for each figure of `old` that is missing from `new` or has another value there."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [name for name in old if name not in WORDS]
        return [line for name in names for line in differences(old[name], new.get(name), f"{at}.{name}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [line for number, pair in pairs for line in differences(*pair, f"{at}[{number}]")]
    if isinstance(old, float) and isinstance(new, float) and math.isclose(old, new, rel_tol=1e-12):
        return []  # another processor may round the last digit of a logarithm differently
    return [] if old == new else [f"{at}: {old!r} became {new!r}"]


def test_the_files_are_those_that_were_written() -> None:
    """The seal of the run still matches, so nobody has changed the files."""
    meta = json.loads((RUN / "run.json").read_text())
    sealed = json.loads((RUN / "events.jsonl").read_text().splitlines()[-1])["files"]

    assert meta["format"] == 1
    assert len(sealed) == 4
    assert broken_files(RUN, sealed) == []
    assert len(read_ledger(RUN).attempts) > 300


def test_the_figures_are_those_of_the_old_code() -> None:
    """Every field of the old summary.json is there with the same value; fields may have been added."""
    old = json.loads((RUN / "summary.json").read_text())
    new = json.loads(json.dumps(summarise(read_run(RUN))))
    judged = {"gates", "usable"}  # added when a run is judged, not by the analysis

    assert [cell["attempts"]["conflict"] > 50 for cell in old["cells"]] == [True, True]
    assert old.keys() - new.keys() <= judged
    assert differences({name: old[name] for name in old.keys() & new.keys()}, new) == []


def test_a_changed_figure_would_be_seen() -> None:
    """A count that differs by 1 and a missing field are both named."""
    old = json.loads((RUN / "summary.json").read_text())
    new = json.loads((RUN / "summary.json").read_text())
    new["cells"][1]["attempts"]["conflict"] += 1
    del new["cells"][0]["verdict"]

    lines = differences(old, new)

    assert [line.partition(":")[0] for line in lines] == [".cells[0].verdict", ".cells[1].attempts.conflict"]
