-- A B-tree over every row of the largest table, as a deployment adds one.
CREATE INDEX bench_index ON pgbench_accounts (bid, abalance, aid);
DROP INDEX bench_index;
