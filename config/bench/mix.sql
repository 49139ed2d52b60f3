-- Four reads to one write, and a few rows that most of them want: exponential, so that half of all hits are on 2 % of the rows.
\set hot random_exponential(1, 100000 * :scale, 35)
\set cold random(1, 100000 * :scale)
\set bid random(1, :scale)
\set delta random(-5000, 5000)
SELECT abalance FROM pgbench_accounts WHERE aid = :hot;
SELECT abalance FROM pgbench_accounts WHERE aid = :cold;
SELECT count(*), sum(abalance) FROM pgbench_accounts WHERE aid BETWEEN :cold AND :cold + 100;
SELECT bbalance FROM pgbench_branches WHERE bid = :bid;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :hot;
