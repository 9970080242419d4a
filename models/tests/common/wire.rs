//! The runner of scripts about one direction of a link.

use std::fmt::Write;

use goldenscript::{Command, Context, Runner};
use models::latency::Quantiles;
use models::network::{AddedDelay, Delivery, Impairment, Link, LinkConfig, Loss};
use models::postgres::effect::Read;
use models::postgres::protocol::{Body, Message};
use models::postgres::{ConnectionId, PgVersion};
use models::trace::fact::ServerId;
use models::units::{Die, Lsn, SimTime};

use super::ServerPlan;
use super::script::{Output, bytes, duration, key, moment, number, rate, set_link, word};

/// Scripts of one direction of a link.
///
/// * `link [rtt=2ms] [bandwidth=1MB] [window=64kB] [loss=1000]`: a new one; at first 2 ms and fast.
/// * `send BYTES [connection=1]`: a message that carries so much WAL; they are numbered.
/// * `take BYTES`: the receiver reads so much from its socket.
/// * `room BYTES`: the sender asks for room, and is told now or later.
/// * `hold`, `release`, `cut`, `heal`.
/// * `impair [delay=10ms] [bandwidth=1MB] [loss=1000]`: on top of what it is; loss in millionths.
/// * `run DURATION`: what arrives until then.
pub struct Wire {
    now: SimTime,
    link: Link,
    sent: u32,
}

impl Wire {
    /// A link as [`ServerPlan`] has it.
    pub fn new() -> Wire {
        let link = ServerPlan::new("", None, PgVersion::DEFAULT).link;
        Wire { now: SimTime::ZERO, link: flow(link), sent: 0 }
    }

    fn run_until(&mut self, until: SimTime) -> Output {
        let mut output = String::new();
        while self.link.next_deadline() <= until {
            self.now = self.link.next_deadline();
            let at = moment(self.now);
            match self.link.deliver(self.now) {
                Some(Delivery::Message { message, .. }) => {
                    writeln!(output, "{at} message {} arrives", number_of(&message))?;
                }
                Some(Delivery::Room { bytes, .. }) => {
                    writeln!(output, "{at} there is room for {bytes}")?;
                }
                None => {}
            }
        }
        self.now = until;
        Ok(output)
    }
}

/// Its number, which is hidden in its WAL position.
fn number_of(message: &Message) -> u64 {
    match message.body {
        Body::XLogData { start, .. } => start.0 >> 40,
        _ => 0,
    }
}

fn flow(config: LinkConfig) -> Link {
    let mut link = Link::new(config, Die::new(1, "delay", "link"));
    link.add_flow(ServerId(0), ServerId(1));
    link
}

impl Runner for Wire {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Output {
        let mut args = command.consume_args();
        let mut output = String::new();
        match command.name.as_str() {
            "link" => {
                let mut config = ServerPlan::new("", None, PgVersion::DEFAULT).link;
                set_link(&mut config, &mut args)?;
                self.link = flow(config);
            }
            "send" => {
                self.sent += 1;
                let start = Lsn(u64::from(self.sent) << 40);
                let end = start + bytes(word(&mut args)?)?;
                let body = Body::XLogData { start, end, chunks: 1, redo: Lsn::INVALID };
                let connection = ConnectionId(u32::try_from(
                    key(&mut args, "connection", number)?.unwrap_or(1),
                )?);
                self.link.send(self.now, 0, &Message { connection, body });
            }
            "take" => {
                let bytes = bytes(word(&mut args)?)?;
                self.link.take(0, &mut vec![Read { at: self.now, bytes }]);
            }
            "room" => match self.link.ask_for_room(self.now, 0, bytes(word(&mut args)?)?) {
                Some(bytes) => writeln!(output, "{} there is room for {bytes}", moment(self.now))?,
                None => writeln!(output, "{} no room", moment(self.now))?,
            },
            "impair" => {
                let mut impairment = Impairment::default();
                if let Some(delay) = key(&mut args, "delay", duration)? {
                    let (delay, die) = (Quantiles::constant(delay.0), Die::new(1, "added", ""));
                    impairment.added.push(AddedDelay { delay, die });
                }
                impairment.bandwidth = key(&mut args, "bandwidth", rate)?;
                if let Some(loss) = key(&mut args, "loss", number)? {
                    impairment.loss = Loss::millionths(loss);
                }
                self.link.impair(self.now, 0, &impairment);
            }
            "hold" => self.link.hold(0),
            "release" => self.link.release(self.now, 0),
            "cut" => self.link.cut(0),
            "heal" => {
                self.link.heal(self.now, 0);
            }
            "run" => {
                let until = self.now + duration(word(&mut args)?)?;
                output = self.run_until(until)?;
            }
            name => return Err(format!("no command {name}").into()),
        }
        args.reject_next()?;
        Ok(output)
    }
}
