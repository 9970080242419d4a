//! PostgreSQL's log lines, made from (fact, version).
