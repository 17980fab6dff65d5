"""Locust's web page behind hotrow's guard: allowed requests, allowed form fields, hidden passwords."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import gevent
import pytest
from flask_login import UserMixin
from locust import LoadTestShape, argument_parser, log
from locust.env import Environment

from hotrow.errors import HotrowError, TargetError, UsageError
from hotrow.load import ContentionUser
from hotrow.load.hosts import Hosts, Scrubbing
from hotrow.load.notices import Notices
from hotrow.load.sweep import SweepShape
from hotrow.load.web import extra_options
from hotrow.load.web.checked_start import take_over_start
from hotrow.load.web.form import is_below
from hotrow.load.web.guard import guard, is_loopback
from scenarios import ALL

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from pathlib import Path

    from flask.testing import FlaskClient
    from locust.argument_parser import LocustArgumentParser

SECRET = "s3cr&t'pä55"  # noqa: S105 - nobody's password
HOST = f"postgresql://ann:{SECRET}@db.example:5432/shop?isolation=serializable"
SHOWN = "postgresql://ann:***@db.example:5432/shop?isolation=serializable"
FORM = {"user_count": "1", "spawn_rate": "1"}


class SweepUser(ContentionUser):
    """The user of a sweep; an option chooses its scenario."""

    abstract = True
    scenarios = ALL


class Shape(SweepShape):
    """The shape of a sweep; it never ticks here."""


class Leader:
    """Stands in for the conductor: notes what it is asked for, or refuses with `refusal`."""

    def __init__(self) -> None:
        self.notices = Notices()
        self.is_running = False
        self.changes = True
        self.refusal: HotrowError | None = None
        self.prepared: list[float | None] = []
        self.edits = 0

    def prepare(self, run_time_s: float | None) -> None:
        self.prepared.append(run_time_s)
        if self.refusal is not None:
            raise self.refusal

    def edit(self) -> bool:
        self.edits += 1
        if self.refusal is not None:
            raise self.refusal
        return self.changes


class Page:
    """A guarded page, and the environment behind it."""

    def __init__(self, environment: Environment, hosts: Hosts, leader: Leader) -> None:
        self.leader = leader
        self.starts: list[tuple[Any, ...]] = []
        """The users and rates with which Locust was started."""
        assert environment.web_ui is not None
        assert environment.web_ui.app is not None
        self.environment = environment
        self.hosts = hosts
        self.client: FlaskClient = environment.web_ui.app.test_client()

    def start(self, **fields: str) -> dict[str, Any]:
        """Send the form with these fields, and return the page's answer."""
        answer = self.client.post("/swarm", data={**FORM, **fields})
        assert answer.status_code == 200
        content: dict[str, Any] = answer.json
        return content


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Page]:
    """Makes the page of `locust -f … *words`; no run starts and no port is opened."""

    def make(*words: str, login: bool = False, shape: LoadTestShape | None = None) -> Page:
        monkeypatch.setattr(sys, "argv", ["locust", "--loglevel", "WARNING", *words])
        options: Namespace = argument_parser.parse_options()
        environment = Environment(
            user_classes=[SweepUser],
            shape_class=shape,
            host=options.host,
            parsed_options=options,
            available_user_classes={"SweepUser": SweepUser},
            available_shape_classes={} if shape is None else {type(shape).__name__: shape},
        )
        runner = environment.create_local_runner()
        starts: list[tuple[Any, ...]] = []
        monkeypatch.setattr(runner, "start", lambda *words, **_: starts.append(words))
        monkeypatch.setattr(runner, "start_shape", lambda: starts.append((environment.shape_class,)))
        environment.create_web_ui(
            host=options.web_host,
            port=0,
            delayed_start=True,
            web_login=login,
            userclass_picker_is_active=shape is not None,
        )
        hosts, leader = guard(environment), Leader()
        take_over_start(environment, hosts, leader)
        page = Page(environment, hosts, leader)
        page.starts = starts
        return page

    return make


def test_it_is_served_to_this_machine_only(open_page: Callable[..., Page]) -> None:
    """Locust's own default is to listen on all interfaces."""
    web_ui = open_page().environment.web_ui
    assert web_ui is not None
    assert web_ui.host == "127.0.0.1"


