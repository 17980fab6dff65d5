-- Views that users make: functions and views beside each of them, which pass locking reads and upserts on to its table. This
-- works if the view shows one adopted table, has a condition at most, and has all primary-key columns under their own names. For
-- other views, locking reads and upserts are refused.

-- The base table of the adopted table that a view shows; NULL for other views.
CREATE FUNCTION hotrow.shown(seen oid) RETURNS oid LANGUAGE sql STABLE AS $$
    SELECT min(base.oid)
      FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class t ON t.oid = d.refobjid AND t.oid <> seen
      LEFT JOIN pg_class base ON base.relnamespace = t.relnamespace AND base.relname = hotrow.stem(t.relname) || '__base' AND base.relkind = 'r'
     WHERE r.ev_class = seen AND pg_relation_is_updatable(seen, true) & 28 = 28  -- INSERT, UPDATE and DELETE
    HAVING count(DISTINCT t.oid) = 1 AND count(base.oid) = count(*)
$$;

-- Whether a view has these columns of its table under their own names. PostgreSQL writes the view's text with one column per line.
CREATE FUNCTION hotrow.shows(seen oid, names text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
        SELECT FROM unnest(names) AS name
         WHERE format('%I', name) <> ALL (regexp_split_to_array(
                   (regexp_match(pg_get_viewdef(seen), '^ *SELECT (.*?)\n +FROM '))[1], ',\n +')))
$$;

-- The unique indexes of a table whose columns are all in a view.
CREATE FUNCTION hotrow.shown_indexes(seen oid, relation oid) RETURNS SETOF pg_index LANGUAGE sql STABLE AS $$
    SELECT i.* FROM hotrow.unique_indexes(relation) i
     WHERE hotrow.shows(seen, ARRAY(SELECT attname::text FROM pg_attribute
                                     WHERE attrelid = relation AND attnum = ANY (hotrow.key_columns(i.indexrelid))))
$$;

CREATE FUNCTION hotrow.refuse_view() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'the stand-in locks rows and takes ON CONFLICT of tables, and of views of one table that have its primary key'
          USING ERRCODE = '0A000';
END $$;

-- The bodies of the functions beside a view.
CREATE FUNCTION hotrow.parts_of_view(seen oid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    relation oid := hotrow.shown(seen);
    key oid := (SELECT indexrelid FROM hotrow.shown_indexes(seen, relation) WHERE indisprimary);
    its jsonb;
    lock text := 'PERFORM %s(t) FROM %s t WHERE %s';
BEGIN
    IF key IS NULL THEN
        RETURN '{"lock": "PERFORM hotrow.refuse_view()", "share": "PERFORM hotrow.refuse_view()", "returning": "{insert_new}",
                 "skip": "PERFORM hotrow.refuse_view()"}';
    END IF;
    its := hotrow.parts(relation) || jsonb_build_object('same', hotrow.columns(relation, key, 't.%1$I = new.%1$I', ' AND '));
    RETURN jsonb_build_object(
        'lock', format(lock, its ->> 'for_update', its ->> 'view', its ->> 'same'),
        'share', format(lock, its ->> 'for_key_share', its ->> 'view', its ->> 'same'),
        'returning', 'hotrow.return_new',
        'skip', (SELECT format('IF %s THEN RETURN NULL; END IF', string_agg(format(
                            'EXISTS (SELECT FROM %s t WHERE %s)', its ->> 'view',
                            hotrow.columns(relation, indexrelid, 't.%1$I = NEW.%1$I', ' AND ')), ' OR '))
                   FROM hotrow.shown_indexes(seen, relation)));
END $$;

CREATE FUNCTION hotrow.follow_view(seen oid) RETURNS void LANGUAGE plpgsql SET client_min_messages = warning SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    own jsonb;
    relation oid;
    command text;
