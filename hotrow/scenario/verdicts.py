"""The verdicts of a scenario's check, made safe: validated, and undecided if they depend on lost records.

If records of attempts were lost, nobody knows how many transactions were acknowledged. The check then gets
counts that it can calculate with but not read (`_HiddenCount`). A verdict that it reaches without reading
them stands. Every other verdict is undecided. So a check need not say which of its verdicts depend on counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, Never, cast

from hotrow.errors import LEAVING, UsageError
from hotrow.scenario.app_scenario import AppScenario
from hotrow.scenario.calling import describe_error, method_errors
from hotrow.scenario.contract import LOST, Tally, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hotrow.scenario.contract import Scenario, State


def run_check(
    scenario: Scenario, check: Callable[[Tally], Any], tally: Tally, *, records_lost: bool = False
) -> list[Verdict]:
    """The verdicts of a check on a cell; one undecided verdict if the check failed or returned no verdicts.

    Args:
        scenario: the scenario whose check it is.
        check: returns the verdicts, given how the transactions ended. It may be called twice.
        tally: how the transactions ended, as far as records show.
        records_lost: whether records of attempts may be missing.
    """
    try:
        return _check_without_counts(check, tally) if records_lost else valid_verdicts(check(tally))
    except (Exception, *LEAVING) as error:  # noqa: BLE001 - a check that failed has decided nothing
        return [undecided(scenario, describe_error(type(scenario), error))]


def undecided(scenario: Scenario, why: str) -> Verdict:
    """An undecided verdict of the scenario's check, with the reason."""
    return _unknown(f"check of {scenario.name}", why)


def _check_without_counts(check: Callable[[Tally], Any], tally: Tally) -> list[Verdict]:
    """The verdicts that do not depend on counts; all are undecided if the check itself read a count."""
    hidden = _HiddenCount()
    try:
        verdicts = _verdicts(check(_hide(tally, hidden)))
        hidden.raise_if_read()
    except _CountReadError:
        return [_unknown(verdict.name, LOST) for verdict in valid_verdicts(check(tally))]
    return [_unless_hidden(verdict) for verdict in verdicts]


def _unless_hidden(verdict: Verdict) -> Verdict:
    try:
        return _validated(verdict)
    except _CountReadError:
        return _unknown(verdict.name, LOST)


def _unknown(name: str, why: str) -> Verdict:
    return Verdict(name, valid=None, details={"error": why})


class _CountReadError(BaseException):
    """A hidden count was read. Not an `Exception`, so that a check's `except Exception` does not catch it."""


class _HiddenCount:
    """A number that nobody knows: every result calculated from it is hidden too, and it decides nothing."""

    __slots__ = ("_was_read",)

    def __init__(self) -> None:
        self._was_read = False

    def raise_if_read(self) -> None:
        """Raise once more if the count was read, because the check may have caught the first error."""
        if self._was_read:
            raise _CountReadError

    def _stay(self, *_: object) -> _HiddenCount:
        return self

    def _refuse(self, *_: object) -> Never:
        self._was_read = True
        raise _CountReadError

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _stay
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _stay
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _stay
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = __floor__ = __ceil__ = __trunc__ = _stay
    __lt__ = __le__ = __gt__ = __ge__ = _stay
    __eq__ = __ne__ = _stay  # type: ignore[assignment] # no bool until it is used as one
    __bool__ = __hash__ = __int__ = __float__ = __complex__ = __index__ = __str__ = __repr__ = _refuse
    __format__ = __iter__ = __len__ = __contains__ = __getitem__ = __getattr__ = __reduce_ex__ = _refuse

    def __deepcopy__(self, _: dict[int, Any]) -> _HiddenCount:
        return self

    __copy__ = _stay


def _hide(tally: Tally, hidden: _HiddenCount) -> Tally:
    count = cast("Any", hidden)
    kinds = [_hide(kind, hidden) for kind in tally.kinds]
    return Tally(committed=count, unknown=count, kinds=kinds, complete=False)


def nothing_acknowledged(scenario: Scenario) -> Tally:
    """The tally of a period in which every transaction was rolled back."""
    return Tally(0, 0, kinds=[Tally(0, 0) for _ in scenario.kinds])


def refuse_false_alarms(scenario: Scenario, before: State, after: State, tally: Tally) -> None:
    """Call the check on the rehearsal, before any load: one client, and no transaction in doubt.

    A scenario's transactions were rolled back; those of an application committed as `tally` says.

    Raises:
        UsageError: the check raised an error, its result is not valid, or a verdict is not valid.
    """
    with method_errors(scenario, "check"):
        verdicts = valid_verdicts(scenario.check(deepcopy(before), deepcopy(after), tally))
    false_alarm = next((verdict.name for verdict in verdicts if verdict.valid is False), None)
    if false_alarm is not None and isinstance(scenario, AppScenario):
        raise UsageError(
            f"cannot run {scenario.name}: check() reports a violation after a rehearsal with one client, in"
            f" which {tally.committed} transactions committed: {false_alarm}; correct check() or run_app()"
        )
    if false_alarm is not None:
        raise UsageError(
            f"cannot run {scenario.name}: check() reports a violation although every transaction was rolled"
            f" back: {false_alarm}; correct check(), or run() if it writes outside its transaction"
        )


def valid_verdicts(returned: Any) -> list[Verdict]:
    """The verdicts that a check returned, validated.

    Raises:
        TypeError, ValueError: the check returned something else; the message says what.
    """
    return [_validated(verdict) for verdict in _verdicts(returned)]


def _validated(verdict: Verdict) -> Verdict:
    fault = next(_faults(verdict), None)
    if fault is not None:
        raise ValueError(fault)
    # A verdict that is not valid and has no count stands for one violation.
    count = 1 if verdict.valid is False and not verdict.count else int(verdict.count)
    validated = replace(verdict, count=count)
    validated.as_json()
    return validated


def _verdicts(returned: Any) -> list[Verdict]:
    if not isinstance(returned, Iterable):
        raise TypeError(f"returned a {type(returned).__name__}; return a list of verdicts")
    verdicts = list(returned)
    for verdict in verdicts:
        if not isinstance(verdict, Verdict):
            raise TypeError(
                f"check() returned a {type(verdict).__name__} among its verdicts; return a list of verdicts"
            )
    return verdicts


def _faults(verdict: Verdict) -> Iterator[str]:
    """What is wrong with the fields of a verdict, in words."""
    if isinstance(verdict.valid, _HiddenCount):
        raise _CountReadError
    if not isinstance(verdict.name, str) or not verdict.name:
        yield "a verdict has no name; name it after what is true if it is valid"
    if not (verdict.valid is None or isinstance(verdict.valid, bool)):
        yield f"{verdict.name}: valid is {verdict.valid!r}; use True, False or None"
    if not _is_count(verdict.count):
        yield f"{verdict.name}: count is {verdict.count!r}; use the number of violations, 0 or more"
    if verdict.valid and verdict.count:
        yield f"{verdict.name}: valid is True and count is {verdict.count}; use one or the other"
    for field in ("first", "worst", "last", "details"):
        value = getattr(verdict, field)
        if not (isinstance(value, Mapping) or (value is None and field != "details")):
            yield f"{verdict.name}: {field} is a {type(value).__name__}; use a dict of named values"


def _is_count(value: Any) -> bool:
    """Whether the value is a whole number of at least 0, of any numeric type."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return False
    number: Any = value  # Real and Decimal have no common type with an order
    return bool(number >= 0 and number % 1 == 0)
