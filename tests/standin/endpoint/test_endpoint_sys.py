"""The names that only Aurora DSQL has: the schema sys, jobs, AWS IAM GRANT, and its parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from hotrow.standin.endpoint.credentials import make_token
from hotrow.standin.endpoint.lifecycle import ensure_endpoint, stop_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

ARN = "arn:aws:iam::012345678912:role/example"
COLUMNS = [
    *("job_id", "status", "details", "job_type", "class_id", "object_id", "object_name"),
    *("start_time", "update_time"),
]


@pytest.fixture(scope="module")
def endpoint_dsn(dsn: str) -> Iterator[str]:
    assert dsn
    yield f"{ensure_endpoint().dsn} password='{make_token()}'"
    stop_endpoint()


@pytest.fixture
def admin(endpoint_dsn: str, schema: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(endpoint_dsn, autocommit=True, options=f"-c search_path={schema}") as connection:
        connection.execute("CREATE TABLE account (id bigint PRIMARY KEY, owner text, balance bigint)")
        connection.execute("INSERT INTO account VALUES (1, 'ann', 1), (2, 'ann', -2)")
        yield connection


def error_of(connection: psycopg.Connection[Any], statement: str) -> tuple[str, str]:
    """The SQLSTATE and the message of a statement's error, which has no context."""
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement.encode())
    assert caught.value.diag.context is None
    return str(caught.value.sqlstate), str(caught.value.diag.message_primary)


def job_of(connection: psycopg.Connection[Any], statement: str) -> tuple[Any, ...]:
    """The type, the status and the details of a statement's job, whether it succeeded, and its object."""
    cursor = connection.execute(statement.encode())
    assert cursor.description is not None
    assert cursor.description[0].name == "job_id"
    (job,) = cursor.fetchone() or ("",)
    assert re.fullmatch("[a-z2-7]{26}", job)
    waited = connection.execute(f"CALL sys.wait_for_job('{job}')".encode())
    assert waited.description is not None
    assert waited.description[0].name == "succeeded"
    (succeeded,) = waited.fetchone() or (None,)
    found = connection.execute(
        "SELECT job_type, status, details, object_name FROM sys.jobs WHERE job_id = %s", (job,)
    ).fetchone() or (None,)
    return (succeeded, *found)


def test_the_client_is_admin_and_its_session_has_an_id(
    endpoint_dsn: str, admin: psycopg.Connection[Any]
) -> None:
    """The id stays, and another session has another one, also as another role."""
    assert admin.execute("SELECT current_user, session_user").fetchone() == ("admin", "admin")
    ids = [admin.execute("SELECT sys.current_session_id()").fetchone() for _ in range(2)]
    with psycopg.connect(endpoint_dsn) as other:
        ids.append(other.execute("SELECT sys.current_session_id()").fetchone())
    assert ids[0] == ids[1] != ids[2]
    assert re.fullmatch("[0-9a-f-]{36}", (ids[0] or ("",))[0])


def test_jobs_have_aurora_dsql_s_columns(admin: psycopg.Connection[Any]) -> None:
    """The names and their order."""
    cursor = admin.execute("SELECT * FROM sys.jobs LIMIT 0")
    assert [column.name for column in cursor.description or ()] == COLUMNS


def test_a_unique_index_over_duplicates_is_a_job_that_fails(
    admin: psycopg.Connection[Any], schema: str
) -> None:
    """The index stays, invalid, and refuses what is written from now on, until it is dropped."""
    assert job_of(admin, "CREATE UNIQUE INDEX ASYNC owners ON account (owner)") == (
        False,
        "INDEX_BUILD",
        "failed",
        "found duplicate key(s) while validating index uniqueness",
        f"{schema}.owners",
    )
    valid = admin.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'owners'::regclass").fetchone()
    assert valid == (False,)
    assert error_of(admin, "INSERT INTO account VALUES (3, 'ann', 3)")[0] == "23505"
    admin.execute("DROP INDEX owners")
    assert admin.execute("INSERT INTO account VALUES (3, 'ann', 3)").rowcount == 1
    assert job_of(admin, "CREATE INDEX ASYNC owners ON account (lower(owner)) WHERE balance > 0")[0] is True


