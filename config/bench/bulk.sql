-- Rows from a file of the server's into a table that has an index, then statistics. The file was made before, in the data folder.
TRUNCATE bench_bulk;
COPY bench_bulk FROM 'bench.copy';
ANALYZE bench_bulk;
