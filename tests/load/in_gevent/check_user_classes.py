"""Several user classes: a run has one scenario, so that classes with different ones are refused."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from locust import argument_parser

from hotrow.errors import UsageError
from hotrow.load.locustfile_scenario import declare_knobs_of, locustfile_scenario
from scenarios.counter import Counter
from scenarios.transfer import Transfer


class Root:
    """Stands in for the base of user classes, whose subclasses would stay in Locust's parser for ever."""

    scenarios: dict[str, Any] = {}  # noqa: RUF012 - as in the real class


def user_class(name: str, scenario: Any) -> type[Any]:
    return type(name, (Root,), {"scenario": scenario})


def test_one_scenario_may_have_several_user_classes() -> None:
    """They differ in their weights, for example."""
    classes = [user_class("One", Counter(shards=4)), user_class("Two", Counter(shards=4))]

    assert locustfile_scenario(classes, None).knobs == {"shards": 4}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Transfer(), "Two runs transfer"),
        (Counter(shards=2), "Two runs counter (shards 2)"),
        (None, "Two runs none"),
    ],
)
def test_different_scenarios_are_refused(other: Any, words: str) -> None:
    """One line names both classes and the way out."""
    with pytest.raises(UsageError) as refused:
        locustfile_scenario([user_class("One", Counter(shards=4)), user_class("Two", other)], None)

    assert words in str(refused.value)
    assert "One runs counter (shards 4)" in str(refused.value)
    assert "locust -f … One" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("words", "default"), [([], "1"), (["Picked"], "4"), (["Other"], "1")])
def test_the_knobs_are_those_of_the_picked_class(
    words: list[str], default: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two classes may have a knob of the same name; the command line may pick one of the classes."""
    listeners: list[Any] = []
    monkeypatch.setattr("locust.events.init_command_line_parser.add_listener", listeners.append)
    monkeypatch.setattr(sys, "argv", ["locust", *words])
    for one in (user_class("Other", Counter()), user_class("Picked", Counter(shards=4))):
        declare_knobs_of(one)
    parser = argument_parser.get_empty_argument_parser()
    for listener in listeners:
        listener(parser)

    assert parser.parse_args([]).shards == default
