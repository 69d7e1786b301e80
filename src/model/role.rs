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