@pytest.mark.parametrize(("login", "warned"), [(False, True), (True, False)])
def test_an_address_that_was_given_stands_with_a_warning(
    login: bool, warned: bool, open_page: Callable[..., Page], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a login there is no warning."""
    web_ui = open_page("--web-host", "0.0.0.0", login=login).environment.web_ui  # noqa: S104
    assert web_ui is not None
    assert web_ui.host == "0.0.0.0"  # noqa: S104
    assert ("hotrow: --web-host 0.0.0.0: anyone" in capsys.readouterr().err) is warned


@pytest.mark.parametrize(
    "field", ["out", "web_port", "headless", "progress", "users", "locustfile", "csv_prefix", "__class__"]
)
def test_a_field_that_is_not_in_the_form_is_refused(field: str, open_page: Callable[..., Page]) -> None:
    """Locust would set it. The whole form is refused, so the other fields are not set either."""
    page = open_page()
    before = dict(vars(page.environment.parsed_options or object))

    answer = page.start(**{field: "/tmp/elsewhere", "keys": "7"})  # noqa: S108

    assert answer["success"] is False
    assert field in answer["message"]
    assert dict(vars(page.environment.parsed_options or object)) == before


def test_the_fields_of_the_form_are_set(open_page: Callable[..., Page]) -> None:
    """The form sets options of hotrow and of Locust."""
    page = open_page()

    answer = page.start(keys="7", redraw="true", host="local:rtt=0", run_time="5s", skew="hot")

    assert answer["success"] is True
    options = page.environment.parsed_options
    assert options is not None
    assert (options.keys, options.redraw, options.skew, options.run_time) == ("7", True, "hot", 5)
    assert page.hosts.real(page.environment.host or "") == "local:rtt=0"


def test_a_sweep_keeps_its_shape_with_the_class_picker(open_page: Callable[..., Page]) -> None:
    """Locust's form begins with "Default", which is no shape: the cells would never be walked."""
    shape = Shape()
    page = open_page("--class-picker", shape=shape)

    answer = page.start(shape_class="Default", user_classes="SweepUser", user_count="0", spawn_rate="0")

    assert answer["success"] is True
    assert page.starts == [(shape,)]


def test_a_profile_is_left_to_locust(open_page: Callable[..., Page]) -> None:
    """It is the name under which Locust's own report files the run."""
    page = open_page("--profile", "old")

    assert page.start(profile="new")["success"] is True
    assert page.environment.profile == "new"


def test_the_names_that_locust_s_page_sends_are_understood(open_page: Callable[..., Page]) -> None:
    """It writes the names of fields in camel case and back, and makes another name of one with digits."""
    page = open_page()

    answer = page.start(max_p9_9ms="20", max_conflict_rate="0.5")

    assert answer["success"] is True
    options = vars(page.environment.parsed_options or object)
    assert (options["max_p99_ms"], options["max_conflict_rate"]) == ("20", "0.5")


@pytest.mark.parametrize(
    ("skew", "allowed"),
    [
        ("file:weights.csv", True),
        ("hot, file:weights.csv", True),
        ("file:/etc/passwd", False),
        ("hot, file:/etc/passwd", False),
        (" file:sub/../../x", False),
        ("file:out", False),
        ("file:out/passwd", False),
        ("file:loop", False),
        ("file:a\0b", False),
    ],
)
def test_a_file_skew_stays_below_the_working_directory(
    skew: str,
    allowed: bool,
    open_page: Callable[..., Page],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Absolute paths, `..` and links to files elsewhere are refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.csv").write_text("key,weight\n0,1\n")
    (tmp_path / "out").symlink_to("/etc")
    (tmp_path / "loop").symlink_to("loop")

    assert open_page().start(skew=skew)["success"] is allowed


def test_a_skew_of_the_command_line_may_come_back(open_page: Callable[..., Page], tmp_path: Path) -> None:
    """It is the default of the page's field, and the user who started the page chose this file."""
    skews = [f"file:{tmp_path / name}" for name in ("named.csv", "other.csv")]
    for name in ("named.csv", "other.csv"):
        (tmp_path / name).write_text("key,weight\n0,1\n")
    page = open_page("--skew", skews[0])

    assert page.start(skew=skews[0])["success"] is True
    assert page.start(skew=skews[1])["success"] is False


@pytest.mark.parametrize(
    ("field", "text", "taken"),
    [
        ("keys", "nan", False),
        ("keys", "", False),
        ("think", "-1s", False),
        ("duration", "1e400s", False),
        ("levels", "1,inf", False),
        ("max_p99_ms", "nan", False),
        ("max_conflict_rate", "1.5", False),
        ("max_conflict_rate", "", True),
        ("levels", "1,2", True),
    ],
)
def test_a_field_is_read_before_anything_starts(
    field: str, text: str, taken: bool, open_page: Callable[..., Page]
) -> None:
    """Fields are read as the options are. An empty gate is not set."""
    page = open_page()

    answer = page.start(**{field: text})

    assert answer["success"] is taken
    assert taken or "must be" in answer["message"] or "is not a duration" in answer["message"]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("user_count", "0"),
        ("user_count", "many"),
        ("spawn_rate", "nan"),
        ("spawn_rate", "0"),
        ("run_time", "soon"),
    ],
)
def test_the_load_is_read_too(field: str, text: str, open_page: Callable[..., Page]) -> None:
    """Locust itself would start without users, or with a rate that never ends."""
    page = open_page()

    answer = page.start(**{field: text})

    assert answer["success"] is False
    assert answer["message"].startswith("--")
    assert (page.leader.prepared, page.starts) == ([], [])


