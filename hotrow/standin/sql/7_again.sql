-- Rebuild what is beside the tables that an earlier version of this SQL adopted.
DO $$
DECLARE
    relation oid;
BEGIN
    PERFORM set_config('hotrow.adopting', 'on', true);
    FOR relation IN
        SELECT c.oid FROM pg_class c WHERE relkind = 'r' AND hotrow.view_name(oid) IS NOT NULL
           AND EXISTS (SELECT FROM pg_depend WHERE refobjid = c.oid AND deptype = 'a' AND classid = 'pg_proc'::regclass)
    LOOP
        PERFORM hotrow.remove(hotrow.parts(relation));
        PERFORM hotrow.build(relation);
        EXECUTE hotrow.fill('REVOKE ALL ON {base} FROM PUBLIC', hotrow.parts(relation));
    END LOOP;
END $$;