def test_a_constraint_that_is_not_valid_counts_for_new_rows_and_is_validated_by_a_job(
    admin: psycopg.Connection[Any], schema: str
) -> None:
    """A row that violates it makes the job fail, and the constraint stays."""
    admin.execute("ALTER TABLE account ADD CONSTRAINT positive CHECK (balance > 0) NOT VALID")
    assert error_of(admin, "INSERT INTO account VALUES (4, 'dan', -1)")[0] == "23514"
    validate = "ALTER TABLE ASYNC account VALIDATE CONSTRAINT positive"
    assert job_of(admin, validate) == (
        False,
        "VALIDATE_CONSTRAINT",
        "failed",
        'check constraint "positive" of relation "account" is violated by some row',
        f"{schema}.positive",
    )
    admin.execute("DELETE FROM account WHERE id = 2")
    assert job_of(admin, validate)[:3] == (True, "VALIDATE_CONSTRAINT", "completed")
    validated = admin.execute("SELECT convalidated FROM pg_constraint WHERE conname = 'positive'").fetchone()
    assert validated == (True,)
    assert error_of(admin, "ALTER TABLE ASYNC account VALIDATE CONSTRAINT no")[0] == "42704"


def test_a_foreign_key_is_added_and_validated(admin: psycopg.Connection[Any]) -> None:
    """New rows are checked at once."""
    admin.execute("CREATE TABLE purchase (id bigint PRIMARY KEY, account bigint)")
    admin.execute("INSERT INTO purchase VALUES (1, 1), (2, 7)")
    admin.execute("ALTER TABLE purchase ADD CONSTRAINT of FOREIGN KEY (account) REFERENCES account NOT VALID")
    assert error_of(admin, "INSERT INTO purchase VALUES (3, 8)")[0] == "23503"
    assert job_of(admin, "ALTER TABLE ASYNC purchase VALIDATE CONSTRAINT of")[:3] == (
        False,
        "VALIDATE_CONSTRAINT",
        "failed",
    )
    admin.execute("DELETE FROM purchase WHERE id = 2")
    assert job_of(admin, "ALTER TABLE ASYNC purchase VALIDATE CONSTRAINT of")[0] is True


def test_a_column_is_dropped_unless_it_is_in_the_key(admin: psycopg.Connection[Any]) -> None:
    """CASCADE drops what depends on it. The primary key stays."""
    admin.execute("CREATE INDEX ASYNC balances ON account (balance)")
    admin.execute("ALTER TABLE account DROP COLUMN balance CASCADE")
    assert admin.execute("SELECT * FROM account ORDER BY id").fetchall() == [(1, "ann"), (2, "ann")]
    assert error_of(admin, 'ALTER TABLE account DROP COLUMN IF EXISTS "id"') == (
        "0A000",
        "cannot drop primary key column id",
    )
    assert error_of(admin, "ALTER TABLE account DROP CONSTRAINT account_pkey") == (
        "0A000",
        "unsupported ALTER TABLE DROP CONSTRAINT statement",
    )


def test_dropping_a_column_waits_for_nobody_and_keeps_the_rights(
    dsn: str, admin: psycopg.Connection[Any], schema: str
) -> None:
    """A transaction that has read the table is open meanwhile, and gets OC001."""
    admin.execute("GRANT SELECT ON account TO PUBLIC")
    with psycopg.connect(dsn, options=f"-c search_path={schema}") as reader:
        assert reader.execute("SELECT owner FROM account WHERE id = 1").fetchone() == ("ann",)
        admin.execute("ALTER TABLE account DROP COLUMN balance")
        assert admin.execute("SELECT * FROM account ORDER BY id").fetchall() == [(1, "ann"), (2, "ann")]
        with pytest.raises(psycopg.errors.SerializationFailure, match="OC001"):
            reader.execute("SELECT owner FROM account")
    granted = admin.execute("SELECT relacl::text LIKE '%=r/%' FROM pg_class WHERE oid = 'account'::regclass")
    assert granted.fetchone() == (True,)


@pytest.mark.parametrize(
    ("job", "answer"),
    [
        ("x", ("22P02", "Unable to convert text to UUID")),
        ("a" * 26, ("22023", f"unknown job {'a' * 26}")),
    ],
)
def test_waiting_for_a_job_that_does_not_exist_is_an_error(
    admin: psycopg.Connection[Any], job: str, answer: tuple[str, str]
) -> None:
    """An id of another form is no id."""
    assert error_of(admin, f"CALL sys.wait_for_job('{job}')") == answer


