//! Dice for libraries: a [`Die`] behind the traits of `rand`.
//!
//! The models throw their dice themselves ([`models::units::Die`]); each is named by purpose and
//! owner and depends on nothing else. Where a library wants a generator, such as for a random
//! choice or a shuffle, it gets one of those: never one seeded from the machine.

use std::convert::Infallible;

use models::units::Die;
use rand::TryRng;

/// A die as a generator of `rand`.
#[derive(Clone, Debug)]
pub struct DieRng(Die);

impl DieRng {
    /// The generator for `purpose` of `owner`.
    pub fn new(seed: u64, purpose: &str, owner: &str) -> DieRng {
        DieRng(Die::new(seed, purpose, owner))
    }
}

impl TryRng for DieRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.throw() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.throw())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.0.throw().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn a_library_draws_the_same_every_time() {
        let draw = || {
            let mut rng = DieRng::new(42, "choice", "test");
            (0..8).map(|_| rng.random_range(0..1000)).collect::<Vec<u32>>()
        };
        assert_eq!(draw(), draw());
        assert!(draw().iter().any(|&n| n != draw()[0]));
    }
}
