r"""Reads an expression of `\set` or `\if` into a tree.

The operators, from the loosest to the tightest: OR; AND; NOT; IS; comparisons; | # & << >> ~; + -; * / %;
unary minus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotrow.script.functions import FUNCTIONS
from hotrow.script.prng import MAX_INT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hotrow.script.source_text import ScriptError, Source
    from hotrow.script.values import Value

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|\\\r?\n)+)
    |(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)
    |:(?P<variable>\w+)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<operator><<|>>|<=|>=|<>|!=|[-+*/%=<>|\#&~(),])""",
    re.VERBOSE,
)
_LEVELS = (
    *dict.fromkeys(("=", "<>", "!=", "<", "<=", ">", ">="), 5).items(),
    *dict.fromkeys(("|", "#", "&", "<<", ">>"), 6).items(),
    *dict.fromkeys(("+", "-"), 7).items(),
    *dict.fromkeys(("*", "/", "%"), 8).items(),
)
_LEVEL = {"OR": 1, "AND": 2, **dict(_LEVELS)}
_OF_IS, _OF_COMPARISON, _OF_TILDE, _OF_MINUS = 4, 5, 6, 9
_CONSTANTS = {"NULL": None, "TRUE": True, "FALSE": False}
_RESERVED = frozenset(
    {"AND", "OR", "NOT", "IS", "ISNULL", "NOTNULL", "CASE", "WHEN", "THEN", "ELSE", "END", *_CONSTANTS}
)
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a boolean or NULL."""

    value: Value


@dataclass(frozen=True, slots=True)
class Variable:
    """`:name`."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function with its arguments. `is` takes a value and the constant to compare with."""

    name: str
    arguments: tuple[Node, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Case:
    """`CASE WHEN … THEN … ELSE … END`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node


Node = Constant | Variable | Call | Case
_PREFIXES: Mapping[str, tuple[str, tuple[Constant, ...], int]] = {
    "NOT": ("NOT", (), _OF_IS),
    "-": ("-", (Constant(0),), _OF_MINUS),
    "+": ("", (), _OF_MINUS),
    "~": ("#", (Constant(-1),), _OF_TILDE + 1),  # all bits of -1 are set
}
"""By prefix: the operator that it stands for, what is on its left, and how tightly its operand binds."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    offset: int

    @property
    def keyword(self) -> str:
        """The reserved word in capitals, or the operator; empty for anything else."""
        if self.kind == "word":
            return self.text.upper() if self.text.upper() in _RESERVED else ""
        return self.text if self.kind == "operator" else ""


def parse_expression(source: Source, start: int, end: int) -> Node:
    """The expression between two offsets of a source.

    Raises:
        ScriptError: it is not one; the message has the place of the first fault.
    """
    parser = _Parser(source, _tokens(source, start, end), end)
    node = parser.expression(0)
    if parser.token.kind != "end":
        raise parser.unexpected()
    return node


def _tokens(source: Source, start: int, end: int) -> list[_Token]:
    tokens = []
    while start < end:
        match = _TOKEN.match(source.text, start, end)
        if match is None:
            raise source.error(start, f"unexpected {source.text[start]!r} in an expression")
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(_Token(kind, match[kind], start))
        start = match.end()
    return [*tokens, _Token("end", "", end)]


class _Parser:
    """Precedence climbing over the tokens of one expression."""

    def __init__(self, source: Source, tokens: Sequence[_Token], end: int) -> None:
        self._source, self._tokens, self._end = source, tokens, end
        self._at = self._depth = 0

    @property
    def token(self) -> _Token:
        return self._tokens[self._at]

    def unexpected(self) -> ScriptError:
        """An error about the present token."""
        what = repr(self.token.text) if self.token.text else "the end of the expression"
        return self._source.error(self.token.offset, f"unexpected {what} in an expression")

    def _next(self) -> _Token:
        token = self.token
        self._at += 1
        return token

    def _accept(self, *keywords: str) -> bool:
        """Pass over these keywords, if they come next."""
        ahead = self._tokens[self._at : self._at + len(keywords)]
        found = [token.keyword for token in ahead] == list(keywords)
        self._at += len(keywords) if found else 0
        return found

    def _expect(self, keyword: str) -> None:
        if not self._accept(keyword):
            raise self.unexpected()

    def expression(self, least: int) -> Node:
        """An expression whose operators bind at least as tightly as this level."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._source.error(self.token.offset, "the expression is nested too deeply")
        node, most = self._operand(), _OF_MINUS
        while True:
            token = self.token
            level = _OF_IS if token.keyword in {"IS", "ISNULL", "NOTNULL"} else _LEVEL.get(token.keyword, -1)
            if not least <= level or level > most:
                break
            self._next()
            if level == _OF_IS:
                node, most = self._test(node, token), _OF_MINUS
                continue
            right = self.expression(level + 1)
            name = "<>" if token.keyword == "!=" else token.keyword
            node = Call(name, (node, right), token.offset)
            most = (
                level - 1 if level == _OF_COMPARISON else level
            )  # a comparison of comparisons is no expression
        self._depth -= 1
        return node

    def _test(self, node: Node, token: _Token) -> Node:
        """The rest of `IS [NOT] NULL`, `ISNULL` and the like."""
        negated = token.keyword == "NOTNULL" or (token.keyword == "IS" and self._accept("NOT"))
        value: Value = None
        if token.keyword == "IS":
            if self.token.keyword not in _CONSTANTS:
                raise self.unexpected()
            value = _CONSTANTS[self._next().keyword]
        test = Call("is", (node, Constant(value)), token.offset)
        return Call("NOT", (test,), token.offset) if negated else test

    def _operand(self) -> Node:
        token = self._next()
        if token.kind == "number":
            return self._number(token, negative=False)
        if token.kind == "variable":
            return Variable(token.text, token.offset)
        if token.keyword in _CONSTANTS:
            return Constant(_CONSTANTS[token.keyword])
        if token.kind == "word" and not token.keyword:
            return self._call(token)
        prefixed = self._prefixed(token)
        if prefixed is None:
            self._at -= 1
            raise self.unexpected()
        return prefixed

    def _prefixed(self, token: _Token) -> Node | None:
        """An operand that begins with a keyword or an operator; None if no operand begins so."""
        keyword, offset = token.keyword, token.offset
        if keyword == "-" and self.token.kind == "number":
            return self._number(self._next(), negative=True)
        if keyword == "(":
            return self._parenthesised()
        if keyword == "CASE":
            return self._case()
        prefix = _PREFIXES.get(keyword)
        if prefix is None:
            return None
        name, left, level = prefix
        operand = self.expression(level)
        return Call(name, (*left, operand), offset) if name else operand

    def _parenthesised(self) -> Node:
        node = self.expression(0)
        self._expect(")")
        return node

    def _number(self, token: _Token, *, negative: bool) -> Constant:
        if not token.text.isdigit():
            return Constant(-float(token.text) if negative else float(token.text))
        number = int(token.text)
        if number > MAX_INT + negative:
            raise self._source.error(token.offset, f"{number} does not fit into a bigint")
        return Constant(-number if negative else number)

    def _call(self, token: _Token) -> Node:
        name = token.text.lower()
        function = FUNCTIONS.get(name)
        if function is None:
            known = ", ".join(FUNCTIONS)
            raise self._source.error(
                token.offset, f"unknown function {token.text}; the functions are {known}"
            )
        self._expect("(")
        arguments: list[Node] = []
        while not self._accept(")"):
            if arguments:
                self._expect(",")
            arguments.append(self.expression(0))
        if len(arguments) < function.least or len(arguments) > (function.most or len(arguments)):
            takes = str(function.least) if function.least == function.most else f"{function.least} or more"
            if function.most not in {None, function.least}:
                takes = f"{function.least} or {function.most}"
            raise self._source.error(token.offset, f"{name} takes {takes} arguments, not {len(arguments)}")
        return Call(name, tuple(arguments), token.offset)

    def _case(self) -> Case:
        branches = []
        while self._accept("WHEN"):
            condition = self.expression(0)
            self._expect("THEN")
            branches.append((condition, self.expression(0)))
        if not branches:
            raise self.unexpected()
        otherwise: Node = self.expression(0) if self._accept("ELSE") else Constant(None)
        self._expect("END")
        return Case(tuple(branches), otherwise)
