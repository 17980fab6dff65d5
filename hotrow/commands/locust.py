"""`hotrow locust`: Locust with hotrow loaded before it reads its command line."""

from __future__ import annotations

import click

from hotrow.interruption import end_while_starting


@click.command(
    short_help="Start Locust so that exit code 1 always means a failed gate.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def locust(words: tuple[str, ...]) -> None:
    """Start Locust with its own options, WORDS, and end with hotrow's exit codes.

    The command `locust` itself answers 1 if it finds no locustfile or cannot read it, because hotrow is not
    loaded by then. This command answers 2, as for every other error. `locust --help` lists the options.

    \b
    Example:
      hotrow locust -f locustfiles/transfer.py --headless -H local -u 8 -t 30s --max-conflict-rate 0.3
    """  # noqa: D301 - \b keeps click from joining the lines
    end_while_starting()
    from hotrow.load.start import run_locust_as_it_is  # noqa: PLC0415 - Locust patches the standard library

    run_locust_as_it_is(words)
