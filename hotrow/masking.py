"""Targets and error messages without passwords, however a password is written."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

HIDDEN = "…"
MIN_SECRET = 6
"""Characters. A shorter password is not searched for in messages: it is part of too many words."""
_MAX_LINE = 400
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

    A text that is not plainly a target is shown by its scheme alone, or not at all: a password with `/`, `?`
    or `@` in it looks like another part of a URL.
    """
    if _OWN.fullmatch(host):
        return host
    match = _URL.fullmatch(host)
    if match is not None:
        return f"{match['scheme']}{match['places']}{match['path'] or ''}"
    scheme = _SCHEME.match(host)
    return (scheme[0] if scheme else "") + HIDDEN


def show_word(word: str) -> str:
    """A word of a command line; a target in it is shown as by `show_host`."""
    if "://" not in word:
        return word
    flag = _FLAG.match(word)
    start = flag.end() if flag else 0
    return word[:start] + show_host(word[start:])


def show_name(name: str) -> str:
    """A name that a user wrote, in quotes. Only a plain word is shown: part of a password is seldom one."""
    return repr(name) if _WORD.fullmatch(name) else HIDDEN


def one_line(text: str) -> str:
    """The text of another program on one line of at most 400 characters, which any terminal can show."""
    words = " ".join(text.split())
    shown = "".join(letter if letter.isprintable() else "?" for letter in words[:_MAX_LINE])
    return shown if len(words) <= _MAX_LINE else shown + HIDDEN


def secrets_in(words: Iterable[str]) -> set[str]:
    """The passwords in the words of a command line, as they are written and decoded."""
    passwords = {
        password
        for word in words
        for match in _PASSWORDS.finditer(word)
        for password in match.groups()
        if password
    }
    return passwords | set(map(unquote, passwords))


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, in any spelling, and without the values of a signed token."""
    return hide_spellings(text, {spelling for secret in secrets for spelling in spellings(secret)})


def hide_spellings(text: str, words: Iterable[str], hidden: str = HIDDEN) -> str:
    """The text with `hidden` in place of each of the words, and of each value of a signed token."""
    text = _SIGNED.sub(rf"\1{hidden}", text)
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, hidden)
    return text


def spellings(secret: str, min_length: int = MIN_SECRET) -> set[str]:
    """A secret as JSON, HTML, a script, a URL, Python and libpq write it, without the short spellings."""
    plain = {secret, unquote(secret)}
    in_json = {json.dumps(word)[1:-1] for word in plain}
    in_html = {html.escape(word) for word in plain}
    in_html |= {word.replace("&#x27;", "&#39;").replace("&quot;", "&#34;") for word in in_html}
    in_script = {_in_script(word) for word in in_json}
    in_url = {quote(word, safe="", errors="replace") for word in plain}
    in_python = {repr(word)[1:-1] for word in plain}
    words = plain | in_json | in_html | in_script | in_url | in_python
    return {word for word in words if len(word) >= min_length}


def _in_script(text: str) -> str:
    for letter in "<>&'":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
