-- The stand-in's optimistic concurrency, in SQL only: conflicts come at COMMIT, as in Aurora DSQL.
--
-- A table that anybody creates is adopted at once (an event trigger): hotrow.adopt('account') turns it into
--   account__base    the table itself, renamed;
--   account__writes  the write set: rows that a transaction has written and not yet committed;
--   account          a view: base rows that the transaction has not written, UNION ALL what it has written.
-- Triggers on the view put every write into the write set, so nothing waits and nothing conflicts before COMMIT. A
-- deferred constraint trigger then applies the write set to the base table in primary-key order, and PostgreSQL
-- itself is the judge: at REPEATABLE READ it raises 40001 where a row changed since the snapshot.
--
-- The write set neither grows nor leaves dead index entries: each backend owns a slot, and each slot's rows are numbered
-- 1, 2, … and used again by the next transaction (a HOT update, pruned in place). A row belongs to the transaction
-- whose id it carries, so a statement sees what earlier statements of its transaction wrote and never what it writes itself.
--
-- A transaction's state in one table is one number in a transaction-local setting:
--   bits 0-11   how many rows of the slot it has used;
--   bits 12-61  a Bloom filter of the keys it has written: most writes need not look for an earlier one;
--   bit 62      set where it inserted or deleted: COMMIT must then look at every row's operation.
-- docs/decisions.md says what other designs gave.

DROP SCHEMA IF EXISTS hotrow CASCADE;
CREATE SCHEMA hotrow;

-- The number of this backend among those running now: unique while it runs, bounded by max_connections.
CREATE FUNCTION hotrow.take_slot() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    slot int;
BEGIN
    SELECT id INTO STRICT slot FROM pg_stat_get_backend_idset() AS id
     WHERE pg_stat_get_backend_pid(id) = pg_backend_pid();
    PERFORM set_config('hotrow.slot', slot::text, false);
    RETURN slot;
END $$;

-- What every reader of the write set asks for: the rows of this backend's slot that this transaction wrote.
CREATE FUNCTION hotrow.own_rows(alias text, state text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format(
        $own$%1$s.__slot = nullif(current_setting('hotrow.slot', true), '')::int
         AND %1$s.__seq <= nullif(current_setting(%2$L, true), '')::bigint & 4095
         AND %1$s.__xid = pg_current_xact_id_if_assigned()$own$, alias, state)
$$;

-- Columns of a table, each set into a template and joined: all of them, or those of one index.
CREATE FUNCTION hotrow.columns(relation regclass, index oid, template text, separator text)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format(template, a.attname), separator ORDER BY a.attnum)
      FROM pg_attribute a
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
       AND (index IS NULL OR a.attnum = ANY (SELECT unnest(i.indkey) FROM pg_index i WHERE i.indexrelid = index))
$$;

-- plpgsql that refuses a duplicate of NEW which this transaction can see, for one unique index. What it cannot see
-- is a conflict at COMMIT. `condition` says which writes to ask about, `others` which rows not to take for duplicates.
CREATE FUNCTION hotrow.refuse_duplicates(
    base regclass, shown text, index oid, condition text, others text
) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format(
        $code$
            IF %1$s EXISTS (SELECT FROM %2$s t WHERE %3$s %4$s) THEN
                RAISE 'duplicate key value violates unique constraint "%%"', %5$L USING ERRCODE = '23505';
            END IF;$code$,
        condition, shown, hotrow.columns(base, index, 't.%1$I = NEW.%1$I', ' AND '), others,
        (SELECT relname FROM pg_class WHERE oid = index))
$$;

-- Refuse, in one clear line, what a table cannot have here.
CREATE FUNCTION hotrow.refuse_what_cannot_be_had(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisprimary) THEN
        RAISE 'table % has no primary key: the stand-in needs one', relation USING ERRCODE = '0A000';
    END IF;
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND NOT attisdropped
                  AND (attgenerated <> '' OR attidentity = 'a')) THEN
        RAISE 'table % has a generated column: the stand-in has none', relation USING ERRCODE = '0A000';
    END IF;
    IF EXISTS (SELECT FROM pg_class WHERE oid = relation AND (relkind = 'p' OR relispartition)) THEN
        RAISE 'table % is partitioned: neither Aurora DSQL nor the stand-in has that', relation USING ERRCODE = '0A000';
    END IF;
END $$;

