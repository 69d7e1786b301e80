//! The check itself: who posted what into a room, and which place in the room's order each message has.
//!
//! Every message carries a number that this program gave it. A receiver must see the places 1, 2, 3, ... without a
//! gap; the first report of a message (a delivery or an acknowledgement) fixes its place, and every later one must
//! name the same. Together with the final count that is "every message, exactly once, in one order" for everybody.

use anyhow::{Result, bail, ensure};

/// One room's messages. The first one posted has the number 0.
#[derive(Default)]
pub(crate) struct Ledger {
    /// What stood in the room before: places begin behind it.
    base: u32,
    /// The place of each message, 0 while nobody has seen it.
    places: Vec<u32>,
    /// Which member posted each message.
    senders: Vec<u16>,
    /// To how many receivers each message has yet to come.
    missing: Vec<u16>,
}

impl Ledger {
    /// The room has `head` entries, before anything was posted here.
    pub(crate) fn begin_behind(&mut self, head: u32) -> Result<()> {
        ensure!(self.places.is_empty() || self.base == head, "the room has entries that nobody posted");
        self.base = head;
        Ok(())
    }

    /// A member posts something that is to come to `receivers`: the number of the new message.
    pub(crate) fn post(&mut self, sender: u16, receivers: u16) -> u32 {
        self.missing.push(receivers);
        self.places.push(0);
        self.senders.push(sender);
        self.places.len() as u32 - 1
    }

    pub(crate) fn posted(&self) -> u32 {
        self.places.len() as u32
    }

    pub(crate) fn sender(&self, number: u32) -> Option<u16> {
        self.senders.get(number as usize).copied()
    }

    /// The place of the newest message, once all have arrived.
    pub(crate) fn head(&self) -> u32 {
        self.base + self.posted()
    }

    /// The message `number` has come to another receiver, at `place`. True if it was the last one.
    #[inline]
    pub(crate) fn arrived_at(&mut self, number: u32, place: u32) -> Result<bool> {
        self.stands_at(number, place)?;
        let missing = &mut self.missing[number as usize];
        ensure!(*missing > 0, "message {number} came to more receivers than there are");
        *missing -= 1;
        Ok(*missing == 0)
    }

    /// Somebody was told that the message `number` stands at `place`.
    #[inline]
    pub(crate) fn stands_at(&mut self, number: u32, place: u32) -> Result<()> {
        match self.places.get_mut(number as usize) {
            Some(known) if *known == place => Ok(()),
            Some(known @ 0) => {
                *known = place;
                Ok(())
            }
            Some(known) => bail!("message {number} stands at {known} for one and at {place} for another"),
            None => bail!("message {number} at {place} was never posted"),
        }
    }

    /// Every message has its own place, without a gap, and each sender's messages stand in the order of posting.
    pub(crate) fn check_whole(&self) -> Result<()> {
        let mut taken = vec![false; self.places.len()];
        let mut newest = vec![0u32; self.senders.iter().max().map_or(0, |&highest| usize::from(highest) + 1)];
        for (number, (&place, &sender)) in self.places.iter().zip(&self.senders).enumerate() {
            ensure!(place != 0, "message {number} has never arrived");
            let index = place.checked_sub(self.base + 1).map(|index| index as usize);
            match index.and_then(|index| taken.get_mut(index)) {
                Some(taken) if !*taken => *taken = true,
                Some(_) => bail!("two messages stand at {place}"),
                None => bail!("message {number} stands at {place}, outside of what was posted"),
            }
            let newest = &mut newest[usize::from(sender)];
            ensure!(*newest < place, "messages of member {sender} changed their order at {place}");
            *newest = place;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.post(0, 2);
        ledger.post(1, 2);
        ledger.post(0, 2);
        ledger
    }

    #[test]
    fn one_order_for_everybody_is_whole() {
        let mut ledger = three();
        for _ in 0..2 {
            for (number, place) in [(1, 1), (0, 2), (2, 3)] {
                ledger.stands_at(number, place).unwrap();
            }
        }
        ledger.check_whole().unwrap();
    }

    #[test]
    fn every_fault_is_found() {
        let cases: [(&str, &[(u32, u32)]); 6] = [
            ("has never arrived", &[(0, 1), (1, 2)]),
            ("for another", &[(0, 1), (0, 2)]),
            ("never posted", &[(3, 1)]),
            ("two messages stand at 1", &[(0, 1), (1, 1), (2, 3)]),
            ("outside of what was posted", &[(0, 1), (1, 2), (2, 4)]),
            ("changed their order", &[(0, 3), (1, 2), (2, 1)]),
        ];
        for (expected, reports) in cases {
            let mut ledger = three();
            let told = reports.iter().try_for_each(|&(number, place)| ledger.stands_at(number, place));
            let fault = told.and_then(|()| ledger.check_whole()).unwrap_err().to_string();
            assert!(fault.contains(expected), "{fault} instead of {expected}");
        }
    }
}
