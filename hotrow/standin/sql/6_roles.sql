-- Who comes through the endpoint as `admin`: what Aurora DSQL's admin may do, and not a superuser, who may run programs and
-- read files of the machine.

DO $$
DECLARE
    is_new boolean := to_regrole('admin') IS NULL;
    found record;
BEGIN
    IF is_new THEN
        CREATE ROLE admin;
    END IF;
    ALTER ROLE admin LOGIN NOSUPERUSER NOCREATEDB NOREPLICATION NOBYPASSRLS INHERIT;
    IF current_setting('server_version_num')::int >= 160000 THEN
        ALTER ROLE admin CREATEROLE;
        ALTER ROLE admin SET createrole_self_grant = 'set, inherit';
    ELSE  -- there CREATEROLE may give itself pg_execute_server_program
        ALTER ROLE admin NOCREATEROLE;
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO admin', current_database());
    ALTER SCHEMA public OWNER TO admin;

    -- What comes by the socket is a superuser's; admin may read and write it. Not more: a trigger of admin's on such a table, or
    -- a function in such a schema, would be called by a superuser.
    ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO admin;
    ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO admin;
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO admin;

    -- Until now admin was the superuser: what it made becomes admin's.
    FOR found IN
        SELECT nspname AS name FROM pg_namespace
         WHERE is_new AND nspowner = to_regrole(current_user) AND nspname !~ '^(pg_|hotrow)' AND nspname NOT IN ('information_schema', 'sys')
    LOOP
        EXECUTE format('ALTER SCHEMA %I OWNER TO admin', found.name);
    END LOOP;
    PERFORM set_config('hotrow.adopting', 'on', true);
    FOR found IN
        SELECT c.oid::regclass AS name, relkind FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE is_new AND relowner = to_regrole(current_user) AND nspowner = 'admin'::regrole AND relkind IN ('r', 'v')
           AND NOT relname ~ '__(writes|shares|excluded|or_nothing)$'
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO admin', found.name);
    END LOOP;
    FOR found IN
        SELECT oid::regrole AS name FROM pg_roles WHERE is_new AND NOT rolsuper AND rolname !~ '^pg_' AND rolname <> 'admin'
    LOOP
        EXECUTE format('GRANT %s TO admin WITH ADMIN OPTION', found.name);
    END LOOP;
END $$;
