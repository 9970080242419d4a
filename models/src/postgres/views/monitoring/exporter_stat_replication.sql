SELECT
    application_name,
    client_addr::text,
    state,
    s.slot_name,
    pg_stat_replication.pid,
    CASE WHEN pg_is_in_recovery()
        THEN pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_lsn('0/0'))::float
        ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), pg_lsn('0/0'))::float
    END AS pg_current_wal_lsn_bytes,
    CASE WHEN pg_is_in_recovery()
        THEN pg_wal_lsn_diff(pg_last_wal_receive_lsn(), replay_lsn)::float
        ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float
    END AS pg_wal_lsn_diff
FROM pg_stat_replication
LEFT JOIN pg_replication_slots s ON s.active_pid = pg_stat_replication.pid;
