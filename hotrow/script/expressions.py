"""Compiles the tree of an expression to a function, once, so that evaluating it costs little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from hotrow.script.expression_parser import Call, Case, Constant, Node, Variable
from hotrow.script.functions import FUNCTIONS, OPERATORS, SEEDED
from hotrow.script.values import EvaluationError, Value, is_true, to_bool, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hotrow.script.prng import Prng
    from hotrow.script.source_text import Source

DEFAULT_SEED = "default_seed"
"""The variable with the seed of hash functions and `permute`."""


class Context(Protocol):
    """What an expression reads: variables, and a generator which it moves."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """By name."""
        ...

    @property
    def prng(self) -> Prng:
        """The generator."""
        ...


if TYPE_CHECKING:
    Evaluate = Callable[[Context], Value]


def variables_of(node: Node) -> Iterator[Variable]:
    """All variables in an expression."""
    match node:
        case Variable():
            yield node
        case Call():
            for argument in node.arguments:
                yield from variables_of(argument)
        case Case():
            for pair in (*node.branches, (node.otherwise,)):
                for part in pair:
                    yield from variables_of(part)


def compile_expression(node: Node, source: Source) -> Evaluate:
    """A function that evaluates the expression. It raises ScriptError, with the place of the fault."""
    match node:
        case Constant():
            value = node.value
            return lambda _: value
        case Variable():
            return _variable(node, source)
        case Case():
            return _case(node, source)
        case Call("AND" | "OR" | "NOT" | "is"):
            return _logic(node, source)
        case Call():
            return _call(node, source)


def _variable(node: Variable, source: Source) -> Evaluate:
    name, offset = node.name, node.offset

    def evaluate(context: Context) -> Value:
        try:
            value = context.variables[name]
            return value if type(value) is int else value_of(value)
        except KeyError:
            raise source.error(offset, f"variable {name} is not set") from None
        except EvaluationError as error:
            raise source.error(offset, f"variable {name}: {error}") from None

    return evaluate


def _case(node: Case, source: Source) -> Evaluate:
    branches = [
        (compile_expression(condition, source), compile_expression(result, source))
        for condition, result in node.branches
    ]
    otherwise = compile_expression(node.otherwise, source)

    def evaluate(context: Context) -> Value:
        for condition, result in branches:
            if is_true(condition(context)):
                return result(context)
        return otherwise(context)

    return evaluate


def _logic(node: Call, source: Source) -> Evaluate:
    """AND, OR, NOT and IS. NULL on the left of AND or OR makes NULL: as in pgbench, unlike in SQL."""
    arguments = [compile_expression(argument, source) for argument in node.arguments]
    name, offset = node.name, node.offset

    def junction(context: Context, decided: bool) -> Value:
        for argument in arguments:
            value = argument(context)
            if value is None or to_bool(value) is decided:
                return value
        return not decided

    def evaluate(context: Context) -> Value:
        try:
            if name in {"AND", "OR"}:
                return junction(context, name == "OR")
            value = arguments[0](context)
            if name == "NOT":
                return None if value is None else not to_bool(value)
            wanted = arguments[1](context)
        except EvaluationError as error:
            raise source.error(offset, f"{name}: {error}") from None
        return type(value) is type(wanted) and value == wanted

    return evaluate


def _call(node: Call, source: Source) -> Evaluate:
    name, offset = node.name, node.offset
    arguments = [compile_expression(argument, source) for argument in node.arguments]
    operator = OPERATORS.get(name)
    if operator is not None:
        return _binary(operator, arguments[0], arguments[1], source, offset)
    function = FUNCTIONS[name]
    if name in SEEDED and len(arguments) < (function.most or 0):
        arguments.append(_variable(Variable(DEFAULT_SEED, offset), source))
    calculate, draws, takes_null = function.calculate, function.draws, name == "debug"

    def evaluate(context: Context) -> Value:
        values = [argument(context) for argument in arguments]
        if None in values and not takes_null:
            return None
        try:
            return calculate(context.prng, *values) if draws else calculate(*values)
        except EvaluationError as error:
            raise source.error(offset, f"{name}: {error}") from None

    return evaluate


def _binary(
    operator: Callable[..., Value], left: Evaluate, right: Evaluate, source: Source, offset: int
) -> Evaluate:
    def evaluate(context: Context) -> Value:
        first, second = left(context), right(context)
        if first is None or second is None:
            return None
        try:
            return operator(first, second)
        except EvaluationError as error:
            raise source.error(offset, str(error)) from None

    return evaluate
