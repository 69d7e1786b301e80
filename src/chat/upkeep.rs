//! What has to be done from time to time: what rooms keep no longer is erased, and so are rooms that are gone and the
//! conversations of guests who do not come back. In small steps, between which whoever posts has the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::chat::online::GUEST_RETURN;
use crate::chat::requests::direct;
use crate::chat::room::Room;
use crate::chat::service::Chat;
use crate::model::{Seq, Time};
use crate::store::{Change, StoreError, Write};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(5);
/// How often it is looked for entries that have become too old.
const AGES_EVERY: Duration = Duration::from_secs(60);
/// How many entries go in one step.
const STEP: u64 = 256;
/// How long the store is left to others after a step.
const PAUSE: Duration = Duration::from_millis(5);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Does it for as long as the chat lives; never ends by itself.
///
/// # Cancel safety
/// A step that was begun is finished by the store; the next run goes on from there.
pub(super) async fn run(chat: Arc<Chat>) {
    let mut ages = None::<Instant>;
    let mut strangers_ended = false;
    loop {
        let now = Instant::now();
        for guest in chat.online.take_ended(now) {
            direct::end_all(&chat, guest).await;
            chat.standing.forget(guest);
        }
        if !strangers_ended && !chat.is_young(GUEST_RETURN) {
            // Guests of an earlier run could come back until now.
            strangers_ended = true;
            for guest in chat.rooms.guests_in_direct() {
                if chat.online.known(guest).is_none() {
                    direct::end_all(&chat, guest).await;
                }
            }
        }
        let look_at_ages = chat.ages_changed.swap(false, Ordering::AcqRel)
            || ages.is_none_or(|last| now.duration_since(last) >= AGES_EVERY);
        if look_at_ages {
            ages = Some(now);
        }
        if let Err(error) = erase(&chat, look_at_ages).await {
            if matches!(error, StoreError::Closed) {
                return std::future::pending().await;
            }
            tracing::warn!(%error, "what is to be erased could not be erased; it is tried again");
            ages = None;
        }
        // Nobody minds if it is looked once more than needed.
        let _ = tokio::time::timeout(EVERY, chat.upkeep.notified()).await;
    }
}

async fn erase(chat: &Chat, look_at_ages: bool) -> Result<(), StoreError> {
    while change(chat, Change::Erase(STEP)).await? >= STEP {
        tokio::time::sleep(PAUSE).await;
    }
    let mut rooms = chat.rooms.behind("");
    rooms.extend(chat.rooms.all_direct());
    for room in rooms {
        let wanted = wanted(chat, &room, look_at_ages).await?;
        cut(chat, &room, wanted).await?;
    }
    Ok(())
}

/// The first entry that a room is to keep.
async fn wanted(chat: &Chat, room: &Room, look_at_ages: bool) -> Result<Seq, StoreError> {
    let (days, entries) = {
        let ledger = room.ledger();
        let settings = &ledger.state.settings;
        (
            stricter(u64::from(settings.retention_days), u64::from(chat.options().retention_days)),
            stricter(settings.retention_entries, chat.options().retention_entries),
        )
    };
    let mut first = Seq::ZERO;
    if entries > 0 {
        first = Seq((room.head().0 + 1).saturating_sub(entries));
    }
    if days > 0 && look_at_ages {
        let age = i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(DAY_MS);
        let oldest = Time(chat.clock.now().0.saturating_sub(age));
        first = first.max(chat.store.first_since(room.id, oldest).await?);
    }
    // The last entry stays: it holds the numbers.
    Ok(first.min(room.head()))
}

/// The smaller of two bounds, where 0 is none.
fn stricter(one: u64, other: u64) -> u64 {
    match (one, other) {
        (0, bound) | (bound, 0) => bound,
        (one, other) => one.min(other),
    }
}

/// Erases what stands in front of `wanted`, step by step.
async fn cut(chat: &Chat, room: &Arc<Room>, wanted: Seq) -> Result<(), StoreError> {
    loop {
        let first = room.ledger().state.first;
        if first >= wanted {
            return Ok(());
        }
        let kept = Seq(change(chat, Change::Cut { room: room.id, first: wanted, most: STEP }).await?);
        if kept <= first {
            // The last entry stays, or the room has gone.
            return Ok(());
        }
        room.ledger().state.first = kept;
        {
            let mut live = room.live();
            live.tail.forget(kept.before());
            live.other_tail.forget(kept.before());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn change(chat: &Chat, change: Change) -> Result<u64, StoreError> {
    chat.write(0, |done| Write::Change(Box::new(change), done)).await
}
