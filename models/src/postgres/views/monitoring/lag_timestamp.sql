SELECT
    client_addr,
    state,
    pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) AS lag_bytes,
    extract(epoch from (now() - replay_timestamp)) AS lag_seconds
FROM pg_stat_replication;
