-- Foreign keys of adopted tables. Triggers of the views check and follow them.
--
-- A statement is checked at its end, as in PostgreSQL: a row may refer to a later row of its statement. While the statement runs,
-- a reference that has no row is noted as pending, and so is a row that goes away although it is referred to.
-- The setting hotrow.pending has entries of a letter and a foreign key's number: c if a child was written, p if a parent was (NO
-- ACTION), d if rows that refer to a deleted parent must be deleted or changed. Foreign keys that are INITIALLY DEFERRED stay
-- pending until COMMIT.
-- A reference that is found only then was made by this transaction. So no other transaction can take it away, and it needs no
-- FOR KEY SHARE.

CREATE FUNCTION hotrow.note_pending(entry text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    noted text := coalesce(current_setting('hotrow.pending', true), '');
BEGIN
    IF position(entry || ' ' IN noted) = 0 THEN
        PERFORM set_config('hotrow.pending', noted || entry || ' ', true);
    END IF;
END $$;

-- Whether a table has foreign keys, or foreign keys refer to it. Most tables have none, and nothing is asked about them.
CREATE FUNCTION hotrow.has_references(relation oid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND (conrelid = relation OR confrelid = relation AND hotrow.view_name(conrelid) IS NOT NULL))
$$;

-- The number, name and messages of a foreign key.
CREATE FUNCTION hotrow.parts_of_reference(fk pg_constraint) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'number', fk.oid, 'constraint', quote_literal(hotrow.plain(fk.conname)), 'child', hotrow.parts(fk.conrelid) ->> 'about',
        'child_message', quote_literal(format('insert or update on table "%s" violates foreign key constraint "%s"',
                                              hotrow.view_name(fk.conrelid), fk.conname)),
        'parent_message', quote_literal(format('update or delete on table "%s" violates foreign key constraint "%s" on table "%s"',
                                               hotrow.view_name(fk.confrelid), fk.conname, hotrow.view_name(fk.conrelid))))
$$;

-- A foreign key at the referencing table: the referenced row must be visible, and is read FOR KEY SHARE.
CREATE FUNCTION hotrow.mind_parents(relation oid, updating boolean) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(hotrow.fill(
        CASE fk.confmatchtype WHEN 'f' THEN $code$
            IF num_nulls({values}) > 0 AND num_nonnulls({values}) > 0 THEN
                RAISE USING ERRCODE = '23503', MESSAGE = {child_message}, CONSTRAINT = {constraint}, {child},
                            DETAIL = 'MATCH FULL does not allow mixing of null and nonnull key values.';
            END IF;$code$ ELSE '' END || $code$
            IF {asked} THEN
                PERFORM {for_key_share}(__p) FROM {view} __p WHERE {same};
                IF NOT FOUND THEN
                    PERFORM hotrow.note_pending('c{number}');
                END IF;
            END IF;$code$,
        hotrow.parts(fk.confrelid) || hotrow.parts_of_reference(fk) || jsonb_build_object(
            'same', hotrow.pairs(fk, '__p.%2$I = NEW.%1$I', ' AND '), 'values', hotrow.pairs(fk, 'NEW.%1$I', ', '),
            'asked', concat_ws(' AND ',
                hotrow.pairs(fk, 'NEW.%1$I IS NOT NULL', ' AND '),
                CASE WHEN fk.conrelid = fk.confrelid  -- a row may reference itself
                    THEN format('(%s)', hotrow.pairs(fk, 'NEW.%2$I IS DISTINCT FROM NEW.%1$I', ' OR ')) END,
                CASE WHEN updating THEN format('(%s)', hotrow.pairs(fk, 'NEW.%1$I IS DISTINCT FROM OLD.%1$I', ' OR ')) END))), ''), '')
      FROM pg_constraint fk
     WHERE fk.contype = 'f' AND fk.conrelid = relation
$$;

-- The foreign keys of adopted tables that refer to a table.
CREATE FUNCTION hotrow.references_to(relation oid) RETURNS SETOF pg_constraint LANGUAGE sql STABLE AS $$
    SELECT * FROM pg_constraint WHERE contype = 'f' AND confrelid = relation AND hotrow.view_name(conrelid) IS NOT NULL
$$;

