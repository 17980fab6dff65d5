"""What may be shown of a target and of an error: never a password, however oddly it was written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "…"
_LONGEST = 400
LEAST_SECRET = 6
"""Shorter texts are not looked for: they stand in ordinary words."""
_SIGNED = re.compile(r"(X-Amz-[A-Za-z-]+=)[^&\s]+")
_OWN = re.compile(r"(?:local|plain)(?::[a-z]+=[a-z0-9.-]{1,16}(?:,[a-z]+=[a-z0-9.-]{1,16})*)?", re.ASCII)
_PLACE = r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\])?(?::[0-9]{1,5})?"
_URL = re.compile(
    r"(?P<scheme>[a-z]+://)(?:[^@/]*@)?"
    rf"(?P<places>{_PLACE}(?:,(?:dsql://)?{_PLACE})*)(?P<path>/[\w.-]*)?(?:\?[^@#]*)?",
    re.DOTALL,
)
_SCHEME = re.compile(r"[a-z]+://")
_FLAG = re.compile(r"-H|--?[a-z][a-z-]*=")
_PASSWORDS = re.compile(r"://[^:@/]*:(?=([^@/]*)@)|(?:pass|secret|token)\w*=([^&\s]*)", re.IGNORECASE)
"""The password before a host's first @, and the values of options that are named like one."""
_WORD = re.compile(r"[A-Za-z_-]{1,20}", re.ASCII)


def show_host(host: str) -> str:
    """A `--host` as messages and run.json may show it: without user, password and query.

    What is not plainly one of the ways to write a target is shown by its scheme alone, or not at all: a
    password with `/`, `?` or `@` in it looks like another part of a URL.
    """
    if _OWN.fullmatch(host):
        return host
    match = _URL.fullmatch(host)
    if match is not None:
        return f"{match['scheme']}{match['places']}{match['path'] or ''}"
    scheme = _SCHEME.match(host)
    return (scheme[0] if scheme else "") + HIDDEN


def show_word(word: str) -> str:
    """A word of a command line, with what may be shown of a target in it."""
    if "://" not in word:
        return word
    flag = _FLAG.match(word)
    start = flag.end() if flag else 0
    return word[:start] + show_host(word[start:])


def show_name(name: str) -> str:
    """A name that a user wrote, quoted, if it is a word; a part of a password seldom is."""
    return repr(name) if _WORD.fullmatch(name) else HIDDEN


def one_line(text: str) -> str:
    """Another program's words on one line that any terminal can show, and not too long."""
    words = " ".join(text.split())
    shown = "".join(letter if letter.isprintable() else "?" for letter in words[:_LONGEST])
    return shown if len(words) <= _LONGEST else shown + HIDDEN


def secrets_in(words: Iterable[str]) -> set[str]:
    """The passwords in the words of a command line, as they were written and decoded."""
    found = {each for word in words for match in _PASSWORDS.finditer(word) for each in match.groups() if each}
    return found | set(map(unquote, found))


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text without every secret, also percent-encoded, and without every value of a signed token."""
    text = _SIGNED.sub(rf"\1{HIDDEN}", text)
    long_enough = {secret for secret in secrets if len(secret) >= LEAST_SECRET}
    spelled = {way for secret in long_enough for way in (secret, quote(secret, safe=""), repr(secret)[1:-1])}
    for each in sorted(spelled, key=len, reverse=True):
        text = text.replace(each, HIDDEN)
    return text
