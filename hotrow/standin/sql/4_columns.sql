-- Tables without a primary key, and columns whose values the client may not give: generated ones and identity columns.

-- Give a table without a primary key a hidden one, as Aurora DSQL does.
CREATE FUNCTION hotrow.add_hidden_key(relation oid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisprimary) THEN
        EXECUTE format('ALTER TABLE %s ADD COLUMN __hotrow_key uuid DEFAULT gen_random_uuid() CONSTRAINT hotrow_key_%s PRIMARY KEY',
                       relation::regclass, relation);
    END IF;
END $$;

-- What a table with a hidden key has more: an index that finds a row by its values, and the number of the statement that wrote
-- each row of the write set.
CREATE FUNCTION hotrow.build_for_hidden_key(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    former text := (SELECT string_agg(format('DROP INDEX %s', indexrelid::regclass), '; ')
                      FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indrelid = relation AND relname LIKE 'hotrow\_values\_%');
BEGIN
    IF hotrow.has_hidden_key(relation) THEN
        EXECUTE coalesce(former, '');
        EXECUTE hotrow.fill($ddl$
            CREATE INDEX hotrow_values_{oid} ON {base} (({hash}));
            ALTER TABLE {writes} ADD COLUMN __statement int;
            CREATE TRIGGER counting BEFORE UPDATE OR DELETE ON {view} FOR EACH STATEMENT EXECUTE FUNCTION hotrow.count_statement();
            CREATE TRIGGER marking BEFORE INSERT OR UPDATE ON {writes} FOR EACH ROW EXECUTE FUNCTION hotrow.mark_statement()$ddl$,
            hotrow.parts(relation) || jsonb_build_object(
                'oid', relation, 'hash', hotrow.row_hash(relation, '')));
    END IF;
END $$;

CREATE FUNCTION hotrow.count_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('hotrow.statement', (coalesce(nullif(current_setting('hotrow.statement', true), ''), '0')::int + 1)::text, true);
    RETURN NULL;
END $$;

CREATE FUNCTION hotrow.mark_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.__statement := coalesce(nullif(current_setting('hotrow.statement', true), ''), '0');
    RETURN NEW;
END $$;

-- The setting with the range of values that an identity column's sequence has given to this transaction.
CREATE FUNCTION hotrow.identity_setting(relation oid, number smallint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format('hotrow.i%s_%s', relation, number)
$$;

-- The default of a column GENERATED ALWAYS AS IDENTITY.
CREATE FUNCTION hotrow.next_identity(sequence regclass, setting text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    value bigint := nextval(sequence);
    before int8range := nullif(current_setting(setting, true), '');
BEGIN
    PERFORM set_config(setting, range_merge(coalesce(before, 'empty'), int8range(value, value, '[]'))::text, true);
    RETURN value;
END $$;

-- Whether the client, and not the sequence, gave the value of an identity column.
CREATE FUNCTION hotrow.is_given(value bigint, setting text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (value <@ nullif(current_setting(setting, true), '')::int8range) IS NOT TRUE
$$;

-- Whether the client's statement says OVERRIDING SYSTEM VALUE (or USER VALUE). COPY always overrides the system's values.
CREATE FUNCTION hotrow.overrides(whose text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT left(current_query(), 10000) ~* format('\moverriding\s+%s\s+value\M%s', whose, CASE whose WHEN 'system' THEN '|^\s*copy\M' END)
$$;

-- plpgsql that refuses a value for a column GENERATED ALWAYS AS IDENTITY, unless its sequence gave the value.
CREATE FUNCTION hotrow.check_identity(identity pg_attribute) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT hotrow.fill($code$
                IF NEW.{name} IS DISTINCT FROM OLD.{name} AND hotrow.is_given(NEW.{name}, {setting}) THEN
                    IF TG_OP = 'UPDATE' THEN
                        RAISE USING ERRCODE = '428C9', MESSAGE = {update_message}, DETAIL = {detail};
                    ELSIF hotrow.overrides('user') THEN
                        NEW.{name} := nextval({sequence});
                    ELSIF NOT hotrow.overrides('system') THEN
                        RAISE USING ERRCODE = '428C9', MESSAGE = {insert_message}, DETAIL = {detail},
                                    HINT = 'Use OVERRIDING SYSTEM VALUE to override.';
                    END IF;
                END IF;$code$, jsonb_build_object(
        'name', quote_ident(identity.attname), 'setting', quote_literal(hotrow.identity_setting(identity.attrelid, identity.attnum)),
        'sequence', quote_literal(pg_get_serial_sequence(identity.attrelid::regclass::text, identity.attname)),
        'insert_message', quote_literal(format('cannot insert a non-DEFAULT value into column "%s"', identity.attname)),
        'update_message', quote_literal(format('column "%s" can only be updated to DEFAULT', identity.attname)),
        'detail', quote_literal(format('Column "%s" is an identity column defined as GENERATED ALWAYS.', identity.attname))))
$$;

-- plpgsql that computes a generated column. The value that the expression gives is accepted, as ON CONFLICT passes it on.
CREATE FUNCTION hotrow.compute(generated pg_attribute) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT hotrow.fill($code$
                DECLARE
                    given {type} := NEW.{name};
                BEGIN
                    NEW.{name} := (SELECT {expression} FROM (SELECT {shown_new}) AS {table_name} ({shown}));
                    IF given IS NOT NULL AND given IS DISTINCT FROM NEW.{name} AND given IS DISTINCT FROM OLD.{name} THEN
                        RAISE USING ERRCODE = '428C9', DETAIL = {detail},
                                    MESSAGE = CASE TG_OP WHEN 'INSERT' THEN {insert_message} ELSE {update_message} END;
                    END IF;
                END;$code$, hotrow.parts(generated.attrelid) || jsonb_build_object(
        'name', quote_ident(generated.attname), 'type', format_type(generated.atttypid, generated.atttypmod),
        'table_name', quote_ident(hotrow.view_name(generated.attrelid)),
        'expression', (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = generated.attrelid AND adnum = generated.attnum),
        'insert_message', quote_literal(format('cannot insert a non-DEFAULT value into column "%s"', generated.attname)),
        'update_message', quote_literal(format('column "%s" can only be updated to DEFAULT', generated.attname)),
        'detail', quote_literal(format('Column "%s" is a generated column.', generated.attname))))
$$;

-- A trigger before the others for a table with generated columns or identity columns GENERATED ALWAYS: it refuses values that the
-- client may not give, and computes the generated columns.
CREATE FUNCTION hotrow.build_computing(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    body text;
BEGIN
    SELECT string_agg(CASE attgenerated WHEN '' THEN hotrow.check_identity(a) ELSE hotrow.compute(a) END, '' ORDER BY attgenerated, attnum)
      INTO body FROM pg_attribute a
     WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped AND (attgenerated <> '' OR attidentity = 'a');
    IF body IS NOT NULL THEN
        PERFORM hotrow.define('{compute}()', 'trigger', format($code$
            #variable_conflict use_column
            BEGIN
                IF current_setting('hotrow.moving', true) = 'on' THEN
                    RETURN NEW;  -- a changed key: the row is complete
                END IF;
                %s
                RETURN NEW;
            END$code$, body), hotrow.parts(relation));
        EXECUTE hotrow.fill($ddl$
            CREATE TRIGGER computing INSTEAD OF INSERT OR UPDATE ON {view} FOR EACH ROW EXECUTE FUNCTION {compute}();
            CREATE TRIGGER computing INSTEAD OF INSERT ON {excluded} FOR EACH ROW EXECUTE FUNCTION {compute}();
            CREATE TRIGGER computing INSTEAD OF INSERT ON {or_nothing} FOR EACH ROW EXECUTE FUNCTION {compute}()$ddl$, hotrow.parts(relation));
    END IF;
END $$;

