-- The stand-in's optimistic concurrency, in SQL only: conflicts come at COMMIT, as in Aurora DSQL.
--
-- hotrow.adopt('accounts') turns a table into three things in the same schema:
--   accounts__base    the table itself, renamed;
--   accounts__writes  the write set: rows that a transaction has written and not yet committed;
--   accounts          a view: base rows that the transaction has not written, UNION ALL what it has written.
-- Triggers on the view put every write into the write set, so nothing waits and nothing conflicts before COMMIT. A
-- deferred constraint trigger then applies the write set to the base table in primary-key order, and PostgreSQL
-- itself is the judge: at REPEATABLE READ it raises 40001 where a row changed since the snapshot.
--
-- The write set neither grows nor leaves dead index entries: each backend owns a slot, and each slot's rows are numbered 1, 2, …
-- and used again by the next transaction (a HOT update, pruned in place). A row belongs to the transaction whose id it carries,
-- so a statement sees what earlier statements of its transaction wrote and never what it writes itself.
-- How many rows the transaction has used is a transaction-local setting; it bounds the index scan, no more.

CREATE SCHEMA IF NOT EXISTS hotrow;

-- The number of this backend among those running now: unique while it runs, bounded by max_connections.
CREATE OR REPLACE FUNCTION hotrow.take_slot() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    slot int;
BEGIN
    SELECT id INTO STRICT slot FROM pg_stat_get_backend_idset() AS id
     WHERE pg_stat_get_backend_pid(id) = pg_backend_pid();
    PERFORM set_config('hotrow.slot', slot::text, false);
    RETURN slot;
END $$;

-- What every reader of the write set asks for: the rows of this backend's slot that this transaction wrote.
CREATE OR REPLACE FUNCTION hotrow.own_rows(alias text, counter text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format(
        $own$%1$s.__slot = nullif(current_setting('hotrow.slot', true), '')::int
         AND %1$s.__seq <= nullif(current_setting(%2$L, true), '')::int
         AND %1$s.__xid = pg_current_xact_id_if_assigned()$own$, alias, counter)
$$;

-- The column names of a table, each set into a template and joined.
CREATE OR REPLACE FUNCTION hotrow.columns(relation regclass, only_key boolean, template text, separator text)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format(template, a.attname), separator ORDER BY a.attnum)
      FROM pg_attribute a
      JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
       AND (NOT only_key OR a.attnum = ANY (i.indkey))
$$;

