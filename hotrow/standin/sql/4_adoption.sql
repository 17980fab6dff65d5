-- How a table is adopted, and what is made and kept beside it.

-- Refuse a table that the stand-in does not support, with one clear line.
CREATE FUNCTION hotrow.refuse_what_cannot_be_had(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := relation::regclass;
BEGIN
    IF EXISTS (SELECT FROM pg_class WHERE oid = relation AND (relkind = 'p' OR relispartition)) THEN
        RAISE 'table % is partitioned: neither Aurora DSQL nor the stand-in has that', name USING ERRCODE = '0A000';
    END IF;
    IF EXISTS (SELECT FROM pg_constraint fk JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid
                WHERE contype = 'f' AND relation IN (conrelid, confrelid) AND hotrow.view_name(conrelid) IS NOT NULL
                  AND child.relowner <> parent.relowner) THEN  -- the check of one owner's table would run with the rights of the other owner
        RAISE 'a foreign key joins table % and a table of another owner: the stand-in has it between tables of one owner only',
              name USING ERRCODE = '0A000';
    END IF;
END $$;

-- Spread existing rows, so that each page has room to update them in place. The later fill factor of 90 % lets PostgreSQL
-- remove many dead rows at a time. An empty table is left as it is: after CLUSTER the planner would expect it to stay empty
-- and read it completely.
CREATE FUNCTION hotrow.spread(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF pg_relation_size(relation) > 0 THEN
        EXECUTE format('ALTER TABLE %1$s SET (fillfactor = 50); CLUSTER %1$s USING %2$I', relation,
                       (SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                         WHERE i.indrelid = relation AND i.indisprimary));
    END IF;
    EXECUTE format('ALTER TABLE %s SET (fillfactor = 90)', relation);
END $$;

-- Adopt a table. Functions of SQL are called many times, with other values each time: they are planned once, not five times.
CREATE FUNCTION hotrow.adopt(relation regclass) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    kind "char";
    space text;
    name text;
BEGIN
    SELECT c.relkind, n.nspname, c.relname INTO STRICT kind, space, name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
    IF kind = 'v' AND to_regclass(hotrow.names(space, name) ->> 'base') IS NOT NULL THEN
        RETURN;  -- adopted already
    END IF;
    PERFORM hotrow.refuse_what_cannot_be_had(relation);
    PERFORM set_config('hotrow.adopting', 'on', true);
    PERFORM hotrow.remember(name);
    EXECUTE format('ALTER TABLE %s RENAME TO %I', relation, hotrow.stem(name) || '__base');
    PERFORM hotrow.add_hidden_key(relation), hotrow.spread(relation), hotrow.build(relation);
    PERFORM set_config('hotrow.adopting', '', true);
END $$;

-- Make everything beside a base table.
CREATE FUNCTION hotrow.build(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parts jsonb := hotrow.parts(relation);
    parent oid;
BEGIN
    EXECUTE hotrow.fill($ddl$
        CREATE UNLOGGED TABLE {writes} (LIKE {base} INCLUDING CONSTRAINTS, __pid int, __seq int, __xid xid8 NOT NULL,
            __op "char" NOT NULL, __due boolean, PRIMARY KEY (__pid, __seq)) WITH (fillfactor = 10);
        CREATE UNLOGGED TABLE {shares} AS SELECT '0'::xid8 AS __xid, {key} FROM {base} WHERE false;
        ALTER TABLE {shares} ADD FOREIGN KEY ({key}) REFERENCES {base} ({key}) ON UPDATE CASCADE ON DELETE CASCADE;
        CREATE INDEX ON {shares} ({key});
        CREATE VIEW {view} AS
            SELECT {shown} FROM {base} b WHERE hotrow.schema_is_current()
               AND NOT EXISTS (SELECT FROM {writes} t WHERE {own} AND {t_is_b})
            UNION ALL SELECT {shown} FROM {writes} t WHERE {own} AND t.__op >= 'a';
        CREATE VIEW {excluded} WITH (security_invoker) AS SELECT * FROM {view};
        CREATE VIEW {or_nothing} WITH (security_invoker) AS SELECT * FROM {view};
        GRANT SELECT, INSERT ON {excluded}, {or_nothing} TO PUBLIC$ddl$, parts);
    PERFORM hotrow.loosen_checks(relation);
    PERFORM hotrow.define_locks(relation, parts), hotrow.define_limit(parts), hotrow.define_statements(relation, parts);
    PERFORM hotrow.set_defaults(relation, parts);
    EXECUTE hotrow.fill($ddl$
        CREATE TRIGGER inserting INSTEAD OF INSERT ON {view} FOR EACH ROW EXECUTE FUNCTION {insert}();
        CREATE TRIGGER updating INSTEAD OF UPDATE ON {view} FOR EACH ROW EXECUTE FUNCTION {update}();
        CREATE TRIGGER deleting INSTEAD OF DELETE ON {view} FOR EACH ROW EXECUTE FUNCTION {delete}();
        CREATE TRIGGER inserting INSTEAD OF INSERT ON {excluded} FOR EACH ROW EXECUTE FUNCTION hotrow.return_new();
        CREATE TRIGGER inserting INSTEAD OF INSERT ON {or_nothing} FOR EACH ROW EXECUTE FUNCTION {insert_new}();
        CREATE CONSTRAINT TRIGGER apply AFTER INSERT OR UPDATE OF __due ON {writes} DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION {apply}()$ddl$, parts);
    PERFORM hotrow.build_for_hidden_key(relation), hotrow.build_computing(relation);
    PERFORM hotrow.give_to_owner(relation);
    PERFORM hotrow.disable_references(relation), hotrow.bind(relation);
    FOR parent IN  -- without those that 7_again.sql builds later
        SELECT DISTINCT confrelid FROM pg_constraint WHERE contype = 'f' AND conrelid = relation AND confrelid <> relation
           AND to_regclass(hotrow.parts(confrelid) ->> 'view') IS NOT NULL
    LOOP
        PERFORM hotrow.define_again(parent);
    END LOOP;
END $$;

-- A foreign key stays as a constraint that shows the reference. Its own triggers are disabled, because the view's triggers check it.
CREATE FUNCTION hotrow.disable_references(relation oid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before text := current_setting('hotrow.adopting', true);
    command text;
BEGIN
    PERFORM hotrow.check_owner(relation);
    PERFORM set_config('hotrow.adopting', 'on', true);
    FOR command IN
        SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname)
          FROM pg_trigger t JOIN pg_constraint fk ON fk.oid = t.tgconstraint WHERE fk.contype = 'f' AND fk.conrelid = relation
    LOOP
        EXECUTE command;
    END LOOP;
    PERFORM set_config('hotrow.adopting', coalesce(before, ''), true);
END $$;

-- Give the views the table's defaults.
CREATE FUNCTION hotrow.set_defaults(relation oid, parts jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', parts ->> v, a.attname, CASE a.attidentity
                      WHEN 'd' THEN format('nextval(%L)', pg_get_serial_sequence(parts ->> 'base', a.attname))
                      WHEN 'a' THEN format('hotrow.next_identity(%L, %L)', pg_get_serial_sequence(parts ->> 'base', a.attname),
                                           hotrow.identity_setting(a.attrelid, a.attnum))
                      ELSE pg_get_expr(d.adbin, d.adrelid) END)
          FROM unnest('{view,excluded,or_nothing}'::text[]) AS v, pg_attribute a
          LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
         WHERE a.attrelid = relation AND a.attgenerated = '' AND a.attname <> '__hotrow_key'
           AND (a.attidentity <> '' OR d.adbin IS NOT NULL)
         UNION ALL  -- an identity column works without rights on its sequence
        SELECT format('GRANT USAGE ON SEQUENCE %s TO PUBLIC', pg_get_serial_sequence(parts ->> 'base', a.attname))
          FROM pg_attribute a WHERE a.attrelid = relation AND a.attidentity <> ''
    LOOP
        EXECUTE command;
    END LOOP;
END $$;

-- Give everything beside the table to the table's owner.
CREATE FUNCTION hotrow.give_to_owner(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parts jsonb := hotrow.names_of(relation);
    owner name := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = relation);
    part text;
BEGIN
    IF owner = current_user THEN
        RETURN;  -- it owns everything already
    END IF;
    FOREACH part IN ARRAY hotrow.relations() LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO %I', parts ->> part, owner);
    END LOOP;
    FOREACH part IN ARRAY hotrow.functions() LOOP
        IF to_regproc(parts ->> part) IS NOT NULL THEN
            EXECUTE format('ALTER FUNCTION %s OWNER TO %I', parts ->> part, owner);
        END IF;
    END LOOP;
END $$;

-- The functions beside a base table are dropped with it. CREATE OR REPLACE FUNCTION forgets that.
CREATE FUNCTION hotrow.bind_functions(relation oid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts jsonb := hotrow.names_of(relation);
    functions oid[] := ARRAY(SELECT to_regproc(parts ->> part) FROM unnest(hotrow.functions()) AS part);
BEGIN
    PERFORM hotrow.check_owner(relation);
    DELETE FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = ANY (functions)
                            AND refclassid = 'pg_class'::regclass AND refobjid = relation;
    INSERT INTO pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
    SELECT 'pg_proc'::regclass, function, 0, 'pg_class'::regclass, relation, 0, 'a' FROM unnest(functions) AS function
     WHERE function IS NOT NULL;
END $$;

-- Make the functions of an adopted table again. Those of foreign keys, and their triggers, may be new.
CREATE FUNCTION hotrow.define_again(relation oid) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    parts jsonb := hotrow.parts(relation);
BEGIN
    PERFORM hotrow.define_statements(relation, parts);
    IF num_nonnulls(to_regproc(parts ->> 'follow'), to_regproc(parts ->> 'check_statement'), to_regproc(parts ->> 'check_commit')) > 0 THEN
        PERFORM hotrow.give_to_owner(relation), hotrow.bind(relation);
    ELSE
        PERFORM hotrow.bind_functions(relation);
    END IF;
END $$;

-- Everything beside a base table is dropped with it, and only with it. DROP TABLE needs no CASCADE for that.
CREATE FUNCTION hotrow.bind(relation oid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts jsonb := hotrow.names_of(relation);
    families oid[] := ARRAY(SELECT (parts ->> part)::regclass FROM unnest(hotrow.relations()) AS part WHERE part <> 'base');
BEGIN
    PERFORM hotrow.check_owner(relation);
    -- A cluster with many tables has many dependencies, so each statement finds those that it needs by an index.
    INSERT INTO pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
    SELECT 'pg_class'::regclass, family, 0, 'pg_class'::regclass, parent, 0, 'a'
      FROM unnest(families) AS family, LATERAL (
           SELECT CASE WHEN family IN ((parts ->> 'excluded')::regclass, (parts ->> 'or_nothing')::regclass) THEN (parts ->> 'view')::regclass
                  ELSE relation END AS parent) AS p
     WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = family AND d.objsubid = 0
                                                 AND d.refclassid = 'pg_class'::regclass AND d.refobjid = parent AND d.deptype = 'a');
    PERFORM hotrow.bind_functions(relation);
    UPDATE pg_depend d SET deptype = 'a'
      FROM (SELECT 'pg_rewrite'::regclass::oid, oid FROM pg_rewrite WHERE ev_class = ANY (families)
             UNION ALL
            SELECT 'pg_constraint'::regclass, oid FROM pg_constraint WHERE conrelid = ANY (families)
             UNION ALL
            SELECT 'pg_trigger'::regclass, oid FROM pg_trigger WHERE tgrelid = ANY (families)) AS o (classid, objid)
     WHERE d.classid = o.classid AND d.objid = o.objid AND d.deptype = 'n';
    UPDATE pg_depend SET deptype = 'a'
     WHERE deptype = 'n' AND classid = 'pg_proc'::regclass AND refclassid = 'pg_type'::regclass
       AND refobjid = ANY (ARRAY(SELECT reltype FROM pg_class WHERE oid = ANY (families)));
END $$;

-- PostgreSQL names indexes and constraints after their table. Only the stand-in calls it `account__base`, so they are renamed.
CREATE FUNCTION hotrow.name_plainly(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    base name := (SELECT relname FROM pg_class WHERE oid = relation);
    named record;
    fresh text;
BEGIN
    PERFORM set_config('hotrow.adopting', 'on', true);
    FOR named IN
        SELECT c.relname AS name, n.nspname AS space, true AS is_index
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE i.indrelid = relation AND starts_with(c.relname, base || '_')
         UNION ALL
        SELECT conname, NULL, false FROM pg_constraint
         WHERE conrelid = relation AND conindid = 0 AND starts_with(conname, base || '_')
         UNION ALL
        SELECT conname, NULL, false FROM pg_constraint
         WHERE conrelid = relation AND contype = 'f' AND starts_with(conname, base || '_')
    LOOP
        fresh := hotrow.view_name(relation) || substr(named.name, length(base) + 1);
        IF named.is_index THEN
            WHILE to_regclass(format('%I.%I', named.space, fresh)) IS NOT NULL LOOP
                fresh := fresh || '1';
            END LOOP;
            EXECUTE format('ALTER INDEX %I.%I RENAME TO %I', named.space, named.name, fresh);
        ELSE
            WHILE EXISTS (SELECT FROM pg_constraint WHERE conrelid = relation AND conname = fresh) LOOP
                fresh := fresh || '1';
            END LOOP;
            EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', hotrow.parts(relation) ->> 'base', named.name, fresh);
        END IF;
    END LOOP;
    PERFORM set_config('hotrow.adopting', '', true);
END $$;

-- Drop everything that exists beside a base table.
CREATE FUNCTION hotrow.remove(parts jsonb) RETURNS void LANGUAGE plpgsql SET client_min_messages = warning AS $$
BEGIN
    EXECUTE hotrow.fill($ddl$
        DROP FUNCTION IF EXISTS {same};
        DROP VIEW IF EXISTS {excluded}, {or_nothing};
        DROP FUNCTION IF EXISTS {for_update}, {for_key_share};
        DROP VIEW IF EXISTS {view};
        DROP TABLE IF EXISTS {writes}, {shares};
        DROP FUNCTION IF EXISTS {insert}, {update}, {delete}, {insert_new}, {apply}, {check_rows}, {compute},
            {follow}, {check_statement}, {check_commit}, {check_unique}, {check_row}$ddl$, parts);
END $$;

-- After ALTER TABLE or CREATE INDEX on an adopted table. Views that users have made on it are not dropped.
CREATE FUNCTION hotrow.rebuild(relation oid, command_tag text) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    former record;
BEGIN
    PERFORM set_config('hotrow.adopting', 'on', true);
    IF command_tag = 'CREATE INDEX' THEN
        PERFORM hotrow.define_again(relation);
    ELSE
        PERFORM hotrow.refuse_what_cannot_be_had(relation);
        SELECT c.relacl, n.nspname AS space, c.relname AS name INTO former
          FROM pg_depend d JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE d.refobjid = relation AND d.deptype = 'a' AND d.classid = 'pg_class'::regclass AND c.relkind = 'v'
           AND c.relname NOT LIKE '%\_\_excluded' AND c.relname NOT LIKE '%\_\_or_nothing';
        IF FOUND THEN
            PERFORM hotrow.remove(hotrow.names(former.space, former.name));
        ELSE  -- hotrow.put_away() moved it away
            former.relacl := nullif(current_setting('hotrow.rights', true), '')::aclitem[];
        END IF;
        PERFORM hotrow.build(relation);
        PERFORM hotrow.grant_again(relation, former.relacl);
    END IF;
    PERFORM set_config('hotrow.adopting', '', true);
END $$;

-- Grant the rights that others had on a table before it was rebuilt.
CREATE FUNCTION hotrow.grant_again(relation oid, rights aclitem[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('GRANT %s ON %s TO %s%s', r.privilege_type, hotrow.parts(relation) ->> 'view',
                      CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r.grantee)) END,
                      CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' END)
          FROM aclexplode(rights) r WHERE r.grantee <> (SELECT relowner FROM pg_class WHERE oid = relation)
    LOOP
        EXECUTE command;
    END LOOP;
END $$;

-- COMMENT ON COLUMN of an adopted table comments on a column of its view. The base table's column keeps the comment.
CREATE FUNCTION hotrow.pass_comment_on(view oid, number int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    relation regclass := (SELECT a.base FROM hotrow.adopted() a WHERE a.view = pass_comment_on.view);
BEGIN
    IF relation IS NOT NULL THEN
        PERFORM set_config('hotrow.adopting', 'on', true);
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', relation, (SELECT attname FROM pg_attribute WHERE attrelid = view AND attnum = number),
                       col_description(view, number));
        PERFORM set_config('hotrow.adopting', '', true);
    END IF;
END $$;
