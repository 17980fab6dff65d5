-- The schema `sys`: jobs, the session's id, and which IAM identity may be which role.

DROP SCHEMA IF EXISTS sys CASCADE;
CREATE SCHEMA sys;
GRANT USAGE ON SCHEMA sys TO PUBLIC;

CREATE FUNCTION sys.dsql_major_version() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';

-- No other connection has or had this id. It needs the rights of a superuser after SET LOCAL ROLE.
CREATE FUNCTION sys.current_session_id() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT md5(pid || ' ' || backend_start)::uuid::text FROM pg_stat_get_activity(pg_backend_pid())
$$;

-- Jobs. A job has ended when the client gets its id.

CREATE TABLE hotrow.jobs (
    job_id text PRIMARY KEY, status text NOT NULL, details text, job_type text NOT NULL, class_id oid, object_id oid,
    object_name text, start_time timestamptz NOT NULL DEFAULT now(), update_time timestamptz NOT NULL DEFAULT now());

CREATE VIEW sys.jobs AS SELECT * FROM hotrow.jobs WHERE update_time > clock_timestamp() - interval '30 min';
GRANT SELECT ON sys.jobs TO PUBLIC;

-- An id as Aurora DSQL's: the 128 bits of a UUID as 26 digits of base 32.
CREATE FUNCTION hotrow.new_job_id() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(substr('abcdefghijklmnopqrstuvwxyz234567', substring(bits FROM n FOR 5)::int + 1, 1), '' ORDER BY n)
      FROM (SELECT ('x' || replace(gen_random_uuid()::text, '-', ''))::bit(128) || B'00' AS bits) AS random,
           generate_series(1, 130, 5) AS n
$$;

CREATE FUNCTION hotrow.note_job(type text, class regclass, object oid, name text, failure text DEFAULT NULL) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO hotrow.jobs (job_id, status, details, job_type, class_id, object_id, object_name)
    VALUES (hotrow.new_job_id(), CASE WHEN failure IS NULL THEN 'completed' ELSE 'failed' END, failure, type, class, object, name)
    RETURNING job_id
$$;