-- Which rows of the referencing table `c` refer to the row OLD, apart from OLD itself.
CREATE FUNCTION hotrow.refer_to_old(fk pg_constraint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT hotrow.pairs(fk, 'c.%1$I = OLD.%2$I', ' AND ') || CASE WHEN fk.conrelid = fk.confrelid
        THEN format(' AND NOT (%s)', hotrow.columns(fk.confrelid, fk.conindid, 'c.%1$I = OLD.%1$I', ' AND ')) ELSE '' END
$$;

-- Whether a row's deletion, or (updating) its change, matters to a foreign key. A deletion that is half of a changed key does not.
CREATE FUNCTION hotrow.is_referred(fk pg_constraint, updating boolean) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN updating THEN format('(%s)', hotrow.pairs(fk, 'NEW.%2$I IS DISTINCT FROM OLD.%2$I', ' OR '))
           ELSE 'current_setting(''hotrow.moving'', true) IS DISTINCT FROM ''on''' END
$$;

-- A foreign key at the referenced table. RESTRICT refuses the row at once. Everything else is done at the statement's end, except
-- for changed keys, which hotrow.follow_changes() hands on row by row.
CREATE FUNCTION hotrow.mind_children(relation oid, updating boolean) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(hotrow.fill(hotrow.fill(
        $code$
            IF {asked} THEN  -- an IF of its own: most updates do not change keys
                IF EXISTS (SELECT FROM {view} c WHERE {same}) THEN
                    {refuse}
                END IF;
            END IF;$code$,
        jsonb_build_object('refuse', CASE action WHEN 'r'
            THEN $code$RAISE USING ERRCODE = '23503', MESSAGE = {parent_message}, CONSTRAINT = {constraint}, {child};$code$
            ELSE $code$PERFORM hotrow.note_pending('{letter}{number}');$code$ END)),
        jsonb_build_object('letter', CASE action WHEN 'a' THEN 'p' ELSE 'd' END) || hotrow.parts(fk.conrelid) || hotrow.parts_of_reference(fk) || jsonb_build_object(
            'asked', hotrow.is_referred(fk, updating), 'same', hotrow.refer_to_old(fk))), ''), '')
      FROM hotrow.references_to(relation) fk,
           LATERAL (SELECT CASE WHEN updating THEN fk.confupdtype ELSE fk.confdeltype END AS action) a
     WHERE action IN ('a', 'r') OR NOT updating
$$;

-- What an action (NULL or DEFAULT) sets in the referencing table.
CREATE FUNCTION hotrow.changes(fk pg_constraint, action "char", columns int2[]) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format('%I = %s', attname, CASE action WHEN 'n' THEN 'NULL' ELSE 'DEFAULT' END), ', ')
      FROM pg_attribute WHERE attrelid = fk.conrelid AND attnum = ANY (columns)
$$;

-- A foreign key at the referenced table that changes the rows which refer to a row whose key has changed.
CREATE FUNCTION hotrow.follow_changes(relation oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(hotrow.fill($code$
                IF {asked} THEN
                    UPDATE {view} c SET {changes} WHERE {same};
                END IF;$code$,
        hotrow.parts(fk.conrelid) || jsonb_build_object(
            'asked', hotrow.is_referred(fk, true), 'same', hotrow.refer_to_old(fk),
            'changes', CASE fk.confupdtype WHEN 'c' THEN hotrow.pairs(fk, '%1$I = NEW.%2$I', ', ')
                       ELSE hotrow.changes(fk, fk.confupdtype, fk.conkey) END)), ''), '')
      FROM hotrow.references_to(relation) fk WHERE confupdtype IN ('c', 'n', 'd')
$$;

-- A foreign key at the referenced table that deletes or changes the rows which refer to rows that a statement has deleted.
CREATE FUNCTION hotrow.follow_deletions(relation oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(hotrow.fill($code$
                IF position('d{number} ' IN pending) > 0 THEN
                    PERFORM set_config('hotrow.pending', '', true);  -- the next statement checks what itself has noted
                    {change} {writes} t
                     WHERE {own} AND t.__op IN ('D', 'N') AND {c_is_t} AND NOT EXISTS (SELECT FROM {view} p WHERE {p_is_c});
                    pending := replace(pending, 'd{number} ', '') || current_setting('hotrow.pending', true);
                END IF;$code$,
        hotrow.parts(relation) || hotrow.parts_of_reference(fk) || jsonb_build_object(
            'change', CASE fk.confdeltype WHEN 'c' THEN format('DELETE FROM %s c USING', hotrow.parts(fk.conrelid) ->> 'view')
                      ELSE format('UPDATE %s c SET %s FROM', hotrow.parts(fk.conrelid) ->> 'view',
                                  hotrow.changes(fk, fk.confdeltype, coalesce(fk.confdelsetcols, fk.conkey))) END,
            'c_is_t', hotrow.pairs(fk, 'c.%1$I = t.%2$I', ' AND '), 'p_is_c', hotrow.pairs(fk, 'p.%2$I = c.%1$I', ' AND '))), ''), '')
      FROM hotrow.references_to(relation) fk WHERE confdeltype IN ('c', 'n', 'd')
$$;

