"""`python -m tests.chaos`: breaks processes, server, disk or clock during runs and prints the results.

It takes about 10 minutes, with `--short` about 15 s. The exit code is 1 if a result is not as expected.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tests.chaos.cases import CASES
from tests.chaos.harness import Harness
from tests.chaos.table import show
from tests.support.local_home import new_home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from tests.chaos.judging import Result

SIGNALLED_RUNS = 60
AT_ONCE = 3
MOST_S = 25 * 60
"""The time limit of the suite."""


def main() -> int:
    """Try the chosen cases one after another; return 1 if a result is not as expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few cases, at the same time")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--signalled", type=int, default=SIGNALLED_RUNS, help="runs that get a random signal")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the random moments")
    wanted = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        # A background job ignores some of these signals, and its children inherit that.
        signal.signal(number, _give_up)
    signal.alarm(MOST_S)
    with new_home() as home, tempfile.TemporaryDirectory(prefix="hrc") as folder:
        os.environ["HOTROW_HOME"] = str(home)
        harness = Harness(Path(folder), draws=not wanted.short)
        results = list(_try(harness, wanted))
    show(results, seed=wanted.seed)
    return 1 if any(result.wrong for result in results) else 0


def _give_up(number: int, _: FrameType | None) -> NoReturn:
    """Leave through every `with`, so that nothing is left behind."""
    sys.exit(f"given up: {signal.Signals(number).name}")


def _try(harness: Harness, wanted: argparse.Namespace) -> list[Result]:
    cases = [case for case in CASES if wanted.only in case.name and (case.short or not wanted.short)]
    tries: list[Callable[[], Result]] = [lambda case=case: harness.try_case(case) for case in cases]
    if wanted.short:
        return _at_once(tries)
    if wanted.only in "two runs at once":
        tries.append(harness.try_two_at_once)
    results = [_try_and_print(attempt) for attempt in tries]
    if wanted.only in "random signals":
        rng = random.Random(wanted.seed)  # noqa: S311 - no secret
        runs = [harness.signalled(number, rng) for number in range(wanted.signalled)]
        results.append(harness.sum_up(_at_once(runs)))
    return results


def _try_and_print(attempt: Callable[[], Result]) -> Result:
    result = attempt()
    figures = f"exit {result.code}, {result.verdict}, lost {result.lost}, {result.took_s:.1f} s"
    print(f"{result.case}: {figures}: {'; '.join(result.wrong) or 'ok'}", file=sys.stderr, flush=True)
    return result


def _at_once(tries: Sequence[Callable[[], Result]]) -> list[Result]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda attempt: attempt(), tries))


if __name__ == "__main__":
    sys.exit(main())