CREATE PROCEDURE sys.wait_for_job(job_id text, INOUT succeeded boolean DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
    IF wait_for_job.job_id !~ '^[a-z2-7]{26}$' THEN
        PERFORM hotrow.refuse('22P02', 'Unable to convert text to UUID');
    END IF;
    SELECT j.status = 'completed' INTO succeeded FROM sys.jobs j WHERE j.job_id = wait_for_job.job_id;
    IF succeeded IS NULL THEN
        PERFORM hotrow.refuse('22023', 'unknown job ' || wait_for_job.job_id);
    END IF;
END $$;

-- CREATE INDEX ASYNC is rewritten to this. If values are not unique, the job fails, and the index stays: invalid, but unique for
-- what is written from now on.
CREATE FUNCTION hotrow.create_index(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    index oid;
    failure text;
BEGIN
    PERFORM set_config('hotrow.index', '', true);
    BEGIN
        EXECUTE command;
    EXCEPTION WHEN unique_violation THEN
        failure := 'found duplicate key(s) while validating index uniqueness';
        PERFORM set_config('hotrow.again', 'on', true);
        EXECUTE regexp_replace(command, '\mUNIQUE\M', '', 'i');
        PERFORM set_config('hotrow.again', '', true);
    END;
    index := nullif(current_setting('hotrow.index'), '')::oid;
    IF failure IS NOT NULL THEN
        PERFORM hotrow.mark_invalid(index), set_config('hotrow.adopting', 'on', true);
        PERFORM hotrow.define_again(indrelid) FROM pg_catalog.pg_index WHERE indexrelid = index;
        PERFORM set_config('hotrow.adopting', '', true);
    END IF;
    RETURN hotrow.note_job('INDEX_BUILD', 'pg_catalog.pg_class', index, (
        SELECT format('%I.%I', relnamespace::regnamespace::text, relname) FROM pg_catalog.pg_class WHERE oid = index), failure);
END $$;

CREATE FUNCTION hotrow.mark_invalid(index oid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM hotrow.check_owner((SELECT indrelid FROM pg_index WHERE indexrelid = index));
    UPDATE pg_index SET indisunique = true, indisvalid = false WHERE indexrelid = index;
END $$;

-- ALTER TABLE ASYNC … VALIDATE CONSTRAINT is rewritten to this. Nothing beside the table has to be made again. If a row violates
-- the constraint, the job fails, and the constraint stays.
CREATE FUNCTION hotrow.validate_constraint(command text, base text, name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    failure text;
    validated pg_catalog.pg_constraint;
BEGIN
    PERFORM hotrow.mind_ddl(NULL);
    PERFORM set_config('hotrow.adopting', 'on', true);
    BEGIN
        EXECUTE command;
    EXCEPTION WHEN check_violation OR foreign_key_violation THEN
        failure := replace(SQLERRM, '__base"', '"');
    END;
    PERFORM set_config('hotrow.adopting', '', true);
    PERFORM hotrow.tell_of_change();
    SELECT * INTO validated FROM pg_catalog.pg_constraint WHERE conrelid = pg_catalog.to_regclass(base) AND conname = validate_constraint.name;
    RETURN hotrow.note_job('VALIDATE_CONSTRAINT', 'pg_catalog.pg_constraint', validated.oid,
                           format('%I.%I', validated.connamespace::regnamespace::text, name), failure);
END $$;

-- AWS IAM GRANT and REVOKE are rewritten to the procedures. They tell who may connect as a role on a cluster; here any identity
-- may whose token says so.

CREATE TABLE hotrow.iam_mappings (iam_oid oid PRIMARY KEY, arn text NOT NULL, role oid NOT NULL, grantor oid NOT NULL, UNIQUE (role, arn));
CREATE SEQUENCE hotrow.iam_oids START 26000;

CREATE VIEW sys.iam_pg_role_mappings AS
    SELECT m.iam_oid, m.arn, r.oid AS pg_role_oid, r.rolname::text AS pg_role_name,
           g.oid AS grantor_pg_role_oid, g.rolname::text AS grantor_pg_role_name
      FROM hotrow.iam_mappings m JOIN pg_roles r ON r.oid = m.role LEFT JOIN pg_roles g ON g.oid = m.grantor;
GRANT SELECT ON sys.iam_pg_role_mappings TO PUBLIC;

-- The role of this name, for a client that may map it.
CREATE FUNCTION hotrow.mapped_role(role text) RETURNS oid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = hotrow.client() AND (rolcreaterole OR rolsuper)) THEN
        PERFORM hotrow.refuse('42501', 'permission denied to map an IAM identity');
    ELSIF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = mapped_role.role) THEN
        PERFORM hotrow.refuse('42704', format('role "%s" does not exist', role));
    END IF;
    RETURN (SELECT oid FROM pg_roles WHERE rolname = mapped_role.role);
END $$;

CREATE PROCEDURE hotrow.grant_iam(role text, arn text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mapped oid := hotrow.mapped_role(role);
BEGIN
    IF arn !~ '^arn:aws[a-z-]*:iam::[^:]*:(role|user)/.' THEN
        PERFORM hotrow.refuse('22023', format('invalid IAM ARN: %s', arn));
    ELSIF EXISTS (SELECT FROM hotrow.iam_mappings m WHERE m.role = mapped AND m.arn = grant_iam.arn) THEN
        PERFORM hotrow.refuse('42710', format('"%s" is already mapped to role "%s"', arn, role));
    END IF;
    INSERT INTO hotrow.iam_mappings VALUES (nextval('hotrow.iam_oids'), arn, mapped, (hotrow.client()::text)::regrole);
END $$;

CREATE PROCEDURE hotrow.revoke_iam(role text, arn text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM hotrow.iam_mappings m WHERE m.role = hotrow.mapped_role(revoke_iam.role) AND m.arn = revoke_iam.arn;
    IF NOT FOUND THEN
        PERFORM hotrow.refuse('42704', format('"%s" is not mapped to role "%s"', arn, role));
    END IF;
END $$;