CREATE FUNCTION hotrow.adopt(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    kind "char";
    space text;
    name text;
    base text;
    writes text;
    shown text;
    state text := 'hotrow.s' || relation::oid;
    key oid;
    columns text;
    defaults text;
    parts jsonb;
BEGIN
    SELECT c.relkind, n.nspname, c.relname INTO STRICT kind, space, name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
    base := format('%I.%I', space, name || '__base');
    writes := format('%I.%I', space, name || '__writes');
    shown := format('%I.%I', space, name);
    IF kind = 'v' AND to_regclass(base) IS NOT NULL THEN
        RETURN;  -- adopted already
    END IF;
    PERFORM hotrow.refuse_what_cannot_be_had(relation);
    PERFORM set_config('hotrow.adopt', 'off', true);
    SELECT indexrelid INTO STRICT key FROM pg_index WHERE indrelid = relation AND indisprimary;
    columns := hotrow.columns(relation, NULL, '%I', ', ');
    SELECT string_agg(format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', shown, a.attname,
                             CASE a.attidentity WHEN 'd'
                             THEN format('nextval(%L)', pg_get_serial_sequence(shown, a.attname))
                             ELSE pg_get_expr(d.adbin, d.adrelid) END), '; ')
      INTO defaults
      FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
     WHERE a.attrelid = relation AND (a.attidentity = 'd' OR d.adbin IS NOT NULL);

    EXECUTE format('ALTER TABLE %s RENAME TO %I', relation, name || '__base');
    -- Free room on each page keeps updates of hot rows, and of the write set, in place; rows that are there already are spread.
    EXECUTE format('ALTER TABLE %1$s SET (fillfactor = 50); CLUSTER %1$s USING %2$I', base,
                   (SELECT relname FROM pg_class WHERE oid = key));
    EXECUTE format(
        'CREATE UNLOGGED TABLE %s (LIKE %s INCLUDING CONSTRAINTS, __slot int, __seq bigint, __xid xid8 NOT NULL,
         __op "char" NOT NULL, PRIMARY KEY (__slot, __seq)) WITH (fillfactor = 20)', writes, base);
    EXECUTE format(
        'CREATE VIEW %1$s AS SELECT %2$s FROM %3$s b WHERE NOT EXISTS (SELECT FROM %4$s t WHERE %5$s AND %6$s)
         UNION ALL SELECT %2$s FROM %4$s t WHERE %5$s AND t.__op IN (''i'', ''u'')',
        shown, columns, base, writes, hotrow.own_rows('t', state),
        hotrow.columns(base::regclass, key, 't.%1$I = b.%1$I', ' AND '));
    IF defaults IS NOT NULL THEN
        EXECUTE defaults;
    END IF;
    EXECUTE hotrow.write_functions(space, name, key);
    EXECUTE hotrow.apply_function(space, name, key);
    EXECUTE format('CREATE TRIGGER inserting INSTEAD OF INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION %2$I.%3$I();
                    CREATE TRIGGER updating INSTEAD OF UPDATE ON %1$s FOR EACH ROW EXECUTE FUNCTION %2$I.%4$I();
                    CREATE TRIGGER deleting INSTEAD OF DELETE ON %1$s FOR EACH ROW EXECUTE FUNCTION %2$I.%5$I();
                    CREATE CONSTRAINT TRIGGER apply AFTER INSERT OR UPDATE ON %6$s DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW WHEN (NEW.__seq = 1) EXECUTE FUNCTION %2$I.%7$I()',
                   shown, space, name || '__insert', name || '__update', name || '__delete', writes, name || '__apply');
    PERFORM set_config('hotrow.adopt', 'on', true);
END $$;

