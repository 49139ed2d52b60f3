-- Ten questions whose plans a configuration may change. One statement each; -- before it says what it asks.
-- one row by its key
SELECT abalance FROM pgbench_accounts WHERE aid = 4711;
-- a thousand rows in the order of their key
SELECT aid, abalance FROM pgbench_accounts WHERE aid BETWEEN 1000 AND 2000 ORDER BY aid;
-- a tenth of the first branch's rows, by a range of the key
SELECT sum(abalance) FROM pgbench_accounts WHERE aid BETWEEN 1 AND 10000;
-- the ten largest of all
SELECT aid, abalance FROM pgbench_accounts ORDER BY abalance DESC LIMIT 10;
-- a hundred rows by their keys
SELECT sum(abalance) FROM pgbench_accounts WHERE aid = ANY (ARRAY(SELECT n * 97 FROM generate_series(1, 100) n));
-- a sum for each branch
SELECT bid, sum(abalance) FROM pgbench_accounts GROUP BY bid;
-- a group for each of many values
SELECT aid % 50000 AS part, count(*) FROM pgbench_accounts GROUP BY 1;
-- rows joined with what they belong to
SELECT b.bid, t.tid, sum(a.abalance) FROM pgbench_accounts a JOIN pgbench_branches b USING (bid) JOIN pgbench_tellers t USING (bid)
WHERE a.aid < 50000 GROUP BY 1, 2;
-- a table joined with itself
SELECT sum(a.abalance + b.abalance) FROM pgbench_accounts a JOIN pgbench_accounts b ON b.aid = a.aid + 1 WHERE a.bid > 0;
-- the place of each row within its branch
SELECT max(place) FROM (SELECT rank() OVER (PARTITION BY bid ORDER BY aid DESC) AS place FROM pgbench_accounts) AS ranked;
