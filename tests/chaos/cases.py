"""Every case of the suite."""

from __future__ import annotations

import signal

from tests.chaos import faults
from tests.chaos.case import ABSENT, LOST_S_MAX, UNWRITTEN_S_MAX, Case

_WHOLE = frozenset({0})
_FAILED = frozenset({1, 4})
"""1 if more attempts fail than `--max-error-rate` allows; 4 if fewer do, but nothing was judged."""
_EITHER = frozenset({0, 4})
_UNDECIDED = frozenset({None})
_UNREAD = frozenset({None, ABSENT})
_ANY = frozenset({True, None, ABSENT})
_CUT_SHORT = "interrupted"

CASES = (
    Case("nothing", codes=_WHOLE),
    Case("nothing, 2 workers", codes=_WHOLE, processes=2),
    Case(
        "kill -9 client",
        faults.send(signal.SIGKILL),
        codes=frozenset({-9}),
        report_code=4,
        counting=_UNREAD,
        conserving=_UNREAD,
        loses_s=LOST_S_MAX,
        within_s=1,
        short=True,
    ),
    Case(
        "kill -9 one of 2 workers",
        faults.kill_worker,
        processes=2,
        counting=_UNDECIDED,
        says="records_lost|records of worker",
        loses_s=LOST_S_MAX,
        short=True,
    ),
    Case(
        "kill -9 master of 2 workers",
        faults.send(signal.SIGKILL),
        codes=frozenset({-9}),
        report_code=4,
        processes=2,
        counting=_UNREAD,
        conserving=_UNREAD,
        loses_s=LOST_S_MAX,
        within_s=1,
    ),
    Case(
        "kill -9 server",
        faults.kill_server,
        codes=_FAILED,
        says="errors_seen",
        counting=_UNREAD,
        conserving=_UNREAD,
    ),
    Case(
        "kill -9 postmaster alone",
        faults.kill_postmaster,
        codes=_FAILED,
        counting=_UNREAD,
        conserving=_UNREAD,
    ),
    Case(
        "kill -9 endpoint",
        faults.kill_endpoint,
        codes=_FAILED,
        counting=_UNREAD,
        conserving=_UNREAD,
        endpoint=True,
    ),
    Case("SIGSTOP client 5 s", faults.stop_client(5), duration="9s", says="client"),
    Case("SIGSTOP one of 2 workers 6 s", faults.stop_worker(6), processes=2, duration="10s", says="client"),
    Case(
        "SIGSTOP server 6 s",
        faults.stop_server(6),
        codes=_EITHER,
        duration="10s",
        says="no attempt ended",
    ),
    Case(
        "disk full 4 s",
        faults.fill_disk(4),
        codes=_WHOLE,
        duration="9s",
        setting=faults.small_disk,
        skip=faults.cannot_mount,
    ),
    Case(
        "disk full for good",
        faults.fill_disk(None),
        codes=frozenset({2}),
        counting=_ANY,
        conserving=_ANY,
        says="hotrow: .*No space left",
        one_line=True,
        loses_s=UNWRITTEN_S_MAX,
        duration="45s",
        within_s=60,
        setting=faults.small_disk,
        skip=faults.cannot_mount,
    ),
    Case(
        "clock one hour forward",
        faults.step_clock(1),
        codes=_WHOLE,
        says="wall clock moved",
        duration="6s",
        same_goodput=True,
        setting=faults.faked_clock,
        skip=faults.cannot_fake_clock,
    ),
    Case(
        "clock one hour back, 2 workers",
        faults.step_clock(-1),
        codes=_WHOLE,
        says="wall clock moved",
        processes=2,
        duration="6s",
        same_goodput=True,
        setting=faults.faked_clock,
        skip=faults.cannot_fake_clock,
    ),
    Case(
        "results removed",
        faults.remove_results,
        codes=frozenset({2, 4}),
        says="hotrow: .*cannot be",
        one_line=True,
        counting=_UNREAD,
        conserving=_UNREAD,
        leaves_records=False,
    ),
    Case("SIGINT", faults.send(signal.SIGINT), says=_CUT_SHORT),
    Case("SIGTERM, 2 workers", faults.send(signal.SIGTERM), processes=2, says=_CUT_SHORT, short=True),
    Case("SIGHUP", faults.send(signal.SIGHUP), says=_CUT_SHORT),
    Case(
        "SIGINT twice",
        faults.interrupt_twice,
        counting=_ANY,
        conserving=_ANY,
        says=r"no report was drawn; draw it with|Report: ",
        report_code=4,
        loses_s=LOST_S_MAX,
    ),
    Case(
        "SIGTERM before the load",
        faults.send(signal.SIGTERM, after_s=1.2),
        immediately=True,
        counting=_ANY,
        conserving=_ANY,
        says="interrupted by SIGTERM",
        within_s=10,
    ),
)