-- The three INSTEAD OF triggers of a view. Each writes over the transaction's own earlier write of the key where there is one,
-- else into the next row of the slot. __op: i(nserted), u(pdated), d(eleted), n(othing: inserted and deleted again).
CREATE FUNCTION hotrow.write_functions(space text, name text, key oid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    base regclass := format('%I.%I', space, name || '__base');
    shown text := format('%I.%I', space, name);
    writes text := format('%I.%I', space, name || '__writes');
    columns text := hotrow.columns(base, NULL, '%I', ', ');
    values_new text := hotrow.columns(base, NULL, 'NEW.%I', ', ');
    values_old text := hotrow.columns(base, NULL, 'OLD.%I', ', ');
    key_is_old text := hotrow.columns(base, key, 't.%1$I = OLD.%1$I', ' AND ');
    key_is_new text := hotrow.columns(base, key, 't.%1$I = NEW.%1$I', ' AND ');
    head text := $code$
        CREATE FUNCTION %1$I.%2$I() RETURNS trigger LANGUAGE plpgsql AS $body$
        DECLARE
            slot int := nullif(current_setting('hotrow.slot', true), '');
            state bigint := nullif(current_setting(%3$L, true), '');
            seen bigint := 1::bigint << (12 + (hash_record(ROW(%4$s)) & 2147483647) %% 50);
            counted bigint;
            done text;
        BEGIN %5$s
            IF state IS NULL THEN
                state := 0;
                IF slot IS NULL THEN
                    slot := hotrow.take_slot();
                END IF;
            ELSIF state & seen <> 0 THEN
                UPDATE %6$s t SET %7$s
                 WHERE t.__slot = slot AND t.__seq <= state & 4095 AND t.__xid = pg_current_xact_id() AND %8$s;
                IF FOUND THEN
                    %9$s
                    RETURN %10$s;
                END IF;
            END IF;
            counted := coalesce(nullif(current_setting('hotrow.rows', true), ''), '0')::bigint + 1;
            IF counted > 3000 THEN
                RAISE 'transaction row limit exceeded' USING ERRCODE = '54000';
            END IF;
            done := set_config('hotrow.rows', counted::text, true);
            state := (state | seen | %11$s) + 1;
            done := set_config(%3$L, state::text, true);
            UPDATE %6$s t SET (%12$s) = ROW(%13$s), __xid = pg_current_xact_id(), __op = %14$L
             WHERE t.__slot = slot AND t.__seq = state & 4095;
            IF NOT FOUND THEN
                INSERT INTO %6$s (%12$s, __slot, __seq, __xid, __op)
                VALUES (%13$s, slot, state & 4095, pg_current_xact_id(), %14$L);
            END IF;
            RETURN %10$s;
        END $body$;$code$;
    mixed bigint := 1::bigint << 62;
    flag text := format('state := state | %s; done := set_config(%L, state::text, true);', mixed,
                        'hotrow.s' || base::oid);
    uniques text;
    changed text;
BEGIN
    SELECT string_agg(hotrow.refuse_duplicates(base, shown, indexrelid, '', ''), ''),
           string_agg(hotrow.refuse_duplicates(
               base, shown, indexrelid,
               format('(%s) AND', hotrow.columns(base, indexrelid, 'NEW.%1$I IS DISTINCT FROM OLD.%1$I', ' OR ')),
               format('AND NOT (%s)', key_is_old)), '') FILTER (WHERE NOT indisprimary)
      INTO uniques, changed
      FROM pg_index
     WHERE indrelid = base AND indisunique AND indexprs IS NULL AND indpred IS NULL;
    RETURN format(head, space, name || '__insert', 'hotrow.s' || base::oid, hotrow.columns(base, key, 'NEW.%I', ', '),
                  uniques, writes,
                  format('(%s) = ROW(%s), __op = CASE t.__op WHEN ''d'' THEN ''u'' ELSE ''i'' END', columns, values_new),
                  key_is_new, flag, 'NEW', mixed, columns, values_new, 'i')
        || format(head, space, name || '__update', 'hotrow.s' || base::oid, hotrow.columns(base, key, 'OLD.%I', ', '),
                  format($code$
            IF %s THEN
                DELETE FROM %s t WHERE %s;
                INSERT INTO %s (%s) VALUES (%s);
                RETURN NEW;
            END IF; %s$code$, hotrow.columns(base, key, 'NEW.%1$I IS DISTINCT FROM OLD.%1$I', ' OR '),
                         shown, key_is_old, shown, columns, values_new, changed),
                  writes, format('(%s) = ROW(%s)', columns, values_new),
                  key_is_old, '', 'NEW', 0, columns, values_new, 'u')
        || format(head, space, name || '__delete', 'hotrow.s' || base::oid, hotrow.columns(base, key, 'OLD.%I', ', '),
                  '', writes, '__op = CASE t.__op WHEN ''i'' THEN ''n'' ELSE ''d'' END',
                  key_is_old, flag, 'OLD', mixed, columns, values_old, 'd');
END $$;

-- COMMIT: the first committer of a key wins; primary-key order keeps two committers from waiting in a ring.
CREATE FUNCTION hotrow.apply_function(space text, name text, key oid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    base regclass := format('%I.%I', space, name || '__base');
    columns text := hotrow.columns(base, NULL, '%I', ', ');
    values_written text := hotrow.columns(base, NULL, 'w.%I', ', ');
BEGIN
    RETURN format($code$
        CREATE FUNCTION %1$I.%2$I() RETURNS trigger LANGUAGE plpgsql AS $body$
        DECLARE
            state bigint := nullif(current_setting(%3$L, true), '');
            w %4$s;
            done text;
        BEGIN
            IF state >> 62 = 0 THEN
                WITH own AS MATERIALIZED (
                    SELECT * FROM %4$s t
                     WHERE t.__slot = NEW.__slot AND t.__seq <= state & 4095 AND t.__xid = NEW.__xid ORDER BY %5$s)
                UPDATE %6$s b SET (%7$s) = ROW(%10$s) FROM own WHERE %11$s;
            ELSE
                FOR w IN SELECT t.* FROM %4$s t
                          WHERE t.__slot = NEW.__slot AND t.__seq <= state & 4095 AND t.__xid = NEW.__xid
                          ORDER BY t.__op <> 'd', %5$s LOOP  -- deletes first: they make room in unique indexes
                    IF w.__op = 'u' THEN
                        UPDATE %6$s b SET (%7$s) = ROW(%8$s) WHERE %9$s;
                    ELSIF w.__op = 'i' THEN
                        INSERT INTO %6$s (%7$s) VALUES (%8$s);
                    ELSIF w.__op = 'd' THEN
                        DELETE FROM %6$s b WHERE %9$s;
                    END IF;
                END LOOP;
            END IF;
            done := set_config(%3$L, '', true);
            RETURN NULL;
        EXCEPTION WHEN serialization_failure OR unique_violation OR deadlock_detected THEN
            RAISE 'change conflicts with another transaction (OC000)' USING ERRCODE = '40001';
        END $body$ $code$,
        space, name || '__apply', 'hotrow.s' || base::oid, format('%I.%I', space, name || '__writes'),
        hotrow.columns(base, key, 't.%I', ', '), format('%I.%I', space, name || '__base'), columns, values_written,
        hotrow.columns(base, key, 'b.%1$I = w.%1$I', ' AND '),
        hotrow.columns(base, NULL, 'own.%I', ', '), hotrow.columns(base, key, 'b.%1$I = own.%1$I', ' AND '));
END $$;

-- Any table that any client creates is adopted, except where `SET hotrow.adopt = off` (seeding at full speed, then adopt).
CREATE FUNCTION hotrow.adopt_created() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    created record;
BEGIN
    IF current_setting('hotrow.adopt', true) = 'off' THEN
        RETURN;
    END IF;
    FOR created IN
        SELECT c.oid FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON c.oid = d.objid
         WHERE d.object_type = 'table' AND d.schema_name NOT IN ('hotrow', 'pg_catalog') AND c.relpersistence = 'p'
    LOOP
        PERFORM hotrow.adopt(created.oid::regclass);
    END LOOP;
END $$;

-- A view that is dropped takes with it what stands behind it.
CREATE FUNCTION hotrow.forget_dropped() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    dropped record;
    part text;
BEGIN
    FOR dropped IN
        SELECT schema_name AS space, object_name AS name FROM pg_event_trigger_dropped_objects()
         WHERE object_type = 'view' AND to_regclass(format('%I.%I', schema_name, object_name || '__base')) IS NOT NULL
    LOOP
        EXECUTE format('DROP TABLE %1$I.%2$I, %1$I.%3$I', dropped.space, dropped.name || '__writes',
                       dropped.name || '__base');
        FOREACH part IN ARRAY ARRAY['__insert', '__update', '__delete', '__apply'] LOOP
            EXECUTE format('DROP FUNCTION IF EXISTS %I.%I()', dropped.space, dropped.name || part);
        END LOOP;
    END LOOP;
END $$;

CREATE EVENT TRIGGER hotrow_adopt ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
    EXECUTE FUNCTION hotrow.adopt_created();
CREATE EVENT TRIGGER hotrow_forget ON sql_drop EXECUTE FUNCTION hotrow.forget_dropped();
