"""Runs the cases on a stand-in of their own and examines what each leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.case import ABSENT, Case
from tests.chaos.judging import Result, judge, read_summary
from tests.chaos.trial import BIN, NeverCameError, Trial, trial
from tests.chaos.truth import make_witnesses, read_truth
from tests.support.dsql_endpoint import offered

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

BEGINS_WITHIN_S = 60.0
ENDS_WITHIN_S = 120.0
GONE_WITHIN_S = 5.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LATEST_S = 8.0
"""The latest moment of a random signal, in seconds after the start. A short run is over by then."""
LOADED_WITHIN_S = 1.0
"""Until Python has loaded hotrow, a signal has its default effect."""
_ANYTHING = frozenset({True, None, ABSENT})


class Harness:
    """Runs cases as trials, each with a unique name, on one stand-in."""

    def __init__(self, folder: Path, *, draws: bool = True) -> None:
        """`draws`: the runs draw their reports. What is judged does not depend on it."""
        self._folder = folder
        self._draws = draws
        self._numbers = iter(range(1_000_000))
        self._lock = threading.Lock()

    def try_case(self, case: Case) -> Result:
        """Run one case, from the start of its run until all its processes are gone."""
        reason = case.skip()
        if reason is not None:
            return Result(case.name, "", note=f"skipped: {reason}")
        try:
            with ExitStack() as stack:
                self._dsn()
                host = stack.enter_context(offered()).host() if case.endpoint else "local"
                return self._follow(case, self._enter(stack, case, host))
        except NeverCameError as error:
            return Result(case.name, "", wrong=[str(error)])

    def try_two_at_once(self) -> Result:
        """Two runs at the same time, with two workers each. Neither may notice the other."""
        case = Case("two runs at once, 2 workers each", codes=frozenset({0}), processes=2)
        try:
            with ExitStack() as stack:
                both = [self._enter(stack, case, "local") for _ in range(2)]
                results = [self._follow(case, one) for one in both]
        except NeverCameError as error:
            return Result(case.name, "", wrong=[str(error)])
        return replace(
            results[0],
            code=" ".join(result.code for result in results),
            verdict=", ".join(result.verdict for result in results),
            lost=", ".join(result.lost for result in results),
            wrong=[wrong for result in results for wrong in result.wrong],
        )

    def signalled(self, number: int, rng: random.Random) -> Callable[[], Result]:
        """A function that tries a short run with a random signal at a random moment.

        Some runs have two workers. Runs with an even number get no signal.
        """
        sent = rng.choice(_SIGNALS) if number % 2 else None
        after_s = rng.uniform(0.1, _LATEST_S)
        processes = rng.choice((0, 0, 2))
        return lambda: self._try_signal(sent, after_s, processes)

    def _try_signal(self, sent: signal.Signals | None, after_s: float, processes: int) -> Result:
        case = Case(
            f"{sent.name if sent else 'no signal'} after {after_s:.2f} s, {processes} workers",
            processes=processes,
            codes=frozenset({0, 4}) if sent else frozenset({0}),
            counting=_ANYTHING,
            conserving=_ANYTHING,
            immediately=True,
            duration="1s",
            within_s=60,
        )
        with ExitStack() as stack:
            one = self._enter(stack, case, "local")
            time.sleep(after_s)
            if sent is not None and one.process is not None:
                with suppress(ProcessLookupError):
                    one.process.send_signal(sent)
            result = self._follow(case, one)
            summary = read_summary(one.directory)
        if result.code == "0" and not _is_whole(summary):
            result.wrong.append("0 without a whole summary")
        if sent is not None and result.code == str(-sent) and after_s < LOADED_WITHIN_S:
            result.wrong, result.note = [], "before hotrow was loaded"
        return result

    def sum_up(self, results: list[Result]) -> Result:
        """The results of all runs with random signals as one line of the table."""
        codes = Counter(result.code for result in results)
        notes = Counter(result.note for result in results if result.note)
        return Result(
            f"random signals, {len(results)} runs",
            "0/4",
            code=", ".join(f"{count} of {code}" for code, count in sorted(codes.items())),
            took_s=max(result.took_s for result in results),
            wrong=[f"{result.case}: {wrong}" for result in results for wrong in result.wrong],
            note=", ".join(f"{count} {note}" for note, count in notes.items()),
        )

    def _enter(self, stack: ExitStack, case: Case, host: str) -> Trial:
        """Start a trial. It ends, with all that belongs to it, when `stack` unwinds."""
        with self._lock:
            name = f"w{next(self._numbers)}"
            make_witnesses(self._dsn(), name)
        words = ["-H", host, "--skew", "uniform", "--keys", "200", "--users", "4"]
        words += ["--warmup", "300ms", "--duration", case.duration]
        words += ["--processes", str(case.processes)] if case.processes else []
        words += [] if self._draws else ["--no-report"]
        one = stack.enter_context(trial(self._folder / name, name, words, {}))
        stack.enter_context(case.setting(one))
        one.start()
        return one

    def _follow(self, case: Case, one: Trial) -> Result:
        if not case.immediately:
            try:
                one.wait_until(one.is_measuring, BEGINS_WITHIN_S, "a cell was measured")
            except NeverCameError as error:
                _keep(one, one.output(), Result(case.name, "", wrong=[str(error)]))
                raise
        case.fault(one)
        fault_s = time.monotonic()
        code = one.wait_for_end(ENDS_WITHIN_S)
        left = self._wait_until_gone(one)
        output = one.output()
        report_code = None
        if case.report_code is not None and one.directory is not None:
            report_code, report_output = _report(one.directory)
            output += report_output
        truth = read_truth(self._dsn(), one.name, one.directory) if case.leaves_records else None
        result = judge(case, one, code=code, output=output, truth=truth, fault_s=fault_s)
        if report_code != case.report_code:
            result.wrong.append(f"hotrow report: {report_code}")
        if left:
            result.wrong.append(f"{len(left)} processes are left")
        if result.wrong:
            _keep(one, output, result)
        return result

    def _wait_until_gone(self, one: Trial) -> list[int]:
        """The ids of the trial's processes that still run `GONE_WITHIN_S` after its end."""
        deadline = time.monotonic() + GONE_WITHIN_S
        while (left := [process.pid for process in one.left()]) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left

    def _dsn(self) -> str:
        """The conninfo of the stand-in, which is started if necessary.

        The harness starts it, so that it has no trial's mark and no faked clock.
        """
        from hotrow.standin.server import ensure_up  # noqa: PLC0415 - after HOTROW_HOME is set

        return ensure_up().dsn


def _is_whole(summary: Mapping[str, Any]) -> bool:
    """Whether every cell was measured to its end."""
    warnings = [
        *summary.get("warnings", ()),
        *(warning for cell in summary.get("cells", ()) for warning in cell["warnings"]),
    ]
    return bool(summary.get("cells")) and not {"interrupted", "cells_missing"} & {
        warning["code"] for warning in warnings
    }


def _report(directory: Path) -> tuple[int, str]:
    done = subprocess.run(
        [str(BIN / "hotrow"), "report", str(directory)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def _keep(one: Trial, output: str, result: Result) -> None:
    """Write the output and events of a failed case to the folder named by HOTROW_CHAOS_KEEP, if it is set."""
    folder = os.environ.get("HOTROW_CHAOS_KEEP")
    if folder is None:
        return
    with (Path(folder) / f"{one.name}.txt").open("w") as file:
        file.write(f"{result.case}: {result.wrong}\n{' '.join(one.words)}\n\n{output}\n")
        events = one.directory and one.directory / "events.jsonl"
        if events is not None and events.exists():
            file.write(events.read_text())
