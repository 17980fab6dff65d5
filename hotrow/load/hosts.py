"""`--host` as Locust may know it: with its password hidden, the real one kept apart."""

from __future__ import annotations

import logging
import re
import traceback
from urllib.parse import unquote

from hotrow.masking import hide_spellings, spellings

HIDDEN = "***"
"""Stands for a password in the web form, whose text leads back to the real host."""
MIN_SECRET = 4
"""Characters. A shorter password is not searched for in pages and logs: it is part of too many words."""
_OWN = re.compile(r"(local|plain)(:.*)?", re.DOTALL)
_PARAMETER = re.compile(r"([?&])([^=&?]*)=([^&]*(?:&[^=&]*(?=&|$))*)")
"""A parameter of a URL; a piece without `=` belongs to the value before it."""
_SECRET_NAME = re.compile("pass|secret|token", re.IGNORECASE)


class Hosts:
    """The hosts with a password that this process has seen, by the text that is shown for them."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}
        self._spellings: set[str] = set()

    def shown(self, host: str) -> str:
        """The text for a host, which `real` leads back to it; a text that was made here stays as it is."""
        if host in self._real:
            return host
        text, secrets = _hide(host)
        if secrets:
            self._real[text] = host
            for secret in (host, *secrets):
                self._spellings |= spellings(secret, MIN_SECRET)
        return text

    def real(self, shown: str) -> str:
        """The host that a text stands for; the text itself if nothing in it is hidden."""
        return self._real.get(shown, shown)

    def knows(self, shown: str) -> bool:
        """Whether a text was made here."""
        return shown in self._real

    def scrub(self, text: str) -> str:
        """A text without the hosts' passwords, in whichever spelling."""
        return hide_spellings(text, self._spellings, HIDDEN)


class Scrubbing(logging.Filter):
    """Takes the passwords of hosts out of log lines and of the tracebacks that come with them."""

    def __init__(self, hosts: Hosts) -> None:
        super().__init__()
        self._hosts = hosts

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and let it pass."""
        record.msg, record.args = self._hosts.scrub(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        if record.exc_text:
            record.exc_text = self._hosts.scrub(record.exc_text)
        return True


def _hide(host: str) -> tuple[str, list[str]]:
    """The text to show for a host, and what it hides. Rather too much is hidden than too little."""
    scheme, separator, rest = host.partition("://")
    if not separator:
        word = re.split(r"[\s:=]", host)[0]
        return (host, []) if _OWN.fullmatch(host) or word == host else (f"{word}:{HIDDEN}", [host])
    secrets: list[str] = []
    login, at, place = rest.rpartition("@")
    user, _, password = login.partition(":")
    if password:
        secrets.append(password)
        login = f"{user}:{HIDDEN}"

    def parameter(found: re.Match[str]) -> str:
        mark, name, value = found.groups()
        if not value or not _SECRET_NAME.search(unquote(name)):
            return found[0]
        secrets.append(value)
        return f"{mark}{name}={HIDDEN}"

    return _PARAMETER.sub(parameter, f"{scheme}://{login}{at}{place}"), secrets
