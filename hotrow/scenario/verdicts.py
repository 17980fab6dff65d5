"""From what a check said to verdicts that can be believed.

If records of attempts were lost, nobody knows how many transactions were acknowledged. A check is then given
counts that it can reckon with but not read (`_Hidden`). What it says without having asked how large they are
stands; everything else is undecided. So no check has to say which of its verdicts rest on counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, Never, cast

from hotrow.errors import LEAVING, UsageError
from hotrow.scenario.calling import blaming, told
from hotrow.scenario.contract import LOST, Tally, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hotrow.scenario.contract import Scenario, State


def judged(
    scenario: Scenario, check: Callable[[Tally], Any], tally: Tally, *, records_lost: bool = False
) -> list[Verdict]:
    """What `check` says of a cell; if it crashed or said what cannot be, that nothing is known.

    Args:
        scenario: whose check it is.
        check: what it says, given how the transactions ended. It may be called twice.
        tally: how they ended, as far as records tell.
        records_lost: whether records of attempts may be missing.
    """
    try:
        return _without_counts(check, tally) if records_lost else sound(check(tally))
    except (Exception, *LEAVING) as error:  # noqa: BLE001 - it has found nothing, not even that all is well
        return [undecided(scenario, told(type(scenario), error))]


def undecided(scenario: Scenario, why: str) -> Verdict:
    """That a check of the scenario has found nothing, and why."""
    return _unknown(f"check of {scenario.name}", why)


def _without_counts(check: Callable[[Tally], Any], tally: Tally) -> list[Verdict]:
    """The verdicts that do not depend on the counts; if one of these decided what was said, none."""
    hidden = _Hidden()
    try:
        said = _verdicts(check(_hide(tally, hidden)))
        hidden.stay_so()
    except _Asked:
        return [_unknown(verdict.name, LOST) for verdict in sound(check(tally))]
    return [_believed(verdict) for verdict in said]


def _believed(verdict: Verdict) -> Verdict:
    try:
        return _sound(verdict)
    except _Asked:
        return _unknown(verdict.name, LOST)


def _unknown(name: str, why: str) -> Verdict:
    return Verdict(name, valid=None, details={"error": why})


class _Asked(BaseException):
    """What is hidden was asked for. No `Exception`, so that no check's own `except` takes it for its own."""


class _Hidden:
    """A number that nobody knows: what is reckoned with it is hidden too, and it decides nothing."""

    __slots__ = ("_was_asked",)

    def __init__(self) -> None:
        self._was_asked = False

    def stay_so(self) -> None:
        """Raise once more if it was asked for, for a check may have caught that."""
        if self._was_asked:
            raise _Asked

    def _stay(self, *_: object) -> _Hidden:
        return self

    def _refuse(self, *_: object) -> Never:
        self._was_asked = True
        raise _Asked

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _stay
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _stay
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _stay
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = __floor__ = __ceil__ = __trunc__ = _stay
    __lt__ = __le__ = __gt__ = __ge__ = _stay
    __eq__ = __ne__ = _stay  # type: ignore[assignment] # not a bool before somebody asks for one
    __bool__ = __hash__ = __int__ = __float__ = __complex__ = __index__ = __str__ = __repr__ = _refuse
    __format__ = __iter__ = __len__ = __contains__ = __getitem__ = __getattr__ = __reduce_ex__ = _refuse

    def __deepcopy__(self, _: dict[int, Any]) -> _Hidden:
        return self

    __copy__ = _stay


def _hide(tally: Tally, hidden: _Hidden) -> Tally:
    count = cast("Any", hidden)
    kinds = [_hide(kind, hidden) for kind in tally.kinds]
    return Tally(committed=count, unknown=count, kinds=kinds, complete=False)


def refuse_false_alarms(scenario: Scenario, before: State, after: State) -> None:
    """Have the check judge a time in which every transaction was rolled back, before any load.

    Raises:
        UsageError: it raised, said what cannot be, or found something wrong.
    """
    nothing = Tally(0, 0, kinds=[Tally(0, 0) for _ in scenario.kinds])
    with blaming(scenario, "check"):
        verdicts = sound(scenario.check(deepcopy(before), deepcopy(after), nothing))
    wrong = next((verdict.name for verdict in verdicts if verdict.valid is False), None)
    if wrong is not None:
        raise UsageError(
            f"cannot run {scenario.name}: check() says that this does not hold, though each transaction was"
            f" rolled back: {wrong}; mend check(), or run() if it writes outside of its transaction"
        )


def sound(said: Any) -> list[Verdict]:
    """What a check said, as verdicts that can be.

    Raises:
        TypeError, ValueError: it is something else; the text says what.
    """
    return [_sound(verdict) for verdict in _verdicts(said)]


def _sound(verdict: Verdict) -> Verdict:
    wrong = next(_wrong(verdict), None)
    if wrong is not None:
        raise ValueError(wrong)
    # Whoever only says that it does not hold has found that once.
    count = 1 if verdict.valid is False and not verdict.count else int(verdict.count)
    sound = replace(verdict, count=count)
    sound.as_json()
    return sound


def _verdicts(said: Any) -> list[Verdict]:
    if not isinstance(said, Iterable):
        raise TypeError(f"returned a {type(said).__name__}; return a list of verdicts")
    verdicts = list(said)
    for each in verdicts:
        if not isinstance(each, Verdict):
            raise TypeError(
                f"check() returned a {type(each).__name__} among its verdicts; return a list of them"
            )
    return verdicts


def _wrong(verdict: Verdict) -> Iterator[str]:
    """What cannot be about a verdict, in words."""
    if isinstance(verdict.valid, _Hidden):
        raise _Asked
    if not isinstance(verdict.name, str) or not verdict.name:
        yield "a verdict has no name; say what holds if it is valid"
    if not (verdict.valid is None or isinstance(verdict.valid, bool)):
        yield f"{verdict.name}: valid is {verdict.valid!r}; give True, False or None"
    if not _is_count(verdict.count):
        yield f"{verdict.name}: count is {verdict.count!r}; give the number of violations, 0 or more"
    if verdict.valid and verdict.count:
        yield f"{verdict.name}: valid is True and count is {verdict.count}; give one or the other"
    for place in ("first", "worst", "last", "details"):
        value = getattr(verdict, place)
        if not (isinstance(value, Mapping) or (value is None and place != "details")):
            yield f"{verdict.name}: {place} is a {type(value).__name__}; give a dict of named values"


def _is_count(value: Any) -> bool:
    """Whether it is a whole number from 0 up, of whatever library."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return False
    number: Any = value  # the types of numbers know no order that all of them have
    return bool(number >= 0 and number % 1 == 0)
