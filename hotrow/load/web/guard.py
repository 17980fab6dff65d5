"""The protection of Locust's web page: who may use it, and hidden passwords.

Locust serves the page on all interfaces and to scripts of every web page. Here it is served on 127.0.0.1
unless `--web-host` says otherwise. Requests that another page makes in the user's browser are refused.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import abort, make_response, request
from locust import events

from hotrow.console import report_error
from hotrow.errors import UsageError
from hotrow.load.hosts import Hosts, Scrubbing

if TYPE_CHECKING:
    from flask import Response
    from locust.argument_parser import LocustArgumentParser
    from locust.env import Environment
    from locust.web import WebUI

LOOPBACK = "127.0.0.1"
_OWN_PAGE = frozenset({"same-origin", "none"})
_TEXTS = frozenset({"text/html", "text/csv", "application/json"})
_HEADERS = {"X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff"}


@events.init_command_line_parser.add_listener
def _serve_this_machine_only(parser: LocustArgumentParser, **_: Any) -> None:
    parser.set_defaults(web_host=LOOPBACK)


def guard(environment: Environment) -> Hosts:
    """Hide the password in the environment's host, and protect its web page if it has one.

    From here on Locust knows only the text to show; `Hosts.real(environment.host)` is the real host.
    """
    hosts = Hosts()
    environment.host = hosts.shown(environment.host or "local")
    options = environment.parsed_options
    if options is not None:
        options.host = environment.host
    for name in ("", "locust", "locust.stats_logger"):
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(Scrubbing(hosts))
    if environment.web_ui is not None:
        _guard_page(environment.web_ui, hosts)
    return hosts


def _guard_page(web_ui: WebUI, hosts: Hosts) -> None:
    app = web_ui.app
    assert app is not None  # noqa: S101 - Locust makes it with the page
    web_ui.update_template_args()
    local = is_loopback(web_ui.host)
    if not local and not web_ui.web_login:
        report_error(UsageError(_open_to_all(web_ui.host)))

    @app.before_request
    def refuse_foreign_pages() -> None:
        if not _comes_from_here(names_checked=local):
            abort(403, "hotrow: this request comes from another web page; open the page itself")

    def protect(response: Response) -> Response:
        """Runs last on a response, because flask-cors opens it to every web page."""
        for name in [name for name in response.headers.keys() if name.startswith("Access-Control-")]:  # noqa: SIM118
            del response.headers[name]
        response.headers.update({**_HEADERS, **dict(response.headers)})
        if response.mimetype in _TEXTS and not response.direct_passthrough:
            response.set_data(hosts.scrub(response.get_data(as_text=True)))
        return response

    app.after_request_funcs.setdefault(None, []).insert(0, protect)

    @web_ui.auth_required_if_enabled
    def refuse_users() -> Response:
        return make_response("hotrow: users are edited in the locustfile, not here", 403)

    app.view_functions["locust.update_user"] = refuse_users


def _open_to_all(host: str) -> str:
    option = f"--web-host {host or '*'}"
    danger = "anyone who can reach this address can start runs on any database"
    return f"{option}: {danger}; leave it out to serve this machine only, or add --web-login"


def is_loopback(host: str) -> bool:
    """Whether a name or address of this machine can be reached only from this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _comes_from_here(*, names_checked: bool) -> bool:
    """Whether a request comes from the page itself, from a person, or from a program that is no browser.

    A page on 127.0.0.1 is requested by a name of this machine. Any other name belongs to someone who has
    pointed it here, so that scripts from there count as the page's own. Other pages may not read either.
    """
    if names_checked and not is_loopback(_name(request.host)):
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        opened = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
        return site in _OWN_PAGE or opened
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _name(host: str) -> str:
    """The name in a Host header: without its port, an IPv6 address without its brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
