"""The fields of the start form: their order, labels, examples and values, and the knobs of scenarios."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from locust import argument_parser
from locust.env import Environment

import hotrow.load.sweep  # noqa: F401 - declares hotrow's options and those of a sweep
from hotrow.load.web.extra_options import order_form
from hotrow.load.web.fields import field_of, form_fields, form_json
from hotrow.run.options import OPTIONS, Where, options_of
from tests.load.in_gevent.check_web_page import SweepUser
from tests.load.in_gevent.check_web_page import open_page as open_page  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.load.in_gevent.check_web_page import Page


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """The environment of a sweep's page, with its defaults."""
    monkeypatch.setattr(sys, "argv", ["locust", "--loglevel", "WARNING"])
    options = argument_parser.parse_options()
    made = Environment(user_classes=[SweepUser], host="local", parsed_options=options)
    made.create_local_runner()
    made.create_web_ui(host="127.0.0.1", port=0, delayed_start=True)
    return made


def values(environment: Environment) -> dict[str, Any]:
    return vars(environment.parsed_options or object())


def test_every_option_of_the_form_has_a_field(environment: Environment) -> None:
    """With a label of its own and a help text; a new option needs a field too."""
    fields = {field.name: field for field in form_fields(environment)}
    ours = {
        option.locust_name for option in options_of(Where.LOCUSTFILE | Where.SWEEP_FILE) if option.in_web_form
    }

    assert len(ours) > 15
    assert ours <= fields.keys()
    assert all(fields[name].label and fields[name].help for name in ours)
    assert fields["max_p99_ms"].label == "Max p99 (ms)"
    assert "commas" in fields["skew"].help
    assert all("sweep" not in fields[name].help.lower() for name in ours)


def test_the_fields_are_in_the_order_of_use(environment: Environment) -> None:
    """Scenario and its knobs, contention, load, gates, the rest."""
    fields = form_fields(environment)
    names = [field.name for field in fields]

    assert names[0] == "scenario"
    groups = list(dict.fromkeys(field.group for field in fields))
    assert groups == ["Scenario", "Contention", "Load", "Gates", "More"]
    order = ["shards", "skew", "keys", "retry", "levels", "max_conflict_rate", "seed"]
    assert [name for name in names if name in order] == order


def test_every_example_is_a_value(environment: Environment) -> None:
    """The examples are what the browser suggests."""
    options = {option.locust_name: option for option in OPTIONS}
    tried = 0
    for field in form_fields(environment):
        for example in field.examples if field.name in options else ():
            options[field.name].read_in_sweep(example)
            tried += 1

    assert tried > 30


def test_the_knobs_are_those_of_the_scenarios(environment: Environment) -> None:
    """Two scenarios may have a knob of the same name, with a default and a meaning of its own."""
    about = form_json(environment)
    (stock,) = [field for field in about["fields"] if field["name"] == "stock"]

    assert set(stock["scenarios"]) == {"inventory", "orders"}
    assert about["knobs"]["counter"]["shards"]["default"] == "1"
    assert about["knobs"]["orders"]["stock"]["help"] != about["knobs"]["inventory"]["stock"]["help"]


def test_locust_s_form_has_our_order_and_the_current_values(environment: Environment) -> None:
    """An edit sends every field: with the values of the command line it would set the options back."""
    assert environment.web_ui is not None
    assert environment.web_ui.app is not None
    order_form(environment, environment.web_ui)
    values(environment)["skew"] = "hot"
    page = environment.web_ui.app.test_client().get("/").get_data(as_text=True)
    found = re.search(r"window.templateArgs = (.*)", page)
    assert found is not None

    extra = json.loads(found[1])["extra_options"]

    ours = [field.name for field in form_fields(environment) if field.name in extra]
    assert list(extra)[: len(ours)] == ours
    assert extra["skew"]["default_value"] == "hot"
    assert extra["redraw"]["default_value"] is False
    assert "counter" in extra["scenario"]["choices"]
    assert extra["shards"]["default_value"] == "1"


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("--max-p99-ms nan: must be a number", "max_p99_ms"),
        ("--users 0: must be a whole number from 1", "levels"),
        ("the disk is full", None),
    ],
)
def test_a_refusal_names_its_field(message: str, field: str | None, environment: Environment) -> None:
    """So that the page can show it there."""
    assert field_of(message, environment) == field


def test_only_knobs_of_the_chosen_scenario_are_set(open_page: Callable[..., Page]) -> None:
    """The form sends the fields of all scenarios."""
    page = open_page()

    answer = page.start(scenario="counter", shards="1,4", stock="7", orders="0.1")

    assert answer["success"] is True
    options = values(page.environment)
    assert (options["scenario"], options["shards"]) == ("counter", "1,4")
    assert "stock" not in options


def test_another_scenario_begins_with_its_own_defaults(open_page: Callable[..., Page]) -> None:
    """A knob of the same name has kept the value of the last scenario."""
    page = open_page()

    page.start(scenario="orders", stock="7")
    page.start(scenario="inventory")

    assert values(page.environment)["stock"] == "1000000"
