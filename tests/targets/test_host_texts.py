"""Odd texts after `-H`: each gives a target or one error line, and no output contains a password."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from hotrow.commands.main import main
from hotrow.errors import HotrowError, UsageError
from hotrow.masking import hide_secrets, one_line, secrets_in, show_host, show_word
from hotrow.targets.session import BLOCKING
from hotrow.targets.target import Target, check_reachable, parse_target

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = "Pw7kQz9Xw2"
"""A password, or a part of one, that no output may contain."""
FUZZED = 100_000
"""The number of texts to try; each takes about 5 µs."""
BEGINNINGS = ("", "local:", "plain:", "postgresql://", "postgresql://h/?", "dsql://", "dsql://h?region=x-1&")
ODD = (
    *"@/?#&=:%[]{}()<>,;\\'\"`$|~^* \t\n\r\0\x1b\x7f",
    *("%zz", "%00", "%40", "%2F", "@@", "://", "é", "密", "\u202e", "\ud800", "\udcff", "x" * 5000, ""),
)
PLACES = (
    "postgresql://u:{}@127.0.0.1:1/db",
    "postgresql://u:{}@[::1]:1/db?isolation=serializable",
    "postgres://:{}@127.0.0.1:1",
    "postgresql://127.0.0.1:1/db?user=u&password={}",
    "postgresql://127.0.0.1:1?password={}&rtt=2ms",
    "postgresql://127.0.0.1:1?sslpassword={}",
    "host=127.0.0.1 port=1 password={}",
    "password={} host=127.0.0.1",
    "u:{}@127.0.0.1",
    "//u:{}@127.0.0.1/db",
    "mysql://u:{}@127.0.0.1/db",
    "dsql://admin:{}@127.0.0.1:1?region=x-1",
    "dsql://127.0.0.1:1/postgres?region=x-1&password={}",
    "local:password={}",
    "plain:rtt=2ms,password={}",
)
PIECES = (
    *(
        "local",
        "plain",
        ":",
        ",",
        "rtt=",
        "2ms",
        "1e9s",
        "commit=",
        "rules=off",
        "isolation=",
        "serializable",
    ),
    *("postgresql://", "postgres://", "dsql://", "//", "u", ":p", "@", "h", "[", "]", "::1", ":5432", ":x"),
    *("/db", "?", "&", "=", "user=", "password=", "host=", "port=", "region=", "us-east-1", "token_life="),
    *("session_life=", "connect_rate=", "1", "nan", "inf", "sslrootcert=", "/dev/zero", "/", "service=none"),
    *("abc.dsql.us-east-1.on.aws", "%", "%zz", "%00", "%C3", "\0", "\n", " ", "\ud800", "é", "٣", "\u2028"),
)


def passwords(rng: random.Random) -> str:
    """A password: the marker between odd characters."""
    return "".join(rng.choice(ODD) + MARKER for _ in range(rng.randint(1, 3))) + rng.choice(ODD)


def hosts(count: int, seed: int) -> Iterator[str]:
    """Odd texts for `-H` with the marker as a password."""
    rng = random.Random(seed)  # noqa: S311 - seeded, for a test
    for _ in range(count):
        yield rng.choice(PLACES).format(passwords(rng))


@pytest.fixture(autouse=True)
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep host names from being looked up in a network."""
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **more: Any) -> Any:
        if host not in {"127.0.0.1", "::1"}:
            raise socket.gaierror(-2, "Name or service not known")
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", MARKER)


def parsed(host: str) -> Target | None:
    """The target, or None if the text is refused. The refusal must be one line without the marker."""
    try:
        return parse_target(host)
    except UsageError as error:
        line = str(error)
        assert MARKER not in line, host
        assert line.startswith("--host"), (host, line)
        assert line.isprintable(), (host, line)
        return None


