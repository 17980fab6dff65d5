"""Doctors on call: each transaction keeps the rule, but two of them together break it.

A shift must always have a doctor on call. A doctor who wants to go off call checks that another doctor is on
call, and then changes only his own row. If two doctors check at the same time, each sees the other. They
write different rows, so both commit, and nobody is on call. This is write skew. Snapshot isolation allows it:
no statement fails, and only the data shows what happened.

The cure is `FOR UPDATE` on every row that the decision depends on. Two decisions about the same shift then
conflict, and the second one is made again from current data. The price is those conflicts: compare
`--for-update off,on`. SERIALIZABLE would be another cure. PostgreSQL has it, Aurora DSQL does not.

The check proves that no shift was seen without a doctor. A doctor who comes back to an empty shift records
that in the same transaction, so the violation stays known after it has ended. Violations at the end of the
cell are found in the table of doctors. With two doctors this finds every violation. With more, a violation is
missed if a third doctor ends it without having seen it. The check also proves that each acknowledged change
of duty was made once.
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

_MAX_ROWS = 3000
"""Rows that one seeding statement may insert."""
_MAX_DOCTORS = 10

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
# By the whole primary key: Aurora DSQL allows FOR UPDATE in no other way.
_READ = "SELECT on_call FROM doctor WHERE shift = $1 AND id = $2"
_GO_OR_COME = """UPDATE doctor SET on_call = $3, changes = changes + 1, since = clock_timestamp()
    WHERE shift = $1 AND id = $2"""
# On a target with row locks, two inserts for the same doctor would end as 23505 without ON CONFLICT. With it
# they end as 40001, as two UPDATEs of one row do.
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
    doctors = Whole(2, "doctors of each shift, all on call at first", least=2, most=_MAX_DOCTORS)
    for_update = Switch("read the shift's doctors FOR UPDATE, so that decisions about one shift conflict")

    @property
    def rows_per_key(self) -> int:
        """Without FOR UPDATE, two transactions on one shift conflict only if both are the same doctor's."""
        return 1 if self.for_update else self.doctors

    def tables(self) -> Sequence[str]:
        """The doctors, and one row for each time that a doctor came back to an empty shift."""
        return _TABLES

    def seed(self, keys: int) -> Sequence[str]:
        """All doctors of all shifts, on call."""
        return [
            "INSERT INTO doctor SELECT shift, id, true, 0, clock_timestamp() "
            f"FROM generate_series({first}, {last}) AS shift, generate_series(0, {self.doctors - 1}) AS id"
            for first, last in key_ranges(keys, _MAX_ROWS // self.doctors)
        ]

    def draw(self, keys: Keys, rng: np.random.Generator) -> Work:
        """Choose a shift and one of its doctors."""
        (shift,) = keys.draw(1)
        return Work(parameters=(shift, int(rng.integers(self.doctors))), writes=(shift,))

    def run(self, session: Session, work: Work) -> None:
        """Read the shift doctor by doctor, then go off call or come back.

        The reads are the same with and without FOR UPDATE, so that only the locks differ.
        """
        shift, doctor = work.parameters
        read = f"{_READ} FOR UPDATE" if self.for_update else _READ
        on_call = [session.execute(read, shift, id_).rows[0][0] for id_ in range(self.doctors)]
        if on_call[doctor] and sum(on_call) == 1:
            raise Rejected("the last doctor of a shift must stay")
        if not any(on_call):
            session.execute(_NOTE, shift, doctor)
        session.execute(_GO_OR_COME, shift, doctor, not on_call[doctor])

    def observe(self, session: Session) -> State:
        """The number of changes of duty, and every time that a shift was or is unattended.

        A shift and the sum of its changes identify one such time, even if several doctors ended it.
        """
        ((changes, now_s),) = session.execute(_NOW).rows
        rows = [*session.execute(_NOTED).rows, *session.execute(_EMPTY).rows]
        return {"changes": changes, "now_s": now_s, "unattended": {row[:2]: row[2:] for row in rows}}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        """Check that no shift became unattended and that each change of duty was made once."""
        spans = [
            (began_s, shift, changes, noticed_s)
            for (shift, changes), (began_s, noticed_s) in after["unattended"].items()
            if (shift, changes) not in before["unattended"]
        ]
        violations = [
            _violation(shift, began_s, noticed_s, after["now_s"])
            for began_s, shift, _, noticed_s in sorted(spans)
        ]
        changes = after["changes"] - before["changes"]
        return [
            judge(
                "every shift has a doctor on call", violations, size=lambda span: float(span["unattended_ms"])
            ),
            applied_once("changes of duty equal acknowledged transactions", changes, tally),
        ]


def _violation(shift: int, began_s: float, noticed_s: float | None, now_s: float) -> Violation:
    """One span without a doctor, by the database's clock: from the last doctor's going to its notice."""
    return {
        "shift": shift,
        "began": _utc(began_s),
        "noticed": None if noticed_s is None else _utc(noticed_s),
        "unattended_ms": round(1000 * ((now_s if noticed_s is None else noticed_s) - began_s), 3),
    }


def _utc(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%H:%M:%S.%f")[:-3] + " UTC"
