//! THE list of rules: code, level, title, explanation.
//!
//! `walden check` names a rule by its code, `walden list findings` and the book's reference are
//! made from this list, and a test sees to it that every rule has an example that shows it and
//! one that does not. A code is never given to another rule.
//!
//! Families: `FIL` the file, `CFG` a configuration as such, `WAL` its amount, `SLT` slots, `DSK`
//! disks, `SYN` synchronous replication, `TIM` timeouts, `STB` primary's and standbys' settings,
//! `LAG` streams, `REP` connections, `ARC` the archive.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Works, and is seldom meant.
    Warning,
    /// Cannot work.
    Error,
}

impl Level {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its code, such as `WAL001`.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// One line.
    pub title: &'static str,
    /// Why, and what PostgreSQL does.
    pub explanation: &'static str,
    /// Whether it explains numbers of a run, so that `walden run` says it too.
    pub in_run: bool,
}

/// The rule of that code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().copied().find(|rule| rule.code.eq_ignore_ascii_case(code))
}

/// [`Rule::in_run`]: a run tells it too.
const TOLD: bool = true;
/// [`Rule::in_run`]: only a check tells it.
const QUIET: bool = false;

/// Declares the rules and their list, so that none is left out: code, level, who tells it, title,
/// explanation.
macro_rules! rules {
    ($($code:ident $level:ident $in_run:ident $title:literal $explanation:literal)*) => {
        $(
            #[doc = $title]
            pub(super) static $code: Rule = Rule {
                code: stringify!($code),
                level: Level::$level,
                title: $title,
                explanation: $explanation,
                in_run: $in_run,
            };
        )*

        /// Every rule, family by family.
        pub static RULES: &[&Rule] = &[$(&$code),*];
    };
}

