//! What entries do to messages in front of them: edits, deletions, reactions, answers. The log alone knows those messages,
//! so it is here that an entry is found to be about nothing, or about somebody else's.

use rusqlite::{Connection, OptionalExtension};

use crate::model::{Body, Line, Reaction, RoomId, Seq, Time, UserId};
use crate::store::sqlite::log::{self, id};
use crate::store::sqlite::rows::{DELETED, MESSAGE, REACTED, number};
use crate::store::sqlite::{index, mentions, reactions};
use crate::store::{Append, Unmet};

pub(super) const SELECT_TARGET: &str =
    "SELECT kind, flags, author, name, nr, edit, body <> '', text FROM entries WHERE id = ?1";

/// What an entry is about.
pub(super) enum Aim {
    /// Nothing that would have to be changed.
    Nothing,
    /// A message that is in reach.
    Message(Box<Target>),
    /// The entry need not be stored: there is one that says the same.
    There(Seq, Time),
    /// The entry must not be stored.
    Unmet(Unmet),
}

/// A message as it was before.
pub(super) struct Target {
    pub(super) seq: Seq,
    pub(super) author: UserId,
    /// Whether it mentions anybody.
    pub(super) mentions: bool,
    name: String,
    nr: i64,
    edit: i64,
    flags: i64,
    text: String,
}

/// Whether an entry is about another one.
pub(super) fn has_target(body: &Body) -> bool {
    match body {
        Body::Message(message) => message.reply_to.is_some(),
        body => matches!(body, Body::Edit { .. } | Body::Delete { .. } | Body::React { .. }),
    }
}

/// Looks at what an entry is about.
pub(super) fn aim(conn: &Connection, append: &Append) -> rusqlite::Result<Aim> {
    let (Body::Edit { target, .. } | Body::Delete { target, .. } | Body::React { target, .. }) = &append.body else {
        let Body::Message(message) = &append.body else { return Ok(Aim::Nothing) };
        let Some(answered) = message.reply_to else { return Ok(Aim::Nothing) };
        let there = find(conn, append, answered, false)?.is_some();
        return Ok(if there { Aim::Nothing } else { Aim::Unmet(Unmet::NoTarget) });
    };
    let Some(target) = find(conn, append, *target, true)? else {
        return Ok(Aim::Unmet(Unmet::NoTarget));
    };
    let own = target.author == append.author;
    match &append.body {
        Body::Edit { .. } if !own => return Ok(Aim::Unmet(Unmet::NotYours)),
        Body::Delete { .. } if !own && !append.reach.others => return Ok(Aim::Unmet(Unmet::NotYours)),
        Body::React { emoji, remove, .. } => {
            let first = reactions::first(conn, append.room, target.seq, emoji.as_str(), append.author)?;
            match first {
                Some(_) if *remove => {}
                Some((seq, time)) => return Ok(Aim::There(seq, time)),
                None if *remove => return Ok(Aim::Unmet(Unmet::NoTarget)),
                None if reactions::other_kinds(conn, append.room, target.seq, emoji.as_str())?
                    >= Reaction::MOST_KINDS =>
                {
                    return Ok(Aim::Unmet(Unmet::Full));
                }
                None => {}
            }
        }
        _ => {}
    }
    Ok(Aim::Message(Box::new(target)))
}

/// A message in reach that was not deleted.
fn find(conn: &Connection, append: &Append, target: Seq, with_text: bool) -> rusqlite::Result<Option<Target>> {
    if target < append.reach.first || target.0 > log::MAX_SEQ {
        return Ok(None);
    }
    let mut select = conn.prepare_cached(SELECT_TARGET)?;
    let found = select
        .query_row([id(append.room, target)], |row| {
            if row.get::<_, i64>(0)? != MESSAGE || row.get::<_, i64>(1)? & DELETED != 0 {
                return Ok(None);
            }
            Ok(Some(Target {
                seq: target,
                flags: row.get(1)?,
                author: UserId(row.get(2)?),
                name: row.get(3)?,
                nr: row.get(4)?,
                edit: row.get(5)?,
                mentions: row.get(6)?,
                text: if with_text { row.get(7)? } else { String::new() },
            }))
        })
        .optional()?;
    Ok(found.flatten())
}

