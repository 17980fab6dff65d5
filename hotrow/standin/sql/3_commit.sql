-- COMMIT: applies the write set, and refuses what Aurora DSQL refuses at COMMIT.

-- The first committer of a key wins. The primary-key order prevents that two committers wait for each other in a circle.
--
-- The quick way is for a few updates of different rows. It is one statement without a subtransaction: the xmax of a row shows
-- whether another transaction has updated or locked it. Then a single row is applied the careful way, and hotrow.is_free() looks
-- closer at a row among several, in their order. If the other transaction comes between that look and the UPDATE, PostgreSQL's
-- own error is the answer, which is 40001 as well.
CREATE FUNCTION hotrow.define_apply(relation oid, parts jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hotrow.define('{apply}()', 'trigger', $code$
        #variable_conflict use_variable
        DECLARE
            state bigint := nullif(current_setting({state}, true), '')::bigint;
        BEGIN
            IF {quick} THEN
                IF state & 15 = 1 THEN  -- this row, which has not changed since it was written
                    UPDATE {base} b SET ({changed}) = ROW({changed_new}) WHERE {b_is_new} AND {is_untouched};
                ELSE
                    UPDATE {base} b SET ({changed}) = ROW({changed_t})
                      FROM (SELECT {values_t} FROM {writes} t WHERE {own} ORDER BY {key_t} LIMIT 15) t
                     WHERE {t_is_b} AND CASE WHEN {t_is_b} THEN {is_free} END;  -- CASE: not of rows that only the scan meets
                END IF;
                IF FOUND THEN
                    IF clock_timestamp() - now() > interval '300 s' OR hotrow.schema_has_changed() THEN
                        PERFORM hotrow.refuse_commit();
                    END IF;
                    RETURN NULL;
                END IF;
            ELSIF state = -1 THEN
                RETURN NULL;  -- already applied
            ELSIF state IS NULL THEN
                RAISE 'RESET ALL took away what this transaction had written' USING ERRCODE = '0A000';
            END IF;
            BEGIN$code$ || hotrow.refuse_size(relation) || $code$
                IF state & {deletes} <> 0 THEN
                    WITH t AS MATERIALIZED (SELECT {key_t} FROM {writes} t WHERE {own} AND t.__op IN ('D', 's', 'l') ORDER BY {key_t})
                    DELETE FROM {base} b USING t WHERE {t_is_b};
                END IF;
                IF {quick} AND state & 15 = 1 THEN
                    UPDATE {base} b SET ({changed}) = ROW({changed_new}) WHERE {b_is_new};
                ELSIF state & {updates} <> 0 THEN
                    WITH t AS MATERIALIZED (SELECT {values_t} FROM {writes} t WHERE {own} AND t.__op = 'u' ORDER BY {key_t})
                    UPDATE {base} b SET ({changed}) = ROW({changed_t}) FROM t WHERE {t_is_b};
                END IF;
                IF state & {inserts} <> 0 THEN
                    INSERT INTO {base} ({stored}) OVERRIDING SYSTEM VALUE
                    SELECT {stored_t} FROM {writes} t WHERE {own} AND t.__op IN ('i', 's', 'l') ORDER BY {key_t};
                END IF;
                IF state & {reads} <> 0 THEN
                    IF random() < 0.03 THEN
                        PERFORM hotrow.tidy({shares_name});
                    END IF;
                    INSERT INTO {shares} (__xid, {key})
                    SELECT t.__xid, {key_t} FROM {writes} t WHERE {own} AND t.__op = 'r' ORDER BY {key_t};
                END IF;
                IF {used} > 16 THEN
                    DELETE FROM {writes} t WHERE t.__pid = pg_backend_pid() AND t.__seq > 16;
                END IF;
                state := set_config({state}, '-1', true)::bigint;
                IF clock_timestamp() - now() > interval '300 s' OR hotrow.schema_has_changed() THEN
                    PERFORM hotrow.refuse_commit();
                END IF;
                RETURN NULL;
            EXCEPTION WHEN serialization_failure OR unique_violation OR foreign_key_violation OR deadlock_detected THEN
                IF SQLERRM LIKE '%(OC001)' THEN
                    RAISE;
                END IF;
                RAISE 'change conflicts with another transaction (OC000)' USING ERRCODE = '40001';
            END;
        END$code$, parts || jsonb_build_object(
            'quick', CASE WHEN hotrow.may_be_quick(relation) THEN 'state & {not_quick} = {updates}' ELSE 'false' END,
            'is_untouched', format('b.xmax = %L::xid', '0'),
            'is_free', format('(b.xmax = %L::xid OR hotrow.is_free(%L::regclass, b.ctid, b.xmax, {shares_name}))',
                              '0', hotrow.names_of(relation) ->> 'base')));
END $$;

-- Whether the quick way of COMMIT is right for a table: no update may violate an index.
CREATE FUNCTION hotrow.may_be_quick(relation oid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND (indisunique OR indisexclusion)
                          AND indexrelid NOT IN (SELECT indexrelid FROM hotrow.unique_indexes(relation)))
$$;

CREATE FUNCTION hotrow.has_committed_since(transaction bigint) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT NOT pg_visible_in_snapshot(transaction::text::xid8, pg_current_snapshot()) AND pg_xact_status(transaction::text::xid8) = 'committed'
$$;

-- True if no transaction has updated a row that is not visible to this one; otherwise the conflict. `updater` is the row's xmax,
-- which also stays after a transaction that locked the row or was rolled back. If it has committed, only locks by checks of
-- foreign keys do no harm, and those leave rows in `shares`. In doubt the row is locked, which waits for other committers.
CREATE FUNCTION hotrow.is_free(base regclass, place tid, updater xid, shares regclass) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    now bigint := pg_current_xact_id()::text::bigint;
BEGIN
    IF age(updater) BETWEEN 0 AND now - 3 AND hotrow.has_committed_since(now - age(updater)) AND pg_relation_size(shares) = 0 THEN
        PERFORM hotrow.refuse('40001', 'change conflicts with another transaction (OC000)');
    END IF;
    BEGIN
        EXECUTE format('SELECT FROM %s WHERE ctid = $1 FOR NO KEY UPDATE', base) USING place;
    EXCEPTION WHEN serialization_failure OR deadlock_detected THEN
        PERFORM hotrow.refuse('40001', 'change conflicts with another transaction (OC000)');
    END;
    RETURN true;
END $$;

-- The age of the oldest snapshot. Only a superuser may see the snapshots of other users' transactions.
CREATE FUNCTION hotrow.oldest_snapshot() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT max(age(backend_xmin)) FROM pg_stat_get_activity(NULL)
$$;

-- Delete the rows that were read FOR KEY SHARE by transactions that are visible to every snapshot: every deletion sees them now.
CREATE FUNCTION hotrow.tidy(shares regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DELETE FROM %s WHERE age(__xid::xid) > $1', shares) USING hotrow.oldest_snapshot();
EXCEPTION WHEN serialization_failure THEN
    NULL;  -- another backend does it now
END $$;

-- The number of rows in a transaction: exact within one table, in steps of 64 for several tables.
CREATE FUNCTION hotrow.define_limit(parts jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hotrow.define('{check_rows}(used int)', 'void', $code$
        DECLARE
            others int := coalesce(nullif(current_setting('hotrow.rows', true), ''), '0')::int - (used - 1) / 64 * 64;
            changed int;
        BEGIN
            IF used & 63 = 0 THEN
                PERFORM set_config('hotrow.rows', (others + used)::text, true);
            END IF;
            IF others + used > 3000 AND current_setting('hotrow.rules', true) IS DISTINCT FROM 'off' THEN
                SELECT count(*) INTO changed FROM {writes} t WHERE {own} AND t.__op NOT IN ('l', 'r');
                IF others + changed >= 3000 THEN
                    RAISE 'transaction row limit exceeded' USING ERRCODE = '54000';
                END IF;
            END IF;
        END$code$, parts);
END $$;

-- plpgsql that refuses a transaction of more than 10 MiB; empty if 3,000 rows of this table can never be that large.
CREATE FUNCTION hotrow.refuse_size(relation oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN bool_or(attlen < 0) THEN $code$
            IF (SELECT sum(pg_column_size(t)) FROM {writes} t WHERE {own}) > 32768
               AND (SELECT sum(octet_length(t::text)) FROM {writes} t WHERE {own}) > 10485760
               AND current_setting('hotrow.rules', true) IS DISTINCT FROM 'off' THEN
                RAISE 'transaction size limit 10mb exceeded' USING ERRCODE = '54000';
            END IF;$code$ ELSE '' END
      FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped
$$;

-- The transaction that changed the schema last. A sequence is not transactional, so every snapshot can see it.
CREATE SEQUENCE hotrow.schema_changes;
SELECT setval('hotrow.schema_changes', 1);
GRANT SELECT ON SEQUENCE hotrow.schema_changes TO PUBLIC;

CREATE FUNCTION hotrow.tell_of_change() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('hotrow.rules', true) IS DISTINCT FROM 'off' THEN
        PERFORM setval('hotrow.schema_changes', pg_current_xact_id()::text::bigint),
                set_config('hotrow.known', pg_current_xact_id()::text, false);
    END IF;
END $$;

CREATE FUNCTION hotrow.schema_has_changed() RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT NOT pg_visible_in_snapshot(pg_sequence_last_value('hotrow.schema_changes')::text::xid8, pg_current_snapshot())
$$;

-- Called when a reading statement is planned. It is IMMUTABLE so that cached plans do not call it again. It returns true.
CREATE FUNCTION hotrow.schema_is_current() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    change text := pg_catalog.pg_sequence_last_value('hotrow.schema_changes');
BEGIN
    IF change::xid8 IS DISTINCT FROM pg_catalog.pg_current_xact_id_if_assigned() THEN
        IF hotrow.schema_has_changed() THEN
            PERFORM hotrow.refuse_commit();
        ELSIF pg_catalog.current_setting('hotrow.known', true) IS DISTINCT FROM change THEN
            PERFORM hotrow.learn(change);
        END IF;
    END IF;
    RETURN true;
END $$;

-- The name of the note that this session has got OC001 for a change.
CREATE FUNCTION hotrow.note_of(change text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'hotrow_knows_' || change $$;

-- A session that was idle while the schema changed gets OC001 once, at its first statement. The setting tells which change it
-- knows, but ROLLBACK takes a setting back. So the note that it has got OC001 is a prepared statement, which stays.
CREATE FUNCTION hotrow.learn(change text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('hotrow.known', true) <> '' AND pg_xact_status(change::xid8) = 'committed'
       AND NOT EXISTS (SELECT FROM pg_prepared_statements WHERE name = hotrow.note_of(change)) THEN
        PERFORM hotrow.refuse_commit();
    END IF;
    PERFORM set_config('hotrow.known', change, false);
END $$;

-- Leave this note, in place of an older one.
CREATE FUNCTION hotrow.leave_note(change text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old text;
BEGIN
    FOR old IN SELECT name FROM pg_prepared_statements WHERE starts_with(name, hotrow.note_of('')) LOOP
        EXECUTE format('DEALLOCATE %I', old);
    END LOOP;
    EXECUTE format('PREPARE %I AS SELECT', hotrow.note_of(change));
END $$;

-- Refuse a COMMIT with Aurora DSQL's own error messages.
CREATE FUNCTION hotrow.refuse_commit() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF pg_catalog.current_setting('hotrow.rules', true) = 'off' THEN
        RETURN;
    ELSIF pg_catalog.clock_timestamp() - now() > interval '300 s' THEN
        RAISE 'transaction age limit of 300s exceeded' USING ERRCODE = '54000';
    END IF;
    PERFORM hotrow.leave_note(pg_catalog.pg_sequence_last_value('hotrow.schema_changes')::text);
    RAISE 'schema has been updated by another transaction, please retry: (OC001)' USING ERRCODE = '40001';
END $$;

CREATE FUNCTION hotrow.refuse(state text, message text, hint text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF hint IS NULL THEN
        RAISE USING ERRCODE = state, MESSAGE = message;
    END IF;
    RAISE USING ERRCODE = state, MESSAGE = message, HINT = hint;
END $$;