rules! {
    FIL001 Error QUIET
    "The file says what a scenario cannot say"
    "A key that is not there, a value of another kind, a name that nobody has, a setting that \
     PostgreSQL would refuse or that is not simulated yet. Nothing can be played until it is \
     put right."

    CFG001 Error QUIET
    "PostgreSQL would refuse this line"
    "The name is unknown, the value is of another type or out of range, or the line cannot be \
     read at all. At a start the server exits. At a reload it goes on with its old settings: \
     with all of them if a name is unknown or a line cannot be read (guc-file.l, \
     ProcessConfigFile)."

    CFG002 Error QUIET
    "The setting belongs to another version"
    "Settings come and go with major versions. A server of this version does not know it and \
     does not start."

    CFG003 Error QUIET
    "The server would not start with these settings"
    "Each value is allowed by itself; together they are refused at the start (postmaster.c, \
     PostmasterMain; xlog.c, check of min_wal_size and max_wal_size)."

    CFG004 Note QUIET
    "Settings that no model reads"
    "They are accepted and change nothing in a run: most are about queries, memory, logging \
     or who may connect. What is simulated is PostgreSQL's WAL, its replication and its \
     checkpoints."

    CFG005 Note QUIET
    "A setting is given more than once"
    "The last line counts. initdb writes values of its own at places far from the end of the \
     file, so a value that was changed there may be overruled by a later line, by an include, \
     or by postgresql.auto.conf."

    CFG006 Note QUIET
    "A setting whose effect is not simulated yet"
    "It would change what happens: an archive that WAL is restored from, a delayed standby. A \
     scenario that reads this file with `conf_file` refuses it, so that nobody takes a run \
     without it for one with it; give it another value in [postgresql] to go on."

    WAL001 Warning QUIET
    "WAL starts checkpoints closer together than checkpoint_warning"
    "A checkpoint starts when WAL has reached max_wal_size / (1 + \
     checkpoint_completion_target), a little more than half of max_wal_size by default. Each \
     one makes the next change of every page a full-page image, so that more checkpoints mean \
     more WAL, which means more checkpoints. PostgreSQL logs `checkpoints are occurring too \
     frequently` (checkpointer.c)."

    WAL002 Note QUIET
    "WAL starts checkpoints before checkpoint_timeout"
    "Not wrong, but then max_wal_size is what decides how often pages are written and how \
     much WAL full-page images make. The manual's aim is that most checkpoints are timed (WAL \
     Configuration)."

    WAL003 Warning QUIET
    "min_wal_size is larger than max_wal_size"
    "PostgreSQL does not compare the two. What is kept for recycling is cut at max_wal_size, \
     so min_wal_size means less than it says (xlog.c, XLOGfileslop)."

    WAL004 Warning QUIET
    "The size is less than one WAL segment and rounds down to none"
    "Sizes of WAL that is kept are counted in whole segments, rounded down (ConvertToXSegs): \
     below 16MB, or what --wal-segsize says, nothing is kept."

    WAL005 Warning QUIET
    "wal_keep_size keeps less than a standby without a slot misses"
    "A standby needs the segment that holds the next record it replays. Without a slot only \
     wal_keep_size and the time between two checkpoints hold it; after that the standby's \
     walreceiver is told `requested WAL segment ... has already been removed`, again and \
     again, and the standby must be built anew (xlog.c, KeepLogSeg)."

    WAL006 Warning QUIET
    "full_page_writes is off"
    "After a crash of the host a page may be half old and half new, and replay of a change \
     cannot mend that without a full image. Off is safe only if the file system never tears a \
     page of 8 kB. It makes WAL much smaller, which is no reason."

    WAL007 Warning QUIET
    "fsync is off"
    "Nothing is made durable: a crash of the host may leave a cluster that cannot be \
     repaired, and a standby may have WAL that its primary lost."

    WAL008 Warning QUIET
    "No standby can connect"
    "Streaming needs max_wal_senders above 0 and wal_level replica or logical, both of which \
     need a restart. With wal_level = minimal the WAL itself is not enough for a standby."

    WAL009 Note QUIET
    "wal_level = logical makes more WAL than is simulated"
    "Old keys of updated and deleted rows, and rows that full-page images would otherwise \
     stand for, are written as well. How much depends on the tables; sums and runs take the \
     WAL of wal_level = replica."

    WAL010 Note QUIET
    "A bare number counts megabytes"
    "wal_keep_segments of PostgreSQL 12 was a number of files; wal_keep_size, which took its \
     place in 13, is a size, and 64 means 64MB: four files of 16 MB."

    SLT001 Warning QUIET
    "A slot may fill the disk"
    "A slot keeps all WAL that its standby has not confirmed, for as long as it exists. \
     Unless max_slot_wal_keep_size (13 and later) limits that, a standby that stays away \
     fills pg_wal, and the primary stops with a PANIC when it cannot create a segment. Making \
     wal_keep_size smaller frees nothing then; dropping the slot does, at the next \
     checkpoint."

    SLT002 Note QUIET
    "Nothing limits what slots keep"
    "The default of max_slot_wal_keep_size is -1, without limit: one standby that is away \
     long enough fills the disk of its primary. Give the disk a capacity and the check says \
     how long that takes."

    SLT003 Warning QUIET
    "max_slot_wal_keep_size is less than a standby with a slot misses"
    "At the end of a checkpoint a slot that keeps more than that is invalidated: wal_status \
     goes from unreserved to lost, and its standby must be built anew unless the WAL is still \
     somewhere else (slot.c, InvalidateObsoleteReplicationSlots)."

    SLT004 Note QUIET
    "max_slot_wal_keep_size below max_wal_size saves little"
    "pg_wal has up to max_wal_size anyway, because old segments are kept to be recycled, and \
     a slot newer than the last checkpoint's redo point is never invalidated. So a smaller \
     limit costs standbys rather than disk."

    SLT005 Note QUIET
    "wal_keep_size keeps more than max_slot_wal_keep_size lets slots keep"
    "wal_keep_size goes before the limit of slots (xlog.c, KeepLogSeg): WAL up to \
     wal_keep_size stays whatever slots are allowed, and no slot is invalidated for it."

    SLT006 Warning QUIET
    "idle_replication_slot_timeout is shorter than a standby is away"
    "From PostgreSQL 18 on a slot that nobody has used for that long is invalidated at the \
     next checkpoint, however little WAL it keeps, and its standby cannot use it any more."

    SLT007 Note QUIET
    "A slot holds back vacuum while its standby is away"
    "With hot_standby_feedback the slot remembers the standby's oldest transaction, and goes \
     on doing so when the standby has gone: dead rows stay on the primary until it is back or \
     the slot is dropped (slot.c, xmin)."

    SLT008 Warning QUIET
    "A slot that is created without reserving WAL keeps nothing yet"
    "restart_lsn of a new physical slot is NULL until immediately_reserve, or the first \
     connection of its standby, sets it. A base backup that is restored meanwhile may find \
     the WAL it needs gone."

    SLT009 Note QUIET
    "Nothing keeps WAL for a standby that is away"
    "Without a slot and without wal_keep_size a standby survives an interruption only until \
     the second checkpoint starts, a few minutes with the defaults."

    DSK001 Error TOLD
    "wal_keep_size alone does not fit on the disk"
    "wal_keep_size is a promise to keep that much, whether anybody needs it or not. pg_wal \
     grows until it does, or until the disk is full and the server stops with a PANIC."

    DSK002 Warning QUIET
    "What pg_wal may hold does not fit on the disk"
    "At a checkpoint pg_wal may hold what wal_keep_size or slots keep, and up to max_wal_size \
     of segments that were written since the last one or wait to be written again. \
     max_wal_size is not a limit of the whole."

    SYN001 Error QUIET
    "synchronous_standby_names cannot be read"
    "It is a list of names, FIRST n (names) or ANY n (names). A name with other characters \
     than letters, digits and underscores is put in double quotes (syncrep_gram.y)."

    SYN002 Warning TOLD
    "synchronous_standby_names has a name that no standby goes by"
    "A standby goes by the application_name of its primary_conninfo, or by its cluster_name, \
     or else by `walreceiver`; here by cluster_name, which is the server's key in the file. A \
     name that nobody has counts for nothing (syncrep.c, SyncRepGetStandbyPriority)."

    SYN003 Error TOLD
    "More synchronous standbys are asked for than there are"
    "Fewer than n standbys can ever confirm, so every commit that waits for standbys waits \
     for ever. PostgreSQL accepts it and warns of nothing."

    SYN004 Warning QUIET
    "Every synchronous standby is needed: if one fails, writes stop"
    "With as many standbys listed as have to confirm, none may be missing. Commits wait, \
     without a timeout, until it is back or the list is changed and reloaded. Reads go on. \
     One standby more than has to confirm is what makes failures harmless."

    SYN005 Warning TOLD
    "synchronous_commit asks for standbys and none is synchronous"
    "Without synchronous_standby_names the levels remote_write, on and remote_apply all wait \
     for the local flush alone, as local does (syncrep.c, SyncRepWaitForLSN)."

    SYN006 Warning QUIET
    "synchronous_commit = off is not asynchronous replication"
    "It is asynchronous commit: the answer does not even wait for the primary's own disk, and \
     a crash of the primary alone loses up to three times wal_writer_delay of answered \
     commits. Asynchronous replication is an empty synchronous_standby_names with \
     synchronous_commit = on."

    SYN007 Warning TOLD
    "A synchronous standby tells its position only when asked"
    "wal_receiver_status_interval = 0 leaves only the answers that are forced: at the start, \
     to a ping, when all is replayed, after a remote_apply commit. Commits at remote_write \
     and on wait for one of those (walreceiver.c, XLogWalRcvSendReply)."

    SYN008 Note QUIET
    "synchronous_standby_names = '*' takes whoever connects first"
    "All standbys have the same priority, and ties go to the lower walsender slot: who is \
     synchronous depends on the order in which they connected, and every program that streams \
     and confirms flushes counts as a standby (syncrep.c)."

    SYN009 Warning QUIET
    "Two standbys go by the same name"
    "Each of them counts as the standby of that name, so what `n of these` means depends on \
     who is connected; mostly a cluster_name was copied with the configuration."

    SYN010 Warning QUIET
    "Writes stop while a standby is away"
    "During the interruption fewer standbys can confirm than have to. Commits that wait for \
     standbys wait until one is back, unless synchronous_standby_names is changed meanwhile."

    SYN011 Note QUIET
    "FIRST waits for a standby that has fallen silent"
    "A standby that vanishes without a word stays among the chosen until its walsender gives \
     up after wal_sender_timeout; the next one on the list takes over only then. ANY goes on \
     as long as enough others answer."

    TIM001 Warning QUIET
    "A standby reports less often than its walsender's timeout"
    "wal_sender_timeout counts from the last message of the standby. An idle one sends \
     nothing by itself between two status reports; then only the ping at half of the timeout \
     is left, and a standby that is busy in a long fsync at that moment loses its connection."

    TIM002 Warning QUIET
    "Without a timeout a peer that has fallen silent is never noticed"
    "0 disables the timeout and the pings. What is left are the kernel's TCP timeouts, which \
     take from fifteen minutes to two hours; a walsender that waits so long also holds its \
     slot and, on a FIRST list, every commit."

    TIM003 Note QUIET
    "The interruption outlasts the timeouts: the connection ends"
    "After the timeout each end gives up by itself; the standby connects again, asks from the \
     start of a segment, and up to 16 MB come twice."

    TIM004 Note QUIET
    "The interruption is shorter than the timeouts: nobody notices it"
    "TCP sends again what was lost, and the stream goes on where it was. pg_stat_replication \
     says `streaming` all the time, and sent_lsn even grows, into the socket's buffer."

    TIM005 Warning TOLD
    "The timeout is too short for the link"
    "The walsender pings when half of its timeout has passed without a message. If an answer \
     cannot arrive in the other half, healthy connections end."

    TIM006 Note QUIET
    "TCP's pauses may make the interruption outlast the timeouts"
    "Each end sends again what was lost first, after 0.2 s, 0.4 s, 0.8 s and so on, and only then \
     notices that the way is free: an interruption may last twice as long for it. A standby whose \
     replies wait for that is silent to its walsender, even if WAL reaches it again."

    STB001 Note QUIET
    "The setting has no effect on a primary"
    "Only a server in recovery reads it. It does no harm: it counts as soon as the server \
     becomes a standby."

    STB002 Note QUIET
    "The setting has no effect on a standby"
    "A server in recovery takes no writes, and its walsenders are always asynchronous. It \
     does no harm: it counts as soon as the server is promoted, so it should be right for \
     that moment."

    STB003 Error TOLD
    "A standby has room for less than its primary"
    "A standby must be able to replay whatever its primary does, so these settings must not \
     be below the primary's: at its start it stops with `recovery aborted because of \
     insufficient parameter settings` (xlogrecovery.c, CheckRequiredParameterValues). Raise \
     them on standbys first, lower them on the primary first."

    STB004 Warning QUIET
    "A query on the standby may stop replay for ever"
    "With -1 replay waits for conflicting queries without limit. Meanwhile the standby falls \
     behind for everybody, commits at remote_apply wait, and after a failover all that WAL \
     has to be replayed first."

    STB005 Note QUIET
    "hot_standby_feedback prevents one kind of conflict only"
    "It keeps vacuum from removing rows that the standby's queries still need. Locks, dropped \
     tables and buffer pins conflict as before, dead rows stay longer on the primary, and \
     without a slot nothing is protected while the standby is disconnected."

    STB006 Note QUIET
    "The standby refuses queries"
    "With hot_standby = off it replays and serves nobody until it is promoted; other standbys \
     cannot stream from it either."

    LAG001 Warning TOLD
    "The link is slower than the WAL"
    "The walsender sends no more than the bandwidth, and no more than one TCP window a round \
     trip. What does not fit waits on the upstream's disk, so the lag grows without end; \
     without a slot the WAL is removed before it could be sent."

    LAG002 Warning TOLD
    "Replay is slower than the WAL"
    "One startup process replays everything in order. Received WAL piles up on the standby, \
     replay_lsn falls behind without end, and a promotion has to replay it all first."

    LAG003 Note QUIET
    "How long a standby needs to catch up"
    "While it was away WAL piled up, and while it catches up more is made: the backlog \
     shrinks only by what link and replay can do beyond the rate of WAL."

    REP001 Warning QUIET
    "max_wal_senders has no room for a base backup"
    "pg_basebackup -X stream takes two walsenders, and a standby that comes back before its \
     old walsender has noticed takes a second one. Raising it needs a restart."

    REP002 Warning TOLD
    "More standbys than walsenders"
    "Each standby needs a walsender of its own. Whoever comes when all are taken is told `number \
     of requested standby connections exceeds max_wal_senders` and tries again every \
     wal_retrieve_retry_interval, until one is free."

    ARC001 Warning QUIET
    "archive_mode is on and nothing archives"
    "Without archive_command and archive_library the archiver does nothing, and pg_wal keeps \
     every segment until it is archived (pgarch.c). To throw WAL away, say so: \
     archive_command = '/bin/true'."

    ARC002 Warning QUIET
    "archive_timeout switches segments often"
    "Each switch writes, flushes and streams the rest of a segment, zeros included: up to 16 \
     MB, as often as something was written at all. The manual finds a minute or so \
     reasonable."
}
