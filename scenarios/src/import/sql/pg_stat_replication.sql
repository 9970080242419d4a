-- pg-stat-replication: how far behind the standbys are; one row a standby and call.
\copy (SELECT now() AS "timestamp", pid, state, sent_lsn, write_lsn, flush_lsn, replay_lsn, write_lag, flush_lag, replay_lag, sync_state FROM pg_stat_replication) TO PROGRAM 'cat >> pg_stat_replication.csv' CSV HEADER
