"""The tables of a run: shared by cells whose knobs do not affect them, and judged even if a check crashes."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest

from hotrow.errors import Rejected, UsageError
from hotrow.knob import Switch
from hotrow.scenario import State, Tally, Verdict, judge
from hotrow.tables.run_tables import RunTables
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import parse_target, start
from scenarios.counter import Counter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hotrow.scenario import Scenario, Session, Work

pytestmark = pytest.mark.usefixtures("hotrow_home")

NOTHING = Tally(committed=0, unknown=0)


def iter_once() -> Iterator[int]:
    """An iterator, whose values can be read only once."""
    yield 1


class Crashing(Counter):
    """A counter whose check crashes."""

    name = "crashing"

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        del before, after, tally
        raise KeyError("total")


class Blind(Counter):
    """A counter whose state can be read only twice."""

    name = "blind"
    reads = 0

    def observe(self, session: Session) -> State:
        Blind.reads += 1
        if Blind.reads == 2:
            raise ZeroDivisionError
        return super().observe(session)


@pytest.fixture
def lay_out() -> Iterator[Callable[..., RunTables]]:
    """A function that creates tables for scenarios; they are dropped at the end."""
    made: list[RunTables] = []

    def make(*scenarios: Scenario, receipts: bool = False) -> RunTables:
        target = start(parse_target("local:rtt=0,commit=0"))
        schema = f"hotrow_tables_{os.urandom(4).hex()}"
        made.append(RunTables(target, schema, scenarios, BLOCKING, keys=3, receipts=receipts))
        made[-1].build(progress=False)
        return made[-1]

    yield make
    for tables in made:
        tables.drop()


def test_cells_share_tables_where_these_are_alike(lay_out: Callable[..., RunTables]) -> None:
    """There is one schema for each number of shards, whatever else differs."""
    tables = lay_out(Counter(shards=1), Counter(shards=4), Counter(shards=1))

    one, four, again = tables.schemas
    assert one == again != four


def test_each_is_judged_on_its_own(lay_out: Callable[..., RunTables]) -> None:
    """A violation in one does not affect the verdict on the other."""
    tables = lay_out(Counter(shards=1), Counter(shards=4))
    _increment(tables.schemas[1])

    first, second = (tables.judge(cell, Tally(committed=0, unknown=0))[0] for cell in (0, 1))

    assert (first.valid, second.valid) == (True, False)


def test_a_cell_is_judged_by_what_changed_in_it(lay_out: Callable[..., RunTables]) -> None:
    """The state at the end of a cell is that at the beginning of the next one on the same tables."""
    tables = lay_out(Counter(), Counter())
    _increment(tables.schemas[0])

    one = Tally(committed=1, unknown=0)
    assert [tables.judge(cell, tally)[0].valid for cell, tally in enumerate((one, NOTHING))] == [True, True]


def test_a_check_that_crashes_has_found_nothing(lay_out: Callable[..., RunTables]) -> None:
    """Its verdict is None, which does not count as passed, and has the reason."""
    (verdict,) = lay_out(Crashing()).judge(0, NOTHING)

    assert verdict.valid is None
    assert "KeyError" in verdict.details["error"]


class Forgetful(Counter):
    """A counter whose seeding returns nothing."""

    name = "forgetful"

    def seed(self, keys: int) -> Sequence[str]:
        del keys
        return cast("Sequence[str]", None)


class Illegible(Counter):
    """A counter whose state can never be read."""

    name = "illegible"

    def observe(self, session: Session) -> State:
        del session
        raise KeyError("colour")


@pytest.mark.parametrize(("scenario", "method"), [(Forgetful(), "seed"), (Illegible(), "observe")])
def test_what_cannot_run_is_refused_before_any_load(
    scenario: Scenario, method: str, lay_out: Callable[..., RunTables]
) -> None:
    """The error is one line that names the method, not a crash that leaves the run waiting."""
    with pytest.raises(UsageError, match=rf"{scenario.name}: {method}\(\)"):
        lay_out(scenario)


def test_a_verdict_may_name_what_json_has_no_value_for() -> None:
    """A uuid or a decimal from the database is written as text."""
    verdict = Verdict("x", valid=False, count=1, first={"id": UUID(int=1), "sum": Decimal("1.50")})

    assert verdict.as_json()["first"] == {"id": "00000000-0000-0000-0000-000000000001", "sum": "1.50"}


def test_a_reading_that_crashes_is_no_verdict_either(lay_out: Callable[..., RunTables]) -> None:
    """A cell without a known initial state has no verdict either. The next prepared cell starts afresh."""
    Blind.reads = 0
    tables = lay_out(Blind())

    unprepared = [tables.judge(0, NOTHING)[0].valid for _ in range(3)]
    Blind.reads = 1
    failed = tables.judge(0, NOTHING)[0].valid
    tables.prepare(0)

    assert unprepared == [None, None, True]
    assert (failed, tables.judge(0, NOTHING)[0].valid) == (None, True)


class Selective(Counter):
    """A counter with a knob that changes how its state is read, but not its tables."""

    name = "selective"
    sharp = Switch("see all that was counted")

    def observe(self, session: Session) -> State:
        total = super().observe(session)
        return total if self.sharp else {"total": 0}

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        del tally
        return [judge("nothing was counted", [after] if after != before else [])]


@pytest.mark.parametrize("order", [("off", "on"), ("on", "off"), ("on", "off", "on")])
def test_each_cell_is_observed_with_its_own_knobs(
    order: Sequence[str], lay_out: Callable[..., RunTables]
) -> None:
    """The state is read before and after each cell. A change between two cells concerns neither."""
    tables = lay_out(*(Selective(sharp=sharp) for sharp in order))
    verdicts = []
    for cell in range(len(order)):
        tables.prepare(cell)
        _increment(tables.schemas[cell])
        verdicts.append(tables.judge(cell, NOTHING)[0].valid)

    assert len(set(tables.schemas)) == 1
    assert verdicts == [sharp == "off" for sharp in order]


def test_a_state_that_an_equal_scenario_read_is_not_read_again(lay_out: Callable[..., RunTables]) -> None:
    """It is read again if a COMMIT in doubt may still take effect: that does not belong to the next cell."""
    tables = lay_out(Counter(), Counter(), Counter(), receipts=True)
    for cell, tally in enumerate((NOTHING, Tally(0, unknown=1))):
        tables.prepare(cell)
        assert [verdict.valid for verdict in tables.judge(cell, tally)] == [True, True]
    _increment(tables.schemas[1])
    tables.prepare(2)

    assert tables.judge(2, NOTHING)[0].valid is True


def test_without_all_records_no_count_is_judged(lay_out: Callable[..., RunTables]) -> None:
    """This holds for the scenario's check and for that of receipts."""
    tables = lay_out(Counter(), Counter(), receipts=True)
    _increment(tables.schemas[0])

    verdicts = tables.judge(0, NOTHING, records_lost=True)
    tables.prepare(1)

    assert [verdict.valid for verdict in verdicts] == [None, None]
    assert [verdict.valid for verdict in tables.judge(1, NOTHING)] == [True, True]


