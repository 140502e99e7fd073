-- What the sample's support desk lacks for measuring: many customers. The variable `customers` says how many.

INSERT INTO public.customers (id, name, email, phone, rrn, card_number, birth_date, address, balance,
        marketing_consent, notes, profile, tier, region, created_at)
SELECT 1000 + n,
    (ARRAY['Kim', 'Lee', 'Park', 'Choi', 'Jung', 'Kang', 'Yoon'])[1 + n % 7] || ' '
        || (ARRAY['Minji', 'Seoyeon', 'Jihoon', 'Eunji', 'Dohyun'])[1 + n / 7 % 5] || n % 100,
    'customer' || n || '@example.com',
    '010-' || lpad((n / 10000 % 10000)::text, 4, '0') || '-' || lpad((n % 10000)::text, 4, '0'),
    lpad((n % 1000000)::text, 6, '0') || '-1234567',
    '4539 0417 ' || lpad((n / 10000 % 10000)::text, 4, '0') || ' ' || lpad((n % 10000)::text, 4, '0'),
    date '1950-01-01' + n % 20000,
    (ARRAY['Seoul', 'Busan', 'Jeju'])[1 + n % 3] || ', ' || n || ' Long Street',
    n % 1000000 + 0.25,
    n % 3 = 0,
    'Called on day ' || n % 365 || ' about an order that had not arrived',
    '{"nick": "customer", "prefs": {"lang": "ko"}}',
    (ARRAY['basic', 'pro', 'enterprise'])[1 + n % 3],
    (ARRAY['seoul', 'busan', 'jeju', 'overseas'])[1 + n % 4],
    timestamptz '2023-01-01 09:00:00+09' + n * interval '1 minute'
FROM generate_series(1, :customers) AS n;

-- pgbench's own tables, which `pgbench -i` has made.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO scrim;

-- Every page is seen as old before anything is measured; the server has no autovacuum.
VACUUM (FREEZE, ANALYZE) public.customers;
VACUUM (FREEZE, ANALYZE) pgbench_accounts, pgbench_branches, pgbench_tellers;
CHECKPOINT;
