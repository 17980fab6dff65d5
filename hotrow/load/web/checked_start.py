"""Start and edit: what a POST of the form does before and instead of Locust's own start.

The run is prepared here, before Locust starts a user: whatever refuses it (a value, the target, the rehearsal
of the scenario) is the answer to the POST, which the page shows beside the button.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

from flask import jsonify, request
from werkzeug.datastructures import ImmutableMultiDict

from hotrow.errors import in_a_line
from hotrow.load.locust_options import is_sweep
from hotrow.load.web.fields import field_of
from hotrow.load.web.form import LOAD, Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locust.env import Environment
    from werkzeug.datastructures import MultiDict

    from hotrow.load.hosts import Hosts
    from hotrow.load.notices import Notices


class Leader(Protocol):
    """The part of a conductor that the form needs."""

    notices: Notices

    @property
    def is_running(self) -> bool:
        """Whether a run is in progress."""
        ...

    def prepare(self, run_time_s: float | None) -> None:
        """Prepare the next run. Raises HotrowError."""
        ...

    def edit(self) -> bool:
        """Apply changed options to the run; return whether they changed anything. Raises HotrowError."""
        ...


def take_over_start(environment: Environment, hosts: Hosts, leader: Leader) -> None:
    """Check the form, prepare or edit the run, and only then let Locust start or change its users."""
    web_ui = environment.web_ui
    assert web_ui is not None and web_ui.app is not None  # noqa: S101, PT018 - the caller has a page
    views = web_ui.app.view_functions
    form = Form(environment, web_ui, hosts)
    locusts_start = views["locust.swarm"]

    def start() -> Any:
        fields = form.named(request.form)
        values = form.checked(fields)
        with _options_set(environment, values):
            if not leader.is_running:
                leader.prepare(environment.parsed_options and environment.parsed_options.run_time)
            elif not _edit(environment, leader, values):
                return jsonify({"success": True, "message": "applied", "host": environment.host})
        request.form = _for_locust(environment, values, fields)
        return locusts_start()

    @web_ui.auth_required_if_enabled
    @wraps(locusts_start)
    def checked_start() -> Any:
        try:
            return start()
        except Exception as error:  # noqa: BLE001 - Locust would answer with a page that nobody sees
            refusal = in_a_line(error)
            leader.notices.tell(refusal)
            line = hosts.scrub(str(refusal))
            answer = {"success": False, "message": line, "field": field_of(line, environment)}
            return jsonify({**answer, "host": environment.host})

    views["locust.swarm"] = checked_start


def _edit(environment: Environment, leader: Leader, values: dict[str, Any]) -> bool:
    """Edit the run; whether Locust then has to change the number of users."""
    runner = environment.runner
    assert runner is not None  # noqa: S101 - a run is going on
    return leader.edit() and values.get("num_users") not in {None, runner.target_user_count}


@contextmanager
def _options_set(environment: Environment, values: dict[str, Any]) -> Iterator[None]:
    """Set the options, and set them back if they are refused."""
    options, host = environment.parsed_options, environment.host
    assert options is not None  # noqa: S101 - Locust parsed its command line before it made the page
    before = dict(vars(options))
    vars(options).update(values)
    environment.host = values.get("host", host)
    try:
        yield
    except BaseException:
        vars(options).clear()
        vars(options).update(before)
        environment.host = host
        raise


def _for_locust(
    environment: Environment, values: dict[str, Any], fields: MultiDict[str, str]
) -> ImmutableMultiDict[str, str]:
    """The part of the form that Locust itself needs: the options are set, and the run's time is ours.

    A sweep keeps its shape: with `--class-picker` Locust's form begins without one.
    """
    if "shape_class" in fields and is_sweep(environment.parsed_options):
        fields["shape_class"] = type(environment.shape_class).__name__
    kept = [(name, text) for name, text in fields.items(multi=True) if name not in {*values, *LOAD}]
    load = {"user_count": values.get("num_users"), "spawn_rate": values.get("spawn_rate")}
    return ImmutableMultiDict(
        kept + [(name, str(value)) for name, value in load.items() if value is not None]
    )
