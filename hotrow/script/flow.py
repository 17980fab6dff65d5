"""Follows every path through a script, so that each transaction has one beginning and an end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hotrow.script.commands import Begin, Branch, Command, End, Jump, PipelineStart, Sql, Sync

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hotrow.script.source_text import Source


@dataclass(frozen=True, slots=True)
class _State:
    """What is open before a command runs."""

    explicit: bool = False
    """Whether BEGIN has opened a transaction."""
    pipeline: bool = False
    starts: frozenset[int] = frozenset()
    """The positions at which the open transaction may have begun; empty outside of a transaction."""
    idle: bool = True
    """Whether there is a path on which no transaction is open."""


def check_flow(
    source: Source, commands: Sequence[Command]
) -> tuple[tuple[int, ...], Mapping[int, frozenset[int]]]:
    """The positions at which transactions begin, and by each the commands that may run in it.

    Jumps lead forwards only, so one pass meets every command after all the commands that lead to it.

    Raises:
        ScriptError: a transaction or a pipeline is not ended, is ended twice, or is open on one of two paths
            only.
    """
    incoming: dict[int, _State] = {0: _State()}
    blocks: dict[int, set[int]] = defaultdict(set)
    for position, command in enumerate(commands):
        state = incoming.get(position)
        if state is None:
            continue  # after a jump; nothing leads here
        after = _after(source, command, position, state)
        for start in after.starts | state.starts:
            blocks[start].add(position)
        if isinstance(command, Sql) and state.idle:
            blocks[position].add(position)
        for target in _targets(command, position):
            incoming[target] = _join(source, commands, target, incoming.get(target), after)
    last = incoming.get(len(commands), _State())
    if last.explicit:
        raise source.error(_offset(commands, last), "the transaction that begins here is not ended by COMMIT")
    if last.pipeline:
        started = next(command for command in reversed(commands) if isinstance(command, PipelineStart))
        raise source.error(started.offset, "this \\startpipeline has no \\endpipeline")
    return tuple(sorted(blocks)), {start: frozenset(block) for start, block in blocks.items()}


def _targets(command: Command, position: int) -> tuple[int, ...]:
    if isinstance(command, Jump):
        return (command.to,)
    return (position + 1, command.otherwise) if isinstance(command, Branch) else (position + 1,)


def _after(source: Source, command: Command, position: int, state: _State) -> _State:
    """The state after a command."""
    fault = _fault(command, state)
    if fault:
        assert isinstance(command, Begin | End | Sql | PipelineStart | Sync)  # noqa: S101 - only these have faults
        raise source.error(command.offset, fault)
    match command:
        case Begin():
            return replace(state, explicit=True, starts=frozenset({position}), idle=False)
        case End():
            return replace(state, explicit=False, starts=frozenset(), idle=True)
        case Sql() if state.pipeline and state.idle:
            return replace(state, starts=state.starts | {position}, idle=False)
        case PipelineStart():
            return replace(state, pipeline=True)
        case Sync():
            kept = state.starts if state.explicit else frozenset()
            return replace(state, pipeline=not command.ends, starts=kept, idle=not state.explicit)
    return state


def _fault(command: Command, state: _State) -> str:
    """Why the command cannot run in this state; empty if it can."""
    match command:
        case Begin() if state.starts:
            within = "a transaction" if state.explicit else "a pipeline, after a statement"
            return f"BEGIN inside {within}"
        case End() if not state.explicit:
            return "no transaction is open here"
        case Sql() if command.stores and state.pipeline:
            return f"\\{command.stores} cannot be used in a pipeline"
        case PipelineStart() if state.pipeline:
            return "\\startpipeline in a pipeline"
        case Sync() if not state.pipeline:
            return f"\\{'endpipeline' if command.ends else 'syncpipeline'} without \\startpipeline"
    return ""


def _join(
    source: Source, commands: Sequence[Command], target: int, known: _State | None, arriving: _State
) -> _State:
    """The state where two paths meet."""
    if known is None:
        return arriving
    if known.explicit != arriving.explicit:
        opened = known if known.explicit else arriving
        raise source.error(
            _offset(commands, opened), "the transaction that begins here is ended in one branch of \\if only"
        )
    if known.pipeline != arriving.pipeline:
        started = next(each for each in reversed(commands[:target]) if isinstance(each, PipelineStart))
        raise source.error(started.offset, "this pipeline is open in one branch of \\if only")
    return replace(known, starts=known.starts | arriving.starts, idle=known.idle or arriving.idle)


def _offset(commands: Sequence[Command], state: _State) -> int:
    command = commands[min(state.starts)]
    assert isinstance(command, Begin | Sql)  # noqa: S101 - nothing else begins a transaction
    return command.offset
