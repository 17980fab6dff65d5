"""No traceback if standard output has few characters, no reader, no space, or is closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from hotrow.commands import local as commands
from hotrow.commands.main import main
from hotrow.errors import in_a_line, in_print
from reports.output import html
from tests.support.sample_summary import sample_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

HOTROW = [sys.executable, "-c", "from hotrow.commands.main import main; main(prog_name='hotrow')"]
COMMANDS = {
    "help": ["--help"],
    "sweep": ["sweep", "--help"],
    "scenarios": ["scenarios"],
    "status": ["local", "status"],
    "check": ["check", "no-run"],
    "unknown": ["sweep", "…\udcff"],
}
FAILING = {"check": 2, "unknown": 2}
"""Exit codes of the commands that fail with any output."""


@pytest.fixture
def nobody_reads() -> Iterator[IO[bytes]]:
    """A pipe without a reader, as after `| head -1` has ended."""
    readable, writable = os.pipe()
    os.close(readable)
    with os.fdopen(writable, "wb") as pipe:
        yield pipe


def codes(output: Any, **environment: str) -> dict[str, tuple[int, str]]:
    """Exit code and standard error of every command. All commands run at the same time."""
    started = {
        name: subprocess.Popen(
            [*HOTROW, *words],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
        )
        for name, words in COMMANDS.items()
    }
    ended = {name: process.communicate(timeout=120)[1] for name, process in started.items()}
    return {name: (started[name].returncode, errors) for name, errors in ended.items()}


def no_tracebacks(results: dict[str, tuple[int, str]]) -> bool:
    return all(
        "Traceback" not in errors and "Exception ignored" not in errors for _, errors in results.values()
    )


@pytest.mark.usefixtures("hotrow_home")
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["PYTHONIOENCODING", "LC_ALL"],
)
def test_a_locale_that_knows_few_characters_costs_characters(environment: dict[str, str]) -> None:
    """Every command runs and has its usual exit code; only some characters are replaced."""
    results = codes(subprocess.DEVNULL, **environment)

    assert no_tracebacks(results)
    assert {name: code for name, (code, _) in results.items() if code} == FAILING
    assert "udcff: unknown scenario" in results["unknown"][1]


@pytest.mark.usefixtures("hotrow_home")
def test_a_reader_that_has_gone_is_no_error(nobody_reads: IO[bytes]) -> None:
    """There is no error message, and the exit code stays: `hotrow check RUN | head -1` judges the run."""
    results = codes(nobody_reads)

    assert no_tracebacks(results)
    assert {name: code for name, (code, _) in results.items() if code} == FAILING
    assert not results["scenarios"][1]


@pytest.mark.usefixtures("hotrow_home")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_an_error_in_a_line() -> None:
    """The output is missing, so the exit code is 2, and one line has the reason."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        results = codes(full)

    assert no_tracebacks(results)
    assert {code for code, _ in results.values()} == {2}
    for name in ("help", "sweep", "scenarios", "status"):
        assert results[name][1] == "hotrow: cannot write to standard output: No space left on device\n"


def test_closed_output_is_no_error() -> None:
    """A command that is started with `>&-` has no standard output."""
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *HOTROW, "scenarios"], capture_output=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_sweep_without_a_working_directory_is_refused(tmp_path: Path) -> None:
    """Locust loads no file without one. The message says what to change."""
    script = 'cd "$0" && rmdir "$0" && exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", script, tmp_path, *HOTROW, "sweep", "counter"],
        capture_output=True,
        text=True,
        check=False,
    )

    message = "hotrow: the working directory: No such file or directory; change to another one\n"
    assert (done.returncode, done.stderr) == (2, message)


def test_an_interrupted_question_is_no_failed_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C or the end of input at a question: one line, and exit code 4 as for every interruption."""

    def leave() -> None:
        raise click.Abort

    monkeypatch.setattr(commands, "stop_endpoint", leave)
    answer = CliRunner().invoke(main, ["local", "down"])

    assert (answer.exit_code, answer.stderr) == (4, "hotrow: interrupted\n")


def test_a_page_takes_a_path_that_is_no_text(tmp_path: Path) -> None:
    """A file's name may have any bytes; those that are not text are escaped."""
    summary = sample_summary()
    summary["run"]["options"] = {"out": "r\udcff"}
    html.write(summary, [], tmp_path / "report.html")

    assert (tmp_path / "report.html").read_text(encoding="utf-8")


def test_unprintable_characters_are_escaped() -> None:
    """Bytes that are not text, colours and line breaks in an argument do not reach the terminal."""
    assert in_print("a\nb \x1b[31m \udcff ä…") == "a b \\x1b[31m \\udcff ä…"


def test_an_error_of_the_system_names_its_file_and_is_not_to_be_reported() -> None:
    """A full disk or a missing folder is not a bug of hotrow."""
    error = in_a_line(PermissionError(13, "Permission denied", "/there/summary.json"))

    assert (str(error), error.exit_code) == (
        "/there/summary.json: cannot be read or written (Permission denied)",
        2,
    )


def test_a_signal_is_handled_while_the_command_line_is_imported() -> None:
    """The import takes a third of a second; Ctrl-C during it once ended in a traceback."""
    code = (
        "import sys, os, signal\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'hotrow.commands.main':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "from hotrow.commands.program import main\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    message = "hotrow: interrupted by SIGINT while starting: nothing was measured\n"
    assert (done.returncode, done.stderr) == (4, message)
