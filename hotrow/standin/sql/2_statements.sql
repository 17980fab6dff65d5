-- INSERT, UPDATE, DELETE and locking reads on an adopted table: functions that are made for each table.

-- The beginning of every generated function. `upto` is how many rows of the write set are searched for an earlier row of this
-- key. Each expression of plpgsql is prepared again in each transaction, which costs more than its evaluation. So the way of
-- most rows has as few expressions as possible, and variables have no initial values.
CREATE FUNCTION hotrow.head() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT $code$
        #variable_conflict use_variable
        DECLARE
            state bigint := nullif(current_setting({state}, true), '')::bigint;  -- NULL before the first row
            bit bigint;  -- the bit of this key in the state's filter
            upto int;
            near int;
            op "char";
            {hidden}
        BEGIN
            {find}
            bit := {bit_of_key};$code$
$$;

-- plpgsql for the rows that are not written the quick way. The quick way is for a new key in a transaction of few rows.
CREATE FUNCTION hotrow.with_care(code text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT $code$
            IF state & (16777200 | {bit}) <> 0 {unless} THEN
                upto := CASE WHEN state IS NULL THEN 0 ELSE {look} END;$code$ || code || $code$
            END IF;$code$
$$;

-- The checks of foreign keys, if there are any. They may have written into the same table, so its state is read again.
CREATE FUNCTION hotrow.checked(checks text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE checks WHEN '' THEN '' ELSE checks || $code$
            state := nullif(current_setting({state}, true), '')::bigint;
            upto := CASE WHEN state IS NULL THEN 0 ELSE {look} END;$code$ END
$$;

-- A row that matches several rows in UPDATE … FROM or DELETE … USING comes once per match. After the first time, it has changed.
CREATE FUNCTION hotrow.skip_stale() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT $code$
                IF EXISTS (SELECT FROM {writes} t WHERE {own} AND t.__seq <= upto AND {is_key}
                              AND NOT (t.__op >= 'a' AND ROW({values_t})::record *= ROW({values_old})::record)) THEN
                    PERFORM hotrow.refuse_second_merge(current_query());
                    RETURN NULL;
                END IF;$code$
$$;

-- plpgsql that puts a row into the write set in place of this transaction's earlier row of the key, if there is one. If there
-- is none, it checks the number of rows.
CREATE FUNCTION hotrow.put_again() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT $code$
            {learn}
            IF upto > 0 THEN{stale}
                UPDATE {writes} t SET {over}__op = {again}
                 WHERE t.__pid = pg_backend_pid() AND t.__xid = pg_current_xact_id() AND t.__seq <= upto AND {is_key}
                RETURNING t.__op INTO op;
                IF FOUND THEN
                    state := set_config({state}, (state | {overwritten} | {bits} | CASE op WHEN 'u' THEN {updates} WHEN 'i' THEN {inserts}
                        WHEN 'D' THEN {deletes} WHEN 'r' THEN {reads} WHEN 'N' THEN 0 ELSE {deletes} | {inserts} END)::text, true)::bigint;
                    RETURN {return};
                END IF;
            END IF;
            IF ({used} + 1) & 63 = 0 OR {used} >= 3000 THEN
                PERFORM {check_rows}({used}::int + 1);
            END IF;$code$
$$;

-- plpgsql that puts a row into the write set as a new row, and ends the function. The UPDATE also sets the state, which saves an
-- expression. `__due` makes COMMIT apply the write set.
CREATE FUNCTION hotrow.put() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT $code$
            IF state IS NULL THEN
                UPDATE {writes} t SET ({columns}) = ROW({values}), __xid = pg_current_xact_id(), __op = {op},
                       __due = set_config({state}, {first_state}, true) IS NOT NULL
                 WHERE t.__pid = pg_backend_pid() AND t.__seq = 1;
            ELSE
                UPDATE {writes} t SET ({columns}) = ROW({values}), __xid = pg_current_xact_id(),
                       __op = CASE WHEN set_config({state}, {next_state}, true) IS NOT NULL THEN {op} END
                 WHERE t.__pid = pg_backend_pid() AND t.__seq = {used} + 1;
            END IF;
            IF FOUND THEN
                RETURN {return};
            END IF;
            IF state IS NULL AND pg_backend_pid() & 31 = 0 THEN
                PERFORM hotrow.sweep({writes_name});
            END IF;
            PERFORM set_config({state}, CASE WHEN state IS NULL THEN {first_state} ELSE {next_state} END, true);
            INSERT INTO {writes} ({columns}, __pid, __seq, __xid, __op)
            VALUES ({values}, pg_backend_pid(), coalesce({used}, 0) + 1, pg_current_xact_id(), {op});
            RETURN {return};
        END$code$
$$;

CREATE FUNCTION hotrow.refuse_dml() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'ddl and dml are not supported in the same transaction' USING ERRCODE = '0A000';
END $$;

-- Whether a transaction with many rows may have written this key before, according to a large Bloom filter. The key is added.
CREATE FUNCTION hotrow.seen(setting text, hash int) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    filter bytea := decode(coalesce(nullif(current_setting(setting, true), ''), repeat('00', 4096)), 'hex');
BEGIN
    IF get_bit(filter, hash & 32767) = 1 THEN
        RETURN true;
    END IF;
    PERFORM set_config(setting, encode(set_bit(filter, hash & 32767, 1), 'hex'), true);
    RETURN false;
END $$;

-- Delete the rows of backends that have ended. Every 32nd backend does this when it first writes into a table.
CREATE FUNCTION hotrow.sweep(writes regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DELETE FROM %s WHERE __pid NOT IN (SELECT pid FROM pg_stat_get_activity(NULL))', writes);
EXCEPTION WHEN serialization_failure THEN
    NULL;  -- another backend does it now
END $$;

-- Refuse a duplicate of NEW that this transaction can see. A duplicate that it cannot see becomes a conflict at COMMIT. The
-- base table is searched first. More is searched only if it has the value, or if this transaction may have written the value.
CREATE FUNCTION hotrow.refuse_duplicates(relation oid, updating boolean) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(hotrow.fill(
        $code$
            IF {asked} THEN
                near := {near};
                IF (EXISTS (SELECT FROM {base} b WHERE {b_is_same}) OR near > 0) THEN
                    IF EXISTS (SELECT FROM {base} b WHERE {b_is_same} AND NOT EXISTS (SELECT FROM {writes} t WHERE {own} AND {t_is_b}))
                       OR EXISTS (SELECT FROM {writes} t WHERE {own} AND t.__op >= 'a' AND t.__seq <= near AND {t_is_same}) THEN
                        RAISE USING ERRCODE = '23505', MESSAGE = {message}, DETAIL = {detail} || concat_ws(', ', {values}) || ') already exists.',
                                    CONSTRAINT = {constraint}, {about};
                    END IF;
                END IF;
            END IF;$code$,
        jsonb_build_object(
            'asked', CASE WHEN updating THEN hotrow.columns(relation, indexrelid, 'NEW.%1$I IS DISTINCT FROM OLD.%1$I', ' OR ')
                     ELSE 'true' END,
            'near', CASE WHEN indisprimary THEN 'upto' ELSE hotrow.look(hotrow.hash(relation, indexrelid, 'NEW')) END,
            'b_is_same', hotrow.columns(relation, indexrelid, 'b.%1$I = NEW.%1$I', ' AND '),
            't_is_same', hotrow.columns(relation, indexrelid, 't.%1$I = NEW.%1$I', ' AND '),
            'values', hotrow.columns(relation, indexrelid, 'NEW.%1$I', ', '),
            'detail', quote_literal(format('Key (%s)=(', hotrow.columns(relation, indexrelid, '%I', ', '))),
            'message', quote_literal(format('duplicate key value violates unique constraint "%s"', hotrow.plain(relname))),
            'constraint', quote_literal(relname))), ''), '')
      FROM hotrow.unique_indexes(relation) JOIN pg_class ON pg_class.oid = indexrelid WHERE NOT (updating AND indisprimary)
$$;

-- The functions that depend on the keys of a table, on its indexes and on the tables that reference it.
CREATE FUNCTION hotrow.define_statements(relation oid, parts jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hotrow.define_writes(relation, parts), hotrow.define_checks(relation, parts), hotrow.define_upserts(relation, parts),
            hotrow.define_references(relation, parts), hotrow.define_apply(relation, parts);
END $$;

-- The INSTEAD OF triggers of the view. A change of the key is a deletion and an insertion.
CREATE FUNCTION hotrow.define_writes(relation oid, parts jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    strongly text := (SELECT string_agg(changes, ' OR ') FROM (
        SELECT hotrow.columns(relation, indexrelid, 'NEW.%1$I IS DISTINCT FROM OLD.%1$I', ' OR ')
          FROM hotrow.unique_indexes(relation) WHERE NOT indisprimary
         UNION  -- an UPDATE of the base table may not set these
        SELECT format('NEW.%1$I IS DISTINCT FROM OLD.%1$I', attname) FROM pg_attribute WHERE attrelid = relation AND attidentity = 'a') AS c (changes));
    referred text := '';
    deleted text := '';
    inserted text := '';
    updated text := '';
BEGIN
    IF hotrow.has_references(relation) THEN
        referred := hotrow.mind_children(relation, true);
        deleted := hotrow.mind_children(relation, false);
        inserted := hotrow.mind_parents(relation, false);
        updated := hotrow.mind_parents(relation, true);
    END IF;
    PERFORM hotrow.define('{insert}()', 'trigger',
        hotrow.head() || hotrow.with_care(hotrow.refuse_duplicates(relation, false) || hotrow.checked(inserted) || hotrow.put_again())
        || hotrow.put(),
        hotrow.parts_of_write(relation, parts, 'NEW', 'NEW') || $json$
            {"op": "'i'", "work": "{inserts}", "again": "CASE t.__op WHEN 'D' THEN 's' ELSE 'i' END", "unless": "OR true"}$json$);
    PERFORM hotrow.define('{update}()', 'trigger', hotrow.head() || hotrow.with_care(referred || $code$
            IF {key_changes} THEN
                PERFORM set_config('hotrow.moving', 'on', true);
                DELETE FROM {view} t WHERE {t_is_old};
                INSERT INTO {view} ({shown}) VALUES ({shown_new});
                PERFORM set_config('hotrow.moving', '', true);
                RETURN NEW;
            END IF;$code$ || hotrow.refuse_duplicates(relation, true) || hotrow.checked(updated) || hotrow.put_again()) || hotrow.put(),
        hotrow.parts_of_write(relation, parts, 'OLD', 'NEW')
        || $json${"again": "CASE t.__op WHEN 'r' THEN {op} WHEN 'u' THEN {op} WHEN 'l' THEN 's' ELSE t.__op END"}$json$
        || jsonb_build_object('stale', hotrow.skip_stale(), 'unless', hotrow.change_of_keys(relation))
        || CASE WHEN strongly IS NULL THEN $json${"op": "'u'", "work": "{updates}"}$json$::jsonb
           ELSE jsonb_build_object('op', format($f$(CASE WHEN %s THEN 's' ELSE 'u' END)::"char"$f$, strongly),
                                   'work', format('CASE WHEN %s THEN {deletes} | {inserts} ELSE {updates} END', strongly)) END);
    PERFORM hotrow.define('{delete}()', 'trigger',
        hotrow.head() || hotrow.with_care(hotrow.checked(deleted) || hotrow.put_again()) || hotrow.put(),
        hotrow.parts_of_write(relation, parts, 'OLD', 'OLD') || $json$
            {"op": "'D'", "work": "{deletes}", "again": "CASE t.__op WHEN 'i' THEN 'N' ELSE 'D' END"}$json$
        || jsonb_build_object('stale', hotrow.skip_stale(), 'unless', CASE deleted WHEN '' THEN '' ELSE 'OR true' END));
END $$;

-- A condition: an UPDATE changes a column of a key or of a foreign key. Such a row is not written the quick way.
CREATE FUNCTION hotrow.change_of_keys(relation oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format(' OR NEW.%1$I IS DISTINCT FROM OLD.%1$I', hotrow.plain(attname)), '' ORDER BY attnum)
      FROM pg_attribute
     WHERE attrelid = relation
       AND (EXISTS (SELECT FROM hotrow.unique_indexes(relation) WHERE attnum = ANY (hotrow.key_columns(indexrelid)))
            OR EXISTS (SELECT FROM pg_constraint
                        WHERE contype = 'f' AND (conrelid = relation AND attnum = ANY (conkey)
                                                 OR confrelid = relation AND attnum = ANY (confkey))))
$$;

-- The functions that locking reads call for each row that they return. They return true. COMMIT writes a locked row as it was
-- passed here, so FOR UPDATE requires the right to update, as in PostgreSQL.
CREATE FUNCTION hotrow.define_locks(relation oid, parts jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    its jsonb := hotrow.parts_of_write(relation, parts, 'new', 'new') || $json${"over": "", "return": "true", "unless": ""}$json$;
    body text := hotrow.with_care(hotrow.put_again()) || hotrow.put();
BEGIN
    PERFORM hotrow.define('{for_update}(new {view})', 'boolean', hotrow.head() || $code$
            IF NOT has_table_privilege(hotrow.client(), {view_name}, 'UPDATE') THEN
                RAISE 'permission denied for table %', {table} USING ERRCODE = '42501';
            END IF;$code$ || body, its || $json$
        {"op": "'l'", "work": "{deletes} | {inserts}", "again": "CASE t.__op WHEN 'u' THEN 's' WHEN 'r' THEN 'l' ELSE t.__op END"}$json$);
    PERFORM hotrow.define('{for_key_share}(new {view})', 'boolean', hotrow.head() || body, its || $json$
        {"op": "'r'", "work": "{reads}", "again": "t.__op"}$json$);
END $$;