def test_the_run_is_prepared_before_locust_starts(open_page: Callable[..., Page]) -> None:
    """The run's time counts from its load, so Locust's own timer, which counts from the POST, gets none."""
    page = open_page()

    answer = page.start(run_time="5s", user_count="3", spawn_rate="2")
    gevent.sleep(0)

    assert answer["success"] is True
    assert (page.leader.prepared, page.starts) == ([5], [(3, 2.0)])
    assert "run_time" not in answer


def test_a_refused_start_starts_nothing(
    open_page: Callable[..., Page], capsys: pytest.CaptureFixture[str]
) -> None:
    """The page gets the line of the console, and the options are as they were before."""
    page = open_page("--skew", "hot")
    page.leader.refusal = TargetError("127.0.0.1:1 cannot be reached")

    answer = page.start(skew="uniform")
    gevent.sleep(0)

    assert (answer["success"], answer["message"]) == (False, "127.0.0.1:1 cannot be reached")
    assert page.starts == []
    assert page.leader.notices.lines == ["127.0.0.1:1 cannot be reached"]
    assert "hotrow: 127.0.0.1:1 cannot be reached\n" in capsys.readouterr().err
    assert vars(page.environment.parsed_options or object)["skew"] == "hot"


@pytest.mark.parametrize(
    ("changes", "users", "starts"), [(True, "7", [(7, 1.0)]), (True, "0", []), (False, "7", [])]
)
def test_an_edit_changes_the_run(
    changes: bool, users: str, starts: list[tuple[int, float]], open_page: Callable[..., Page]
) -> None:
    """Locust is asked for users only if their number changes: it would begin the interval again."""
    page = open_page()
    assert page.environment.runner is not None
    page.environment.runner.target_user_count = 2
    page.leader.is_running, page.leader.changes = True, changes

    answer = page.start(user_count=users if users != "0" else "2")
    gevent.sleep(0)

    assert answer["success"] is True
    assert (page.leader.prepared, page.leader.edits, page.starts) == ([], 1, starts)


def test_a_refused_edit_changes_nothing(open_page: Callable[..., Page]) -> None:
    """The run goes on as before, and the page shows why."""
    page = open_page()
    page.leader.is_running, page.leader.refusal = True, UsageError("--keys 9: cannot change during a run")

    answer = page.start(keys="9")

    assert answer["message"] == "--keys 9: cannot change during a run"
    assert vars(page.environment.parsed_options or object)["keys"] == "10000"
    assert page.starts == []


def test_a_scenario_s_file_cannot_be_named(open_page: Callable[..., Page], tmp_path: Path) -> None:
    """Otherwise the page could run any file on this machine."""
    page = open_page("--scenario", "mine.py")
    (tmp_path / "evil.py").write_text("raise SystemExit('run')\n")

    assert page.start(scenario=str(tmp_path / "evil.py"))["success"] is False
    assert page.start(scenario="mine.py")["success"] is True
    assert page.start(scenario="counter")["success"] is True


