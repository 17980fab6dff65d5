"""The arguments of a locustfile come from one declaration, which also reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from locust import argument_parser

import hotrow.load.sweep  # noqa: F401 - declares hotrow's options and those of a sweep
from hotrow.errors import UsageError
from hotrow.knob import knobs_of
from hotrow.load.locust_options import CheckedText, add_arguments, check_host, read_request
from hotrow.run.options import GATES, KEYS, MAX_P99_MS, RETRY, SKEW, USERS, Where, options_of
from scenarios import ALL
from tests.support.bad_options import FREE_TEXTS, bad_texts

if TYPE_CHECKING:
    import argparse

    from locust.argument_parser import LocustArgumentParser

    from hotrow.run.options import Option

DECLARED = options_of(Where.LOCUSTFILE | Where.SWEEP_FILE)


def empty_parser() -> LocustArgumentParser:
    return argument_parser.get_empty_argument_parser(default_config_files=[])


def ours(parser: LocustArgumentParser) -> dict[str, argparse.Action]:
    """By flag: the arguments that are neither Locust's nor a scenario's knobs."""
    plain = empty_parser()
    argument_parser.setup_parser_arguments(plain)
    knobs = {knob.flag for kind in ALL.values() for knob in knobs_of(kind).values()}
    known = {flag for action in plain._actions for flag in action.option_strings} | knobs
    return {flag: action for action in parser._actions for flag in action.option_strings if flag not in known}


def undeclared(parser: LocustArgumentParser) -> set[str]:
    return set(ours(parser)) ^ {option.argument for option in DECLARED}


def parse(*words: str, where: Where = Where.LOCUSTFILE | Where.SWEEP_FILE) -> argparse.Namespace:
    """Parse a command line as a locustfile does, with hotrow's arguments only."""
    parser = empty_parser()
    add_arguments(parser, where)
    return parser.parse_args(list(words))


def test_every_argument_is_declared() -> None:
    """The test fails if an argument is declared elsewhere."""
    parser = argument_parser.get_parser(default_config_files=[])
    assert undeclared(parser) == set()

    parser.add_argument("--max-surprises")

    assert undeclared(parser) == {"--max-surprises"}


def test_help_default_and_reader_are_the_declared_ones() -> None:
    """Switches have no reader."""
    arguments = ours(argument_parser.get_parser(default_config_files=[]))

    assert len(DECLARED) > 10
    for option in DECLARED:
        argument: Any = arguments[option.argument]
        assert argument.help == option.help
        assert argument.env_var == (option.env_var if option.in_environment else None)
        assert argument.include_in_web_ui is option.in_web_form
        assert argument.default == (False if option.is_switch else option.default)
        assert (argument.option is option) if isinstance(argument, CheckedText) else option.is_switch


@pytest.mark.parametrize("by_environment", [False, True])
@pytest.mark.parametrize("where", [Where.LOCUSTFILE, Where.LOCUSTFILE | Where.SWEEP_FILE])
def test_a_bad_text_is_refused_in_one_line(
    where: Where, by_environment: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """NaN, infinity, negative and empty values, as options or environment variables, end with code 2."""
    tried = list(bad_texts(where))
    assert len(tried) > 50
    for option, text in tried:
        words = [] if by_environment else [f"{option.argument}={text}"]
        if by_environment:
            monkeypatch.setenv(option.env_var, text)
        with pytest.raises(SystemExit) as ended:
            parse(*words, where=where)
        monkeypatch.delenv(option.env_var, raising=False)

        line = capsys.readouterr().err
        assert ended.value.code == 2
        assert line.startswith(f"hotrow: {option.flag}"), line
        assert line.count("\n") == 1


def test_only_a_sweep_takes_several_values() -> None:
    """The same option has one value in any other locustfile."""
    several: list[tuple[Option[Any], str]] = [(SKEW, "hot,uniform"), (RETRY, "none,immediate")]
    for option, text in several:
        assert getattr(parse(option.argument, text), option.locust_name) == text
        with pytest.raises(SystemExit):
            parse(option.argument, text, where=Where.LOCUSTFILE)


def test_a_request_is_read_from_the_defaults() -> None:
    """No gate is set, and run.json keeps every text as the user wrote it."""
    options = parse(KEYS.flag, "1_000", MAX_P99_MS.flag, "20", USERS.argument, "1,4")
    options.spawn_rate = None

    request = read_request(options, ALL["counter"]())

    assert request.settings.keys == 1000
    assert request.settings.levels == (1, 4)
    assert request.gates.max_p99_ms == 20
    assert [name for name in GATES if getattr(request.gates, name) is not None] == ["max_p99_ms"]
    assert set(request.options) == {
        *("skew", "keys", "retry", "redraw", "receipts", "think", "warmup", "seed", "expect_violations"),
        *("max_conflict_rate", "max_give_up_rate", "max_error_rate", "max_p99_ms", "min_goodput"),
        *("levels", "duration", "repeats"),
    }
    assert (request.options["keys"], request.options["max_conflict_rate"]) == ("1_000", "")


def test_a_host_without_a_text_is_refused() -> None:
    """Locust would treat it as no host, and the run would use the stand-in."""
    check_host(None)
    check_host("local")
    with pytest.raises(UsageError, match="--host"):
        check_host("")


def test_free_texts_are_the_only_ones_that_take_an_x() -> None:
    """The bad texts above are tried on every other option."""
    assert {option.flag for option in DECLARED if option in FREE_TEXTS} == {"--out", "--scenario"}
