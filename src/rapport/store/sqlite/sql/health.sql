-- is_readable: Check whether the database can be read.
SELECT count(*) FROM revision;

-- write_probe: Write a row to check whether the database accepts writes. Served by the primary key.
INSERT INTO readiness (of, checked_time) VALUES ('server', :now)
ON CONFLICT (of) DO UPDATE SET checked_time = excluded.checked_time;
