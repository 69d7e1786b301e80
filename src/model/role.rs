//! What a user may be: in a room, and on the server.

/// A member's role in a room. Later ones may do all that earlier ones may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RoomRole {
    /// Reads and speaks.
    Member,
    /// Also keeps order.
    Moderator,
    /// Also decides what the room is.
    Owner,
}

impl RoomRole {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            RoomRole::Member => "member",
            RoomRole::Moderator => "moderator",
            RoomRole::Owner => "owner",
        }
    }

    /// The role of that word.
    pub fn parse(word: &str) -> Option<RoomRole> {
        [RoomRole::Member, RoomRole::Moderator, RoomRole::Owner].into_iter().find(|role| role.as_str() == word)
    }
}

/// A user's role on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerRole {
    /// Everybody.
    #[default]
    User,
    /// Runs the server (IRC: operator).
    Admin,
}

impl ServerRole {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            ServerRole::User => "user",
            ServerRole::Admin => "admin",
        }
    }

    /// The role of that word.
    pub fn parse(word: &str) -> Option<ServerRole> {
        [ServerRole::User, ServerRole::Admin].into_iter().find(|role| role.as_str() == word)
    }
}

/// How far an admin has closed the server, on a bad day. Each level holds what the ones before it hold. Admins are free of
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// As configured.
    #[default]
    Open,
    /// Nobody makes an account.
    NoRegistration,
    /// No guests: those who are there are logged out, and no others come in.
    NoGuests,
    /// Nobody becomes a member of a room, makes one, or reads one that it is not a member of.
    MembersOnly,
    /// Nothing is posted.
    ReadOnly,
}

impl Level {
    /// All levels.
    pub const ALL: [Level; 5] =
        [Level::Open, Level::NoRegistration, Level::NoGuests, Level::MembersOnly, Level::ReadOnly];

    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Open => "open",
            Level::NoRegistration => "no_registration",
            Level::NoGuests => "no_guests",
            Level::MembersOnly => "members_only",
            Level::ReadOnly => "read_only",
        }
    }

    /// The level of that word.
    pub fn parse(word: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.as_str() == word)
    }
}
