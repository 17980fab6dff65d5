-- The role `admin`, as which clients of the endpoint connect. It may do what Aurora DSQL's admin may do, but it is no superuser,
-- because a superuser may run programs and read files of the machine.

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
    ELSE  -- in these versions, CREATEROLE may grant itself pg_execute_server_program
        ALTER ROLE admin NOCREATEROLE;
    END IF;
    EXECUTE format('GRANT CREATE ON DATABASE %I TO admin', current_database());
    ALTER SCHEMA public OWNER TO admin;

    -- Objects that are made through the socket belong to a superuser. admin may read and write them, but not more: otherwise a
    -- superuser could call a trigger that admin made on such a table, or a function that admin made in such a schema.
    ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO admin;
    ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO admin;
    ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO admin;

    -- In older versions, admin was the superuser. The objects that it made now belong to the role admin.
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
