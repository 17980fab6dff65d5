"""Expressions: their values and their refusals, without a database."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from hotrow.script.expression_parser import parse_expression
from hotrow.script.expressions import compile_expression
from hotrow.script.prng import Prng, seeded
from hotrow.script.source_text import ScriptError, Source


@dataclass
class Context:
    """Variables and a generator."""

    variables: dict[str, Any] = field(default_factory=dict)
    prng: Prng = field(default_factory=lambda: seeded(1))


def value_of(text: str, **variables: Any) -> Any:
    source = Source("e.sql", text)
    return compile_expression(parse_expression(source, 0, len(text)), source)(Context(variables))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("~1 + 2", -4),
        ("not false and false", False),
        ("1 = 2 or null", None),
        ("null and false", None),
        ("false and 1 / 0 = 1", False),
        ("case when null then 1 when 2 then 3 end", 3),
        ("1.5 is null or 1 notnull", True),
        ("int(2.5) + int(3.5)", 6),
        ("sqrt(-1) = sqrt(-1)", False),
        ("ln(0)", -math.inf),
        ("1.0 / 0", math.inf),
        ("pow(-8, 3)", -512.0),
        ("least(1, 2.0)", 1.0),
        ("random(3, 3) + random_zipfian(1, 1, 2)", 4),
    ],
)
def test_an_expression_has_the_value_that_pgbench_gives_it(text: str, value: object) -> None:
    """Precedence, types, NULL and the results of C's functions."""
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1 +", "1:4: unexpected the end of the expression"),
        ("(1", "1:3: unexpected the end"),
        ("1 2", "1:3: unexpected '2'"),
        ("1 < 2 < 3", "1:7: unexpected '<'"),
        ("ceil(1)", "1:1: unknown function ceil; the functions are abs"),
        ("abs()", "1:1: abs takes 1 arguments, not 0"),
        ("9223372036854775808", "1:1: 9223372036854775808 does not fit"),
        ("1 ? 2", r"1:3: unexpected '\?'"),
        ("case 1 end", "1:6: unexpected '1'"),
        ("(" * 200 + "1" + ")" * 200, "nested too deeply"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, fault: str) -> None:
    """The message has file, line and column."""
    with pytest.raises(ScriptError, match=f"^e.sql:.*{fault}"):
        value_of(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1 / 0", "1:3: division by zero"),
        ("1 % 0", "1:3: division by zero"),
        ("9223372036854775807 + 1", "1:21: 9223372036854775808 does not fit"),
        ("-9223372036854775808 / -1", "does not fit"),
        ("abs(-9223372036854775808)", "does not fit"),
        ("1 << 64", "a shift by 64"),
        ("true + 1", "true is not a number"),
        ("1 and true", "AND: 1 is not a boolean"),
        (":a", "1:1: variable a is not set"),
        (":word + 1", "variable word: 'x y' is neither"),
        ("random(2, 1)", "random: the range from 2 to 1 is empty"),
        ("random(-9223372036854775808, 9223372036854775807)", "too large"),
        ("int(1e30)", "does not fit"),
    ],
)
def test_an_expression_without_a_value_is_an_error(text: str, fault: str) -> None:
    """The message has file, line and column."""
    with pytest.raises(ScriptError, match=rf"^e.sql:\d+:\d+: .*{fault}|^e.sql:{fault}"):
        value_of(text, word="x y")


def test_a_text_of_a_query_is_read_as_a_number_or_a_boolean() -> None:
    r"""What `\gset` stored may be a text."""
    assert value_of(":a + 1", a="41") == 42
    assert value_of(":a / 2", a="5.0") == 2.5
    assert value_of("not :a", a="t") is False
    assert value_of(":a is null", a="NULL") is True
