#!/usr/bin/env python3
"""Records what psql prints of real servers, as the tests of `models` and of `reports::psql` read it.

    record.py OUT MAJOR=BIN[:LIB] ...

For each major version a primary, a standby with a slot and two more slots are made in a temporary
folder, as whoever runs this (PostgreSQL refuses root), on the loopback interface. `psql` is the
one on the path; nothing else needs more than initdb, pg_ctl and postgres. What is written to OUT:

    MAJOR.json   every query on both servers: columns with types, rows, the three forms of psql
    values.csv   numbers and what the servers make of them: intervals, moments, sizes, seconds
"""

import csv
import io
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

TYPES = "\\gdesc"
VIEWS = [
    "pg_stat_replication", "pg_stat_wal_receiver", "pg_replication_slots", "pg_stat_wal",
    "pg_stat_bgwriter", "pg_stat_checkpointer", "pg_ls_waldir() order by name",
]
FUNCTIONS = [
    "pg_is_in_recovery", "pg_current_wal_lsn", "pg_current_wal_insert_lsn",
    "pg_current_wal_flush_lsn", "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
]
# The monitoring queries that Walden knows, by the names of their files.
MONITORING = pathlib.Path(__file__).parents[2] / "src/postgres/views/monitoring"
QUERIES = {file.stem: file.read_text().rstrip() for file in sorted(MONITORING.glob("*.sql"))}
# Shapes that views do not have and psql has rules for.
SHAPES = {
    "lines": "select 1 as n, E'one\\ntwo\\n\\nfour' as text, 2 as m "
             "union all select 20, 'x', 30 order by n",
    "lines_in_a_name": "select 1 as \"first\nsecond line\", 'left' as \"a\nb\"",
    "quotes": "select 'a,b' as \"x,y\", 'say \"no\"' as q, '' as empty, null as nothing, "
              "E'two\\nlines' as l, '\\.' as d, ' blank ' as s",
    "numbers": "select 1::int4 as int4_is_to_the_right, -12345678901::int8 as i, 1.50::numeric as "
               "n, 0.1::float8 as f, 7::oid as oid, '5'::xid as xid, true as bool, "
               "'0/16B3748'::pg_lsn as lsn union all select null, 1, null, -2, 1, null, false, null "
               "order by 2",
    "no_rows": "select 1 as a, 'x' as bb where false",
    "one_empty_cell": "select null as a",
    "even_and_odd": "select 'abcd' as a, 'abcd' as ab, 'abcd' as abc, 1234 as d, 12345 as ef",
    "far_along_in_a_line": "select application_name, state, pg_wal_lsn_diff(pg_current_wal_lsn(), "
                           "replay_lsn) as lag_bytes, now() - nothing from pg_stat_replication",
    "near_the_start": "select nothing, application_name, state, pg_wal_lsn_diff(sent_lsn, "
                      "replay_lsn) as lag_bytes from pg_stat_replication",
}


class Server:
    def __init__(self, binaries, libraries, folder, port):
        self.binaries, self.folder, self.port = binaries, folder, port
        self.env = dict(os.environ, TZ="UTC", PGTZ="UTC")
        if libraries:
            self.env["LD_LIBRARY_PATH"] = libraries

    def tool(self, name, *args):
        command = [os.path.join(self.binaries, name), *args]
        done = subprocess.run(command, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout}"

    def initdb(self):
        self.tool("initdb", "-D", self.folder, "-U", "postgres", "-A", "trust", "--no-locale",
                  "-E", "UTF8")

    def start(self):
        self.tool("pg_ctl", "-D", self.folder, "-w", "-l", self.folder + ".log", "start")

    def stop(self, mode="fast"):
        self.tool("pg_ctl", "-D", self.folder, "-w", "-m", mode, "stop")

    def configure(self, text):
        with open(os.path.join(self.folder, "postgresql.auto.conf"), "a") as file:
            file.write(text)

    def psql(self, query, *options):
        env = dict(os.environ, PGTZ="UTC", PGCLIENTENCODING="UTF8", LC_ALL="C.UTF-8")
        command = ["psql", "-X", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d",
                   "postgres", *options]
        return subprocess.run(command, input=query, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)

    def ask(self, query, *options):
        """As `psql -c`: a statement, and nothing of a script's place in an error."""
        done = self.psql("", *options, "-c", query)
        return done.stdout, done.stderr

    def value(self, query):
        return self.ask(query, "-At")[0].strip()


def rows_of(text):
    return list(csv.reader(io.StringIO(text)))


def record(server, query):
    """The three forms of the same values."""
    told = server.psql(f"{query.rstrip(';')} {TYPES}", "--csv", "-t").stdout
    columns = rows_of(told)
    for _ in range(8):
        marked, error = server.ask(query, "--csv", "-t", "-P", "null=\\N")
        if error:
            return {"query": query, "error": error}
        aligned, expanded = server.ask(query)[0], server.ask(query, "-x")[0]
        plain = server.ask(query, "--csv")[0]
        again, _ = server.ask(query, "--csv", "-t", "-P", "null=\\N")
        if marked == again:
            rows = [[None if v == "\\N" else v for v in row] for row in rows_of(marked)]
            return {"query": query, "columns": columns, "rows": rows, "aligned": aligned,
                    "expanded": expanded, "csv": plain}
    # Values that never stand still: only what they are called.
    return {"query": query, "columns": columns}


