"""Verdicts of checks: validated, and undecided if they depend on counts and records were lost."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from math import nan
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hotrow.attempt.receipts import check_receipts
from hotrow.errors import UsageError
from hotrow.scenario import LOST, Tally, Verdict, applied_once, judge
from hotrow.scenario.verdicts import nothing_acknowledged, refuse_false_alarms, run_check
from scenarios import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SCENARIO: Any = SimpleNamespace(name="mine")
TALLY = Tally(committed=10, unknown=1, kinds=[Tally(4, 1), Tally(6, 0)])

BUILT_IN: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], Sequence[bool | None]]] = {
    "batch": ({"total": 0}, {"total": 70}, (True, None)),
    "counter": ({"total": 0}, {"total": 7}, (None,)),
    "inventory": (
        {"sales": 0, "wrong": {}},
        {"sales": 7, "wrong": {1: {"item": 1, "opening": 1_000_000, "stock": -1, "sold": 1_000_001}}},
        (None, False, True),
    ),
    "invoice": (
        {"invoices": 0, "twice": {}},
        {"invoices": 7, "twice": {(1, 3): 2}},
        (None, False),
    ),
    "ledger": ({"entries": 0, "off": {}}, {"entries": 7, "off": {1: (5, 4)}}, (None, False)),
    "long": ({"total": 0}, {"total": 7}, (None,)),
    "orders": (
        {"orders": 0, "turnover": 0, "balances": 0, "wrong": []},
        {"orders": 7, "turnover": 9, "balances": 9, "wrong": [{"item": 1, "off_by": 1}]},
        (None, False, True),
    ),
    "read-mostly": ({"revisions": 0, "half_edits": []}, {"revisions": 7, "half_edits": []}, (True, None)),
    "app-transfer": ({"total": 100, "accounts": 1}, {"total": 99, "accounts": 1}, (False,)),
    "references": ({"children": 0, "changes": 0}, {"children": 7, "changes": 2}, (None, None)),
    "transfer": ({"total": 100, "accounts": 1}, {"total": 99, "accounts": 1}, (False,)),
    "upsert": ({"views": 0}, {"views": 7}, (None,)),
    "write-skew": (
        {"changes": 0, "now_s": 0.0, "unattended": {}},
        {"changes": 7, "now_s": 1.0, "unattended": {(1, 2): (0.25, 0.75)}},
        (False, None),
    ),
}
"""For each scenario: its states before and after a cell, and its verdicts without counts."""


def test_every_built_in_scenario_is_here() -> None:
    """A new scenario must be added to the table."""
    assert set(BUILT_IN) == set(ALL)


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_check_without_counts_keeps_its_verdict(name: str) -> None:
    """Whether it is valid or not. A check that depends on counts is undecided and says why."""
    scenario = ALL[name](**({"balance": "row"} if name == "ledger" else {}))
    before, after, expected = BUILT_IN[name]

    counted, uncounted = (
        run_check(scenario, lambda tally: scenario.check(before, after, tally), TALLY, records_lost=lost)
        for lost in (False, True)
    )

    assert [verdict.valid for verdict in uncounted] == list(expected)
    assert [verdict.name for verdict in uncounted] == [verdict.name for verdict in counted]
    for verdict, full in zip(uncounted, counted, strict=True):
        assert verdict.details.get("error") == LOST if verdict.valid is None else verdict == full


def without_records(check: Callable[[Tally], Any]) -> list[Verdict]:
    """The verdicts of a check if records were lost."""
    return run_check(SCENARIO, check, TALLY, records_lost=True)


def if_it_differs(counted: Any) -> Callable[[Tally], list[Verdict]]:
    """A check whose decision depends on the counts, but whose verdict does not show them."""
    return lambda tally: [judge("n", [{"sales": 5}] if counted != tally.committed else [])]


def caught(tally: Tally) -> Iterator[Verdict]:
    """A check that catches every exception."""
    try:
        same = bool(tally.committed == 5)
    except BaseException:  # noqa: BLE001 - the worst case of a check
        same = True
    yield Verdict("n", valid=same)


@pytest.mark.parametrize(
    "check",
    [
        lambda tally: [Verdict("n", valid=tally.committed == 10)],
        lambda tally: [Verdict("n", valid=tally.committed == 10, details={"acknowledged": tally.committed})],
        lambda tally: [Verdict("n", valid=True, details={"acknowledged": tally.kinds[1].committed})],
        lambda tally: [Verdict("n", valid=True, details={"text": f"{tally.unknown} unknown"})],
        lambda tally: [Verdict("n", valid=True, details=asdict(tally))],
        lambda tally: [Verdict("n", valid=False, count=tally.committed - 5)],
        lambda tally: [Verdict("n", valid=Decimal(5) - tally.committed == 0)],
        lambda tally: [Verdict("n", valid=bool(np.int64(5) == tally.committed))],
        lambda tally: [Verdict("n", valid=sum(kind.committed for kind in tally.kinds) <= 10)],
        lambda tally: [Verdict("n", valid=True)] * min(tally.committed, 1),
        lambda tally: [Verdict("n", valid=5 in range(tally.committed))],
        if_it_differs(5),
        if_it_differs(Decimal(5)),
        if_it_differs(10),
        caught,
    ],
)
def test_a_verdict_that_depends_on_counts_is_undecided(check: Callable[[Tally], Any]) -> None:
    """It does not matter how the check uses the counts or what its verdict would have been."""
    assert [(verdict.name, verdict.valid, verdict.details) for verdict in without_records(check)] == [
        ("n", None, {"error": LOST})
    ]


def test_a_count_does_not_change_other_verdicts() -> None:
    """All verdicts are undecided only if the check itself branches on a count."""

    def check(tally: Tally, by_hand: bool | None) -> list[Verdict]:
        return [judge("total", [{"off_by": 3}]), Verdict("hand", by_hand), applied_once("n", 5, tally)]

    compared = without_records(lambda tally: check(tally, tally.committed == 5))
    branched = without_records(lambda tally: check(tally, tally.committed == 5 or tally.unknown == 5))

    assert [verdict.valid for verdict in compared] == [False, None, None]
    assert [verdict.valid for verdict in branched] == [None, None, None]


def test_receipts_are_counts_too() -> None:
    """The number of receipts is compared with the acknowledged transactions."""
    (verdict,) = without_records(lambda tally: [check_receipts(5, tally)])

    assert verdict.valid is None


def test_a_check_that_crashes_without_counts_is_undecided() -> None:
    """It is treated like any check that raises an error."""
    (verdict,) = without_records(lambda tally: [Verdict("n", valid=[True, False][tally.committed])])

    assert verdict.valid is None
    assert "IndexError" in verdict.details["error"]


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        (None, "NoneType"),
        ("no", "str"),
        (Verdict("x", valid=True), "returned a Verdict; return a list"),
        (["not a verdict"], "a str among"),
        ([Verdict("x", valid="no")], "valid is 'no'"),  # type: ignore[arg-type]
        ([Verdict("x", valid=1)], "valid is 1"),  # type: ignore[arg-type]
        ([Verdict("x", valid=np.True_)], "valid is np.True_"),  # type: ignore[arg-type]
        ([Verdict("x", valid=True, count=-1)], "count is -1"),
        ([Verdict("x", valid=False, count=0.5)], "count is 0.5"),  # type: ignore[arg-type]
        ([Verdict("x", valid=False, count=True)], "count is True"),
        ([Verdict("x", valid=True, count=3)], "valid is True and count is 3"),
        ([Verdict("x", valid=False, count=nan)], "count is nan"),  # type: ignore[arg-type]
        ([Verdict("x", valid=False, first=[1])], "first is a list; use a dict"),  # type: ignore[arg-type]
        ([Verdict("x", valid=True, details=None)], "details is a NoneType"),  # type: ignore[arg-type]
        ([Verdict("", valid=True)], "no name"),
        ([Verdict(None, valid=True)], "no name"),  # type: ignore[arg-type]
        ([Verdict("x", valid=True, details={"x": nan})], "not JSON compliant"),
        ([Verdict("x", valid=True, details={("a", 1): 2})], "keys must be"),
    ],
)
@pytest.mark.parametrize("lost", [False, True])
def test_what_is_no_verdict_is_refused(returned: Any, why: str, lost: bool) -> None:
    """The result is one undecided verdict that says what is wrong, with or without lost records."""
    (verdict,) = run_check(SCENARIO, lambda _: returned, TALLY, records_lost=lost)

    assert (verdict.name, verdict.valid) == ("check of mine", None)
    assert why in verdict.details["error"]
    assert "\n" not in verdict.details["error"]


@pytest.mark.parametrize("error", [SystemExit(0), SystemExit("bye"), ZeroDivisionError()])
def test_a_check_that_tries_to_end_the_program_is_undecided(error: BaseException) -> None:
    """It does not end the run."""

    def leave(tally: Tally) -> list[Verdict]:
        del tally
        raise error

    (verdict,) = run_check(SCENARIO, leave, TALLY)

    assert verdict.valid is None
    assert type(error).__name__ in verdict.details["error"]


def test_a_violation_is_at_least_one() -> None:
    """A verdict that is not valid and has no count counts as one violation."""
    (verdict,) = run_check(SCENARIO, lambda _: [Verdict("x", valid=False)], TALLY)

    assert verdict.count == 1


def test_numbers_of_other_libraries_are_numbers() -> None:
    """A whole number of numpy becomes a number in JSON, not a text."""
    verdict = Verdict("x", valid=True, details={"rows": np.int64(7)})

    assert verdict.as_json()["details"] == {"rows": 7}


def test_counts_may_be_whole_numbers_of_any_type() -> None:
    """A sum of bigint is a Decimal, and numpy has its own integers. A verdict has plain integers."""
    tally = Tally(10, 0)

    right, wrong = run_check(
        SCENARIO,
        lambda _: [applied_once("n", Decimal(10), tally), Verdict("m", valid=False, count=np.int64(3))],  # type: ignore[arg-type]
        tally,
    )

    assert (right.valid, right.count, right.details["counted"]) == (True, 0, 10)
    assert (type(right.count), type(wrong.count), wrong.count) == (int, int, 3)


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        ([Verdict("total unchanged", valid=False)], "violation although .* rolled back: total unchanged;"),
        (Verdict("x", valid=True), r"check\(\): TypeError: returned a Verdict; return a list"),
        ([Verdict("x", valid=np.True_)], r"check\(\): ValueError: x: valid is np.True_"),  # type: ignore[arg-type]
    ],
)
def test_a_check_that_is_wrong_before_any_load_is_refused(returned: Any, why: str) -> None:
    """Every transaction was rolled back, so there is nothing to find."""
    scenario: Any = SimpleNamespace(name="mine", kinds=("a", "b"), check=lambda *_: returned)

    with pytest.raises(UsageError, match=f"^cannot run mine: .*{why}"):
        refuse_false_alarms(scenario, {}, {}, nothing_acknowledged(scenario))


def test_a_check_has_all_kinds_before_any_load() -> None:
    """The tally has all kinds, as in a cell. An undecided verdict is no false alarm."""
    numbers_of_kinds = []

    def check(_before: Any, _after: Any, tally: Tally) -> list[Verdict]:
        numbers_of_kinds.append(len(tally.kinds))
        return [Verdict("undecided", valid=None)]

    scenario: Any = SimpleNamespace(name="mine", kinds=("a", "b"), check=check)

    refuse_false_alarms(scenario, {}, {}, nothing_acknowledged(scenario))

    assert numbers_of_kinds == [2]


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_built_in_check_alarms_by_itself(name: str) -> None:
    """Data that was there before the cell causes no violation."""
    scenario = ALL[name]()
    _, state, _ = BUILT_IN[name]

    refuse_false_alarms(scenario, state, state, nothing_acknowledged(scenario))

    nothing = Tally(0, 0, kinds=[Tally(0, 0) for _ in scenario.kinds])
    verdicts = scenario.check(state, state, nothing)
    assert verdicts
    assert [verdict.name for verdict in verdicts if verdict.valid is False] == []
