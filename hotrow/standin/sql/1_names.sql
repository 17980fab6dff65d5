-- The stand-in's optimistic concurrency control, in SQL only. Conflicts are detected at COMMIT, as in Aurora DSQL.
--
-- An event trigger adopts every table when it is created. `account` becomes
--   account__base     the table itself, renamed;
--   account__writes   the write set: rows that a transaction has written or locked and not yet committed;
--   account__shares   rows that were read FOR KEY SHARE by transactions that have committed;
--   account           a view: base rows that the transaction has not written, UNION ALL the rows that it has written;
-- and some functions and views beside it, whose names hotrow.names() gives.
-- Triggers on the view put every write into the write set, so nothing waits and nothing conflicts before COMMIT. A
-- deferred constraint trigger then applies the write set to the base table in primary-key order. PostgreSQL itself
-- detects the conflicts: at REPEATABLE READ it raises 40001 if a row has changed since the snapshot.
--
-- The write set does not grow and leaves no dead index entries: each backend's rows in it are numbered 1, 2, … and its
-- next transaction uses them again (a HOT update, pruned in place). A row belongs to the transaction whose id it has.
-- So a statement sees the writes of earlier statements in its transaction, and never its own writes.
--
-- The meaning of __op in a row of the write set (upper case: the row is not visible any more):
--   i  inserted      u  updated, except its keys       s  strongly updated: also its unique columns, or locked and updated
--   l  locked: read FOR UPDATE                         r  read FOR KEY SHARE
--   D  deleted       N  nothing: inserted and deleted again
-- COMMIT applies u as an UPDATE. It applies s and l as DELETE and INSERT, so that FOR KEY SHARE conflicts with them as it
-- conflicts with D.
--
-- A transaction's state in one table is one number in a transaction-local setting:
--   bits 0-23    how many rows of the write set the transaction has used;
--   bits 24-55   a Bloom filter of the keys that it has written: most writes need not search for an earlier one;
--   bits 56-59   what COMMIT has to do: update, delete, insert, share;
--   bit  60      whether it has overwritten a row of the write set;
--   bit  61      whether it has written a large row.
-- docs/decisions.md gives the results of other designs.

-- A superuser runs this. No name in it may resolve to an object of another user.
SET LOCAL search_path = pg_catalog;

DROP SCHEMA IF EXISTS hotrow CASCADE;
CREATE SCHEMA hotrow;
GRANT USAGE ON SCHEMA hotrow TO PUBLIC;

-- This cost makes a scan that calls the function for each row expensive, but not an index scan that calls it once. So
-- plans use the index, whatever size the write set had when the plan was made.
ALTER FUNCTION pg_backend_pid() COST 10000;

