-- Aurora DSQL is compatible with PostgreSQL 16. The functions that 17 and 18 have added go to a schema in which nobody looks, so
-- that a client gets PostgreSQL 16's answer, and may have functions of its own of these names.
CREATE SCHEMA IF NOT EXISTS hotrow_newer;
UPDATE pg_proc SET pronamespace = 'hotrow_newer'::regnamespace
 WHERE pronamespace = 'pg_catalog'::regnamespace
   AND (proname IN ('array_reverse', 'array_sort', 'casefold', 'crc32', 'crc32c', 'gamma', 'lgamma', 'to_bin', 'to_oct',
                    'unicode_assigned', 'uuid_extract_timestamp', 'uuid_extract_version', 'uuidv4', 'uuidv7', 'xmltext')
        OR (proname = 'random' AND pronargs = 2) OR (proname = 'reverse' AND proargtypes[0] = 'bytea'::regtype));
