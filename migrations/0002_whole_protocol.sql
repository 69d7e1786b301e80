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
