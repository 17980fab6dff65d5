"""What hotrow adds to Locust's page: a script and its style, the state of the run, files of ended runs."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, Protocol

from flask import abort, jsonify, request, send_file

from hotrow.load.web.ended_runs import described, find
from hotrow.load.web.extra_options import order_form
from hotrow.load.web.fields import form_json
from hotrow.load.web.locust_page import add_before, own_pages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flask import Response
    from locust.env import Environment

    from hotrow.load.current_run import EndedRun
    from hotrow.load.notices import Notices

NAME = "hotrow"
_FILES = ("page.css", "page.js", "form.css", "form.js")
_STYLES = "".join(
    f'<link rel="stylesheet" href="./{NAME}/{file}">' for file in _FILES if file.endswith("css")
)
_SCRIPTS = "".join(f'<script src="./{NAME}/{file}"></script>' for file in _FILES if file.endswith("js"))


class Shown(Protocol):
    """The part of a conductor that the page shows."""

    notices: Notices

    @property
    def ended(self) -> Sequence[EndedRun]:
        """The runs that have ended, the last one at the end."""
        ...

    @property
    def state(self) -> tuple[str, str]:
        """What is going on, and the step of the preparation."""
        ...


def add_page(environment: Environment, shown: Shown) -> None:
    """Add the routes, behind the login if there is one, and the scripts to Locust's own page."""
    web_ui = environment.web_ui
    assert web_ui is not None and web_ui.app is not None  # noqa: S101, PT018 - the caller has a page
    order_form(environment, web_ui)
    pages = own_pages(web_ui, NAME)

    @pages.get("/<file>")
    @web_ui.auth_required_if_enabled
    def own(file: str) -> Response:
        if file not in _FILES:
            abort(404)
        with as_file(files("hotrow.load.web") / "static" / file) as path:
            return send_file(path, max_age=0)

    @pages.get("/state")
    @web_ui.auth_required_if_enabled
    def state() -> Response:
        return jsonify(state_of(shown))

    @pages.get("/form")
    @web_ui.auth_required_if_enabled
    def form() -> Response:
        return jsonify(form_json(environment))

    @pages.get("/runs/<run>/<file>")
    @web_ui.auth_required_if_enabled
    def run_file(run: str, file: str) -> Response:
        return _sent(find(shown.ended, run, file))

    @pages.get("/last/<file>")
    @web_ui.auth_required_if_enabled
    def last_file(file: str) -> Response:
        return _sent(find(shown.ended, shown.ended[-1].directory.name, file) if shown.ended else None)

    web_ui.app.register_blueprint(pages)
    web_ui.template_args["extended_csv_files"] = [
        *web_ui.template_args.get("extended_csv_files", ()),
        {"href": f"./{NAME}/last/report.html?download=1", "title": "Download hotrow report"},
        {"href": f"./{NAME}/last/summary.json?download=1", "title": "Download hotrow summary.json"},
    ]
    add_before(web_ui, "</head>", _STYLES + _SCRIPTS)


def _sent(path: Path | None) -> Response:
    if path is None:
        abort(404, "hotrow: this server has ended no run with such a file")
    return send_file(path.resolve(), as_attachment="download" in request.args, max_age=0)


def state_of(shown: Shown) -> dict[str, Any]:
    """The state of the run, the lines about it, and the findings of the last run that has ended."""
    phase, step = shown.state
    last = described(shown.ended[-1]) if shown.ended else None
    return {"phase": phase, "step": step, "notices": shown.notices.lines, "last": last}
