-- Checks of proposed rows, and INSERT … ON CONFLICT.

-- The text of an expression or condition of a table, with `source` before each of its columns: `lower(owner)` gives
-- `lower(NEW.owner)`. PostgreSQL has written the text, so a word that is a column's name and is not called is that column.
CREATE FUNCTION hotrow.qualified(expression text, relation oid, source text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(CASE WHEN is_column AND coalesce(before, '') NOT IN ('::', '.', 'COLLATE') AND coalesce(after, '') NOT IN ('(', '.')
                      THEN source || '.' ELSE '' END || word, '' ORDER BY n)
      FROM (SELECT word, n, lag(word) OVER w AS before, lead(word) OVER w AS after,
                   EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND quote_ident(attname) = word) AS is_column
              FROM (SELECT found[1] AS word, n
                      FROM regexp_matches(expression, $re$('(?:[^']|'')*'|"(?:[^"]|"")*"|[^\W\d][\w$]*|::|\s+|.)$re$, 'g')
                           WITH ORDINALITY AS m (found, n)) words
            WINDOW w AS (PARTITION BY word ~ '^\s+$' ORDER BY n)) neighbours
$$;

-- The values that a row has in a unique index: columns and expressions. No name in them depends on the client's search_path.
CREATE FUNCTION hotrow.index_values(index oid, source text) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(CASE indkey[n - 1] WHEN 0 THEN hotrow.qualified(pg_get_indexdef(index, n, false), indrelid, source)
                     ELSE source || '.' || pg_get_indexdef(index, n, false) END ORDER BY n)
      FROM pg_index, generate_series(1, indnkeyatts) AS n WHERE indexrelid = index
$$;

