SELECT
    slot_name,
    slot_type,
    CASE WHEN pg_is_in_recovery()
        THEN pg_last_wal_receive_lsn() - '0/0'
        ELSE pg_current_wal_lsn() - '0/0'
    END AS current_wal_lsn,
    COALESCE(confirmed_flush_lsn, '0/0') - '0/0' AS confirmed_flush_lsn,
    active,
    safe_wal_size,
    wal_status
FROM pg_replication_slots;
