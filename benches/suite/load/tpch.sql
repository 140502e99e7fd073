-- Beside tests/suite/tpch/schema.sql: what finds rows by more than the primary keys, in both schemas. Without it queries
-- 17, 20 and 21 take minutes, and only measure that.
CREATE INDEX ON tpch.lineitem (l_partkey, l_suppkey);
CREATE INDEX ON copy.lineitem (l_partkey, l_suppkey);
CREATE INDEX ON tpch.orders (o_custkey);
CREATE INDEX ON copy.orders (o_custkey);
VACUUM (FREEZE, ANALYZE);
