SELECT
    CASE
        WHEN pg_is_in_recovery() THEN 'STANDBY (Read-Only)'
        ELSE 'PRIMARY (Read-Write)'
    END AS server_mode,
    pg_last_wal_receive_lsn() AS last_received_lsn,
    pg_last_wal_replay_lsn() AS last_replayed_lsn,
    pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) AS replay_lag_bytes,
    pg_last_xact_replay_timestamp() AS last_replay_time,
    now() - pg_last_xact_replay_timestamp() AS replication_delay;