CREATE OR REPLACE FUNCTION hotrow.adopt(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    space text;
    name text;
    base text;
    writes text;
    shown text;
    counter text := 'hotrow.n' || relation::oid;
    columns text := hotrow.columns(relation, false, '%I', ', ');
    key_match_old text := hotrow.columns(relation, true, 't.%1$I = OLD.%1$I', ' AND ');
    key_match_new text := hotrow.columns(relation, true, 't.%1$I = NEW.%1$I', ' AND ');
    key_moved text := hotrow.columns(relation, true, 'NEW.%1$I IS DISTINCT FROM OLD.%1$I', ' OR ');
    row_defaults text;
BEGIN
    IF columns IS NULL THEN
        RAISE 'table % has no primary key: the stand-in needs one', relation USING ERRCODE = '0A000';
    END IF;
    SELECT n.nspname, c.relname INTO STRICT space, name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
    base := format('%I.%I', space, name || '__base');
    writes := format('%I.%I', space, name || '__writes');
    shown := format('%I.%I', space, name);
    SELECT string_agg(format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', shown, a.attname,
                             pg_get_expr(d.adbin, d.adrelid)), '; ')
      INTO row_defaults
      FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
     WHERE d.adrelid = relation;

    EXECUTE format('ALTER TABLE %s RENAME TO %I', relation, name || '__base');
    -- Free room on each page keeps updates of hot rows, and of the write set, in place.
    EXECUTE format('ALTER TABLE %s SET (fillfactor = 50)', base);
    EXECUTE format(
        'CREATE UNLOGGED TABLE %s (LIKE %s INCLUDING CONSTRAINTS, __slot int, __seq int, __xid xid8 NOT NULL,
         __op "char" NOT NULL, PRIMARY KEY (__slot, __seq)) WITH (fillfactor = 20)', writes, base);
    EXECUTE format(
        'CREATE VIEW %1$s AS SELECT %2$s FROM %3$s b WHERE NOT EXISTS (SELECT FROM %4$s t WHERE %5$s AND %6$s)
         UNION ALL SELECT %2$s FROM %4$s t WHERE %5$s AND t.__op IN (''i'', ''u'')',
        shown, columns, base, writes, hotrow.own_rows('t', counter),
        hotrow.columns(base::regclass, true, 't.%1$I = b.%1$I', ' AND '));
    IF row_defaults IS NOT NULL THEN
        EXECUTE row_defaults;
    END IF;

    -- A write: over the transaction's own earlier write of the key where there is one, else into the next row of the slot.
    -- __op: i(nserted), u(pdated), d(eleted), n(othing: inserted and deleted again).
    EXECUTE format($code$
        CREATE FUNCTION %1$I.%2$I() RETURNS trigger LANGUAGE plpgsql AS $body$
        DECLARE
            slot int := nullif(current_setting('hotrow.slot', true), '')::int;
            used int := coalesce(nullif(current_setting(%3$L, true), '')::int, 0);
            earlier "char";
        BEGIN
            IF slot IS NULL THEN
                slot := hotrow.take_slot();
            END IF;
            IF TG_OP = 'UPDATE' AND (%4$s) THEN
                RAISE 'the stand-in cannot yet change a primary key' USING ERRCODE = '0A000';
            END IF;
            IF TG_OP = 'INSERT' THEN
                IF EXISTS (SELECT FROM %5$s t WHERE %6$s) THEN
                    RAISE 'duplicate key value violates unique constraint "%%"', %7$L USING ERRCODE = '23505';
                END IF;
                IF used > 0 THEN
                    UPDATE %8$s t SET (%9$s) = ROW(%10$s), __op = CASE t.__op WHEN 'd' THEN 'u' ELSE 'i' END
                     WHERE t.__slot = slot AND t.__seq <= used AND t.__xid = pg_current_xact_id() AND %6$s;
                    IF FOUND THEN
                        RETURN NEW;
                    END IF;
                END IF;
            ELSIF used > 0 THEN
                IF TG_OP = 'UPDATE' THEN
                    UPDATE %8$s t SET (%9$s) = ROW(%10$s)
                     WHERE t.__slot = slot AND t.__seq <= used AND t.__xid = pg_current_xact_id() AND %11$s;
                ELSE
                    UPDATE %8$s t SET __op = CASE t.__op WHEN 'i' THEN 'n' ELSE 'd' END
                     WHERE t.__slot = slot AND t.__seq <= used AND t.__xid = pg_current_xact_id() AND %11$s;
                END IF;
                IF FOUND THEN
                    RETURN coalesce(NEW, OLD);
                END IF;
            END IF;
            used := used + 1;
            PERFORM set_config(%3$L, used::text, true);
            IF TG_OP = 'DELETE' THEN
                NEW := OLD;
            END IF;
            UPDATE %8$s t SET (%9$s) = ROW(%10$s), __xid = pg_current_xact_id(),
                   __op = CASE TG_OP WHEN 'INSERT' THEN 'i' WHEN 'UPDATE' THEN 'u' ELSE 'd' END
             WHERE t.__slot = slot AND t.__seq = used;
            IF NOT FOUND THEN
                INSERT INTO %8$s (%9$s, __slot, __seq, __xid, __op) VALUES
                    (%10$s, slot, used, pg_current_xact_id(),
                     CASE TG_OP WHEN 'INSERT' THEN 'i' WHEN 'UPDATE' THEN 'u' ELSE 'd' END);
            END IF;
            RETURN NEW;
        END $body$ $code$,
        space, name || '__write', counter, key_moved, shown, key_match_new, name || '_pkey', writes, columns,
        hotrow.columns(base::regclass, false, 'NEW.%I', ', '), key_match_old);
    EXECUTE format('CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW
                    EXECUTE FUNCTION %I.%I()', shown, space, name || '__write');

    -- COMMIT: the first committer of a key wins; primary-key order keeps two committers from waiting in a ring.
    EXECUTE format($code$
        CREATE FUNCTION %1$I.%2$I() RETURNS trigger LANGUAGE plpgsql AS $body$
        DECLARE
            w %3$s;
        BEGIN
            FOR w IN SELECT t.* FROM %3$s t WHERE %4$s ORDER BY %5$s LOOP
                IF w.__op = 'u' THEN
                    UPDATE %6$s b SET (%7$s) = ROW(%8$s) WHERE %9$s;
                ELSIF w.__op = 'i' THEN
                    INSERT INTO %6$s (%7$s) VALUES (%8$s);
                ELSIF w.__op = 'd' THEN
                    DELETE FROM %6$s b WHERE %9$s;
                END IF;
            END LOOP;
            PERFORM set_config(%10$L, '', true);
            RETURN NULL;
        EXCEPTION WHEN serialization_failure OR unique_violation OR deadlock_detected THEN
            RAISE 'change conflicts with another transaction (OC000)' USING ERRCODE = '40001';
        END $body$ $code$,
        space, name || '__apply', writes, hotrow.own_rows('t', counter),
        hotrow.columns(base::regclass, true, 't.%I', ', '), base, columns,
        hotrow.columns(base::regclass, false, 'w.%I', ', '),
        hotrow.columns(base::regclass, true, 'b.%1$I = w.%1$I', ' AND '), counter);
    EXECUTE format('CREATE CONSTRAINT TRIGGER apply AFTER INSERT OR UPDATE ON %s DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW WHEN (NEW.__seq = 1) EXECUTE FUNCTION %I.%I()', writes, space, name || '__apply');
END $$;
