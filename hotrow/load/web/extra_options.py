"""hotrow's fields as Locust's own form needs them: in order, with their current values and with choices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locust.argument_parser import LocustArgumentParser

from hotrow.load.locust_options import is_sweep
from hotrow.load.web.fields import choosable, form_fields
from hotrow.run.options import SCENARIO

if TYPE_CHECKING:
    from argparse import Action

    from locust.env import Environment
    from locust.web import WebUI

_PLAIN = {"choices": None, "help_text": "", "is_multiple": False, "is_required": False, "is_secret": False}


def _shown_on_the_page(parser: LocustArgumentParser) -> dict[str, Action]:
    """The options that Locust's page shows, found once per parser.

    Locust finds them for each option of each option: 4,700 times per view of the page. This takes 0.1 s, and
    meanwhile no user of the run goes on.
    """
    found: dict[str, Action] | None = getattr(parser, "hotrow_found", None)
    if found is None:
        found = parser.hotrow_found = _locusts_own(parser)  # Locust asks only after it has added all options
    return found


_locusts_own = LocustArgumentParser.args_included_in_web_ui.fget  # type: ignore[attr-defined]
LocustArgumentParser.args_included_in_web_ui = property(_shown_on_the_page)  # type: ignore[method-assign,assignment]


def order_form(environment: Environment, web_ui: WebUI) -> None:
    """Let Locust's page have the fields in our order, with the values that the next run would have now.

    Locust itself sorts them by name, and shows the values of the command line for ever: an edit would set
    the options of the run back to them.
    """
    assert web_ui.app is not None  # noqa: S101 - Locust makes it with the page
    web_ui.app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}
    update = web_ui.update_template_args

    def update_in_order() -> None:
        update()
        web_ui.template_args["extra_options"] = extra_options(
            environment, web_ui.template_args["extra_options"]
        )

    web_ui.update_template_args = update_in_order  # type: ignore[method-assign]


def extra_options(environment: Environment, locusts: dict[str, Any]) -> dict[str, Any]:
    """Locust's description of the fields, ordered; fields that are not ours stay at the end."""
    options = vars(environment.parsed_options or object())
    scenarios = choosable(environment)
    ours = {}
    for field in form_fields(environment):
        known = locusts.get(field.name)
        if known is None and not field.scenarios:
            continue  # one of Locust's own fields, which are described elsewhere
        value = options.get(field.name)
        if value is None and field.scenarios:
            value = str(scenarios[field.scenarios[0]]().knobs[field.name])
        ours[field.name] = {**_PLAIN, **(known or {}), "default_value": value}
    if is_sweep(environment.parsed_options):
        current = str(options.get(SCENARIO.locust_name))
        ours[SCENARIO.locust_name]["choices"] = list(dict.fromkeys([*scenarios, current]))
    rest = {name: known for name, known in locusts.items() if name not in ours}
    return {**ours, **rest}
