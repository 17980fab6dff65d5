"""The options of `hotrow sweep`, `check` and `report` come from one declaration, which also reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from hotrow.errors import UsageError
from hotrow.run.options import MAX_P99_MS, OPTIONS, OUT, PAGE_OUT, USERS, Where, options_of, read_gates
from tests.support.bad_options import bad_texts
from tests.support.run_files import write_run

if TYPE_CHECKING:
    from pathlib import Path

    from hotrow.run.options import Option

COMMANDS = {Where.SWEEP: "sweep", Where.CHECK: "check", Where.REPORT: "report"}
OTHERS = {Where.SWEEP: set[str](), Where.CHECK: {"--json"}, Where.REPORT: set[str]()}
"""Options about the output of one command only."""


def parameters(command: str) -> dict[str, click.Option]:
    """By flag: the options of a command."""
    return {
        flag: parameter
        for parameter in main.commands[command].params
        if isinstance(parameter, click.Option)
        for flag in parameter.opts
        if flag.startswith("--")
    }


def refusal(read: Any, text: str) -> str:
    with pytest.raises(UsageError) as refused:
        read(text)
    return str(refused.value)


def reader(option: Option[Any], where: Where) -> Any:
    return option.read_in_sweep if where is Where.SWEEP else option.read


@pytest.mark.parametrize("where", COMMANDS)
def test_every_option_of_a_command_is_declared(where: Where) -> None:
    """No option is declared elsewhere, and no declared option is missing."""
    declared = {option.flag for option in options_of(where)}

    assert declared
    assert set(parameters(COMMANDS[where])) == declared | OTHERS[where]


@pytest.mark.parametrize("where", COMMANDS)
def test_help_default_and_reader_are_the_declared_ones(where: Where) -> None:
    """A bad text is refused with the message of the declared reader."""
    assert len(options_of(where)) > 5
    for option in options_of(where):
        parameter = parameters(COMMANDS[where])[option.flag]
        assert parameter.help == option.help
        assert parameter.is_flag is option.is_switch
        if not option.is_switch:
            message = refusal(reader(option, where), "")
            assert message == refusal(lambda text, taken=parameter: taken.type.convert(text, None, None), "")
            assert message.startswith(option.flag)
        if where is Where.SWEEP and not option.is_switch:
            default = (option.sweep_default or option.default) or None
            assert parameter.default == ((default,) if option.repeatable else default)


def test_every_default_can_be_read() -> None:
    """A default is not checked when it is used, so it is checked here."""
    read = [option for option in OPTIONS if option.default]
    for option in read:
        assert option.default is not None
        option.read(option.default)
        option.read_in_sweep(option.sweep_default or option.default)

    assert len(read) > 10


def test_no_two_options_of_a_command_share_a_name() -> None:
    """Only `--out` has two meanings: a run's directory, and the directory of a page of several runs."""
    for where in Where:
        names = [option.argument for option in options_of(where)]
        assert len(set(names)) == len(names)
    flags = [option.flag for option in OPTIONS]

    assert {flag for flag in flags if flags.count(flag) > 1} == {OUT.flag} == {PAGE_OUT.flag}


@pytest.mark.parametrize(
    ("where", "option", "text"),
    [
        pytest.param(where, option, text, id=f"{command} {option.flag} {text!r}")
        for where, command in COMMANDS.items()
        for option, text in bad_texts(where)
    ],
)
def test_a_bad_text_is_refused_in_one_line(
    where: Where, option: Option[Any], text: str, tmp_path: Path
) -> None:
    """NaN, infinity, negative numbers and empty texts: exit code 2, and nothing is written."""
    target = "counter" if where is Where.SWEEP else str(write_run(tmp_path / "run"))
    before = sorted(tmp_path.rglob("*"))

    done = CliRunner().invoke(main, [COMMANDS[where], target, option.flag, text])

    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"hotrow: {option.flag}")
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("option", "text"),
    [
        pytest.param(option, text, id=f"{option.env_var} {text!r}")
        for option, text in bad_texts(Where.SWEEP)
        if option.in_environment
    ],
)
def test_an_environment_variable_of_a_sweep_is_read_like_its_option(
    option: Option[Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`HOTROW_KEYS=nan hotrow sweep` is refused, and so is an empty variable."""
    monkeypatch.setenv(option.env_var, text)

    done = CliRunner().invoke(main, ["sweep", "counter"])

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"hotrow: {option.flag}")


def test_an_option_has_priority_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the option is set, a bad value in the variable does not matter."""
    monkeypatch.setenv(USERS.env_var, "nobody")

    done = CliRunner().invoke(main, ["sweep", "teleport", "--users", "1"])

    assert "unknown scenario" in done.stderr


def test_check_does_not_read_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run is judged by its own gates, not by the shell's variables."""
    monkeypatch.setenv(MAX_P99_MS.env_var, "0")

    assert CliRunner().invoke(main, ["check", str(write_run(tmp_path / "run"))]).exit_code == 0


@pytest.mark.parametrize("price", ["nan", "inf", "-inf", "-1", "0", "1e400", "", "x"])
def test_a_price_that_is_no_price_is_refused(price: str, tmp_path: Path) -> None:
    """The rules are those of a gate, except that 0 is refused too."""
    done = CliRunner().invoke(main, ["cost", str(write_run(tmp_path / "run")), "--dpu-price", price])

    assert done.exit_code == 2
    assert done.stderr.startswith("hotrow: --dpu-price ")
    assert done.stderr.endswith(": must be a number above 0\n")


@pytest.mark.parametrize("absent", [None, ""])
def test_a_gate_without_a_text_is_no_limit(absent: str | None) -> None:
    """run.json has null or an empty text, depending on the version that wrote it."""
    assert read_gates({"max_p99_ms": absent, "min_goodput": "5"}) == {
        "max_conflict_rate": None,
        "max_give_up_rate": None,
        "max_error_rate": None,
        "max_p99_ms": None,
        "min_goodput_per_s": 5.0,
        "expect_violations": False,
        "rules": (),
    }
