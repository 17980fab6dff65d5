"""The `hotrow` program. It handles signals before it imports anything that takes time."""

from __future__ import annotations

from hotrow.interruption import end_while_starting


def main() -> None:
    """Run the command line."""
    end_while_starting()
    from hotrow.commands.main import main as run  # noqa: PLC0415 - see the module

    run()
