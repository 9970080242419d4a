SELECT
    trim(both '''' from substring(conninfo from 'host=([^ ]*)')) AS upstream_host,
    slot_name,
    status,
    (receive_start_lsn - '0/0') % (2^52)::bigint AS receive_start_lsn,
    (flushed_lsn - '0/0') % (2^52)::bigint AS flushed_lsn,
    receive_start_tli,
    received_tli,
    extract(epoch from last_msg_send_time) AS last_msg_send_time,
    extract(epoch from last_msg_receipt_time) AS last_msg_receipt_time,
    (latest_end_lsn - '0/0') % (2^52)::bigint AS latest_end_lsn,
    extract(epoch from latest_end_time) AS latest_end_time,
    substring(slot_name from 'repmgr_slot_([0-9]*)') AS upstream_node
FROM pg_stat_wal_receiver;