def test_an_iam_identity_is_mapped_to_a_role_and_back(admin: psycopg.Connection[Any], schema: str) -> None:
    """The mapping is seen by all, made by who may make roles, and made once."""
    role = f"{schema}_app"
    admin.execute(f"CREATE ROLE {role} LOGIN".encode())
    query = sql.SQL("SELECT * FROM sys.iam_pg_role_mappings WHERE pg_role_name = {}").format(role)
    grant = f"AWS IAM GRANT {role} TO '{ARN}'"
    cursor = admin.execute(grant.encode())
    assert cursor.description is None
    found = admin.execute(query).fetchone() or ()
    assert (found[1], found[3], found[5]) == (ARN, role, "admin")
    assert error_of(admin, grant)[0] == "42710"
    assert error_of(admin, f"AWS IAM GRANT nobody_at_all TO '{ARN}'")[0] == "42704"
    with admin.transaction():
        admin.execute(f"SET LOCAL ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute(f"aws iam revoke \"{role}\" FROM '{ARN}'".encode())
        raise psycopg.Rollback
    admin.execute(f"aws iam revoke \"{role}\" FROM '{ARN}'".encode())
    assert admin.execute(query).fetchone() is None
    assert error_of(admin, f"AWS IAM REVOKE {role} FROM '{ARN}'")[0] == "42704"
    assert error_of(admin, "AWS IAM LIST")[0] == "42601"
    admin.execute(f"DROP ROLE {role}".encode())


def test_a_role_is_taken_for_one_transaction_only(admin: psycopg.Connection[Any], schema: str) -> None:
    """SET ROLE is refused, SET LOCAL ROLE works, and the session's id stays."""
    role = f"{schema}_local"
    admin.execute(f"CREATE ROLE {role}".encode())
    message = 'setting configuration parameter "role" not supported'
    assert error_of(admin, f"SET ROLE {role}") == ("0A000", message)
    session = admin.execute("SELECT sys.current_session_id()").fetchone()
    with admin.transaction():
        admin.execute(f"SET LOCAL ROLE {role}".encode())
        assert admin.execute("SELECT current_user").fetchone() == (role,)
        assert admin.execute("SELECT sys.current_session_id()").fetchone() == session
    assert admin.execute("SELECT current_user").fetchone() == ("admin",)
    admin.execute(f"DROP ROLE {role}".encode())


@pytest.mark.parametrize("name", ["disable_sync_create_index", "dsql.enable_batched_nestloop"])
def test_parameters_that_only_aurora_dsql_has(admin: psycopg.Connection[Any], name: str) -> None:
    """They are on, and may be set."""
    assert admin.execute(f"SHOW {name}".encode()).fetchone() == ("on",)
    admin.execute(f"SET {name} = off".encode())
    assert admin.execute(f"SHOW {name}".encode()).fetchone() == ("off",)


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ("-c search_path=public -c extra_float_digits=2 --datestyle=ISO", None),
        ("-c search_path=public -c work_mem=4MB", "work_mem"),
        ("--client-min-messages=warning", "client_min_messages"),
    ],
)
def test_the_parameters_of_a_startup_packet(endpoint_dsn: str, options: str, refused: str | None) -> None:
    """The same parameters as by SET."""
    if refused is None:
        with psycopg.connect(endpoint_dsn, options=options) as connection:
            assert connection.execute("SHOW extra_float_digits").fetchone() == ("2",)
        return
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect(endpoint_dsn, options=options)
    assert f'FATAL:  setting configuration parameter "{refused}" not supported' in str(caught.value)


@pytest.mark.parametrize("call", ["uuidv7()", "casefold('A')", "random(1, 2)", "crc32('a')"])
def test_functions_that_postgresql_16_has_not(admin: psycopg.Connection[Any], call: str) -> None:
    """They do not exist, as on Aurora DSQL."""
    assert error_of(admin, f"SELECT {call}")[0] == "42883"


def test_a_client_may_have_a_function_of_a_newer_name(admin: psycopg.Connection[Any]) -> None:
    """It need not name the schema."""
    admin.execute("CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'")
    (value,) = admin.execute("SELECT uuidv7() IS NOT NULL").fetchone() or (None,)
    assert value is True
