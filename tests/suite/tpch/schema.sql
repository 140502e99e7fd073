-- The eight tables of TPC-H, small, filled by arithmetic: the same rows everywhere, and some for every query. The benches,
-- which use this too, want more orders: psql's variable says how many.
\if :{?orders}
\else
    \set orders 1200
\endif
CREATE SCHEMA tpch;
SET search_path TO tpch;

CREATE TABLE region (r_regionkey int PRIMARY KEY, r_name text NOT NULL, r_comment text);
CREATE TABLE nation (n_nationkey int PRIMARY KEY, n_name text NOT NULL, n_regionkey int NOT NULL, n_comment text);
CREATE TABLE supplier (s_suppkey int PRIMARY KEY, s_name text, s_address text, s_nationkey int, s_phone text,
    s_acctbal numeric(15,2), s_comment text);
CREATE TABLE part (p_partkey int PRIMARY KEY, p_name text, p_mfgr text, p_brand text, p_type text, p_size int,
    p_container text, p_retailprice numeric(15,2), p_comment text);
CREATE TABLE partsupp (ps_partkey int, ps_suppkey int, ps_availqty int, ps_supplycost numeric(15,2), ps_comment text,
    PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name text, c_address text, c_nationkey int, c_phone text,
    c_acctbal numeric(15,2), c_mktsegment text, c_comment text);
CREATE TABLE orders (o_orderkey int PRIMARY KEY, o_custkey int, o_orderstatus char(1), o_totalprice numeric(15,2),
    o_orderdate date, o_orderpriority text, o_clerk text, o_shippriority int, o_comment text);
CREATE TABLE lineitem (l_orderkey int, l_partkey int, l_suppkey int, l_linenumber int, l_quantity numeric(15,2),
    l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag char(1),
    l_linestatus char(1), l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct text,
    l_shipmode text, l_comment text, PRIMARY KEY (l_orderkey, l_linenumber));

INSERT INTO region SELECT n, (ARRAY['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'])[n + 1], 'r' || n
FROM generate_series(0, 4) AS n;
INSERT INTO nation SELECT n, coalesce((ARRAY['FRANCE', 'GERMANY', 'BRAZIL', 'CANADA', 'SAUDI ARABIA'])[n + 1], 'NATION ' || n),
    CASE n WHEN 0 THEN 3 WHEN 1 THEN 3 WHEN 2 THEN 1 WHEN 3 THEN 1 WHEN 4 THEN 4 ELSE n % 5 END, 'n' || n
FROM generate_series(0, 24) AS n;
INSERT INTO supplier SELECT n, 'Supplier#' || lpad(n::text, 9, '0'), 'Street ' || n, (n * 7) % 8,
    format('%s-%s-%s-%s', 10 + n % 25, 100 + n, 200 + n, 3000 + n), (n * 373) % 9999 - 500.5,
    CASE WHEN n % 9 = 0 THEN 'x Customer y Complaints z' ELSE 'fine ' || n END
FROM generate_series(1, 40) AS n;
INSERT INTO part SELECT n,
    (ARRAY['forest', 'green', 'blue', 'ivory', 'red'])[n % 5 + 1] || ' ' || (ARRAY['mint', 'green', 'puff'])[n % 3 + 1],
    'Manufacturer#' || n % 5 + 1, 'Brand#' || (n % 5 + 1) || (n % 4 + 1),
    (ARRAY['ECONOMY ANODIZED STEEL', 'PROMO PLATED BRASS', 'MEDIUM POLISHED TIN', 'LARGE BURNISHED BRASS'])[n % 4 + 1],
    n % 50 + 1, (ARRAY['SM CASE', 'MED BOX', 'LG BOX', 'MED BAG', 'SM PACK', 'LG CASE'])[n % 6 + 1],
    900 + n % 100 + 0.25, 'p' || n
