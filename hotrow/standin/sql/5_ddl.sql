-- DDL: its rules, the notice to other transactions, and an ALTER TABLE that does not wait.

-- ALTER TABLE needs an exclusive lock, and Aurora DSQL never waits for an open transaction that has read the table. If there
-- is such a transaction here, a new table is made under the same name. The old table and everything beside it are moved to a
-- schema of their own for the transactions that use it, which get OC001. If a copy could lose something (foreign keys, identity
-- columns, a change of the table since this transaction's snapshot), ALTER TABLE waits, as in PostgreSQL.
CREATE FUNCTION hotrow.step_aside(altered oid) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts jsonb;
BEGIN
    IF NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = altered), 'USAGE') OR NOT EXISTS (
        SELECT FROM pg_locks l WHERE l.relation = altered AND l.pid <> pg_backend_pid()
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
       OR EXISTS (SELECT FROM pg_constraint fk WHERE contype = 'f' AND (conrelid = altered OR confrelid = altered)
                     AND hotrow.view_name(conrelid) IS NOT NULL)
       OR EXISTS (SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' WHERE d.refobjid = altered) THEN
        RETURN;
    END IF;
    parts := hotrow.parts(altered);
    EXECUTE hotrow.fill('LOCK TABLE {base} IN SHARE MODE', parts);
    PERFORM set_config('hotrow.adopting', 'on', true);
    IF NOT hotrow.committed_since_snapshot() OR hotrow.is_as_seen(altered, parts) THEN
        PERFORM hotrow.put_away(altered, parts);
    END IF;
    PERFORM set_config('hotrow.adopting', '', true);
END $$;

-- Whether a transaction has committed that is not visible to this transaction's snapshot.
CREATE FUNCTION hotrow.committed_since_snapshot() RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (
        SELECT FROM (SELECT pg_snapshot_xip(pg_current_snapshot()) AS xid
                      UNION ALL
                     SELECT x::text::xid8 FROM generate_series(
                         pg_snapshot_xmax(pg_current_snapshot())::text::bigint, pg_current_xact_id()::text::bigint - 1) AS x) later
         WHERE pg_xact_status(later.xid) = 'committed')
$$;

-- Whether a table that is locked IN SHARE MODE, and what is beside it, are as this transaction's snapshot shows them. In doubt false.
-- A row that another transaction has changed has an xmax, as after a lock or a ROLLBACK; FOR NO KEY UPDATE tells which it is. New rows
-- are not visible, but CREATE INDEX counts the rows of now. Its index is empty and is rolled back.
CREATE FUNCTION hotrow.is_as_seen(relation oid, parts jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    seen bigint;
    present bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_proc WHERE oid = to_regproc(parts ->> 'insert') AND xmax = '0'::xid)
       OR NOT current_setting('autovacuum')::boolean OR NOT current_setting('track_counts')::boolean THEN
        RETURN false;  -- an index was made or the table altered; or, in PostgreSQL 18, CREATE INDEX keeps no count
    END IF;
    EXECUTE hotrow.fill('SELECT count(*) FROM {base}', parts) INTO seen;
    BEGIN
        EXECUTE hotrow.fill($sql$SELECT FROM {base} WHERE xmax <> '0'::xid FOR NO KEY UPDATE NOWAIT$sql$, parts);
        EXECUTE hotrow.fill('CREATE INDEX ON {base} ((true)) WHERE false', parts);
        SELECT greatest(reltuples, 0) INTO present FROM pg_class
         WHERE oid = relation AND xmax = '0'::xid AND coalesce(array_to_string(reloptions, ' '), '') NOT LIKE '%autovacuum%';
        RAISE USING ERRCODE = 'HR001';
    EXCEPTION
        WHEN SQLSTATE 'HR001' THEN
            RETURN coalesce(seen = present AND seen < 16777216, false);
        WHEN serialization_failure OR lock_not_available THEN
            RETURN false;
    END;
END $$;

-- Move a table away and make the same table again.
CREATE FUNCTION hotrow.put_away(relation oid, parts jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    owner name := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = relation);
    command text;
BEGIN
    -- Everything beside it is made after the table has been altered, by hotrow.rebuild().
    PERFORM set_config('hotrow.rights', (SELECT relacl::text FROM pg_class WHERE oid = (parts ->> 'view')::regclass), true);
    PERFORM hotrow.move_away(relation);
    EXECUTE hotrow.fill($ddl$
        CREATE TABLE {base} (LIKE {old} INCLUDING ALL) WITH (fillfactor = 50);
        INSERT INTO {base} ({stored}) OVERRIDING SYSTEM VALUE SELECT {stored} FROM {old};
        ALTER TABLE {base} SET (fillfactor = 90)$ddl$, parts || jsonb_build_object('old', relation::regclass));
    FOR command IN
        SELECT format('ALTER INDEX %s RENAME TO %I', new.indexrelid::regclass, old.relname)
          FROM (SELECT indexrelid, row_number() OVER (ORDER BY indexrelid) FROM pg_index
                 WHERE indrelid = (parts ->> 'base')::regclass) new
          JOIN (SELECT relname, row_number() OVER (ORDER BY indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
                 WHERE indrelid = relation) old USING (row_number)
    LOOP
        EXECUTE command;
    END LOOP;
    IF owner <> current_user THEN
        EXECUTE format('ALTER TABLE %s OWNER TO %I', parts ->> 'base', owner);
    END IF;
END $$;

-- Move a table and everything beside it to a schema of its own. The schema is changed in the system catalogues, because ALTER …
-- would wait for the very transactions that it is moved away for.
CREATE FUNCTION hotrow.move_away(relation oid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts jsonb := hotrow.parts(relation);
    before text := current_setting('hotrow.adopting', true);
    space oid := (SELECT relnamespace FROM pg_class WHERE oid = relation);
    gone text := 'hotrow_gone_' || pg_current_xact_id();
    relations oid[] := ARRAY(SELECT (parts ->> part)::regclass FROM unnest(hotrow.relations()) AS part);
    types oid[];
    functions oid[] := ARRAY(SELECT to_regproc(parts ->> part) FROM unnest(hotrow.functions()) AS part);
BEGIN
    PERFORM hotrow.check_owner(relation);
    PERFORM set_config('hotrow.adopting', 'on', true);
    EXECUTE format('CREATE SCHEMA %I', gone);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', gone, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = relation));
    PERFORM set_config('hotrow.adopting', coalesce(before, ''), true);
    relations := relations || ARRAY(SELECT indexrelid FROM pg_index WHERE indrelid = ANY (relations));
    types := ARRAY(SELECT t.oid FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem
                    WHERE t.typrelid = ANY (relations) OR e.typrelid = ANY (relations));
    UPDATE pg_class SET relnamespace = gone::regnamespace WHERE oid = ANY (relations);
    UPDATE pg_type SET typnamespace = gone::regnamespace WHERE oid = ANY (types);
    UPDATE pg_proc SET pronamespace = gone::regnamespace WHERE oid = ANY (functions);
    UPDATE pg_constraint SET connamespace = gone::regnamespace WHERE conrelid = ANY (relations);
    UPDATE pg_depend SET refobjid = gone::regnamespace
     WHERE refclassid = 'pg_namespace'::regclass AND refobjid = space AND objid = ANY (relations || types || functions);
END $$;

-- Drop tables that were moved away and that no transaction uses any more.
CREATE FUNCTION hotrow.drop_gone() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    before text := current_setting('hotrow.adopting', true);
    gone record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE starts_with(nspname, 'hotrow_gone_')) THEN
        RETURN;
    END IF;
    PERFORM set_config('hotrow.adopting', 'on', true);
    FOR gone IN
        SELECT n.nspname AS name FROM pg_namespace n
         WHERE n.nspname LIKE 'hotrow\_gone\_%' AND n.nspowner = to_regrole(current_user::text) AND NOT EXISTS (
               SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                WHERE c.relnamespace = n.oid AND l.pid <> pg_backend_pid())
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', gone.name);
    END LOOP;
    PERFORM set_config('hotrow.adopting', coalesce(before, ''), true);
END $$;

-- The following functions run with the rights of the user who runs the DDL statement. A table may call functions of its owner,
-- and those must not run with more rights. Steps that need more rights are in separate functions, which check their caller.

-- The name of the base table in the text of an ALTER TABLE, as it is written.
CREATE FUNCTION hotrow.altered_name(command text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (regexp_match(command, '^\s*ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(\S+__base"?)\s', 'i'))[1]
$$;

-- The client's search_path, which finds its tables, is in force in this function and in none of the functions below.
CREATE FUNCTION hotrow.before_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    altered oid;
BEGIN
    IF pg_catalog.current_setting('hotrow.adopting', true) OPERATOR(pg_catalog.=) 'on' THEN
        RETURN;  -- DDL of the stand-in itself
    END IF;
    altered := pg_catalog.to_regclass(hotrow.altered_name(pg_catalog.current_query()));
    IF altered IS NOT NULL THEN
        PERFORM hotrow.keep_key(altered, pg_catalog.current_query());
    END IF;
    PERFORM hotrow.mind_ddl(altered);
    IF altered IS NOT NULL AND pg_catalog.regexp_like(pg_catalog.current_query(), '\mDROP\s+(?!(?:CONSTRAINT|DEFAULT|NOT|EXPRESSION|IDENTITY)\M)', 'i') THEN
        PERFORM hotrow.make_room(pg_catalog.to_regclass(hotrow.altered_name(pg_catalog.current_query())));
    END IF;
END $$;

-- A column cannot be dropped while the view shows it: drop everything beside the table, which hotrow.rebuild() makes again.
CREATE FUNCTION hotrow.make_room(relation oid) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts jsonb;
BEGIN
    IF current_setting('hotrow.adopting', true) = 'on' OR NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = relation), 'USAGE') THEN
        RETURN;
    END IF;
    parts := hotrow.parts(relation);
    IF to_regclass(parts ->> 'view') IS NOT NULL THEN
        PERFORM set_config('hotrow.rights', (SELECT relacl::text FROM pg_class WHERE oid = to_regclass(parts ->> 'view')), true);
        PERFORM set_config('hotrow.adopting', 'on', true), hotrow.remove(parts), set_config('hotrow.adopting', '', true);
    END IF;
END $$;

-- In the write set, a CHECK that is not valid for old rows does not hold for a row that is only deleted or locked.
CREATE FUNCTION hotrow.loosen_checks(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('ALTER TABLE %1$s DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I CHECK (__op < %3$L OR __op IN (%4$L, %5$L) OR (%6$s))',
                      hotrow.parts(relation) ->> 'writes', conname, 'a', 'l', 'r', pg_get_expr(conbin, conrelid))
          FROM pg_constraint WHERE conrelid = relation AND contype = 'c' AND NOT convalidated
    LOOP
        EXECUTE command;
    END LOOP;
END $$;

-- Refuse to drop a primary key or one of its columns, in the text of an ALTER TABLE.
CREATE FUNCTION hotrow.keep_key(altered oid, command text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key pg_constraint;
    found text[];
    name text;
BEGIN
    SELECT * INTO key FROM pg_constraint WHERE conrelid = altered AND contype = 'p';
    IF key IS NULL OR current_setting('hotrow.adopting', true) = 'on' OR current_setting('hotrow.rules', true) = 'off' THEN
        RETURN;
    END IF;
    FOR found IN SELECT regexp_matches(command, '\mDROP\s+(?:(CONSTRAINT)\s+|COLUMN\s+)?(?:IF\s+EXISTS\s+)?("(?:[^"]|"")+"|[^\s",;]+)', 'gi') LOOP
        name := CASE WHEN found[2] LIKE '"%' THEN replace(substr(found[2], 2, length(found[2]) - 2), '""', '"') ELSE lower(found[2]) END;
        IF found[1] IS NOT NULL AND name = key.conname THEN
            RAISE 'unsupported ALTER TABLE DROP CONSTRAINT statement' USING ERRCODE = '0A000';
        ELSIF found[1] IS NULL AND EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = altered AND attname = name AND attnum = ANY (key.conkey)) THEN
            RAISE 'cannot drop primary key column %', name USING ERRCODE = '0A000';
        END IF;
    END LOOP;
END $$;

-- Allow one DDL statement per transaction, and none together with other writes.
CREATE FUNCTION hotrow.mind_ddl(altered oid) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('hotrow.adopting', true) = 'on' OR current_setting('hotrow.rules', true) = 'off'
       OR current_setting('hotrow.again', true) = 'on' THEN
        RETURN;
    ELSIF current_setting('hotrow.ddl', true) = 'on' THEN
        RAISE 'multiple ddl statements not supported in a transaction' USING ERRCODE = '0A000';
    ELSIF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE 'ddl and dml are not supported in the same transaction' USING ERRCODE = '0A000';
    END IF;
    PERFORM set_config('hotrow.ddl', 'on', true);
    IF altered IS NOT NULL THEN
        PERFORM hotrow.step_aside(altered);
    END IF;
END $$;

-- Tell other transactions that the schema has changed, adopt a new table, and rebuild a changed one.
CREATE FUNCTION hotrow.after_ddl() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed record;
BEGIN
    IF current_setting('hotrow.adopting', true) = 'on' THEN
        RETURN;
    END IF;
    PERFORM hotrow.tell_of_change(), hotrow.drop_gone();
    -- the rewriting adds a long new name to ALTER TABLE … RENAME TO
    PERFORM hotrow.remember(convert_from(decode(m[1], 'hex'), 'UTF8')) FROM regexp_matches(current_query(), '/\*hotrow:((?:[0-9a-f]{2})+)\*/', 'g') AS m;
    PERFORM hotrow.pass_comment_on(d.objid, d.objsubid) FROM pg_event_trigger_ddl_commands() d
      WHERE d.command_tag = 'COMMENT' AND d.object_type = 'view column';
    FOR changed IN
        SELECT DISTINCT coalesce(i.indrelid, c.oid) AS relation, d.command_tag, i.indexrelid AS index,
               hotrow.view_name(coalesce(i.indrelid, c.oid)) IS NOT NULL AS adopted
          FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
          LEFT JOIN pg_index i ON i.indexrelid = c.oid
         WHERE c.relpersistence = 'p' AND c.relkind IN ('r', 'i', 'p')
           AND d.schema_name NOT IN ('hotrow', 'sys', 'pg_catalog')
    LOOP
        IF changed.adopted THEN
            PERFORM hotrow.name_plainly(changed.relation);
            PERFORM hotrow.rebuild(changed.relation, changed.command_tag);
            PERFORM set_config('hotrow.index', changed.index::text, true);
        ELSIF changed.command_tag IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
              AND current_setting('hotrow.adopt', true) IS DISTINCT FROM 'off' THEN
            PERFORM hotrow.adopt(changed.relation);
        END IF;
    END LOOP;
    PERFORM set_config('hotrow.adopting', 'on', true);
    PERFORM hotrow.follow_view(d.objid) FROM pg_event_trigger_ddl_commands() d WHERE d.object_type = 'view' AND d.command_tag IN ('CREATE VIEW', 'ALTER VIEW');
    PERFORM set_config('hotrow.adopting', '', true);
END $$;

-- If a view is dropped, drop its base table. If an index or a constraint is dropped, make again the functions that name it: of a
-- table with a unique index, and of both tables of a foreign key.
CREATE FUNCTION hotrow.after_drop() RETURNS event_trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    dropped record;
    base text;
    names text[];
    spaces text[];
BEGIN
    IF current_setting('hotrow.adopting', true) = 'on' THEN
        RETURN;
    END IF;
    PERFORM hotrow.tell_of_change();
    PERFORM set_config('hotrow.adopting', 'on', true);
    FOR dropped IN SELECT * FROM pg_event_trigger_dropped_objects() WHERE object_type = 'view' AND original LOOP
        base := hotrow.names(dropped.schema_name, dropped.object_name) ->> 'base';
        IF to_regclass(base) IS NOT NULL THEN
            EXECUTE 'DROP TABLE ' || base;
        END IF;
    END LOOP;
    SELECT array_agg(quote_literal(coalesce(object_name, address_names[3]))), array_agg(format('SCHEMA = %L', address_names[1]))
      INTO names, spaces FROM pg_event_trigger_dropped_objects()
     WHERE object_type = 'index' AND original OR object_type = 'table constraint' AND address_names[2] NOT LIKE '%\_\_writes';
    PERFORM hotrow.define_again(relation) FROM hotrow.tables_that_name(names, spaces) AS relation;
    PERFORM set_config('hotrow.adopting', '', true);
END $$;

-- The adopted tables with a function that has one of each of these texts, as far as the caller may change them.
CREATE FUNCTION hotrow.tables_that_name(names text[], spaces text[]) RETURNS SETOF oid LANGUAGE sql STABLE AS $$
    SELECT DISTINCT c.oid
      FROM pg_proc p
      JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'
      JOIN pg_class c ON c.oid = d.refobjid AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT LIKE 'hotrow\_gone\_%'
     WHERE p.proname ~ '__(insert|check_unique|check_statement|check_commit)$'
       AND EXISTS (SELECT FROM unnest(names) AS text WHERE position(text IN p.prosrc) > 0)
       AND EXISTS (SELECT FROM unnest(spaces) AS text WHERE position(text IN p.prosrc) > 0)
$$;

CREATE EVENT TRIGGER hotrow_before_ddl ON ddl_command_start EXECUTE FUNCTION hotrow.before_ddl();
CREATE EVENT TRIGGER hotrow_after_ddl ON ddl_command_end EXECUTE FUNCTION hotrow.after_ddl();
CREATE EVENT TRIGGER hotrow_after_drop ON sql_drop EXECUTE FUNCTION hotrow.after_drop();

