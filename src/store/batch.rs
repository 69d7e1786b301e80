//! What every store does with a batch: remember which generation a room has come to, and tell everybody the outcome.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::model::{Body, Entry, RoomId, Seq, Time, UserId};
use crate::store::{Created, Outcome, Queued, Settled, StoreError, Unmet, Write};

/// What became of one write of a batch, before anybody is told.
pub(super) enum Fate {
    /// The append got this number and time, and mentions these.
    Appended(Seq, Time, Box<[Arc<str>]>),
    /// The append was there already.
    Duplicate(Seq, Time),
    /// The room was made or not.
    Room(Created<RoomId>),
    /// The account was made or not.
    Account(Created<UserId>),
    /// What the change answers.
    Changed(u64),
    /// There was nothing to store.
    Probed,
    /// The append was not stored though nothing failed.
    Unmet(Unmet),
    /// Nothing was stored.
    Failed(StoreError),
}

/// For each room the generation that an append must carry at least (promise 5). A room that never failed is at 0.
#[derive(Default)]
pub(super) struct Generations(HashMap<RoomId, u64>);

impl Generations {
    /// What the room's next append has to carry.
    pub(super) fn required(&self, room: RoomId) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.get(&room).copied().unwrap_or(0) }
    }

    /// An append of this generation failed.
    pub(super) fn fail(&mut self, room: RoomId, generation: u64) {
        let required = self.0.entry(room).or_default();
        *required = (*required).max(generation.saturating_add(1));
    }

    /// Everything in the batch fails.
    pub(super) fn fail_batch(&mut self, batch: &[Queued], error: &StoreError, fates: &mut Vec<Fate>) {
        fates.clear();
        for queued in batch {
            fates.push(Fate::Failed(match &queued.write {
                Write::Append(append) if append.generation < self.required(append.room) => StoreError::Behind,
                _ => error.clone(),
            }));
        }
        // Only now, so that the first failure of a batch does not hide the reason from those behind it.
        for queued in batch {
            if let Write::Append(append) = &queued.write
                && append.generation >= self.required(append.room)
            {
                self.fail(append.room, append.generation);
            }
        }
    }
}

/// Tells everybody what became of their writes, in order, and then gives the places back. Waits while the receiver of the
/// appends is behind; when it is gone, nobody wants to know.
pub(super) fn settle(
    batch: &mut Vec<Queued>,
    fates: &mut Vec<Fate>,
    generations: &Generations,
    settled: &mpsc::Sender<Vec<Settled>>,
) {
    let mut places = Vec::with_capacity(batch.len());
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut fates = fates.drain(..);
    for Queued { write, place } in batch.drain(..) {
        places.push(place);
        let fate = fates.next().unwrap_or_else(|| Fate::Failed(defect()));
        match write {
            Write::Append(append) => {
                let outcome = match fate {
                    Fate::Appended(seq, time, mentions) => {
                        let mut body = append.body;
                        if let Body::Message(message) = &mut body {
                            message.mentions = mentions;
                        }
                        Outcome::Appended(Entry { seq, time, author: append.author, from: append.from, body })
                    }
                    Fate::Duplicate(seq, time) => Outcome::Duplicate { seq, time },
                    Fate::Failed(error) => Outcome::Failed { generation: generations.required(append.room), error },
                    Fate::Unmet(unmet) => Outcome::Unmet(unmet),
                    Fate::Room(_) | Fate::Account(_) | Fate::Changed(_) | Fate::Probed => {
                        Outcome::Failed { generation: generations.required(append.room), error: defect() }
                    }
                };
                outcomes.push(Settled { room: append.room, origin: append.origin, outcome });
            }
            Write::CreateRoom(_, done) => {
                let _ = done.send(match fate {
                    Fate::Room(created) => Ok(created),
                    Fate::Failed(error) => Err(error),
                    _ => Err(defect()),
                });
            }
            Write::Change(_, done) => {
                let _ = done.send(match fate {
                    Fate::Changed(answer) => Ok(answer),
                    Fate::Failed(error) => Err(error),
                    _ => Err(defect()),
                });
            }
            Write::Probe(done) => {
                let _ = done.send(match fate {
                    Fate::Probed => Ok(()),
                    Fate::Failed(error) => Err(error),
                    _ => Err(defect()),
                });
            }
            Write::CreateAccount(_, done) => {
                let _ = done.send(match fate {
                    Fate::Account(created) => Ok(created),
                    Fate::Failed(error) => Err(error),
                    _ => Err(defect()),
                });
            }
        }
    }
    if !outcomes.is_empty() {
        let _ = settled.blocking_send(outcomes);
    }
    drop(places);
}

fn defect() -> StoreError {
    StoreError::unavailable("a write was mixed up with another")
}
