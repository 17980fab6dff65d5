"""Doctors on call: each transaction keeps the rule by what it read, and together they break it.

A shift must always have a doctor on call. A doctor who wants to go looks whether another one is there, and
then changes only his own row. Two of them who look at the same time each see the other, write different rows,
and both commit: nobody is on call. That is write skew, which snapshot isolation lets through. No statement
fails, so people learn of it from the data.

The cure is `FOR UPDATE` on every row that the decision rests on: then two decisions about one shift conflict,
and the second is made again on what is true by then. What it costs is those conflicts (`--for-update
off,on`). PostgreSQL's SERIALIZABLE is another cure; Aurora DSQL has none.

The check proves that no shift was ever seen without a doctor. Who comes back to an empty shift notes that in
the transaction that ends it, so a violation stays known after it has gone; those at the end of the cell are
found as they are. With two doctors this finds every one. With more, one that a third doctor ends without
having seen it is not counted: nobody saw it. The other check is that each acknowledged change of duty is made
once.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hotrow.errors import Rejected
from hotrow.knob import Switch, Whole
from hotrow.scenario import (
    Keys,
    Scenario,
    Session,
    State,
    Tally,
    Verdict,
    Violation,
    Work,
    applied_once,
    judge,
    key_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_ROWS_MOST = 3000
"""Rows that one seeding statement may make."""
_DOCTORS_MOST = 10

_TABLES = (
    """CREATE TABLE doctor (
        shift bigint, id bigint, on_call boolean NOT NULL, changes bigint NOT NULL,
        since timestamptz NOT NULL, PRIMARY KEY (shift, id)
    )""",
    """CREATE TABLE unattended (
        shift bigint, changes bigint, doctor bigint, began timestamptz NOT NULL,
        noticed timestamptz NOT NULL, PRIMARY KEY (shift, changes, doctor)
    )""",
)
# By the whole primary key, because Aurora DSQL takes FOR UPDATE in no other way.
_READ = "SELECT on_call FROM doctor WHERE shift = $1 AND id = $2"
_GO_OR_COME = """UPDATE doctor SET on_call = $3, changes = changes + 1, since = clock_timestamp()
    WHERE shift = $1 AND id = $2"""
# Where rows are locked, ON CONFLICT makes two tries of one doctor 40001, as their UPDATEs are, not 23505.
_NOTE = """INSERT INTO unattended
    SELECT shift, sum(changes)::bigint, $2::bigint, max(since), clock_timestamp()
    FROM doctor WHERE shift = $1 GROUP BY shift
    ON CONFLICT (shift, changes, doctor) DO NOTHING"""
_NOTED = """SELECT shift, changes,
    extract(epoch FROM min(began))::float8, extract(epoch FROM min(noticed))::float8
    FROM unattended GROUP BY shift, changes"""
_EMPTY = """SELECT shift, sum(changes)::bigint, extract(epoch FROM max(since))::float8, NULL
    FROM doctor GROUP BY shift HAVING NOT bool_or(on_call)"""
_NOW = "SELECT sum(changes)::bigint, extract(epoch FROM clock_timestamp())::float8 FROM doctor"


class WriteSkew(Scenario):
    """Go off call if another doctor stays; come back if off call."""

    name = "write-skew"
    doctors = Whole(2, "doctors of each shift, all on call at first", least=2, most=_DOCTORS_MOST)
    for_update = Switch("read the shift's doctors FOR UPDATE, so that decisions about one shift conflict")

    @property
    def rows_per_key(self) -> int:
        """Unguarded, two transactions on one shift meet only where they are the same doctor's."""
        return 1 if self.for_update else self.doctors

    def tables(self) -> Sequence[str]:
        """The doctors, and what was seen of shifts without any: one row for each who came back to it."""
        return _TABLES

    def seed(self, keys: int) -> Sequence[str]:
        """Every doctor of every shift on call."""
        return [
            "INSERT INTO doctor SELECT shift, id, true, 0, clock_timestamp() "
            f"FROM generate_series({first}, {last}) AS shift, generate_series(0, {self.doctors - 1}) AS id"
            for first, last in key_ranges(keys, _ROWS_MOST // self.doctors)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Which shift, and which of its doctors."""
        (shift,) = keys.draw(1)
        return Work(parameters=(shift, int(rng.integers(self.doctors))), writes=(shift,))

    def run(self, session: Session, work: Work) -> None:
        """Read the shift doctor by doctor, guarded or not, so that only the guard differs; then decide."""
        shift, doctor = work.parameters
        read = f"{_READ} FOR UPDATE" if self.for_update else _READ
        on_call = [session.execute(read, shift, each).rows[0][0] for each in range(self.doctors)]
        if on_call[doctor] and sum(on_call) == 1:
            raise Rejected("the last doctor of a shift must stay")
        if not any(on_call):
            session.execute(_NOTE, shift, doctor)
        session.execute(_GO_OR_COME, shift, doctor, not on_call[doctor])

    def observe(self, session: Session) -> State:
        """How many changes of duty there were, and every shift that was or is unattended.

        A shift and the sum of its changes name one state of it, however many doctors came back to it.
        """
        ((changes, now_s),) = session.execute(_NOW).rows
        seen = [*session.execute(_NOTED).rows, *session.execute(_EMPTY).rows]
        return {"changes": changes, "now_s": now_s, "unattended": {row[:2]: row[2:] for row in seen}}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """No shift was unattended that was not already so before; each change was made once."""
        new = [seen for seen in after["unattended"].items() if seen[0] not in before["unattended"]]
        violations = [
            _violation(shift, began_s, noticed_s, after["now_s"])
            for (shift, _), (began_s, noticed_s) in sorted(new, key=lambda seen: (seen[1][0], seen[0]))
        ]
        changes = after["changes"] - before["changes"]
        return [
            judge(
                "every shift has a doctor on call", violations, size=lambda one: float(one["unattended_ms"])
            ),
            applied_once("changes of duty equal acknowledged transactions", changes, tally),
        ]


def _violation(shift: int, began_s: float, noticed_s: float | None, now_s: float) -> Violation:
    """One span without a doctor, by the database's clock: from the last one's going until it was noticed."""
    return {
        "shift": shift,
        "began": _utc(began_s),
        "noticed": None if noticed_s is None else _utc(noticed_s),
        "unattended_ms": round(1000 * ((now_s if noticed_s is None else noticed_s) - began_s), 3),
    }


def _utc(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%H:%M:%S.%f")[:-3] + " UTC"
