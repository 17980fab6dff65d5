"""The `hotrow` command: its commands have a file each, and import what they need when they run.

`sweep` and `locust` import Locust, which patches the standard library and must be imported before psycopg.
The other commands do not import Locust.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hotrow.commands.check import check
from hotrow.commands.clean import clean
from hotrow.commands.cost import cost
from hotrow.commands.doctor import doctor
from hotrow.commands.export import export
from hotrow.commands.local import local
from hotrow.commands.locust import locust
from hotrow.commands.new import new
from hotrow.commands.probe import probe
from hotrow.commands.report import report
from hotrow.commands.scenarios import scenarios
from hotrow.commands.simulate import simulate
from hotrow.commands.sweep import sweep
from hotrow.commands.tap import tap
from hotrow.console import is_lost, take_over
from hotrow.errors import in_a_line, in_print
from hotrow.exit_codes import ERROR, NOT_USABLE
from hotrow.interruption import listen
from hotrow.masking import hide_secrets, secrets_in

if TYPE_CHECKING:
    import signal
    from types import FrameType


class _Group(click.Group):
    """A group whose commands end in one line and the error's exit code instead of a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the program: its output takes any text, and a signal ends it in one line."""
        if take_over():
            listen(_interrupt)
        try:
            return super().main(*args, **extra)
        finally:
            if is_lost():
                sys.exit(ERROR)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            _refuse(ctx, error.format_message(), ERROR)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort) as error:
            _refuse(ctx, f"interrupted by {error}" if str(error) else "interrupted", NOT_USABLE)
        except Exception as error:  # noqa: BLE001 - exit code 1 would say that a gate failed
            refusal = in_a_line(error)
            _refuse(ctx, hide_secrets(str(refusal), secrets_in(sys.argv)), refusal.exit_code)


def _interrupt(number: signal.Signals, _: FrameType | None) -> None:
    raise KeyboardInterrupt(number.name)


def _refuse(ctx: click.Context, reason: str, code: int) -> None:
    click.echo(f"hotrow: {in_print(reason)}", err=True)
    ctx.exit(code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotrow")
def main() -> None:
    """Measure what happens to transactions that meet on the same rows.

    \b
    Start here:
      hotrow sweep counter              a first measurement, nothing to set up
      hotrow scenarios                  the built-in transactions to choose from
      hotrow sweep counter -H dsql://…  the same on your Aurora DSQL cluster
      hotrow COMMAND --help             what a command does, with an example
    """  # noqa: D301 - \b keeps click from joining the lines


for _command in (
    report,
    check,
    export,
    cost,
    scenarios,
    new,
    sweep,
    simulate,
    tap,
    locust,
    doctor,
    clean,
    local,
    probe,
):
    main.add_command(_command)