/// The message says something else from now on. What it said before is in no row any more.
pub(super) fn edit(
    conn: &Connection,
    room: RoomId,
    target: &Target,
    edit: Seq,
    time: Time,
    text: &str,
    mentions: &str,
) -> rusqlite::Result<()> {
    blank_edit(conn, room, target)?;
    let indexed = index::indexed(conn)? >= target.nr;
    if indexed {
        index::remove(conn, target.nr, room, &target.name, &target.text)?;
        index::add(conn, target.nr, room, &target.name, text)?;
    }
    let mut update =
        conn.prepare_cached("UPDATE entries SET text = ?2, edited = ?3, edit = ?4, body = ?5 WHERE id = ?1")?;
    update.execute((id(room, target.seq), text, time.0, number(edit), mentions)).map(|_| ())
}

/// The message says nothing any more, and nobody thinks anything of it.
pub(super) fn delete(conn: &Connection, room: RoomId, target: &Target) -> rusqlite::Result<()> {
    blank_edit(conn, room, target)?;
    if index::indexed(conn)? >= target.nr {
        index::remove(conn, target.nr, room, &target.name, &target.text)?;
    }
    if target.mentions {
        mentions::forget(conn, room, target.seq)?;
    }
    if target.flags & REACTED != 0 {
        reactions::forget(conn, room, target.seq)?;
    }
    blank(conn, room, target.seq)
}

/// Takes the text out of the newest edit.
fn blank_edit(conn: &Connection, room: RoomId, target: &Target) -> rusqlite::Result<()> {
    if target.edit == 0 {
        return Ok(());
    }
    blank(conn, room, Seq(log::unsigned(5, target.edit)?))
}

/// Takes out of a row what it says, and marks it. Spaces come into its place, so many that the row stays as large as it was:
/// SQLite then writes over it where it stands. A smaller one might make it put pages together, and what moves leaves copies
/// behind. Whoever reads goes by the mark, and never sees the spaces.
pub(super) fn blank(conn: &Connection, room: RoomId, seq: Seq) -> rusqlite::Result<()> {
    let place = id(room, seq);
    let mut select =
        conn.prepare_cached("SELECT flags, octet_length(text), octet_length(body) FROM entries WHERE id = ?1")?;
    let row: Option<(i64, u32, u32)> =
        select.query_row([place], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((flags, text, body)) = row else { return Ok(()) };
    let taken = stored(text as usize) + stored(body as usize);
    let marked = (flags | DELETED) & !REACTED;
    // SQLite keeps 0 and 1 in no byte at all.
    let grown = usize::from(flags <= 1);
    let spaces = " ".repeat(fitting(taken.saturating_sub(stored(0) + grown)));
    let mut update = conn.prepare_cached("UPDATE entries SET text = ?2, body = '', flags = ?3 WHERE id = ?1")?;
    update.execute((place, spaces, marked)).map(|_| ())
}

/// How many bytes a text takes in a row, together with its length in the row's header.
fn stored(bytes: usize) -> usize {
    let kind = 13 + 2 * bytes;
    bytes + 1 + usize::from(kind >= 1 << 7) + usize::from(kind >= 1 << 14) + usize::from(kind >= 1 << 21)
}

/// The longest text that takes no more.
fn fitting(room: usize) -> usize {
    (room.saturating_sub(4)..room).rev().find(|bytes| stored(*bytes) <= room).unwrap_or(0)
}

/// Somebody reacts to the message, or takes it back.
pub(super) fn react(
    conn: &Connection,
    append: &Append,
    target: &Target,
    emoji: &Line,
    remove: bool,
    seq: Seq,
) -> rusqlite::Result<()> {
    if remove {
        return reactions::remove(conn, append.room, target.seq, emoji.as_str(), append.author);
    }
    if target.flags & REACTED == 0 {
        let mut update = conn.prepare_cached("UPDATE entries SET flags = flags | ?2 WHERE id = ?1")?;
        update.execute((id(append.room, target.seq), REACTED))?;
    }
    reactions::add(conn, append.room, target.seq, emoji.as_str(), append.author, &append.from, seq)
}

#[cfg(test)]
mod tests {
    use super::{fitting, stored};

    #[test]
    fn spaces_take_what_the_text_took() {
        for bytes in 0..70_000 {
            assert_eq!(fitting(stored(bytes)), bytes);
            // One byte less, for the mark; where the length of the text takes a byte less too, one is left over.
            let marked = stored(fitting(stored(bytes).saturating_sub(1)));
            assert!(bytes == 0 || marked + 1 == stored(bytes) || (marked + 2 == stored(bytes)), "{bytes}");
        }
    }
}