def test_no_password_is_shown() -> None:
    """It is not in any refusal, label, repr, libpq message, progress line or word of run.json."""
    for host in hosts(400, seed=1):
        assert MARKER not in show_host(host), host
        assert MARKER not in show_word(host) or "://" not in host, host
        assert MARKER not in show_word(f"--host={host}") or "://" not in host, host
        target = parsed(host)
        if target is None or target.embedded or target.type == "dsql":
            continue
        with pytest.raises(HotrowError) as caught:
            check_reachable(target, BLOCKING)
        assert MARKER not in f"{caught.value} {target!r} {target.label}", host
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("command", ["doctor", "probe"])
def test_a_command_prints_one_line(command: str) -> None:
    """The exit code is 2. Standard error has one line; no password is on it or on standard output."""
    for host in hosts(40, seed=2):
        if host.startswith("dsql"):
            host = host.replace("127.0.0.1", "nobody.invalid")  # noqa: PLW2901
        done = CliRunner().invoke(main, [command, "-H", host])

        assert done.exit_code == 2, (host, done.output)
        assert MARKER not in done.stdout + done.stderr, host
        assert done.stderr.startswith("hotrow: "), (host, done.stderr)
        assert done.stderr.count("\n") == 1, (host, done.stderr)


def test_any_text_is_a_target_or_one_line() -> None:
    """This holds for any combination of pieces in any order."""
    rng = random.Random(3)  # noqa: S311 - seeded, for a test
    refused = 0
    for _ in range(FUZZED):
        text = rng.choice(BEGINNINGS) + "".join(rng.choices(PIECES, k=rng.randint(0, 8)))
        refused += parsed(text) is None

    assert 0 < refused < FUZZED


@pytest.mark.parametrize("size", [5_000, 10_000_000])
@pytest.mark.parametrize("pattern", ["postgresql://{}", "dsql://{}", "local:{}", "postgresql://h/?{}", "{}"])
def test_a_very_long_text_is_refused_at_once(pattern: str, size: int) -> None:
    """The length is checked before the text is parsed."""
    for letter in ("a", "@", "a=b&", ",", "%"):
        with pytest.raises(UsageError, match="longer than"):
            parse_target(pattern.format(letter * size))


def test_what_libpq_accepts_is_accepted() -> None:
    """A password may have ? and #, because libpq ends it only at the first @. A query may have an @."""
    for host in ("postgresql://u:a?b#c@h/db", "postgresql://h/db?user=me@tenant", "postgresql://%2Ftmp/db"):
        assert parse_target(host).type == "postgresql"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("local:rtt=2ms,commit=5ms", "local:rtt=2ms,commit=5ms"),
        ("postgresql://u:secret1@db:5432/x?password=secret1", "postgresql://db:5432/x"),
        ("postgresql://u:sec?ret1@[::1]/x", "postgresql://[::1]/x"),
        ("postgresql://u:sec/ret1@db/x", "postgresql://…"),
        (
            "dsql://a.dsql.us-east-1.on.aws,b:1/postgres?user=me",
            "dsql://a.dsql.us-east-1.on.aws,b:1/postgres",
        ),
        ("password=secret1", "…"),
    ],
)
def test_what_is_shown_of_a_host(host: str, shown: str) -> None:
    """The text is enough to tell targets apart."""
    assert show_host(host) == shown


def test_an_error_s_text_loses_secrets_and_control_characters() -> None:
    """This holds for any spelling of the secret."""
    text = hide_secrets("no host p%40ss/word or p@ss/word or p%40ss%2Fword", ["p@ss/word"])

    assert text == "no host p%40ss/word or … or …"
    assert one_line("a\x1b[31m\nb\0" + "c" * 1000) == "a?[31m b?" + "c" * 391 + "…"


def test_a_crash_of_hotrow_shows_no_password_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback may repeat anything, so the passwords of the command line are removed from it."""
    host = f"postgresql://u:{MARKER}@h/db?sslpassword=other{MARKER}"
    words = ["doctor", "-H", host]

    def fail(text: str) -> Target:
        raise RuntimeError(text)

    monkeypatch.setattr("hotrow.targets.target.parse_target", fail)
    monkeypatch.setattr("sys.argv", ["hotrow", *words])
    done = CliRunner().invoke(main, words)

    assert done.exit_code == 2
    assert "RuntimeError: postgresql://u:…@h/db?sslpassword=" in done.stderr
    assert MARKER not in done.stderr


def test_secrets_of_a_command_line() -> None:
    """Secrets are found as they were written and as libpq decodes them."""
    words = [
        "--host=postgresql://u:p%40ss?word@h/x?a=b&password=sec%20ret",
        "host=h password=plain",
        "token=t",
    ]

    assert secrets_in(words) == {"p%40ss?word", "p@ss?word", "sec%20ret", "sec ret", "plain", "t"}
