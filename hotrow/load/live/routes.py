"""The page of the Contention tab, in Locust's web UI: its files, its figures, and the tab that shows it.

Locust's own tabs can show only tables. So a script in Locust's page puts a frame with our page into the
panel of our tab. The frame's address can also be opened by itself.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module, resources
from typing import TYPE_CHECKING

from flask import Response, abort, request

from hotrow.load.live.snapshot import snapshot
from hotrow.load.web.locust_page import add_before, own_pages

if TYPE_CHECKING:
    from locust.web import WebUI

    from hotrow.load.live.spectator import Spectator

NAME = "contention"
TITLE = "Contention"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src data: blob:; frame-ancestors 'self'"
)
_HEADERS = {"X-Frame-Options": "SAMEORIGIN", "Content-Security-Policy": _POLICY}
_FILES = ("page.css", "page.js", "tab.js")
_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_PLOTLY_S = 86_400
"""How long a browser keeps Plotly's script."""


def serve(web_ui: WebUI, spectator: Spectator) -> None:
    """Add the tab and its routes to Locust's page, behind its login if it has one."""
    assert web_ui.app is not None  # noqa: S101 - Locust makes it with the page
    pages = own_pages(web_ui, NAME)

    @pages.get("/")
    @web_ui.auth_required_if_enabled
    def page() -> Response:
        return _answer("page.html")

    @pages.get("/<name>")
    @web_ui.auth_required_if_enabled
    def file(name: str) -> Response:
        return _answer(name) if name in ("plotly.js", *_FILES) else abort(404)

    @pages.get("/data")
    @web_ui.auth_required_if_enabled
    def data() -> Response:
        since, epoch = (request.args.get(name, -1, type=int) for name in ("since", "epoch"))
        known = (request.args.get("run", ""), epoch, since)
        return Response(json.dumps(snapshot(spectator, known)), mimetype="application/json")

    web_ui.app.register_blueprint(pages)
    web_ui.template_args["extended_tabs"] = [
        *web_ui.template_args.get("extended_tabs", ()),
        {"title": TITLE, "key": NAME},
    ]
    add_before(web_ui, "</body>", f'<script src="./{NAME}/tab.js"></script>')
    content("plotly.js")  # imported now: during a run it would hold up the transactions of this process
    import_module("hotrow.load.live.forecast")


def _answer(name: str) -> Response:
    response = Response(content(name), mimetype=_KINDS[name.rpartition(".")[2]])
    response.headers.update(_HEADERS)
    response.headers["Cache-Control"] = f"private, max-age={_PLOTLY_S}" if name == "plotly.js" else "no-cache"
    return response


@cache
def content(name: str) -> str:
    """The text of one of the page's files."""
    from reports.output import html  # noqa: PLC0415 - Plotly; only a process with a web page needs it

    if name == "plotly.js":
        return html.plotly_script()
    text = (resources.files("hotrow.load.live") / "page" / name).read_text("utf-8")
    if name == "page.css":
        return _colours(html.theme()) + html.source("report.css") + text
    return html.source("figures.js") + text if name == "page.js" else text


def _colours(theme: dict[str, dict[str, str]]) -> str:
    """The custom properties of both modes. The page's script sets the mode that Locust's page has."""
    return "".join(
        f':root[data-theme="{mode}"] {{ color-scheme: {mode}; {_properties(colours)} }}\n'
        for mode, colours in theme.items()
    )


def _properties(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
