-- The system catalogues as clients see them: each adopted table once, as a table, and nothing of the stand-in's own.
--
-- The rewriting puts these views and functions in the place of pg_catalog's and information_schema's. A table has the OID and the
-- column numbers of its view, so that regclass, has_table_privilege and the descriptions of a result's columns agree with them.
-- Everything else about the table is its base table's. Which view belongs to which base table is read from pg_depend: what the
-- stand-in makes beside a table depends on it automatically.

SET LOCAL allow_system_table_mods = on;  -- for columns of the type anyarray
DROP SCHEMA IF EXISTS hotrow_catalog, hotrow_catalog_rows, hotrow_information CASCADE;
CREATE SCHEMA hotrow_catalog;       -- in place of pg_catalog
CREATE SCHEMA hotrow_catalog_rows;  -- the same, with the system columns tableoid, xmin, ctid …
CREATE SCHEMA hotrow_information;   -- in place of information_schema
GRANT USAGE ON SCHEMA hotrow_catalog, hotrow_catalog_rows, hotrow_information TO PUBLIC;

-- These functions are what the views below join with. They are opaque to the planner, so that a query of several catalogues is
-- planned in a millisecond.
CREATE FUNCTION hotrow.hidden_schemas() RETURNS SETOF oid LANGUAGE plpgsql STABLE ROWS 5 AS $$
BEGIN
    RETURN QUERY SELECT n.oid FROM pg_namespace n WHERE n.nspname ~ '^hotrow(_names|_newer|_catalog|_catalog_rows|_information|_gone_[0-9]+)?$';
END $$;

-- What depends on a relation because the stand-in has made it beside that relation.
CREATE FUNCTION hotrow.beside() RETURNS TABLE (oid oid, kind "char", beside oid, beside_kind "char") LANGUAGE plpgsql STABLE ROWS 200 AS $$
BEGIN
    RETURN QUERY SELECT d.objid, c.relkind, d.refobjid, r.relkind
      FROM pg_depend d JOIN pg_class c ON c.oid = d.objid JOIN pg_class r ON r.oid = d.refobjid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
       AND d.objsubid = 0 AND d.refobjsubid = 0 AND d.deptype = 'a' AND c.relkind IN ('r', 'v');
END $$;

-- The adopted tables, and whether a column has the same number in the view and in the base table.
CREATE FUNCTION hotrow.adopted() RETURNS TABLE (view oid, base oid, same_numbers boolean) LANGUAGE plpgsql STABLE ROWS 50 AS $$
BEGIN
    RETURN QUERY SELECT v.oid, b.oid, v.relnatts = b.relnatts
      FROM pg_depend d JOIN pg_class v ON v.oid = d.objid JOIN pg_class b ON b.oid = d.refobjid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
       AND d.objsubid = 0 AND d.refobjsubid = 0 AND d.deptype = 'a' AND v.relkind = 'v' AND b.relkind = 'r'
       AND v.relnamespace NOT IN (SELECT hotrow.hidden_schemas());
END $$;

-- The columns of adopted tables.
CREATE FUNCTION hotrow.adopted_columns() RETURNS TABLE (view oid, base oid, number int2, base_number int2)
LANGUAGE plpgsql STABLE ROWS 500 AS $$
BEGIN
    RETURN QUERY SELECT a.view, a.base, v.attnum, b.attnum
      FROM hotrow.adopted() a JOIN pg_attribute b ON b.attrelid = a.base AND b.attnum > 0
      JOIN pg_attribute v ON v.attrelid = a.view AND v.attname = b.attname;
END $$;

