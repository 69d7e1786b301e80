//! Direct conversations in line mode: the server tells only that something was said, and then they are followed, so that
//! it is printed like everything else. None of them becomes the room that is talked in by that.

use std::collections::BTreeMap;

use snakk::Client;
use snakk::client::{ClientError, Event, Joined, Start};
use snakk::model::Seq;
use tokio::task::JoinSet;

use crate::failure::describe;
use crate::show::{note, plain};

/// The most conversations that are followed by themselves, whatever a server says.
const MAX_DIRECTS: usize = 1000;

/// A conversation that is followed, or about to be.
#[derive(Debug, Default)]
struct Direct {
    /// Up to here it was printed, or is about to be.
    last: Seq,
    /// The answer to the join has not come.
    asked: bool,
}

/// The conversations that are followed.
pub(crate) struct Directs {
    client: Client,
    list: BTreeMap<String, Direct>,
    joins: JoinSet<(String, Result<Joined, ClientError>)>,
    /// The newest entries of those that the logins listed: what is older is not printed.
    listed: BTreeMap<String, Seq>,
}

impl Directs {
    /// What was said before this is nobody's business here.
    pub(crate) fn new(client: &Client) -> Directs {
        let mut directs =
            Directs { client: client.clone(), list: BTreeMap::new(), joins: JoinSet::new(), listed: BTreeMap::new() };
        directs.listed = directs.heads();
        directs
    }

    /// The conversations that the last login listed, with their newest entries.
    fn heads(&self) -> BTreeMap<String, Seq> {
        let login = self.client.logged_in();
        let rooms = login.iter().flat_map(|login| &login.rooms).filter(|room| is_direct(&room.room));
        rooms.map(|room| (room.room.clone(), room.head)).collect()
    }

    /// Something was said in a conversation: it is followed from behind an entry, or from behind what was printed last.
    /// Says whether it is one, and there is room for it.
    pub(crate) fn hear(&mut self, room: &str, behind: Seq, head: Seq) -> bool {
        if !is_direct(room) || (self.list.len() >= MAX_DIRECTS && !self.list.contains_key(room)) {
            return false;
        }
        let direct = self.list.entry(room.to_owned()).or_default();
        // Where the answer is on its way, or has come while this was, what this is about comes with it.
        if !direct.asked && head > direct.last {
            direct.asked = true;
            let seq = if direct.last > Seq::ZERO { direct.last } else { behind };
            let (client, room) = (self.client.clone(), room.to_owned());
            self.joins.spawn(async move {
                let joined = client.join_with(&room, Start::Since { seq, epoch: None }).await;
                (room, joined)
            });
        }
        true
    }

    /// Conversations that began, or went on, while the connection was lost, and that were not followed.
    pub(crate) fn missed(&mut self) {
        let heads = self.heads();
        for (room, head) in &heads {
            let known = self.listed.get(room).copied().filter(|known| known <= head).unwrap_or_default();
            if *head > known && !self.list.contains_key(room) {
                self.hear(room, known, *head);
            }
        }
        self.listed = heads;
    }

    /// Waits for the answer to a join; for ever where there is none to come.
    ///
    /// # Cancel safety
    /// An answer is taken only when this returns.
    pub(crate) async fn joined(&mut self) {
        let (room, joined) = match self.joins.join_next().await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => return,
            None => std::future::pending().await,
        };
        match joined {
            Ok(joined) => {
                if let Some(direct) = self.list.get_mut(&room) {
                    (direct.asked, direct.last) = (false, direct.last.max(joined.head));
                }
            }
            Err(error) => {
                self.list.remove(&room);
                note(&format!("{room}: {}; /join {room}", describe(&error), room = plain(&room)));
            }
        }
    }

    /// Keeps count of what happens in them.
    pub(crate) fn told(&mut self, event: &Event) {
        match event {
            Event::Removed(removed) => drop(self.list.remove(&removed.room)),
            Event::Resumed(rooms) => {
                for resumed in rooms {
                    match self.list.get_mut(&resumed.room) {
                        Some(_) if resumed.refused.is_some() => drop(self.list.remove(&resumed.room)),
                        Some(direct) if resumed.reset => direct.last = resumed.head,
                        _ => {}
                    }
                }
            }
            _ => {
                if let Some((room, seq)) = event.entry()
                    && let Some(direct) = self.list.get_mut(room)
                {
                    direct.last = direct.last.max(seq);
                }
            }
        }
    }
}

fn is_direct(room: &str) -> bool {
    room.starts_with('@')
}
