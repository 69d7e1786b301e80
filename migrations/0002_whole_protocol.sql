-- Accounts with tokens, invitations, suspensions and blocks; rooms with settings, bans, mutes and invitations; messages that
-- are edited, deleted, reacted to, found and counted; what moderators and admins did.

ALTER TABLE accounts ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
-- 1: only the name is left, so that nobody can take it.
ALTER TABLE accounts ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;

CREATE TABLE tokens (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    user    INTEGER NOT NULL,
    hash    BLOB    NOT NULL UNIQUE,
    label   TEXT    NOT NULL,
    created INTEGER NOT NULL,
    -- 0: never.
    expires INTEGER NOT NULL DEFAULT 0,
    used    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user);

-- Leave to register.
CREATE TABLE invitations (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    hash    BLOB    NOT NULL UNIQUE,
    label   TEXT    NOT NULL,
    -- How many accounts may still be made with it.
    count   INTEGER NOT NULL,
    by      TEXT    NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Names ('name:SKELETON') and networks ('net:ADDRESS/BITS') that are kept out.
CREATE TABLE suspensions (
    target  TEXT    NOT NULL PRIMARY KEY,
    shown   TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    until   INTEGER NOT NULL DEFAULT 0,
    by      TEXT    NOT NULL,
    time    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Accounts that want to hear nothing of somebody.
CREATE TABLE blocks (
    user    INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    PRIMARY KEY (user, blocked)
) STRICT, WITHOUT ROWID;
CREATE INDEX blocks_by_blocked ON blocks (blocked);

-- What moderators and admins did. Outlives the logs.
CREATE TABLE acts (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    time      INTEGER NOT NULL,
    by        TEXT    NOT NULL,
    act       TEXT    NOT NULL,
    -- 0: in no room.
    room      INTEGER NOT NULL DEFAULT 0,
    room_name TEXT    NOT NULL DEFAULT '',
    target    TEXT    NOT NULL DEFAULT '',
    detail    TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX acts_by_room ON acts (room, id);

ALTER TABLE rooms ADD COLUMN history TEXT NOT NULL DEFAULT 'all';
ALTER TABLE rooms ADD COLUMN slow_mode_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN retention_days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN retention_entries INTEGER NOT NULL DEFAULT 0;
-- The account that owned the room last, where no member does; 0 is none.
ALTER TABLE rooms ADD COLUMN heir INTEGER NOT NULL DEFAULT 0;

-- The two of a direct conversation. A guest's id is negative.
CREATE TABLE sides (
    room INTEGER NOT NULL,
    side INTEGER NOT NULL,
    user INTEGER NOT NULL,
    name TEXT    NOT NULL,
    PRIMARY KEY (room, side)
) STRICT, WITHOUT ROWID;

-- Rooms that are gone, and whose entries are erased step by step.
CREATE TABLE doomed (
    room INTEGER PRIMARY KEY
) STRICT;

-- Follow from the log, like members.
CREATE TABLE bans (
    room     INTEGER NOT NULL,
    skeleton TEXT    NOT NULL,
    -- 0: kept out; 1: may not speak.
    mute     INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    until    INTEGER NOT NULL DEFAULT 0,
    reason   TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (room, mute, skeleton)
) STRICT, WITHOUT ROWID;
CREATE TABLE invited (
    room INTEGER NOT NULL,
    user INTEGER NOT NULL,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX invited_by_user ON invited (user);

-- The entry at which a member of a direct conversation closed it: until there is a later one, it does not want to see it.
ALTER TABLE members ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;

-- What follows is about the entries.

-- In `entries`, the kinds are 0 message, 1 member, 2 edit, 3 delete, 4 react, 5 topic, 6 room. What 2, 3 and 4 are about
-- stands in `reply_to`. Of the flags, 1 is told as a deed, 2 deleted, 4 has had reactions. `text` is what a message says now,
-- and what an edit says for as long as it is the newest one; `body` has the names that a message mentions, too.

-- The message's number in all logs together, in the order of the commits; 0 for all other entries.
ALTER TABLE entries ADD COLUMN nr INTEGER NOT NULL DEFAULT 0;
-- When the message was edited last, and by which entry; 0 is never.
ALTER TABLE entries ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN edit INTEGER NOT NULL DEFAULT 0;

CREATE TABLE reactions (
    room   INTEGER NOT NULL,
    target INTEGER NOT NULL,
    emoji  TEXT    NOT NULL,
    author INTEGER NOT NULL,
    name   TEXT    NOT NULL,
    -- The entry by which it came.
    seq    INTEGER NOT NULL,
    PRIMARY KEY (room, target, emoji, author)
) STRICT, WITHOUT ROWID;

-- Messages in which a member is named and that it has not read.
CREATE TABLE mentions (
    user   INTEGER NOT NULL,
    room   INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    author INTEGER NOT NULL,
    PRIMARY KEY (user, room, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_by_entry ON mentions (room, seq);

-- How many messages of an author stand in a block of a room's log; author 0 has those that were deleted, by whomever they
-- were. A block is 256 numbers: seq >> 8. Behind the last whole one of 65536 numbers, their sums stand in block
-- -1 - (seq >> 16), so that never many rows have to be added up.
CREATE TABLE tallies (
    room   INTEGER NOT NULL,
    author INTEGER NOT NULL,
    block  INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (room, author, block)
) STRICT, WITHOUT ROWID;
INSERT INTO tallies (room, author, block, count)
    SELECT id >> 40, author, (id & 0xffffffffff) >> 8, count(*) FROM entries WHERE kind = 0 GROUP BY 1, 2, 3;
INSERT INTO tallies (room, author, block, count)
    SELECT room, author, -1 - (block >> 8), sum(count) FROM tallies
    WHERE block >> 8 < (SELECT (max(id) & 0xffffffffff) >> 16 FROM entries WHERE id BETWEEN room << 40 AND (room + 1 << 40) - 1)
    GROUP BY room, author, block >> 8;
ALTER TABLE members DROP COLUMN own;

-- Which entry has which nr.
CREATE TABLE postings (
    nr INTEGER PRIMARY KEY,
    id INTEGER NOT NULL
) STRICT;
INSERT INTO postings (nr, id) SELECT row_number() OVER (ORDER BY time, id), id FROM entries WHERE kind = 0;
UPDATE entries SET nr = postings.nr FROM postings WHERE postings.id = entries.id;

-- The words of the messages, found by nr. `facets` has one word for the room, one for the author, and one if there is a link.
-- It is filled in the background: `indexed` in `meta` says up to which nr. What is deleted from it is overwritten.
CREATE VIRTUAL TABLE found USING fts5 (
    text, facets, content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 0', detail = full
);
INSERT INTO found (found, rank) VALUES ('secure-delete', 1);
INSERT INTO meta (key, value) VALUES ('indexed', 0);
