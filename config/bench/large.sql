-- Four reads to one write of a table that does not fit into memory; 80 % of them go to 20 % of the rows, as to what is new.
\set read random_exponential(1, :rows, 8)
\set again random_exponential(1, :rows, 8)
\set cold random(1, :rows)
\set write random_exponential(1, :rows, 8)
SELECT state, body FROM bench_large WHERE id = :read;
SELECT state, body FROM bench_large WHERE id = :again;
SELECT state, body FROM bench_large WHERE id = :cold;
SELECT count(*), max(state) FROM bench_large WHERE id BETWEEN :read AND :read + 20;
UPDATE bench_large SET state = state + 1 WHERE id = :write;
