//! Placeholder until the table of settings lands.

/// `synchronous_commit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SynchronousCommit {
    /// Waits for nothing.
    Off,
    /// Waits for the local flush.
    Local,
    /// Waits for the standby's write.
    RemoteWrite,
    /// Waits for the standby's flush.
    On,
    /// Waits for the standby's replay.
    RemoteApply,
}

/// Settings of one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {}