class Clumsy(Counter):
    """A counter whose check modifies its arguments."""

    name = "clumsy"

    def check(self, before: State, after: State, tally: Tally) -> Sequence[Verdict]:
        cast("dict[str, int]", after)["total"] += 1
        return super().check(before, {**after, "total": after["total"] - 1}, tally)


def test_a_check_may_change_what_it_is_given(lay_out: Callable[..., RunTables]) -> None:
    """The next cell still starts from the state that was read."""
    tables = lay_out(Clumsy())

    assert [tables.judge(0, NOTHING)[0].valid for _ in range(2)] == [True, True]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (None, "TypeError: returned a NoneType"),
        ([1], "TypeError: returned a list"),
        ({"rows": iter_once()}, "TypeError: cannot pickle 'generator' object"),
        ({"mean": [("all", Decimal("NaN"))]}, "ValueError: returned NaN"),
        ({"total": 0}, "LookupError: returned values without reading any"),
    ],
)
def test_what_cannot_be_compared_later_is_refused(
    state: Any, why: str, lay_out: Callable[..., RunTables]
) -> None:
    """A state must consist of values that do not change until the end of the cell."""

    class Fleeting(Counter):
        name = "fleeting"

        def observe(self, session: Session) -> State:
            if state != {"total": 0}:
                session.execute("SELECT 1")
            return cast("State", state)

    with pytest.raises(UsageError, match=rf"fleeting: observe\(\): {why}"):
        lay_out(Fleeting())


@pytest.mark.parametrize("error", [SystemExit(0), Rejected("sold out")])
@pytest.mark.parametrize("method", ["seed", "observe", "tables"])
def test_a_scenario_that_wants_to_leave_is_refused(
    method: str, error: BaseException, lay_out: Callable[..., RunTables]
) -> None:
    """The run ends with one line, not silently with exit code 0."""

    def leave(*_: Any) -> Any:
        raise error

    leaving = type("Leaving", (Counter,), {"name": "leaving", method: leave})

    with pytest.raises(UsageError, match=rf"leaving: {method}\(\): {type(error).__name__}"):
        lay_out(leaving())


def test_receipts_are_counted_even_where_the_check_crashes(lay_out: Callable[..., RunTables]) -> None:
    """The check of receipts does not depend on the scenario."""
    verdicts = lay_out(Crashing(), receipts=True).judge(0, NOTHING)

    assert [verdict.valid for verdict in verdicts] == [None, True]


def _increment(schema: str) -> None:
    session = start(parse_target("local:rtt=0,commit=0")).connect(BLOCKING, schema)
    session.begin()
    session.execute("UPDATE counter SET value = value + 1 WHERE id = 0 AND shard = 0")
    assert session.commit() == "COMMIT"
    session.close()


class Leaks(Counter):
    """A counter that also counts on a separate connection, outside the run's transactions."""

    name = "leaks"
    schema = ""

    def run(self, session: Session, work: Work) -> None:
        super().run(session, work)
        _increment(self.schema)


def test_a_write_past_the_transaction_is_refused_before_any_load(lay_out: Callable[..., RunTables]) -> None:
    """After the rollback of the rehearsal nothing may have changed. An honest scenario passes its check."""
    honest, leaking = lay_out(Counter()), lay_out(Leaks())
    Leaks.schema = leaking.schemas[0]
    honest.rehearse(seed=1)

    with pytest.raises(UsageError, match=r"leaks: check.* violation although .* rolled back: value equals"):
        leaking.rehearse(seed=1)
    honest.prepare(0)
    assert honest.judge(0, NOTHING)[0].valid is True