def pair(binaries, libraries, folder, port):
    primary = Server(binaries, libraries, os.path.join(folder, "primary"), port)
    standby = Server(binaries, libraries, os.path.join(folder, "standby"), port + 1)
    primary.initdb()
    common = ("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\ntimezone = 'UTC'\n"
              "log_timezone = 'UTC'\nautovacuum = off\nwal_receiver_status_interval = 2\n"
              "max_slot_wal_keep_size = '256MB'\nshared_buffers = '16MB'\n")
    primary.configure(common + f"port = {primary.port}\n")
    primary.start()
    primary.ask("create role replicator with replication login")
    primary.ask("select pg_create_physical_replication_slot('standby_slot')")
    primary.ask("select pg_create_physical_replication_slot('kept', true)")
    primary.ask("select pg_create_physical_replication_slot('never_used')")
    primary.stop()
    shutil.copytree(primary.folder, standby.folder)
    shutil.rmtree(os.path.join(standby.folder, "pg_replslot"))
    os.mkdir(os.path.join(standby.folder, "pg_replslot"))
    open(os.path.join(standby.folder, "standby.signal"), "w").close()
    standby.configure(
        f"port = {standby.port}\nprimary_slot_name = 'standby_slot'\nprimary_conninfo = "
        f"'host=127.0.0.1 port={primary.port} user=replicator application_name=standby1'\n")
    primary.start()
    return primary, standby


def play(primary, standby):
    standby.start()
    primary.ask("create table t(i int)")
    primary.ask("insert into t select generate_series(1, 200000)")
    for _ in range(100):
        if standby.value("select pg_last_wal_replay_lsn()") == \
                primary.value("select pg_current_wal_lsn()"):
            break
        time.sleep(0.1)
    primary.ask("checkpoint")
    time.sleep(1)


def queries():
    for view in VIEWS:
        yield view.split("(")[0], f"select * from {view}"
    for name in FUNCTIONS:
        yield name, f"select {name}()"
    yield from QUERIES.items()


def one_version(binaries, libraries, folder, port):
    primary, standby = pair(binaries, libraries, folder, port)
    try:
        alone = {name: record(primary, query) for name, query in queries()}
        play(primary, standby)
        both = {name: record(primary, query) for name, query in queries()}
        there = {name: record(standby, query) for name, query in queries()}
        shapes = {name: record(primary, query) for name, query in SHAPES.items()}
        values = value_rows(primary)
        version = primary.value("show server_version")
        standby.stop("immediate")
        primary.ask("insert into t select generate_series(1, 1000)")
        primary.stop("immediate")
        primary.start()
        crashed = {name: record(primary, f"select {name}()") for name in FUNCTIONS}
        return {"server_version": version, "alone": alone, "primary": both, "standby": there,
                "after_crash": crashed, "shapes": shapes}, values
    finally:
        for server in (standby, primary):
            subprocess.run([os.path.join(server.binaries, "pg_ctl"), "-D", server.folder, "-m",
                            "immediate", "stop"], env=server.env, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)


def numbers():
    """Microseconds and bytes at which something changes, and a few hundred in between."""
    dice = random.Random(1)
    picked = {0, 1, 9, 10, 99, 100, 999, 1000, 11_574, 11_730, 1_000_000, 1_234_567, 59_999_999,
              60_000_000, 3_599_999_999, 3_600_000_000, 86_399_999_999, 86_400_000_000,
              86_400_000_001, 90_061_000_001, 360_000_000_000}
    for shift in range(0, 62):
        picked |= {(1 << shift) - 1, 1 << shift, (1 << shift) + 1}
    for unit in (1 << 10, 1 << 20, 1 << 30, 1 << 40):
        for times in (9, 10, 11, 10_239, 10_240, 10_241, 20_479, 20_480):
            picked |= {unit * times + unit // 2 + d for d in (-1, 0, 1)}
            picked |= {unit * times + d for d in (-1, 0, 1)}
    picked |= {dice.randrange(10 ** dice.randrange(1, 17)) for _ in range(300)}
    return sorted(n for n in picked | {-n for n in picked} if abs(n) < 1 << 60)


def value_rows(server):
    listed = ", ".join(f"({n})" for n in numbers())
    # From the year 100 to 3900.
    few = f"case when abs(n) < {6 * 10 ** 16} then n else 0 end"
    query = (f"select n, ({few}) * interval '1 microsecond' as interval, "
             f"timestamptz '2000-01-01 00:00:00+00' + ({few}) * interval '1 microsecond' as moment,"
             f" (timestamptz '2000-01-01 00:00:00+00' + ({few}) * interval '1 microsecond')"
             f" - timestamptz '2000-01-01 00:00:00+00' as difference,"
             f" extract(epoch from ({few}) * interval '1 microsecond') as epoch, "
             f"pg_size_pretty(n::numeric) as size from (values {listed}) as v(n) order by n")
    out, error = server.ask(query, "--csv", "-t")
    assert not error, error
    return rows_of(out)


def main():
    out, versions = sys.argv[1], dict(pair.split("=", 1) for pair in sys.argv[2:])
    values = {}
    for major, place in versions.items():
        binaries, _, libraries = place.partition(":")
        folder = tempfile.mkdtemp(prefix="psql-")
        try:
            told, values[major] = one_version(binaries, libraries, folder, 5600 + 10 * int(major))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        with open(os.path.join(out, f"{major}.json"), "w") as file:
            json.dump(told, file, indent=1, ensure_ascii=False)
            file.write("\n")
        print(major, told["server_version"], flush=True)
    with open(os.path.join(out, "values.csv"), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", "interval", "moment", "difference"]
                        + [f"epoch {m}" for m in versions] + [f"size {m}" for m in versions])
        for rows in zip(*values.values()):
            same = {tuple(row[:4]) for row in rows}
            assert len(same) == 1, same
            writer.writerow([*same.pop(), *(row[4] for row in rows), *(row[5] for row in rows)])


main()