-- Relations that clients do not see.
CREATE FUNCTION hotrow.hidden() RETURNS TABLE (oid oid) LANGUAGE plpgsql STABLE ROWS 300 AS $$
BEGIN
    RETURN QUERY
    WITH b AS MATERIALIZED (SELECT * FROM hotrow.beside())
    SELECT c.oid FROM pg_class c WHERE c.relnamespace IN (SELECT hotrow.hidden_schemas())
     UNION ALL
    SELECT b.oid FROM b WHERE b.kind = b.beside_kind
     UNION ALL  -- base tables
    SELECT b.beside FROM b WHERE b.kind = 'v' AND b.beside_kind = 'r'
     UNION ALL
    SELECT i.indexrelid FROM pg_index i WHERE i.indrelid IN (SELECT b.oid FROM b WHERE b.kind = 'r')
     UNION ALL  -- indexes of hidden keys
    SELECT i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE i.indrelid IN (SELECT b.beside FROM b WHERE b.kind = 'v' AND b.beside_kind = 'r')
       AND (c.relname ~ '^hotrow_values_[0-9]+$'  -- the index by which rows without a primary key are found
            OR EXISTS (SELECT FROM pg_attribute k WHERE k.attrelid = i.indexrelid AND k.attname = '__hotrow_key'));
END $$;

-- Relations that clients do not see as they are.
CREATE FUNCTION hotrow.replaced() RETURNS TABLE (oid oid) LANGUAGE plpgsql STABLE ROWS 350 AS $$
BEGIN
    RETURN QUERY SELECT h.oid FROM hotrow.hidden() h UNION ALL SELECT a.view FROM hotrow.adopted() a;
END $$;

-- The numbers of columns of a base table as numbers of the view's columns.
CREATE FUNCTION hotrow.renumbered(relation oid, numbers int2[]) RETURNS int2[] STABLE BEGIN ATOMIC
    SELECT array_agg(coalesce(c.number, n.number) ORDER BY n.position)
      FROM unnest(numbers) WITH ORDINALITY AS n (number, position)
      LEFT JOIN hotrow.adopted_columns() c ON c.base = relation AND c.base_number = n.number;
END;

