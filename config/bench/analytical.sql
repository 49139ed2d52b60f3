-- A sort that is read to its end, a hash aggregate, a hash join, a window. No row leaves the server.
SELECT count(*) FROM (SELECT aid FROM pgbench_accounts ORDER BY abalance, filler, aid OFFSET 0) AS sorted;
SELECT count(*) FROM (SELECT aid % 50000 AS part, avg(abalance) FROM pgbench_accounts GROUP BY 1 OFFSET 0) AS hashed;
SELECT sum(a.abalance + b.abalance) FROM pgbench_accounts a JOIN pgbench_accounts b ON b.aid = a.aid + 1 WHERE a.bid > 0;
SELECT max(place) FROM (SELECT rank() OVER (PARTITION BY bid ORDER BY aid DESC) AS place FROM pgbench_accounts) AS windowed;
