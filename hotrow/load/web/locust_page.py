"""What is added to Locust's own page: routes below its address, and HTML in the page itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, request

if TYPE_CHECKING:
    from flask import Response
    from locust.web import WebUI


def own_pages(web_ui: WebUI, name: str) -> Blueprint:
    """A blueprint without routes, below Locust's address; register it when it has them."""
    assert web_ui.app is not None  # noqa: S101 - Locust makes it with the page
    base = web_ui.app.blueprints["locust"].url_prefix or ""
    return Blueprint(name, __name__, url_prefix=f"{base}/{name}")


def add_before(web_ui: WebUI, tag: str, html: str) -> None:
    """Put HTML into Locust's page, before this closing tag."""
    assert web_ui.app is not None  # noqa: S101 - Locust makes it with the page

    @web_ui.app.after_request
    def add(response: Response) -> Response:
        if request.endpoint == "locust.index" and response.mimetype == "text/html":
            response.set_data(response.get_data(as_text=True).replace(tag, f"{html}{tag}", 1))
        return response
