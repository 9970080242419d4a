-- pg-stat-wal: records and full-page images; one row a call, so call it often.
SELECT current_setting('server_version_num')::int >= 140000 AS has_pg_stat_wal,
       current_setting('server_version_num')::int < 180000 AS has_wal_sync \gset
\if :has_pg_stat_wal
\if :has_wal_sync
\copy (SELECT now() AS "timestamp", wal_records, wal_fpi, wal_bytes, wal_buffers_full, wal_write, wal_sync, wal_sync_time FROM pg_stat_wal) TO PROGRAM 'cat >> pg_stat_wal.csv' CSV HEADER
\else
\copy (SELECT now() AS "timestamp", wal_records, wal_fpi, wal_bytes, wal_buffers_full FROM pg_stat_wal) TO PROGRAM 'cat >> pg_stat_wal.csv' CSV HEADER
\endif
\endif
