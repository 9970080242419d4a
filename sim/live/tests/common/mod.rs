//! What the live tests share: a server's binaries, a folder of their own, and the dice.

// Each test file is a program of its own and uses a part.
#![allow(dead_code)]

use std::path::PathBuf;

use live::Installation;
use models::units::Die;

/// The binaries, or a panic that says how to get them.
pub fn installation() -> Installation {
    let found = Installation::find().unwrap_or_else(|error| panic!("{error}"));
    println!("{}", found.banner);
    found
}

/// A folder for servers, gone in the end.
pub struct Room(PathBuf);

impl Room {
    /// A folder in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What is left is in the folder of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A folder that no other test uses, and that a server's user can pass.
pub fn room(name: &str) -> Room {
    let path = std::env::temp_dir().join(format!("walden-live-{}-{name}", std::process::id()));
    installation().folder(&path).unwrap_or_else(|error| panic!("{error}"));
    Room(path)
}

/// The seed: the same each time, unless the environment has another.
pub fn seed() -> u64 {
    number("WALDEN_LIVE_SEED", 1)
}

/// A number from the environment, or the usual one.
pub fn number(name: &str, usual: u64) -> u64 {
    let given = std::env::var(name).ok();
    let number = given.map_or(usual, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number"))
    });
    println!("{name}={number}");
    number
}

/// Whole numbers from a die.
pub trait Throws {
    /// One below `n`.
    fn below(&mut self, n: usize) -> usize;
}

impl Throws for Die {
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.throw()) * n as u128) >> 64) as usize
    }
}