-- A template in which each `{name}` is replaced by the value of that name, in which names are replaced too. Other braces stay.
CREATE FUNCTION hotrow.fill(template text, parts jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    filled text;
BEGIN
    LOOP
        filled := (SELECT coalesce(string_agg(CASE WHEN n = 1 THEN piece
                              ELSE coalesce((parts ->> split_part(piece, '}', 1)) || substr(piece, position('}' IN piece) + 1), '{' || piece) END,
                          '' ORDER BY n), template)
                     FROM unnest(string_to_array(template, '{')) WITH ORDINALITY AS p (piece, n));
        IF filled IS NOT DISTINCT FROM template THEN
            RETURN filled;
        END IF;
        template := filled;
    END LOOP;
END $$;

-- A name for a template. Names with braces are refused, because they could be taken for a placeholder.
CREATE FUNCTION hotrow.plain(name text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF name ~ '[{}]' THEN
        RAISE 'the name % has braces: the stand-in takes none', quote_ident(name) USING ERRCODE = '0A000';
    END IF;
    RETURN name;
END $$;

-- The numbers of an index's key columns, without the columns of INCLUDE.
CREATE FUNCTION hotrow.key_columns(index oid) RETURNS int[] LANGUAGE sql STABLE AS $$
    SELECT (indkey::int[])[:indnkeyatts - 1] FROM pg_index WHERE indexrelid = index
$$;

-- The columns of a table, each put into a template, then joined: all columns, or the key columns of one index.
CREATE FUNCTION hotrow.columns(relation oid, index oid, template text, separator text)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format(template, hotrow.plain(a.attname)), separator ORDER BY a.attnum)
      FROM pg_attribute a
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
       AND (index IS NULL OR a.attnum = ANY ((SELECT hotrow.key_columns(index))::int[]))
$$;

-- The names beside a table are its name and a suffix, and a name has 63 bytes at most. So the name of a table is shortened in them
-- if it has more than 44 bytes; the longest suffix has 19. The rewriting does the same (rewriting/long_names.py).
CREATE FUNCTION hotrow.stem(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN octet_length(name) <= 44 THEN name
           ELSE (SELECT left(name, n) FROM generate_series(1, 35) AS n WHERE octet_length(left(name, n)) <= 35 ORDER BY n DESC LIMIT 1)
                || '_' || left(md5(name), 8) END
$$;

-- The long names. They outlive the schema hotrow, which each version of this SQL makes again.
CREATE SCHEMA IF NOT EXISTS hotrow_names;
CREATE TABLE IF NOT EXISTS hotrow_names.long (stem text PRIMARY KEY, name text NOT NULL);
GRANT USAGE ON SCHEMA hotrow_names TO PUBLIC;
GRANT SELECT ON hotrow_names.long TO PUBLIC;

CREATE FUNCTION hotrow.remember(name text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO hotrow_names.long SELECT hotrow.stem(name), name WHERE hotrow.stem(name) <> name ON CONFLICT DO NOTHING
$$;

-- The name that a stem was made from.
CREATE FUNCTION hotrow.unstem(stem text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN stem ~ '_[0-9a-f]{8}$' THEN coalesce((SELECT l.name FROM hotrow_names.long l WHERE l.stem = unstem.stem), stem)
           ELSE stem END
$$;

-- The name of an adopted table, from its base table; NULL for any other table.
CREATE FUNCTION hotrow.view_name(relation oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT hotrow.unstem(left(relname, -length('__base'))) FROM pg_class WHERE oid = relation AND relname LIKE '%\_\_base'
$$;

-- The relation that a client named, from the name that its base table would have.
CREATE FUNCTION hotrow.named(base text) RETURNS regclass LANGUAGE sql STABLE AS $$
    SELECT to_regclass(concat_ws('.', quote_ident(space), quote_ident(hotrow.unstem(regexp_replace(name, '__base$', '')))))
      FROM parse_ident(base) AS words, coalesce(words[2], words[1]) AS name, CAST(CASE WHEN cardinality(words) > 1 THEN words[1] END AS text) AS space
$$;

-- The columns of a foreign key in the pairs of its constraint, each pair put into a template, then joined.
CREATE FUNCTION hotrow.pairs(fk pg_constraint, template text, separator text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format(template, hotrow.plain(child.attname), hotrow.plain(parent.attname)), separator ORDER BY n)
      FROM generate_subscripts(fk.conkey, 1) AS n
      JOIN pg_attribute child ON child.attrelid = fk.conrelid AND child.attnum = fk.conkey[n]
      JOIN pg_attribute parent ON parent.attrelid = fk.confrelid AND parent.attnum = fk.confkey[n]
$$;

-- An expression for the hash of the values that the row `source` (NEW or OLD) has in an index's columns. It uses the hash
-- function of each type. Equal values have equal hashes.
CREATE FUNCTION hotrow.hash(relation oid, index oid, source text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format(CASE WHEN bool_and(a.attnotnull) THEN '(%s)' ELSE 'coalesce(%s, 0)' END,
               string_agg(CASE WHEN p.amproc IS NULL THEN format('hash_record(ROW(%s.%I))', source, hotrow.plain(a.attname))
                          ELSE format('%s(%s.%I)', p.amproc::text, source, hotrow.plain(a.attname)) END, ' # ' ORDER BY a.attnum))
      FROM pg_attribute a
      LEFT JOIN pg_opclass c ON c.opcintype = a.atttypid AND c.opcdefault
                            AND c.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'hash')
      LEFT JOIN pg_amproc p ON p.amprocfamily = c.opcfamily AND p.amprocnum = 1
                           AND p.amproclefttype = c.opcintype AND p.amprocrighttype = c.opcintype
     WHERE a.attrelid = relation AND a.attnum = ANY ((SELECT hotrow.key_columns(index))::int[])
$$;

-- Whether a table was created without a primary key. Then its key is the column __hotrow_key, which its view does not show.
CREATE FUNCTION hotrow.has_hidden_key(relation oid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = '__hotrow_key' AND NOT attisdropped)
$$;

-- Some columns of a table, each put into a template, then joined:
--   shown    what the client sees;
--   stored   what an INSERT into the base table may set: all but generated columns;
--   changed  what an UPDATE of the base table may set: also not identity columns GENERATED ALWAYS (all stored columns if no other
--            column is left: then no UPDATE happens).
CREATE FUNCTION hotrow.some_columns(relation oid, which text, template text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(format(template, hotrow.plain(attname)), ', ' ORDER BY attnum) FILTER (WHERE
                        CASE which WHEN 'shown' THEN attname <> '__hotrow_key' WHEN 'stored' THEN attgenerated = ''
                        ELSE attgenerated = '' AND attidentity <> 'a' END),
                    string_agg(format(template, attname), ', ' ORDER BY attnum) FILTER (WHERE attgenerated = ''))
      FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
$$;

-- The unique indexes on plain columns, with all rows and distinct NULLs. Their columns are key columns.
CREATE FUNCTION hotrow.unique_indexes(relation oid) RETURNS SETOF pg_index LANGUAGE sql STABLE AS $$
    SELECT * FROM pg_index
     WHERE indrelid = relation AND indisunique AND indexprs IS NULL AND indpred IS NULL AND NOT indnullsnotdistinct
       AND NOT (indisprimary AND hotrow.has_hidden_key(relation))
$$;

CREATE FUNCTION hotrow.bit(hash text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format('(16777216::bigint << (%s & 31))', hash)
$$;

-- How many of a transaction's rows must be searched for one with this hash: none, the first 32, or all.
CREATE FUNCTION hotrow.look(hash text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT hotrow.fill('CASE WHEN {used} >= 32 AND hotrow.seen({filter}, {hash}) THEN {used}
                             WHEN state & {bit} <> 0 THEN least({used}, 32) ELSE 0 END',
                       jsonb_build_object('hash', hash, 'bit', hotrow.bit(hash)))
$$;

-- The suffixes of the relations and of the functions beside a base table.
CREATE FUNCTION hotrow.relations() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT '{view,base,writes,shares,excluded,or_nothing}'::text[]
$$;
CREATE FUNCTION hotrow.functions() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT '{insert,update,delete,insert_new,for_update,for_key_share,check_rows,apply,compute,follow,check_statement,check_commit,
             check_unique,check_row,same}'::text[]
$$;

-- The names of an adopted table and of everything beside it.
CREATE FUNCTION hotrow.names(space text, name text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(part, format('%I.%I', hotrow.plain(space),
                                           hotrow.plain(CASE part WHEN 'view' THEN name ELSE stem || '__' || part END)))
      FROM unnest(hotrow.relations() || hotrow.functions()) AS part, LATERAL (SELECT hotrow.stem(name) OFFSET 0) AS s (stem)
$$;

-- The names of an adopted table, from its base table.
CREATE FUNCTION hotrow.names_of(relation oid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT hotrow.names(n.nspname, hotrow.view_name(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = relation
$$;

-- The lists of columns for the templates below, from one look at the catalogue.
CREATE FUNCTION hotrow.lists(relation oid, key oid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'columns', string_agg(c, ', '), 'values_t', string_agg('t.' || c, ', '),
        'values_new', string_agg('NEW.' || c, ', '), 'values_old', string_agg('OLD.' || c, ', '),
        'shown', coalesce(string_agg(c, ', ') FILTER (WHERE is_shown), string_agg(c, ', ')),
        'shown_new', coalesce(string_agg('NEW.' || c, ', ') FILTER (WHERE is_shown), string_agg('NEW.' || c, ', ')),
        'stored', string_agg(c, ', ') FILTER (WHERE is_stored), 'stored_t', string_agg('t.' || c, ', ') FILTER (WHERE is_stored),
        'changed', coalesce(string_agg(c, ', ') FILTER (WHERE is_changed), string_agg(c, ', ') FILTER (WHERE is_stored)),
        'changed_t', coalesce(string_agg('t.' || c, ', ') FILTER (WHERE is_changed), string_agg('t.' || c, ', ') FILTER (WHERE is_stored)),
        'changed_new', coalesce(string_agg('NEW.' || c, ', ') FILTER (WHERE is_changed),
                                string_agg('NEW.' || c, ', ') FILTER (WHERE is_stored)),
        'key', string_agg(c, ', ') FILTER (WHERE is_key), 'key_t', string_agg('t.' || c, ', ') FILTER (WHERE is_key),
        't_is_b', string_agg(format('t.%1$s = b.%1$s', c), ' AND ') FILTER (WHERE is_key),
        'b_is_new', string_agg(format('b.%1$s = NEW.%1$s', c), ' AND ') FILTER (WHERE is_key),
        't_is_old', string_agg(format('t.%1$s = OLD.%1$s', c), ' AND ') FILTER (WHERE is_key),
        'key_changes', string_agg(format('NEW.%1$s IS DISTINCT FROM OLD.%1$s', c), ' OR ') FILTER (WHERE is_key))
      FROM (SELECT quote_ident(hotrow.plain(attname)) AS c, attname <> '__hotrow_key' AS is_shown, attgenerated = '' AS is_stored,
                   attgenerated = '' AND attidentity <> 'a' AS is_changed,
                   attnum = ANY ((SELECT hotrow.key_columns(key))::int[]) AS is_key
              FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum) columns
$$;

-- The names and texts for the templates below. `relation` is the base table.
CREATE FUNCTION hotrow.parts(relation oid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    space text;
    name text := hotrow.view_name(relation);
    key oid;
    names jsonb;
BEGIN
    SELECT n.nspname, i.indexrelid INTO STRICT space, key
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
     WHERE c.oid = relation;
    names := hotrow.names(space, name);
    RETURN names || hotrow.lists(relation, key) || jsonb_build_object(
        'view_name', format('%L::regclass', names ->> 'view'), 'table', quote_literal(name),
        'writes_name', format('%L::regclass', names ->> 'writes'), 'shares_name', format('%L::regclass', names ->> 'shares'),
        'about', format('TABLE = %L, SCHEMA = %L', name, space),
        'state', format('%L', 'hotrow.s' || relation), 'filter', format('%L', 'hotrow.f' || relation),
        'used', '(state & 16777215)', 'updates', '(1::bigint << 56)', 'deletes', '(1::bigint << 57)',
        'inserts', '(1::bigint << 58)', 'reads', '(1::bigint << 59)',
        'overwritten', '(1::bigint << 60)', 'not_quick', '(127::bigint << 56 | 16777200)',
        'find', '', 'hidden', CASE WHEN hotrow.has_hidden_key(relation) THEN 'hidden uuid;' ELSE '' END,
        'own', 't.__pid = pg_backend_pid() AND t.__xid = pg_current_xact_id_if_assigned()');
END $$;

-- An expression for the hash of a row's values, over the columns whose types have a hash function.
CREATE FUNCTION hotrow.row_hash(relation oid, prefix text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('hash_record(ROW(%s))', string_agg(prefix || quote_ident(attname), ', ' ORDER BY attnum))
      FROM pg_attribute
     WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND attname <> '__hotrow_key'
       AND EXISTS (SELECT FROM pg_opclass c JOIN pg_type t ON t.oid = atttypid
                    WHERE opcdefault AND opcmethod = (SELECT oid FROM pg_am WHERE amname = 'hash') AND opcintype = coalesce(nullif(t.typbasetype, 0), t.oid))
$$;

-- plpgsql that finds the hidden key of the row `source` by the row's values; empty if the table has a primary key. Rows with
-- equal values cannot be told apart, so any of them will do that this transaction has not written. A row that this statement
-- has written is not found again. The row `NEW` is inserted, so its key is new.
CREATE FUNCTION hotrow.find_hidden_key(relation oid, parts jsonb, source text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN NOT hotrow.has_hidden_key(relation) THEN '' WHEN source = 'NEW' THEN $code$
            hidden := gen_random_uuid();$code$
    ELSE hotrow.fill($code$
            SELECT b.__hotrow_key INTO hidden FROM {base} b
             WHERE {hash_b} = {hash_source} AND ROW({values_b})::record *= ROW({values_source})::record
               AND NOT EXISTS (SELECT FROM {writes} t WHERE {own} AND {t_is_b}) LIMIT 1;
            IF NOT FOUND THEN
                SELECT t.__hotrow_key INTO hidden FROM {writes} t
                 WHERE {own} AND t.__op >= 'a' AND ROW({shown_t})::record *= ROW({values_source})::record {earlier} LIMIT 1;
                IF NOT FOUND THEN
                    RETURN {nothing};
                END IF;
            END IF;$code$,
        parts || jsonb_build_object(
            'hash_b', hotrow.row_hash(relation, 'b.'), 'hash_source', hotrow.row_hash(relation, source || '.'),
            'values_b', hotrow.some_columns(relation, 'shown', 'b.%I'), 'shown_t', hotrow.some_columns(relation, 'shown', 't.%I'),
            'values_source', hotrow.some_columns(relation, 'shown', source || '.%I'),
            'earlier', CASE source WHEN 'OLD' THEN
                'AND coalesce(t.__statement, 0) < coalesce(nullif(current_setting(''hotrow.statement'', true), ''''), ''0'')::int' ELSE '' END,
            'nothing', CASE source WHEN 'OLD' THEN 'NULL' ELSE 'true' END)) END
$$;

-- More texts, for a function that writes the row `source` (NEW or OLD) with the key of the row `key_source`.
CREATE FUNCTION hotrow.parts_of_write(relation oid, parts jsonb, key_source text, source text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT parts || jsonb_build_object(
        'is_key', hotrow.columns(relation, indexrelid, 't.%1$I = ' || key_source || '.%1$I', ' AND '),
        'look', hotrow.look(hash_of_key),
        'bit', 'bit', 'bit_of_key', hotrow.bit(hash_of_key),
        'bits', (SELECT coalesce(string_agg(hotrow.bit(hotrow.hash(relation, u.indexrelid, source)), ' | '), '0::bigint')
                   FROM hotrow.unique_indexes(relation) u WHERE NOT u.indisprimary),
        'learn', coalesce((
            SELECT format('IF {used} >= 32 THEN PERFORM %s; END IF;', string_agg(
                       format('hotrow.seen({filter}, %s)', hotrow.hash(relation, u.indexrelid, source)), ', '))
              FROM hotrow.unique_indexes(relation) u WHERE NOT u.indisprimary HAVING count(*) > 0), ''),
        'values', hotrow.columns(relation, NULL, source || '.%I', ', '),
        'or_large', CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attlen < 0 AND attnum > 0 AND NOT attisdropped)
                    THEN format(' | CASE WHEN pg_column_size(ROW(%s)) > 100000 THEN 1::bigint << 61 ELSE 0 END',
                                hotrow.columns(relation, NULL, source || '.%I', ', ')) ELSE '' END,
        'first_state', 'CASE current_setting(''hotrow.ddl'', true) WHEN ''on'' THEN hotrow.refuse_dml()
                        ELSE ({bit} | ({bits} | {work} | 1){or_large})::text END',
        'next_state', '(((state + 1) | {bit} | ({bits} | {work})){or_large})::text',
        'over', '({columns}) = ROW({values}), ', 'return', source, 'stale', '',
        'find', hotrow.find_hidden_key(relation, parts, key_source))
      FROM pg_index, LATERAL (SELECT hotrow.hash(relation, indexrelid, key_source) AS hash_of_key OFFSET 0) AS h
     WHERE indrelid = relation AND indisprimary
$$;

-- Make or replace a plpgsql function from a template. It runs with the rights of the table's owner, whoever calls it, because
-- nobody else may change the relations beside the table. So nobody else may use it in a trigger, and no name in it may resolve
-- to an object of the caller.
CREATE FUNCTION hotrow.define(signature text, returns text, body text, parts jsonb) RETURNS void
LANGUAGE plpgsql SET check_function_bodies = off AS $$
BEGIN
    body := hotrow.fill(body, parts);
    IF parts ->> 'find' <> '' THEN
        body := regexp_replace(body, '\m(NEW|OLD|new)\.__hotrow_key\M', 'hidden', 'g');
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION %s RETURNS %s LANGUAGE plpgsql
                        SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
                   hotrow.fill(signature, parts), returns, body);
    IF returns = 'trigger' THEN
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', hotrow.fill(signature, parts));
    END IF;
END $$;

-- The role of the client, even inside a function that runs with other rights.
CREATE FUNCTION hotrow.client() RETURNS name LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('role'), 'none')::name, session_user)
$$;

-- Refuse a client without the rights of the table's owner. Functions that change system catalogues with a superuser's rights
-- call this: everything that they are to change must belong to one owner.
CREATE FUNCTION hotrow.check_owner(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    owner oid := (SELECT relowner FROM pg_class WHERE oid = relation AND relkind = 'r' AND hotrow.view_name(relation) IS NOT NULL);
    parts jsonb;
BEGIN
    IF owner IS NULL OR NOT pg_has_role(hotrow.client(), owner, 'USAGE') THEN
        RAISE 'must be owner of table %', relation::regclass USING ERRCODE = '42501';
    END IF;
    parts := hotrow.names_of(relation);
    IF EXISTS (SELECT FROM unnest(hotrow.relations()) AS part JOIN pg_class ON oid = to_regclass(parts ->> part) WHERE relowner <> owner)
       OR EXISTS (SELECT FROM unnest(hotrow.functions()) AS part JOIN pg_proc ON oid = to_regproc(parts ->> part) WHERE proowner <> owner) THEN
        RAISE 'must be owner of all that stands beside table %', relation::regclass USING ERRCODE = '42501';
    END IF;
END $$;
