SELECT
    slot_name,
    database,
    active,
    CASE WHEN pg_is_in_recovery()
        THEN pg_wal_lsn_diff(pg_last_wal_receive_lsn(), restart_lsn)
        ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)
    END AS pg_wal_lsn_diff
FROM pg_replication_slots;
