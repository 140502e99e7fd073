-- What an attacker would find beside the tables: secrets of the server's own, marked on the original, others elsewhere.

CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER another FOREIGN DATA WRAPPER elsewhere;
CREATE USER MAPPING FOR scrim SERVER another OPTIONS (user 'scrim', password '%WORD% of another server');
CREATE SUBSCRIPTION news CONNECTION 'host=%WORD%.example password=%WORD%' PUBLICATION news
    WITH (connect = false, slot_name = NONE);
SELECT lo_from_bytea(1, '%WORD% in a large object');
CREATE ROLE visitor LOGIN PASSWORD
    'SCRAM-SHA-256$4096:%SALT%$BrO0Y9fSG8RhLT/dI9JrFuLo+tLoTzukDSB4gR0Giss=:l7ZcjVLaRwcmb8+9oS86m/W/vhApuzbyzeERJd0jQ4w=';
-- So that there is somebody to become, and a way back.
GRANT svc_support TO scrim;

CREATE PUBLICATION all_rows FOR TABLE public.messages;
SELECT pg_create_logical_replication_slot('changes', 'pgoutput');
UPDATE public.messages SET body = body WHERE id = 1;
VACUUM FULL public.messages;

CREATE STATISTICS public.of_pairs (mcv) ON region, email FROM public.customers;
-- PostgreSQL 13 has none of expressions.
DO $$ BEGIN
    EXECUTE 'CREATE STATISTICS public.of_expression ON (lower(email)) FROM public.customers';
EXCEPTION WHEN syntax_error OR feature_not_supported THEN NULL;
END $$;
ANALYZE public.customers;

CREATE PROCEDURE public.whisper() LANGUAGE plpgsql SECURITY DEFINER
AS $$ BEGIN RAISE NOTICE '%', (SELECT email FROM public.customers WHERE id = 1); END $$;

-- What the server is like: rows, objects, rights, settings, and what the session keeps. An attack that changes any of it
-- has had an effect.
CREATE SCHEMA proof;
CREATE FUNCTION proof.state() RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER
AS $$
    SELECT pg_catalog.md5(pg_catalog.concat_ws('|',
        (SELECT pg_catalog.string_agg(pg_catalog.query_to_xml(
            pg_catalog.format('SELECT pg_catalog.sum(pg_catalog.hashtext(pg_catalog.concat(ctid, xmin))) FROM %s',
                oid::pg_catalog.regclass), true, false, '')::text, ';' ORDER BY oid)
         FROM pg_catalog.pg_class WHERE relkind = 'r'
            AND (relnamespace::pg_catalog.regnamespace::text !~ '^(pg_|information_schema)' OR relname IN (
                'pg_authid', 'pg_auth_members', 'pg_db_role_setting', 'pg_proc', 'pg_attribute', 'pg_constraint',
                'pg_rewrite', 'pg_trigger', 'pg_description', 'pg_largeobject', 'pg_largeobject_metadata', 'pg_namespace',
                'pg_operator', 'pg_cast', 'pg_extension', 'pg_language', 'pg_aggregate'))),
        (SELECT pg_catalog.string_agg(pg_catalog.concat(oid, relname, relacl), ';' ORDER BY oid) FROM pg_catalog.pg_class),
        (SELECT pg_catalog.string_agg(pg_catalog.concat(name, setting), ';' ORDER BY name) FROM pg_catalog.pg_settings),
        pg_catalog.current_setting('scrim.k_inner', true), pg_catalog.current_setting('scrim.k_outer', true),
        (SELECT pg_catalog.string_agg(name, ';' ORDER BY name) FROM pg_catalog.pg_cursors),
        (SELECT pg_catalog.string_agg(name, ';' ORDER BY name) FROM pg_catalog.pg_prepared_statements),
        (SELECT pg_catalog.string_agg(c::text, ';' ORDER BY c) FROM pg_catalog.pg_listening_channels() c),
        (SELECT pg_catalog.string_agg(pg_catalog.concat(sequencename, last_value), ';' ORDER BY sequencename)
         FROM pg_catalog.pg_sequences),
        (SELECT pg_catalog.string_agg(pg_catalog.concat(relation, mode), ';' ORDER BY relation, mode) FROM pg_catalog.pg_locks
         WHERE pid = pg_catalog.pg_backend_pid() AND mode = 'AccessExclusiveLock'),
        (SELECT pg_catalog.string_agg(n, ';' ORDER BY n) FROM pg_catalog.pg_ls_dir('pg_snapshots') n),
        pg_catalog.pg_read_file('postgresql.auto.conf'),
        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory')))
$$;
GRANT USAGE ON SCHEMA proof TO PUBLIC;