def test_users_cannot_be_edited(open_page: Callable[..., Page]) -> None:
    """Locust's page could set any attribute of the user class."""
    answer = open_page().client.post("/user", json={"user_class_name": "SweepUser", "scenarios": {}})

    assert answer.status_code == 403
    assert SweepUser.scenarios is ALL


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example:8089", "Origin": "http://evil.example:8089"}, 403),
        ({"Host": "127.0.0.1:8089", "Origin": "http://127.0.0.1:8089"}, 200),
        ({"Host": "[::1]:8089"}, 200),
        ({"Host": "[::1"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/swarm", "/stop", "/stats/reset"])
def test_another_page_in_the_same_browser_may_not_start_or_stop(
    path: str, headers: dict[str, str], status: int, open_page: Callable[..., Page]
) -> None:
    """A page whose host name was made to resolve to this machine may not either (DNS rebinding)."""
    assert open_page().client.post(path, data=FORM, headers=headers).status_code == status


def test_another_page_may_not_read(open_page: Callable[..., Page]) -> None:
    """Locust lets every page read. A link to the page may still be followed."""
    client = open_page().client
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}

    assert client.get("/stats/requests", headers=foreign).status_code == 403
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/", headers={**foreign, "Sec-Fetch-Mode": "navigate"}).status_code == 200
    allowed = client.get("/stats/requests", headers={"Origin": "http://localhost"})
    assert not [name for name in allowed.headers if name[0].startswith("Access-Control")]
    assert allowed.headers["X-Frame-Options"] == "DENY"


def test_no_page_shows_the_password(open_page: Callable[..., Page]) -> None:
    """The password is neither served nor in Locust's options, even if the text of an error contains it."""
    page = open_page("--host", HOST)
    environment, client = page.environment, page.client
    assert environment.runner is not None
    assert environment.web_ui is not None
    environment.runner.log_exception("local", f"invalid dsn {HOST}", f"Traceback {SECRET}")
    environment.stats.log_error("run", "counter", f"refused: {HOST}")
    paths = ["/", "/stats/requests", "/stats/report?download=1", "/stats/report", "/exceptions", "/logs"]
    paths += ["/stats/requests/csv", "/stats/failures/csv", "/exceptions/csv", "/tasks"]

    answers = [client.get(path) for path in paths]
    answers.append(client.post("/swarm", data={**FORM, "host": HOST}))
    answers.append(client.post("/swarm", data={**FORM, "host": SHOWN}))

    assert [answer.status_code for answer in answers] == [200] * len(answers)
    for answer in answers:
        assert_hidden(answer.get_data(as_text=True) + str(answer.headers))
    assert_hidden(repr(environment.web_ui.template_args) + repr(vars(environment.parsed_options or object)))
    assert "db.example" in answers[0].get_data(as_text=True)
    assert answers[-1].json == {"success": True, "message": "Swarming started", "host": SHOWN}


def assert_hidden(text: str) -> None:
    """Assert that the text has neither the password nor a part of it, escaped or not."""
    for part in (SECRET, "s3cr", "pä55", "pa55", json.dumps("ä")[1:-1] + "55", "%C3%A455"):
        assert part not in text


def test_a_host_with_a_hidden_password_stands_for_the_real_host(open_page: Callable[..., Page]) -> None:
    """A changed host needs its password again. A new password replaces the old one."""
    page = open_page("--host", HOST)
    other = HOST.replace(SECRET, "another-one")

    assert page.environment.host == SHOWN
    assert page.start(host=SHOWN)["success"] is True
    assert page.hosts.real(page.environment.host or "") == HOST
    assert "enter the whole host again" in page.start(host=SHOWN.replace("shop", "mart"))["message"]
    assert page.start(host=other)["host"] == SHOWN
    assert page.hosts.real(page.environment.host or "") == other


def test_a_client_that_has_not_logged_in_changes_nothing(open_page: Callable[..., Page]) -> None:
    """The login comes before the form is read."""
    page = open_page("--host", HOST, login=True)
    assert page.environment.web_ui is not None
    page.environment.web_ui.login_manager.user_loader(lambda _: UserMixin())
    page.environment.web_ui.app.secret_key = "x"  # type: ignore[union-attr]  # noqa: S105

    answer = page.client.post("/swarm", data={**FORM, "host": HOST.replace(SECRET, "mine")})

    assert answer.status_code == 302
    assert page.hosts.real(SHOWN) == HOST


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("local", "local"),
        ("local:rtt=2ms,commit=5ms", "local:rtt=2ms,commit=5ms"),
        ("dsql://abc.dsql.us-east-1.on.aws,def.dsql.us-east-2.on.aws", None),
        ("postgresql:///db?host=/run/postgresql", None),
        ("postgresql://ann@db/shop", None),
        ("postgresql://ann:@db/shop", None),
        ("postgresql://ann:p@ss/w?rd@db/shop", "postgresql://ann:***@db/shop"),
        ("postgresql://db/shop?user=a&password=p%40ss&sslmode=require", "postgresql://db/shop?user=a&password=***&sslmode=require"),
        ("postgresql://db/shop?pass%77ord=first&second", "postgresql://db/shop?pass%77ord=***"),
        ("postgresql://ann?password=secret@db", "postgresql://ann?password=***"),
        ("postgresql://[ann:secret@db", "postgresql://[ann:***@db"),
        ("host=db password=secret", "host:***"),
        ("nonsense", "nonsense"),
    ],
)  # fmt: skip
def test_how_a_host_is_shown(host: str, shown: str | None) -> None:
    """Whatever may be a password is hidden, also in a URL that nobody can read; the rest stays."""
    hosts = Hosts()

    assert hosts.shown(host) == (shown or host)
    assert hosts.real(hosts.shown(host)) == host
    assert hosts.shown(hosts.shown(host)) == hosts.shown(host)