BEGIN
    SELECT hotrow.names(n.nspname, c.relname) INTO own FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE c.oid = seen AND relpersistence = 'p';
    IF own IS NULL OR to_regclass(own ->> 'base') IS NOT NULL THEN
        RETURN;  -- the view of an adopted table, or a temporary view
    END IF;
    PERFORM hotrow.remember((SELECT relname FROM pg_class WHERE oid = seen));
    EXECUTE hotrow.fill(hotrow.fill($ddl$
        DROP FUNCTION IF EXISTS {same};
        DROP VIEW IF EXISTS {excluded}, {or_nothing};
        CREATE VIEW {excluded} WITH (security_invoker) AS SELECT * FROM {view};
        CREATE VIEW {or_nothing} WITH (security_invoker) AS SELECT * FROM {view};
        GRANT SELECT, INSERT ON {excluded}, {or_nothing} TO PUBLIC;
        CREATE OR REPLACE FUNCTION {for_update}(new {view}) RETURNS boolean LANGUAGE plpgsql AS
            $code$BEGIN {lock}; RETURN true; END$code$;
        CREATE OR REPLACE FUNCTION {for_key_share}(new {view}) RETURNS boolean LANGUAGE plpgsql AS
            $code$BEGIN {share}; RETURN true; END$code$;
        CREATE OR REPLACE FUNCTION {insert_new}() RETURNS trigger LANGUAGE plpgsql AS $code$
        BEGIN
            {skip};
            INSERT INTO {view} SELECT NEW.*;
            RETURN NEW;
        END$code$;
        CREATE FUNCTION {same}(a {excluded}, b {excluded}, index text) RETURNS boolean LANGUAGE plpgsql AS
            $code$BEGIN PERFORM hotrow.refuse_view(); END$code$;
        CREATE TRIGGER inserting INSTEAD OF INSERT ON {excluded} FOR EACH ROW EXECUTE FUNCTION {returning}();
        CREATE TRIGGER inserting INSTEAD OF INSERT ON {or_nothing} FOR EACH ROW EXECUTE FUNCTION {insert_new}()$ddl$,
        hotrow.parts_of_view(seen)), own);
    relation := hotrow.shown(seen);
    FOR command IN  -- the defaults of the table
        SELECT format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', own ->> v, a.attname, pg_get_expr(d.adbin, d.adrelid))
          FROM unnest('{excluded,or_nothing}'::text[]) AS v, pg_attrdef d
          JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
         WHERE d.adrelid = to_regclass(CASE WHEN relation IS NOT NULL THEN hotrow.parts(relation) ->> 'view' END)
           AND hotrow.shows(seen, ARRAY[a.attname::text])
    LOOP
        EXECUTE command;
    END LOOP;
    PERFORM hotrow.bind_view(seen);
END $$;

-- Everything beside a view is dropped with it.
CREATE FUNCTION hotrow.bind_view(seen oid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid := (SELECT relowner FROM pg_class WHERE oid = seen AND relkind = 'v');
    own jsonb;
    beside oid[];
BEGIN
    SELECT hotrow.names(n.nspname, c.relname) INTO own FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = seen;
    beside := ARRAY(SELECT c.oid FROM unnest('{excluded,or_nothing}'::text[]) AS part JOIN pg_class c ON c.oid = to_regclass(own ->> part)
                     WHERE relowner = owner AND relkind = 'v')
           || ARRAY(SELECT p.oid FROM pg_class c JOIN pg_proc p ON pronamespace = relnamespace
                     WHERE c.oid = seen AND proowner = owner
                       AND (proname IN (hotrow.stem(relname) || '__for_update', hotrow.stem(relname) || '__for_key_share') AND proargtypes[0] = reltype
                            OR proname = hotrow.stem(relname) || '__same' AND proargtypes[0] = (SELECT reltype FROM pg_class WHERE oid = to_regclass(own ->> 'excluded'))
                            OR proname = hotrow.stem(relname) || '__insert_new' AND pronargs = 0));
    IF owner IS NULL OR NOT pg_has_role(hotrow.client(), owner, 'USAGE') OR cardinality(beside) <> 6 THEN
        RAISE 'must be owner of view %', seen::regclass USING ERRCODE = '42501';
    END IF;
    DELETE FROM pg_depend WHERE objid = ANY (beside) AND refclassid = 'pg_class'::regclass AND refobjid = seen AND deptype = 'a';
    INSERT INTO pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
    SELECT CASE WHEN EXISTS (SELECT FROM pg_proc WHERE oid = one) THEN 'pg_proc' ELSE 'pg_class' END::regclass,
           one, 0, 'pg_class'::regclass, seen, 0, 'a' FROM unnest(beside) AS one;
    UPDATE pg_depend d SET deptype = 'a'
     WHERE d.deptype = 'n'
       AND (d.classid = 'pg_rewrite'::regclass AND d.objid IN (SELECT oid FROM pg_rewrite WHERE ev_class = ANY (beside))
            OR d.classid = 'pg_trigger'::regclass AND d.objid IN (SELECT oid FROM pg_trigger WHERE tgrelid = ANY (beside))
            OR d.classid = 'pg_proc'::regclass AND d.objid = ANY (beside) AND d.refclassid = 'pg_type'::regclass);
END $$;