-- plpgsql that checks the pending foreign keys of a table: those of statements, or those of COMMIT.
CREATE FUNCTION hotrow.check_pending(relation oid, at_commit boolean) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(hotrow.fill($code$
                IF position('c{number} ' IN pending) > 0 OR position('p{number} ' IN pending) > 0 THEN
                    SELECT concat_ws(', ', {child_values}) INTO orphan FROM {child_view} c
                     WHERE {asked} AND NOT EXISTS (SELECT FROM {parent_view} p WHERE {same}) LIMIT 1;
                    IF FOUND AND position('p{number} ' IN pending) > 0 THEN
                        RAISE USING ERRCODE = '23503', MESSAGE = {parent_message}, CONSTRAINT = {constraint}, {child},
                                    DETAIL = {parent_keys} || orphan || {still_referenced};
                    ELSIF FOUND THEN
                        RAISE USING ERRCODE = '23503', MESSAGE = {child_message}, CONSTRAINT = {constraint}, {child},
                                    DETAIL = {child_keys} || orphan || {not_present};
                    END IF;
                    pending := replace(replace(pending, 'c{number} ', ''), 'p{number} ', '');
                END IF;$code$,
        hotrow.parts_of_reference(fk) || jsonb_build_object(
            'child_view', hotrow.parts(fk.conrelid) ->> 'view', 'parent_view', hotrow.parts(fk.confrelid) ->> 'view',
            'child_values', hotrow.pairs(fk, 'c.%1$I', ', '), 'asked', hotrow.pairs(fk, 'c.%1$I IS NOT NULL', ' AND '),
            'same', hotrow.pairs(fk, 'p.%2$I = c.%1$I', ' AND '),
            'child_keys', quote_literal(format('Key (%s)=(', hotrow.pairs(fk, '%1$I', ', '))),
            'parent_keys', quote_literal(format('Key (%s)=(', hotrow.pairs(fk, '%2$I', ', '))),
            'not_present', quote_literal(format(') is not present in table "%s".', hotrow.view_name(fk.confrelid))),
            'still_referenced', quote_literal(format(') is still referenced from table "%s".', hotrow.view_name(fk.conrelid))))), ''), '')
      FROM pg_constraint fk
     WHERE contype = 'f' AND relation IN (conrelid, confrelid) AND hotrow.view_name(conrelid) IS NOT NULL AND condeferred = at_commit
$$;

-- A trigger function that checks the pending foreign keys with the text of hotrow.check_pending().
CREATE FUNCTION hotrow.define_check(signature text, parts jsonb, checks text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hotrow.define(signature, 'trigger', format($code$
        DECLARE
            pending text := current_setting('hotrow.pending', true);
            orphan text;
        BEGIN
            IF pending <> '' AND current_setting('hotrow.moving', true) IS DISTINCT FROM 'on' THEN%s
                PERFORM set_config('hotrow.pending', pending, true);
            END IF;
            RETURN NULL;
        END$code$, checks), parts);
END $$;

-- The functions and triggers of a table that has foreign keys, or to which foreign keys refer. Without any, there are none.
CREATE FUNCTION hotrow.define_references(relation oid, parts jsonb) RETURNS void LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
    changed text;
    at_end text;
    at_commit text;
BEGIN
    IF NOT hotrow.has_references(relation)
       AND coalesce(to_regproc(parts ->> 'follow'), to_regproc(parts ->> 'check_statement'), to_regproc(parts ->> 'check_commit')) IS NULL THEN
        RETURN;
    END IF;
    changed := hotrow.follow_changes(relation);
    at_end := hotrow.follow_deletions(relation) || hotrow.check_pending(relation, false);
    at_commit := hotrow.check_pending(relation, true);
    EXECUTE hotrow.fill($ddl$
        DROP TRIGGER IF EXISTS zz_following ON {view};
        DROP TRIGGER IF EXISTS checking ON {view};
        DROP TRIGGER IF EXISTS checking ON {or_nothing};
        DROP TRIGGER IF EXISTS a_checking ON {writes};
        DROP FUNCTION IF EXISTS {follow}, {check_statement}, {check_commit}$ddl$, parts);
    IF changed <> '' THEN
        PERFORM hotrow.define('{follow}()', 'trigger', format($code$
            BEGIN%s
                RETURN NEW;
            END$code$, changed), parts);
        EXECUTE hotrow.fill('CREATE TRIGGER zz_following INSTEAD OF UPDATE ON {view} FOR EACH ROW EXECUTE FUNCTION {follow}()', parts);
    END IF;
    IF at_end <> '' THEN
        PERFORM hotrow.define_check('{check_statement}()', parts, at_end);
        EXECUTE hotrow.fill($ddl$
            CREATE TRIGGER checking AFTER INSERT OR UPDATE OR DELETE ON {view} FOR EACH STATEMENT EXECUTE FUNCTION {check_statement}();
            CREATE TRIGGER checking AFTER INSERT ON {or_nothing} FOR EACH STATEMENT EXECUTE FUNCTION {check_statement}()$ddl$, parts);
    END IF;
    IF at_commit <> '' THEN
        PERFORM hotrow.define_check('{check_commit}()', parts, at_commit);
        EXECUTE hotrow.fill('CREATE CONSTRAINT TRIGGER a_checking AFTER INSERT OR UPDATE OF __due ON {writes} DEFERRABLE INITIALLY DEFERRED
                             FOR EACH ROW EXECUTE FUNCTION {check_commit}()', parts);
    END IF;
END $$;