def test_log_lines_and_their_tracebacks_have_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither on the console nor on the page."""
    hosts = Hosts()
    hosts.shown(HOST)
    handler, lines = logging.StreamHandler(sys.stderr), log.LogReader()
    logger = logging.getLogger("hotrow.test")
    for log_handler in (handler, lines):
        log_handler.addFilter(Scrubbing(hosts))
        logger.addHandler(log_handler)

    try:
        int(HOST)
    except ValueError:
        logger.exception("cannot use %s", HOST)

    output = capsys.readouterr().err
    assert "cannot use" in output
    assert "ValueError" in output
    assert_hidden(output + "".join(lines.logs))


def test_a_token_s_signature_is_hidden_as_in_messages() -> None:
    """A page and a message are cleaned in one way; a page also hides passwords of four letters."""
    hosts = Hosts()
    hosts.shown("postgresql://ann:pw12@db/shop")

    assert hosts.scrub("pw12 at db?X-Amz-Signature=abc&x=1") == "*** at db?X-Amz-Signature=***&x=1"
    assert hosts.scrub("pw1") == "pw1"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("", False), ("0.0.0.0", False), ("*", False)],  # noqa: S104
)
def test_loopback_addresses(host: str, expected: bool) -> None:
    """An empty host name, as in Locust, means every interface."""
    assert is_loopback(host) is expected


def test_a_folder_whose_name_begins_alike_is_not_below(tmp_path: Path) -> None:
    """Paths are compared part by part, not letter by letter."""
    (tmp_path / "work").mkdir()
    (tmp_path / "workshop").mkdir()
    (tmp_path / "work" / "link").symlink_to(tmp_path / "workshop")

    assert not is_below(tmp_path.joinpath("work", "link").relative_to(tmp_path / "work"), tmp_path / "work")


def test_the_options_are_found_once_per_view(
    open_page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locust finds them thousands of times, while no user goes on. What is found is the same."""
    page, parsers = open_page(), []

    def find(parser: LocustArgumentParser) -> dict[str, Any]:
        parsers.append(parser)
        found: dict[str, Any] = locusts_own(parser)
        return found

    locusts_own = extra_options._locusts_own
    monkeypatch.setattr(extra_options, "_locusts_own", find)
    assert page.client.get("/").status_code == 200
    assert 1 <= len(parsers) == len(set(map(id, parsers)))
    assert all(parser.args_included_in_web_ui == locusts_own(parser) != {} for parser in parsers)
