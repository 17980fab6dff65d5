"""Key spaces that a scenario declares: read into cells, checked, rehearsed and played."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hotrow.attempt.record import Outcome
from hotrow.errors import UsageError
from hotrow.run.plan import Settings, plan_cells
from hotrow.scenario.calling import key_spaces
from hotrow.scenario.declarations import writes_what_it_draws
from hotrow.scenario.loading import describe
from hotrow.tables.rehearsal import rehearse
from hotrow.targets.session import BLOCKING
from tests.support.playing import staged
from tests.support.tellers import Tellers

if TYPE_CHECKING:
    from hotrow.run.plan import Cell
    from hotrow.scenario import Keys, Session, Work


SETTINGS = Settings(
    skews=(),
    keys=100,
    levels=(1,),
    retry="none",
    knobs={},
    redraw=False,
    repeats=1,
    warmup_s=0.0,
    duration_s=1.0,
)


def planned(skews: tuple[str, ...], **knobs: tuple[str, ...]) -> tuple[Cell, ...]:
    return plan_cells(replace(SETTINGS, skews=skews, knobs=knobs), Tellers(), seed=1)


def test_a_cell_has_the_sizes_and_the_skew_of_every_space() -> None:
    """Knobs may change the sizes, and `--keys` counts for the space that says None."""
    one, five = planned(("branch=hot",), branches=("1", "5"))

    assert one.skew == "account=uniform,branch=hot,bank=uniform"
    assert [space["keys"] for space in one.spaces] == [100, 1, 1]
    assert [space["keys"] for space in five.spaces] == [100, 5, 1]
    assert (one.keys, one.keys_per_transaction, one.closed_form) == (100, 3, True)
    assert one.as_json()["spaces"][2] == {"name": "bank", "keys": 1, "drawn": 1}


def test_two_skews_that_become_the_same_are_refused() -> None:
    """`hot` is the skew of the first space."""
    with pytest.raises(UsageError, match="--skew account=hot is the same skew as hot"):
        planned(("hot", "account=hot"))


class Odd(Tellers):
    """Tellers whose declarations a test replaces."""

    name = "odd"
    declared: Any = None
    drawn: Any = None

    @property
    def spaces(self) -> Any:
        return super().spaces if self.declared is None else self.declared

    @property
    def keys_per_space(self) -> Any:
        return super().keys_per_space if self.drawn is None else self.drawn


@pytest.mark.parametrize(
    ("declared", "drawn", "message"),
    [
        (["account"], None, "spaces is a list"),
        ({"Account": None}, None, "spaces has the name 'Account'"),
        ({"account": 0}, None, "account has 0 keys"),
        ({"account": "ten"}, None, "account has 'ten' keys"),
        ({f"s{number}": 1 for number in range(17)}, None, "spaces has 17 names"),
        (None, {"account": 1}, "name each of the spaces"),
        (None, {"account": 0, "branch": 1, "bank": 1}, "whole numbers of at least 1"),
    ],
)
def test_declarations_that_are_not_valid_are_refused(declared: Any, drawn: Any, message: str) -> None:
    """In one line, before anything starts."""
    scenario = Odd()
    scenario.declared, scenario.drawn = declared, drawn

    with pytest.raises(UsageError, match=rf"cannot run odd: .*{message}"):
        key_spaces(scenario, 100)


class Spread(Tellers):
    """Tellers whose keys are said to have several rows each."""

    name = "spread"
    rows_per_key = 4


def test_several_rows_per_key_are_refused_with_spaces() -> None:
    """Nobody would know of which space: the rows are a space of their own."""
    settings = replace(SETTINGS, skews=("uniform",))

    with pytest.raises(UsageError, match="cannot run spread: rows_per_key is 4, and it has key spaces"):
        plan_cells(settings, Spread(), seed=1)


def test_the_closed_form_needs_what_is_drawn_of_each_space() -> None:
    """Three writes in all are not enough if two of them are accounts."""
    scenario = Odd()
    assert writes_what_it_draws(scenario, 100, seed=1)
    scenario.drawn = {"account": 2, "branch": 1, "bank": 1}
    assert not writes_what_it_draws(scenario, 100, seed=1)


@pytest.mark.usefixtures("hotrow_home")
def test_a_scenario_with_spaces_plays_and_its_rehearsal_finds_nothing() -> None:
    """Every transaction writes the row of the bank, so clients conflict whatever the skew."""
    with staged(Tellers(), keys=50) as stage:
        before = stage.observe()
        found = rehearse(stage.scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=50, seed=1)
        played = stage.play(80, clients=4, skew="account=uniform,branch=hot")
        (verdict,) = stage.check(before, played.tally())

    assert found == []
    assert verdict.valid is True
    assert played.outcomes(Outcome.CONFLICT) > 0


class Forgetful(Tellers):
    """Tellers that do not declare the branch."""

    name = "forgetful"

    @property
    def spaces(self) -> Any:
        return {"account": None, "branch": self.branches}

    def tables(self) -> Any:
        return Tellers().tables()

    def seed(self, keys: int) -> Any:
        return Tellers().seed(keys)

    def draw(self, keys: Keys, rng: Any) -> Work:
        return super().draw(_WithoutBank(keys), rng)

    def run(self, session: Session, work: Work) -> None:
        super().run(session, work)


class _WithoutBank:
    """The keys, whose `ids` leave the bank out."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.count = keys.count

    def draw(self, how_many: int = 1) -> tuple[int, ...]:
        return self._keys.draw(how_many)

    def __getitem__(self, space: str) -> Keys:
        return self._keys[space]

    def ids(self, **keys: Any) -> tuple[int, ...]:
        return self._keys.ids(**{name: numbers for name, numbers in keys.items() if name != "bank"})


@pytest.mark.usefixtures("hotrow_home")
def test_a_fixed_row_that_is_not_declared_is_found() -> None:
    """Every transaction writes it, and no key of theirs is common."""
    with staged(Forgetful(), keys=50) as stage:
        found = rehearse(stage.scenario, stage.target, stage.run_schema.schema, BLOCKING, keys=50, seed=1)

    assert [finding.code for finding in found] == ["writes_undeclared"]
    assert "bank(0)" in found[0].message


def test_a_scenario_with_spaces_is_listed_like_any_other() -> None:
    """Its knobs are those of its class."""
    assert [knob["name"] for knob in describe(Tellers)["knobs"]] == ["branches"]