-- Make a catalogue's views. Each branch is part of a UNION ALL: its FROM clause, in which x is the catalogue's row, its condition,
-- and the columns that differ from x.
CREATE FUNCTION hotrow.shadow(catalogue text, VARIADIC branches jsonb[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    command text;
    system_columns text;
    space text;
BEGIN
    FOR space, system_columns IN
        VALUES ('hotrow_catalog', ''), ('hotrow_catalog_rows', ', x.tableoid, x.ctid, x.xmin, x.cmin, x.xmax, x.cmax')
    LOOP
        SELECT string_agg(format('SELECT %s FROM %s WHERE %s', (
                   SELECT string_agg(coalesce(branch -> 'columns' ->> attname, format('x.%I', attname)) || format(' AS %I', attname), ', '
                                     ORDER BY attnum)
                     FROM pg_attribute WHERE attrelid = catalogue::regclass AND attnum > 0 AND NOT attisdropped) || system_columns,
                   branch ->> 'from', coalesce(branch ->> 'where', 'true')), ' UNION ALL ')
          INTO command FROM unnest(branches) AS branch;
        EXECUTE format('CREATE VIEW %I.%I AS %s', space, catalogue, command);
        IF has_table_privilege('public', catalogue, 'SELECT') THEN
            EXECUTE format('GRANT SELECT ON %I.%I TO PUBLIC', space, catalogue);
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION hotrow.unless_in(relations text, item text) RETURNS text LANGUAGE sql AS $$
    SELECT format('NOT EXISTS (SELECT FROM %s WHERE o.oid = %s)', relations, item)
$$;

SELECT hotrow.shadow('pg_namespace', jsonb_build_object(
    'from', 'pg_namespace x', 'where', hotrow.unless_in('hotrow.hidden_schemas() AS o (oid)', 'x.oid')));

SELECT hotrow.shadow('pg_class',
    jsonb_build_object('from', 'pg_class x', 'where', hotrow.unless_in('hotrow.replaced() o', 'x.oid')),
    $json${"from": "hotrow.adopted() a JOIN pg_class v ON v.oid = a.view JOIN pg_class x ON x.oid = a.base",
           "columns": {"oid": "v.oid", "relname": "v.relname", "relnamespace": "v.relnamespace", "reltype": "v.reltype",
                       "relhasindex": "x.relhasindex AND (a.same_numbers OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.base AND i.indexrelid NOT IN (SELECT h.oid FROM hotrow.hidden() h)))",
                       "relacl": "v.relacl", "relnatts": "v.relnatts",
                       "reloptions": "nullif(array_remove(x.reloptions, 'fillfactor=90'), '{}')",
                       "relhastriggers": "EXISTS (SELECT FROM pg_constraint k JOIN hotrow.adopted() o ON o.base = k.conrelid WHERE k.contype = 'f' AND x.oid IN (k.conrelid, k.confrelid))"}}$json$);

SELECT hotrow.shadow('pg_attribute',
    jsonb_build_object('from', 'pg_attribute x', 'where', hotrow.unless_in('hotrow.replaced() o', 'x.attrelid')),
    $json${"from": "hotrow.adopted() a JOIN pg_attribute x ON x.attrelid = a.base LEFT JOIN pg_attribute v ON v.attrelid = a.view AND v.attname = x.attname",
           "where": "x.attnum < 0 OR v.attnum IS NOT NULL",
           "columns": {"attrelid": "a.view", "attnum": "coalesce(v.attnum, x.attnum)", "attacl": "v.attacl"}}$json$);

SELECT hotrow.shadow('pg_attrdef',
    jsonb_build_object('from', 'pg_attrdef x', 'where', hotrow.unless_in('hotrow.replaced() o', 'x.adrelid')),
    $json${"from": "hotrow.adopted_columns() c JOIN pg_attrdef x ON x.adrelid = c.base AND x.adnum = c.base_number",
           "columns": {"adrelid": "c.view", "adnum": "c.number"}}$json$);

SELECT hotrow.shadow('pg_index',
    jsonb_build_object('from', 'pg_index x', 'where', hotrow.unless_in('hotrow.replaced() o', 'x.indrelid')),
    jsonb_build_object('from', 'hotrow.adopted() a JOIN pg_index x ON x.indrelid = a.base',
                       'where', hotrow.unless_in('hotrow.hidden() o', 'x.indexrelid'))
    || $json${"columns": {"indrelid": "a.view", "indkey": "CASE WHEN a.same_numbers THEN x.indkey ELSE array_to_string(hotrow.renumbered(a.base, x.indkey::int2[]), ' ')::int2vector END"}}$json$);

SELECT hotrow.shadow('pg_constraint',
    jsonb_build_object('from', 'pg_constraint x LEFT JOIN hotrow.adopted() f ON f.base = x.confrelid',
                       'where', hotrow.unless_in('hotrow.replaced() o', 'x.conrelid'))
    || $json${"columns": {"confrelid": "coalesce(f.view, x.confrelid)",
                          "confkey": "CASE WHEN NOT f.same_numbers THEN hotrow.renumbered(f.base, x.confkey) ELSE x.confkey END"}}$json$,
    $json${"from": "hotrow.adopted() a JOIN pg_constraint x ON x.conrelid = a.base LEFT JOIN hotrow.adopted() f ON f.base = x.confrelid",
           "where": "a.same_numbers OR NOT EXISTS (SELECT FROM unnest(x.conkey) AS k WHERE NOT EXISTS (SELECT FROM hotrow.adopted_columns() c WHERE c.base = a.base AND c.base_number = k))",
           "columns": {"conrelid": "a.view", "confrelid": "coalesce(f.view, x.confrelid)",
                       "conkey": "CASE WHEN a.same_numbers THEN x.conkey ELSE hotrow.renumbered(a.base, x.conkey) END",
                       "confkey": "CASE WHEN NOT f.same_numbers THEN hotrow.renumbered(f.base, x.confkey) ELSE x.confkey END"}}$json$);

-- The row type of a table is its view's.
SELECT hotrow.shadow('pg_type', jsonb_build_object(
    'from', 'pg_type x LEFT JOIN pg_type e ON e.oid = x.typelem AND e.typarray = x.oid',
    'where', hotrow.unless_in('hotrow.hidden_schemas() AS o (oid)', 'x.typnamespace') || ' AND '
             || hotrow.unless_in('hotrow.hidden() o', 'coalesce(e.typrelid, x.typrelid)')));

CREATE FUNCTION hotrow.hidden_functions() RETURNS TABLE (oid oid) LANGUAGE plpgsql STABLE ROWS 500 AS $$
BEGIN
    RETURN QUERY
    SELECT p.oid FROM pg_proc p WHERE p.pronamespace IN (SELECT hotrow.hidden_schemas())
     UNION ALL
    SELECT d.objid FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a';
END $$;

SELECT hotrow.shadow('pg_proc', jsonb_build_object('from', 'pg_proc x', 'where', hotrow.unless_in('hotrow.hidden_functions() o', 'x.oid')));

-- A table has only the triggers of its foreign keys, and they are on.
SELECT hotrow.shadow('pg_trigger',
    jsonb_build_object('from', 'pg_trigger x', 'where', hotrow.unless_in('hotrow.replaced() o', 'x.tgrelid')),
    jsonb_build_object('from', 'hotrow.adopted() a JOIN pg_trigger x ON x.tgrelid = a.base LEFT JOIN hotrow.adopted() f ON f.base = x.tgconstrrelid',
                       'where', 'f.base IS NOT NULL OR ' || hotrow.unless_in('hotrow.hidden() o', 'x.tgconstrrelid'))
    || $json${"columns": {"tgrelid": "a.view", "tgconstrrelid": "coalesce(f.view, x.tgconstrrelid)", "tgenabled": "'O'::\"char\""}}$json$);

SELECT hotrow.shadow('pg_rewrite', jsonb_build_object('from', 'pg_rewrite x', 'where', hotrow.unless_in('hotrow.replaced() o', 'x.ev_class')));

SELECT hotrow.shadow('pg_event_trigger', '{"from": "pg_event_trigger x", "where": "x.evtname NOT LIKE ''hotrow\\_%''"}');

SELECT hotrow.shadow('pg_default_acl', '{"from": "pg_default_acl x", "where": "x.defaclrole <> 10"}');  -- the superuser's

SELECT hotrow.shadow('pg_statistic',
    jsonb_build_object('from', 'pg_statistic x', 'where', hotrow.unless_in('hotrow.replaced() o', 'x.starelid')),
    $json${"from": "hotrow.adopted_columns() c JOIN pg_statistic x ON x.starelid = c.base AND x.staattnum = c.base_number",
           "columns": {"starelid": "c.view", "staattnum": "c.number"}}$json$);

SELECT hotrow.shadow('pg_description',
    jsonb_build_object('from', 'pg_description x',
                       'where', 'CASE x.classoid WHEN ''pg_class''::regclass THEN ' || hotrow.unless_in('hotrow.replaced() o', 'x.objoid')
                                || ' WHEN ''pg_namespace''::regclass THEN ' || hotrow.unless_in('hotrow.hidden_schemas() AS o (oid)', 'x.objoid') || ' ELSE true END'),
    $json${"from": "hotrow.adopted() a JOIN pg_description x ON x.objoid = a.base AND x.classoid = 'pg_class'::regclass",
           "columns": {"objoid": "a.view", "objsubid": "CASE WHEN x.objsubid = 0 OR a.same_numbers THEN x.objsubid ELSE (hotrow.renumbered(a.base, ARRAY[x.objsubid::int2]))[1] END"}}$json$);

-- The objects that clients do not see, in all catalogues. Base tables are among them.
CREATE FUNCTION hotrow.hidden_objects() RETURNS TABLE (class oid, oid oid) LANGUAGE plpgsql STABLE ROWS 2000 AS $$
BEGIN
    RETURN QUERY
    WITH adopted AS MATERIALIZED (SELECT * FROM hotrow.adopted()), hidden AS MATERIALIZED (SELECT h.oid FROM hotrow.hidden() h),
         replaced AS MATERIALIZED (SELECT h.oid FROM hidden h UNION ALL SELECT a.view FROM adopted a),
         beside AS MATERIALIZED (SELECT h.oid FROM replaced h WHERE h.oid NOT IN (SELECT a.base FROM adopted a))
    SELECT 'pg_class'::regclass::oid, h.oid FROM hidden h
     UNION ALL
    SELECT 'pg_proc'::regclass, f.oid FROM hotrow.hidden_functions() f
     UNION ALL
    SELECT 'pg_namespace'::regclass, n FROM hotrow.hidden_schemas() n
     UNION ALL
    SELECT 'pg_type'::regclass, t.oid FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
     WHERE coalesce(e.typrelid, t.typrelid) IN (SELECT h.oid FROM hidden h)
     UNION ALL
    SELECT 'pg_rewrite'::regclass, x.oid FROM pg_rewrite x WHERE x.ev_class IN (SELECT h.oid FROM replaced h)
     UNION ALL
    SELECT 'pg_attrdef'::regclass, x.oid FROM pg_attrdef x WHERE x.adrelid IN (SELECT h.oid FROM beside h)
     UNION ALL
    SELECT 'pg_constraint'::regclass, x.oid FROM pg_constraint x WHERE x.conrelid IN (SELECT h.oid FROM beside h)
     UNION ALL
    SELECT 'pg_trigger'::regclass, x.oid FROM pg_trigger x
     WHERE x.tgrelid IN (SELECT h.oid FROM beside h) OR x.tgconstrrelid IN (SELECT h.oid FROM beside h)
     UNION ALL
    SELECT 'pg_event_trigger'::regclass, x.oid FROM pg_event_trigger x WHERE x.evtname LIKE 'hotrow\_%';
END $$;

SELECT hotrow.shadow('pg_depend', $json${
    "from": "pg_depend x LEFT JOIN hotrow.adopted() a ON x.classid = 'pg_class'::regclass AND a.base = x.objid LEFT JOIN hotrow.adopted() r ON x.refclassid = 'pg_class'::regclass AND r.base = x.refobjid",
    "where": "(r.same_numbers IS NOT FALSE OR x.refobjsubid <= 0 OR EXISTS (SELECT FROM hotrow.adopted_columns() c WHERE c.base = r.base AND c.base_number = x.refobjsubid)) AND (a.base IS NOT NULL OR NOT EXISTS (SELECT FROM hotrow.hidden_objects() o WHERE o.class = x.classid AND o.oid = x.objid)) AND (r.base IS NOT NULL OR NOT EXISTS (SELECT FROM hotrow.hidden_objects() o WHERE o.class = x.refclassid AND o.oid = x.refobjid)) AND NOT (x.classid = 'pg_class'::regclass AND EXISTS (SELECT FROM hotrow.adopted() o WHERE o.view = x.objid))",
    "columns": {"objid": "coalesce(a.view, x.objid)", "refobjid": "coalesce(r.view, x.refobjid)",
                "objsubid": "CASE WHEN NOT a.same_numbers AND x.objsubid > 0 THEN (hotrow.renumbered(a.base, ARRAY[x.objsubid::int2]))[1] ELSE x.objsubid END",
                "refobjsubid": "CASE WHEN NOT r.same_numbers AND x.refobjsubid > 0 THEN (hotrow.renumbered(r.base, ARRAY[x.refobjsubid::int2]))[1] ELSE x.refobjsubid END"}}$json$);

-- Functions that look into the catalogues.

-- The base table of an adopted table, and the other way round; any other relation is its own.
CREATE FUNCTION hotrow.base_of(relation oid) RETURNS oid STABLE
    RETURN coalesce((SELECT b.oid FROM pg_depend d JOIN pg_class v ON v.oid = d.objid JOIN pg_class b ON b.oid = d.refobjid
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = relation AND d.objsubid = 0 AND v.relkind = 'v'
                        AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid = 0 AND d.deptype = 'a' AND b.relkind = 'r'), relation);
CREATE FUNCTION hotrow.view_of(relation oid) RETURNS oid STABLE
    RETURN coalesce((SELECT v.oid FROM pg_depend d JOIN pg_class v ON v.oid = d.objid
                      WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = relation AND d.refobjsubid = 0
                        AND d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND d.deptype = 'a' AND v.relkind = 'v'), relation);

CREATE FUNCTION hotrow_catalog.pg_get_expr(tree pg_node_tree, relation oid) RETURNS text STABLE
    RETURN pg_catalog.pg_get_expr(tree, hotrow.base_of(relation));
CREATE FUNCTION hotrow_catalog.pg_get_expr(tree pg_node_tree, relation oid, pretty boolean) RETURNS text STABLE
    RETURN pg_catalog.pg_get_expr(tree, hotrow.base_of(relation), pretty);

CREATE FUNCTION hotrow_catalog.pg_get_constraintdef(item oid, pretty boolean) RETURNS text STABLE BEGIN ATOMIC
    SELECT coalesce(
        (SELECT replace(d.text, format(' REFERENCES %s(', c.confrelid::regclass), format(' REFERENCES %s(', hotrow.view_of(c.confrelid)::regclass))
           FROM pg_constraint c WHERE c.oid = item AND c.contype = 'f'), d.text)
      FROM pg_catalog.pg_get_constraintdef(item, pretty) AS d (text);
END;
CREATE FUNCTION hotrow_catalog.pg_get_constraintdef(item oid) RETURNS text STABLE
    RETURN hotrow_catalog.pg_get_constraintdef(item, false);

CREATE FUNCTION hotrow_catalog.pg_get_indexdef(item oid, number int, pretty boolean) RETURNS text STABLE BEGIN ATOMIC
    SELECT coalesce(
        (SELECT replace(replace(d.text, format(' ON %I.%I USING ', n.nspname, b.relname), format(' ON %I.%I USING ', n.nspname, v.relname)),
                        format(' ON %s USING ', b.oid::regclass), format(' ON %s USING ', v.oid::regclass))
           FROM pg_index i JOIN pg_class b ON b.oid = i.indrelid JOIN pg_class v ON v.oid = hotrow.view_of(b.oid)
           JOIN pg_namespace n ON n.oid = v.relnamespace
          WHERE i.indexrelid = item AND number = 0), d.text)
      FROM pg_catalog.pg_get_indexdef(item, number, pretty) AS d (text);
END;
CREATE FUNCTION hotrow_catalog.pg_get_indexdef(item oid) RETURNS text STABLE
    RETURN hotrow_catalog.pg_get_indexdef(item, 0, false);

CREATE FUNCTION hotrow_catalog.pg_get_serial_sequence(relation text, name text) RETURNS text STABLE
    RETURN pg_catalog.pg_get_serial_sequence(
        coalesce(hotrow.base_of(to_regclass(relation))::regclass::text, relation), name);

CREATE FUNCTION hotrow_catalog.obj_description(item oid, catalogue name) RETURNS text STABLE
    RETURN (SELECT d.description FROM hotrow_catalog.pg_description d
             WHERE d.objoid = item AND d.classoid = to_regclass(format('pg_catalog.%I', catalogue)) AND d.objsubid = 0);
CREATE FUNCTION hotrow_catalog.obj_description(item oid) RETURNS text STABLE
    RETURN (SELECT d.description FROM hotrow_catalog.pg_description d WHERE d.objoid = item AND d.objsubid = 0);
CREATE FUNCTION hotrow_catalog.col_description(relation oid, number int) RETURNS text STABLE
    RETURN (SELECT d.description FROM hotrow_catalog.pg_description d
             WHERE d.objoid = relation AND d.classoid = 'pg_class'::regclass AND d.objsubid = number);

CREATE FUNCTION hotrow_catalog.pg_relation_size(relation regclass) RETURNS bigint STABLE
    RETURN pg_catalog.pg_relation_size(hotrow.base_of(relation)::regclass);
CREATE FUNCTION hotrow_catalog.pg_relation_size(relation regclass, fork text) RETURNS bigint STABLE
    RETURN pg_catalog.pg_relation_size(hotrow.base_of(relation)::regclass, fork);
CREATE FUNCTION hotrow_catalog.pg_table_size(relation regclass) RETURNS bigint STABLE
    RETURN pg_catalog.pg_table_size(hotrow.base_of(relation)::regclass);
CREATE FUNCTION hotrow_catalog.pg_indexes_size(relation regclass) RETURNS bigint STABLE
    RETURN pg_catalog.pg_indexes_size(hotrow.base_of(relation)::regclass);
CREATE FUNCTION hotrow_catalog.pg_total_relation_size(relation regclass) RETURNS bigint STABLE
    RETURN pg_catalog.pg_total_relation_size(hotrow.base_of(relation)::regclass);
-- A view of a table can be updated if the view of its base table can. That one has triggers, and clients' views have none.
CREATE FUNCTION hotrow_catalog.pg_relation_is_updatable(relation regclass, triggers boolean) RETURNS int STABLE
    RETURN pg_catalog.pg_relation_is_updatable(relation, true);
CREATE FUNCTION hotrow_catalog.pg_column_is_updatable(relation regclass, number smallint, triggers boolean) RETURNS boolean STABLE
    RETURN pg_catalog.pg_column_is_updatable(relation, number, true);

DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('CREATE FUNCTION hotrow_catalog.%I(relation oid) RETURNS %s VOLATILE RETURN pg_catalog.%1$I(hotrow.base_of(relation))',
                      proname, prorettype::regtype)
          FROM pg_proc
         WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_stat_get_(?!db_)' AND proargtypes::text = 'oid'::regtype::oid::text AND prorettype <> 'record'::regtype
    LOOP
        EXECUTE command;
    END LOOP;
END $$;

CREATE FUNCTION hotrow_information._pg_index_position(item oid, number smallint) RETURNS int STABLE
    RETURN (SELECT k.position FROM hotrow_catalog.pg_index i, unnest(i.indkey) WITH ORDINALITY AS k (number, position)
             WHERE i.indexrelid = item AND k.number = _pg_index_position.number);
CREATE FUNCTION hotrow_information._pg_truetypid(a hotrow_catalog.pg_attribute, t hotrow_catalog.pg_type) RETURNS oid IMMUTABLE
    RETURN CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END;
CREATE FUNCTION hotrow_information._pg_truetypmod(a hotrow_catalog.pg_attribute, t hotrow_catalog.pg_type) RETURNS int IMMUTABLE
    RETURN CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END;

-- The system views that would show something of the stand-in's (rewriting/catalogue.py has the same list), made again with the
-- names in their texts resolved to the views and functions above.
DO $$
DECLARE
    wanted text[] := string_to_array(btrim(regexp_replace($names$
        pg_indexes pg_sequences pg_stat_all_indexes pg_stat_all_tables pg_stat_user_functions
        pg_stat_user_indexes pg_stat_user_tables pg_stat_xact_all_tables pg_stat_xact_user_tables
        pg_statio_all_indexes pg_statio_all_sequences pg_statio_all_tables pg_statio_user_indexes
        pg_statio_user_sequences pg_statio_user_tables pg_stats pg_tables pg_views
        check_constraint_routine_usage check_constraints column_column_usage column_domain_usage
        column_privileges column_udt_usage columns constraint_column_usage constraint_table_usage
        key_column_usage parameters referential_constraints role_column_grants role_routine_grants
        role_table_grants routine_privileges routines schemata sequences table_constraints table_privileges
        tables triggered_update_columns triggers view_column_usage view_routine_usage view_table_usage views
        $names$, '\s+', ' ', 'g')), ' ');
    seen record;
BEGIN
    FOR seen IN
        SELECT relname AS name, nspname = 'pg_catalog' AS is_catalogue,
               CASE nspname WHEN 'pg_catalog' THEN 'hotrow_catalog' ELSE 'hotrow_information' END AS space,
               regexp_replace(pg_get_viewdef(c.oid), '''(pg_\w+)''::regclass', '''pg_catalog.\1''::regclass', 'g') AS definition,
               CASE WHEN 'security_barrier=true' = ANY (reloptions) THEN ' WITH (security_barrier)' END AS barrier
          FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE relkind = 'v' AND nspname IN ('pg_catalog', 'information_schema') AND relname = ANY (wanted) ORDER BY c.oid
    LOOP
        PERFORM set_config('search_path', 'hotrow_catalog, pg_catalog', true);
        EXECUTE format('CREATE VIEW %I.%I%s AS %s', seen.space, seen.name, seen.barrier,
                       regexp_replace(seen.definition, format('\minformation_schema\.(?=(%s)\M)', array_to_string(
                           wanted || '{_pg_index_position,_pg_truetypid,_pg_truetypmod}', '|')), 'hotrow_information.', 'g'));
        PERFORM set_config('search_path', 'pg_catalog', true);
        EXECUTE format('GRANT SELECT ON %I.%I TO PUBLIC', seen.space, seen.name);
    END LOOP;
END $$;
SET LOCAL allow_system_table_mods = off;
