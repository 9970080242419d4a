-- lsn-samples: how much WAL came when. Once, on the primary:
CREATE TABLE IF NOT EXISTS wal_lsn_history (
    "timestamp"  timestamptz NOT NULL DEFAULT clock_timestamp(),
    lsn_position pg_lsn      NOT NULL DEFAULT pg_current_wal_lsn()
);
-- Every minute, from cron or pg_cron; a week or more shows the weekly jobs:
INSERT INTO wal_lsn_history DEFAULT VALUES;
-- At the end:
\copy (SELECT "timestamp", lsn_position FROM wal_lsn_history ORDER BY 1) TO 'wal_lsn_history.csv' CSV HEADER
-- Without a table, for as long as the terminal stays open:
--   echo 'SELECT now(), pg_current_wal_lsn() \watch 1' | psql --csv > wal_lsn_history.csv