-- Whether a row is in a partial index.
CREATE FUNCTION hotrow.index_condition(index oid, source text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(hotrow.qualified(pg_get_expr(indpred, indrelid), indrelid, source), 'true') FROM pg_index WHERE indexrelid = index
$$;

-- A condition: two rows cannot both be in a unique index.
CREATE FUNCTION hotrow.same_value(index oid, one text, other text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(CASE WHEN indnullsnotdistinct THEN format('(%1$s = %2$s OR (%1$s) IS NULL AND (%2$s) IS NULL)', mine, theirs)
                      ELSE format('%s = %s', mine, theirs) END, ' AND ')
           || CASE WHEN indpred IS NULL THEN ''
              ELSE format(' AND %s AND %s', hotrow.index_condition(index, one), hotrow.index_condition(index, other)) END
      FROM pg_index, unnest(hotrow.index_values(index, one), hotrow.index_values(index, other)) AS v (mine, theirs)
     WHERE indexrelid = index GROUP BY indexrelid, indnullsnotdistinct, indpred
$$;

-- The unique indexes that a client can know.
CREATE FUNCTION hotrow.all_unique_indexes(relation oid) RETURNS SETOF pg_index LANGUAGE sql STABLE AS $$
    SELECT * FROM pg_index WHERE indrelid = relation AND indisunique AND NOT (indisprimary AND hotrow.has_hidden_key(relation))
$$;

-- Those that hotrow.unique_indexes() leaves out: partial ones, those on expressions, and those whose NULLs are equal.
CREATE FUNCTION hotrow.special_indexes(relation oid) RETURNS SETOF pg_index LANGUAGE sql STABLE AS $$
    SELECT * FROM pg_index WHERE indrelid = relation AND indisunique AND (indexprs IS NOT NULL OR indpred IS NOT NULL OR indnullsnotdistinct)
$$;

-- Whether this transaction may have written a row with the values that NEW has in an index, according to a Bloom filter of the index.
-- The values are added. It is always true for types without a hash function.
CREATE FUNCTION hotrow.may_be_written(index oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN bool_and(EXISTS (SELECT FROM pg_opclass c WHERE c.opcdefault AND c.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'hash')
                                         AND c.opcintype = CASE atttypid WHEN 'varchar'::regtype THEN 'text'::regtype ELSE atttypid END))
           THEN format('hotrow.seen(''hotrow.u%s'', hash_record(ROW(%s)))', index, array_to_string(hotrow.index_values(index, 'NEW'), ', '))
           ELSE 'true' END
      FROM pg_attribute WHERE attrelid = index AND attnum <= (SELECT indnkeyatts FROM pg_index WHERE indexrelid = index)
$$;

-- plpgsql that refuses a row NEW without a value that it needs, or which a CHECK refuses.
CREATE FUNCTION hotrow.refuse_row(relation oid, about text) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(format($code$
            IF %s THEN
                RAISE USING ERRCODE = %L, MESSAGE = %L, DETAIL = 'Failing row contains (' || %s || ').', %s, %s;
            END IF;$code$, refused, state, message, shown, named, about), '' ORDER BY rank, message), '')
      FROM (SELECT format('NEW.%I IS NULL', attname) AS refused, '23502' AS state, attnum AS rank,
                   format('null value in column "%s" of relation "%s" violates not-null constraint', attname, hotrow.view_name(relation)) AS message,
                   format('COLUMN = %L', attname) AS named
              FROM pg_attribute
             WHERE attrelid = relation AND attnum > 0 AND attnotnull AND NOT attisdropped AND attgenerated = '' AND attname NOT LIKE '\_\_hotrow%'
             UNION ALL
            SELECT format('NOT (%s)', hotrow.qualified(pg_get_expr(conbin, conrelid), relation, 'NEW')), '23514', 10000,
                   format('new row for relation "%s" violates check constraint "%s"', hotrow.view_name(relation), conname),
                   format('CONSTRAINT = %L', conname)
              FROM pg_constraint WHERE conrelid = relation AND contype = 'c') rules,
           (SELECT string_agg(format('coalesce(NEW.%I::text, ''null'')', attname), ' || '', '' || ' ORDER BY attnum) AS shown
              FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attname NOT LIKE '\_\_hotrow%') row
$$;

-- Make or replace a trigger function from a text that contains expressions of a table, which are no template.
CREATE FUNCTION hotrow.define_check(name text, body text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
                   name, format('BEGIN%s RETURN NEW; END', body));
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
END $$;

-- A value under a special unique index is refused if it is visible. A trigger of its own does this before the triggers that write
-- the row, and after those that compute columns: triggers run in the order of their names. Tables
-- without such an index do not have it. Rows that ON CONFLICT proposes are checked although they may not be inserted.
CREATE FUNCTION hotrow.define_checks(relation oid, parts jsonb) RETURNS void LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
    special text := (
        SELECT string_agg(format($code$
            IF TG_OP = 'INSERT' OR (%s) IS DISTINCT FROM (%s) THEN
                IF %s OR EXISTS (SELECT FROM %s b WHERE %s) THEN
                    IF EXISTS (SELECT FROM %s t WHERE %s) THEN
                        RAISE USING ERRCODE = '23505', MESSAGE = %L, CONSTRAINT = %L, %s,
                                    DETAIL = %L || concat_ws(', ', %s) || ') already exists.';
                    END IF;
                END IF;
            END IF;$code$,
            concat_ws(', ', 'ROW(' || array_to_string(hotrow.index_values(indexrelid, 'NEW'), ', ') || ')', hotrow.index_condition(indexrelid, 'NEW')),
            concat_ws(', ', 'ROW(' || array_to_string(hotrow.index_values(indexrelid, 'OLD'), ', ') || ')', hotrow.index_condition(indexrelid, 'OLD')),
            hotrow.may_be_written(indexrelid), parts ->> 'base', hotrow.same_value(indexrelid, 'b', 'NEW'),
            parts ->> 'view', hotrow.same_value(indexrelid, 't', 'NEW'),
            format('duplicate key value violates unique constraint "%s"', relname), relname, parts ->> 'about',
            format('Key (%s)=(', array_to_string(ARRAY(SELECT pg_get_indexdef(indexrelid, n, false) FROM generate_series(1, indnkeyatts) AS n), ', ')),
            array_to_string(hotrow.index_values(indexrelid, 'NEW'), ', ')), '' ORDER BY indexrelid)
          FROM hotrow.special_indexes(relation) JOIN pg_class c ON c.oid = indexrelid);
BEGIN
    PERFORM hotrow.define_check(parts ->> 'check_row', hotrow.refuse_row(relation, parts ->> 'about'));
    IF special IS NOT NULL THEN
        PERFORM hotrow.define_check(parts ->> 'check_unique', special);
    END IF;
    EXECUTE hotrow.fill(CASE WHEN special IS NULL THEN 'DROP TRIGGER IF EXISTS examining ON {view};'
                        ELSE 'CREATE OR REPLACE TRIGGER examining INSTEAD OF INSERT OR UPDATE ON {view} FOR EACH ROW EXECUTE FUNCTION {check_unique}();' END
                        || $ddl$
        CREATE OR REPLACE TRIGGER examining INSTEAD OF INSERT ON {excluded} FOR EACH ROW EXECUTE FUNCTION {check_row}();
        CREATE OR REPLACE TRIGGER examining INSTEAD OF INSERT ON {or_nothing} FOR EACH ROW EXECUTE FUNCTION {check_row}()$ddl$, parts);
END $$;

-- A row that a statement has written already is skipped in UPDATE … FROM and DELETE … USING. MERGE refuses it. Only the text tells
-- them apart.
CREATE FUNCTION hotrow.refuse_second_merge(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF statement ~* '^[^;]*\mMERGE\s+INTO\M' AND statement !~* '__merged|;\s*\S|\mUPDATE\s+(?!SET\M)|\mDELETE\s+FROM\M' THEN
        RAISE 'MERGE command cannot affect row a second time'
              USING ERRCODE = '21000', HINT = 'Ensure that not more than one source row matches any one target row.';
    END IF;
END $$;

-- INSERT … ON CONFLICT is rewritten to use two more views. An INSERT into account__excluded writes nothing and returns the row as
-- it would be inserted. An INSERT into account__or_nothing skips rows whose value a unique index has already. Both use the caller's
-- rights: what the caller may not do to the table, the caller may not do here.
-- account__same() says whether two rows have the same value in the unique index of this name. It is SQL that PostgreSQL puts in the
-- place of the call, so that it can use the index.
CREATE FUNCTION hotrow.define_upserts(relation oid, parts jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS %L', parts ->> 'insert_new',
        hotrow.fill($code$
        BEGIN
            IF {known} THEN
                RETURN NULL;
            END IF;
            PERFORM pg_catalog.set_config('hotrow.moving', 'on', true);  -- what this statement refers to is checked at its own end
            INSERT INTO {view} VALUES (NEW.*);
            PERFORM pg_catalog.set_config('hotrow.moving', '', true);
            RETURN NEW;
        END$code$, parts || jsonb_build_object('known', (
            SELECT coalesce(string_agg(format('EXISTS (SELECT FROM %s t WHERE %s)', parts ->> 'view', hotrow.same_value(indexrelid, 't', 'NEW')), ' OR '), 'false')
              FROM hotrow.all_unique_indexes(relation)))));
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', parts ->> 'insert_new');
    EXECUTE format('CREATE OR REPLACE FUNCTION %s(a %s, b %s, index text) RETURNS boolean LANGUAGE sql STABLE AS %L',
        parts ->> 'same', parts ->> 'excluded', parts ->> 'excluded', (
        SELECT coalesce('SELECT CASE $3 ' || string_agg(format('WHEN %L THEN %s', relname, hotrow.same_value(indexrelid, '($1)', '($2)')), ' ') || ' END',
                        'SELECT false')
          FROM hotrow.all_unique_indexes(relation) JOIN pg_class c ON c.oid = indexrelid));
END $$;

CREATE FUNCTION hotrow.return_new() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';

-- The functions below find the index of a conflict target when a statement is planned, as PostgreSQL does. They are IMMUTABLE so that
-- their results are constants in the plan.

-- True if a unique index on exactly these columns supports ON CONFLICT on them; otherwise an error. The table is the base table
-- of what the client named, which may also be a view of a table.
CREATE FUNCTION hotrow.has_key(base text, VARIADIC names text[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    relation oid := coalesce(to_regclass(base), hotrow.shown(hotrow.named(base)));
BEGIN
    IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisunique AND indexprs IS NULL AND indpred IS NULL
                      AND ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = relation
                                   AND attnum = ANY (hotrow.key_columns(indexrelid)) ORDER BY 1)
                        = ARRAY(SELECT unnest(names) ORDER BY 1)) THEN
        RAISE 'there is no unique or exclusion constraint matching the ON CONFLICT specification' USING ERRCODE = '42P10';
    END IF;
    RETURN true;
END $$;

-- The index of ON CONFLICT ON CONSTRAINT.
CREATE FUNCTION hotrow.constraint_index(base text, name text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    relation oid := to_regclass(base);
    index oid;
BEGIN
    IF relation IS NULL THEN
        PERFORM hotrow.refuse_view();
    END IF;
    SELECT conindid INTO index FROM pg_constraint WHERE conrelid = relation AND conname = name AND contype <> 'f';
    IF NOT FOUND THEN
        RAISE 'constraint "%" for table "%" does not exist', name, hotrow.view_name(relation) USING ERRCODE = '42704';
    ELSIF index = 0 THEN
        RAISE 'constraint in ON CONFLICT clause has no associated index' USING ERRCODE = '42809';
    END IF;
    RETURN (SELECT relname FROM pg_class WHERE oid = index);
END $$;

-- The index that has exactly these values, and no condition or this condition. `source` is the name of the table itself,
-- and `alias` the name for it in the statement.
CREATE FUNCTION hotrow.inferred_index(base text, source text, alias text, target text, condition text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    relation oid := to_regclass(base);
    wanted jsonb;
    candidate record;
BEGIN
    IF relation IS NULL THEN
        PERFORM hotrow.refuse_view();
    END IF;
    wanted := hotrow.planned(source, alias, target, condition);
    FOR candidate IN
        SELECT relname, pg_get_expr(indpred, indrelid) AS condition,
               (SELECT string_agg(pg_get_indexdef(indexrelid, n, false), ', ') FROM generate_series(1, indnkeyatts) AS n) AS target
          FROM hotrow.all_unique_indexes(relation) JOIN pg_class c ON c.oid = indexrelid ORDER BY indpred IS NOT NULL, relname
    LOOP
        IF hotrow.planned(source, alias, candidate.target, candidate.condition) IN (wanted, wanted - 'condition') THEN
            RETURN candidate.relname;
        END IF;
    END LOOP;
    RAISE 'there is no unique or exclusion constraint matching the ON CONFLICT specification' USING ERRCODE = '42P10';
END $$;

-- Expressions and a condition on a table, as PostgreSQL writes them in a plan. So it does not matter how a client writes them. The
-- statement is planned with the rights of the client, and not executed.
CREATE FUNCTION hotrow.planned(source text, alias text, target text, condition text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT %s FROM (SELECT * FROM %s OFFSET 0) AS %s%s',
                   target, source, alias, ' WHERE ' || condition) INTO plan;
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'values', (SELECT jsonb_agg(DISTINCT value) FROM jsonb_array_elements(plan -> 0 -> 'Plan' -> 'Output')),
        'condition', plan -> 0 -> 'Plan' ->> 'Filter'));
END $$;
