-- The first schema.
-- Ids are never used again (AUTOINCREMENT), times are milliseconds since the Unix epoch, words are those on the wire.

-- What belongs to the database as a whole: `secret` (32 random bytes), and `running` (durability and boot id) for as long
-- as a daemon has it open.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL,
    folded        TEXT    NOT NULL UNIQUE,
    skeleton      TEXT    NOT NULL UNIQUE,
    role          TEXT    NOT NULL DEFAULT 'user',
    password_hash TEXT    NOT NULL,
    created       INTEGER NOT NULL
) STRICT;

CREATE TABLE rooms (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT    NOT NULL UNIQUE,
    kind      TEXT    NOT NULL,
    topic     TEXT    NOT NULL DEFAULT '',
    epoch     TEXT    NOT NULL,
    -- The first entry that is kept.
    first_seq INTEGER NOT NULL DEFAULT 1,
    created   INTEGER NOT NULL
) STRICT;

-- Accounts in rooms. Follows from the log: changed only together with an entry, or with the making of the room.
CREATE TABLE members (
    room   INTEGER NOT NULL,
    user   INTEGER NOT NULL,
    role   TEXT    NOT NULL,
    joined INTEGER NOT NULL,
    read   INTEGER NOT NULL,
    -- How many of the messages behind `read` are the account's own.
    own    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user);

-- All logs. One b-tree holds each log in one piece, because the id is room << 40 | seq: an append is one insert, and a page
-- of history one range.
CREATE TABLE entries (
    id       INTEGER PRIMARY KEY,
    -- How many entries of the room are messages, up to and with this one. By it a page skips long runs of other entries,
    -- and unread messages are counted without reading them.
    messages INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    author   INTEGER NOT NULL,
    -- The author's name at that time.
    name     TEXT    NOT NULL,
    -- 0 message, 1 member.
    kind     INTEGER NOT NULL,
    -- 0: answers nothing.
    reply_to INTEGER NOT NULL DEFAULT 0,
    -- 1: told as a deed.
    flags    INTEGER NOT NULL DEFAULT 0,
    -- What a message says; empty for the others.
    text     TEXT    NOT NULL DEFAULT '',
    -- What the other kinds say, in JSON; empty for messages.
    body     TEXT    NOT NULL DEFAULT ''
) STRICT;

-- What makes a repeat recognisable. Kept for 24 hours, and for an account's newest 1000.
CREATE TABLE nonces (
    author INTEGER NOT NULL,
    room   INTEGER NOT NULL,
    nonce  TEXT    NOT NULL,
    seq    INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    PRIMARY KEY (author, room, nonce)
) STRICT, WITHOUT ROWID;