FROM generate_series(1, 200) AS n;
INSERT INTO partsupp SELECT p, 1 + (p + s * 11) % 40, (p * 37 + s * 101) % 9999, (p * 13 + s * 7) % 1000 + 0.5, 'ps'
FROM generate_series(1, 200) AS p, generate_series(0, 3) AS s;
INSERT INTO customer SELECT n, 'Customer#' || lpad(n::text, 9, '0'), 'Lane ' || n, n % 25,
    format('%s-%s-%s-%s', 10 + n % 25, 300 + n, 400 + n, 5000 + n), (n * 571) % 9999 - 800.25,
    (ARRAY['BUILDING', 'AUTOMOBILE', 'MACHINERY'])[n % 3 + 1], 'c' || n
FROM generate_series(1, 150) AS n;
INSERT INTO orders SELECT n, 1 + (n * 7) % 120, (ARRAY['O', 'F', 'P'])[n % 3 + 1], (n * 7919) % 400000 + 0.5,
    date '1992-01-01' + (n * 13) % 2400, (n % 5 + 1) || '-' || (ARRAY['URGENT', 'HIGH', 'MEDIUM', 'NOT SPECIFIED', 'LOW'])[n % 5 + 1],
    'Clerk#' || n % 20, 0, CASE WHEN n % 11 = 0 THEN 'a special b requests c' ELSE 'o' || n END
FROM generate_series(1, :orders) AS n;
INSERT INTO lineitem SELECT o_orderkey, p, 1 + (p + (o_orderkey % 4) * 11) % 40, l, (o_orderkey * l * 17) % 50 + 1,
    (o_orderkey * 31 + l * 997) % 90000 + 900.75, (o_orderkey + l) % 11 / 100.0, l % 9 / 100.0,
    (ARRAY['R', 'A', 'N'])[(o_orderkey + l) % 3 + 1], (ARRAY['O', 'F'])[(o_orderkey + l) % 2 + 1],
    o_orderdate + (o_orderkey * l) % 120 + 1, o_orderdate + 30 + (o_orderkey + l) % 60,
    o_orderdate + (o_orderkey * l) % 120 + 1 + (l * 7) % 30,
    (ARRAY['DELIVER IN PERSON', 'NONE', 'COLLECT COD'])[l % 3 + 1],
    (ARRAY['AIR', 'AIR REG', 'MAIL', 'SHIP', 'TRUCK', 'RAIL', 'FOB'])[(o_orderkey * 3 + l) % 7 + 1], 'l' || l
FROM orders, generate_series(1, 4) AS l, LATERAL (SELECT 1 + (o_orderkey * 3 + l * 29) % 200 AS p) AS q;
-- One order that is large enough for query 18.
UPDATE lineitem SET l_quantity = 90 WHERE l_orderkey IN (7, 70, 700);

-- The masked copy, each mask written out by hand from what docs/masks.md says of it.
CREATE SCHEMA copy;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['region', 'nation', 'supplier', 'part', 'partsupp', 'customer', 'orders', 'lineitem'] LOOP
        EXECUTE format('CREATE TABLE copy.%I (LIKE tpch.%I INCLUDING INDEXES)', name, name);
        EXECUTE format('INSERT INTO copy.%I SELECT * FROM tpch.%I', name, name);
    END LOOP;
END
$$;
UPDATE copy.customer SET c_name = left(c_name, 3) || repeat('*', length(c_name) - 3), c_address = '***',
    c_phone = regexp_replace(left(c_phone, -4), '[0-9]', '*', 'g') || right(c_phone, 4),
    c_acctbal = floor(c_acctbal / 100) * 100;
UPDATE copy.supplier SET s_name = repeat('*', length(s_name) - 4) || right(s_name, 4), s_address = NULL,
    s_phone = '+00', s_acctbal = 0;
UPDATE copy.orders SET o_totalprice = floor(o_totalprice / 1000) * 1000, o_clerk = '***',
    o_orderdate = date_trunc('month', o_orderdate::timestamp)::date;
UPDATE copy.lineitem SET l_extendedprice = least(greatest(l_extendedprice, 1000), 60000);
DELETE FROM copy.orders WHERE o_orderkey % 10 = 3;
GRANT USAGE ON SCHEMA tpch, copy TO scrim;
GRANT SELECT ON ALL TABLES IN SCHEMA tpch, copy TO scrim;
ANALYZE;
