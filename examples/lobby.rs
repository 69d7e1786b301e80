//! The chat of a game that has accounts of its own: `cargo run --example lobby -- 127.0.0.1:9998`. Enter stops it.
//!
//! The game has given each player a ticket when they logged in to the game; the chat believes it and has no passwords. Who has
//! none may watch as a guest. Tables are for those who sit there, a referee is an admin, and `/roll` rolls a die that nobody
//! can load, because the program writes the answer.

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use snakk::config::{Creation, Registration};
use snakk::model::RoomName;
use snakk::server::{Attempt, Authentication, Decision, Happening, Hooks, Identity, Login, NewMessage, Verdict};
use snakk::{Config, Server};

/// Who somebody is in the game.
#[derive(Clone)]
struct Player {
    ticket: String,
    is_referee: bool,
    /// The room of the table at which they sit.
    table: Option<String>,
}

/// The game, as far as it concerns the chat. The game and the chat's hooks share it.
#[derive(Clone, Default)]
struct Game {
    players: Arc<Mutex<HashMap<String, Player>>>,
}

impl Game {
    /// Somebody has logged in to the game; this is what their program logs in to the chat with.
    fn admit(&self, name: &str, is_referee: bool) -> Result<String, Box<dyn Error + Send + Sync>> {
        let ticket = snakk::client::Draft::random_nonce()?;
        let player = Player { ticket: ticket.clone(), is_referee, table: None };
        self.players().insert(name.to_lowercase(), player);
        Ok(ticket)
    }

    /// Somebody sits down at a table.
    fn seat(&self, name: &str, table: &str) {
        if let Some(player) = self.players().get_mut(&name.to_lowercase()) {
            player.table = Some(table.to_owned());
        }
    }

    /// Who that is. Names are the same in any case.
    fn player(&self, name: &str) -> Option<Player> {
        self.players().get(&name.to_lowercase()).cloned()
    }

    fn players(&self) -> std::sync::MutexGuard<'_, HashMap<String, Player>> {
        self.players.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hooks for Game {
    async fn authenticate(&self, login: &Login) -> Authentication {
        let Some(player) = self.player(&login.username) else {
            // Nobody of the game: the server's own rules decide, which let guests in.
            return Authentication::NotMine;
        };
        // The game's own client sends a token; who comes with a chat client types it where a password goes.
        match login.token.as_ref().or(login.password.as_ref()) {
            // In a real game: compared in constant time, and only as long as the player is logged in.
            Some(ticket) if *ticket.0 == *player.ticket => {
                Authentication::Accept(Identity::new(&login.username).admin(player.is_referee))
            }
            _ => Authentication::Refuse("log in to the game first; it gives you a ticket".to_owned()),
        }
    }

    async fn authorize(&self, attempt: &Attempt) -> Decision {
        let Some(table) = attempt.room.as_deref().filter(|room| room.starts_with("table-")) else {
            return Decision::Allow;
        };
        let player = self.player(&attempt.username);
        match player {
            Some(player) if player.is_referee || player.table.as_deref() == Some(table) => Decision::Allow,
            _ => Decision::Refuse(format!("you do not sit at {table}")),
        }
    }

    async fn before_message(&self, message: &NewMessage) -> Verdict {
        if message.guest {
            return Verdict::Refuse("who has no ticket watches".to_owned());
        }
        // What looks like a roll is one.
        if message.text.starts_with("(rolls") {
            return Verdict::Refuse("to roll, say /roll".to_owned());
        }
        match message.text.trim() {
            "/roll" => Verdict::Change(format!("(rolls {})", roll())),
            _ => Verdict::Allow,
        }
    }

    async fn on_event(&self, event: &Happening) {
        match event {
            Happening::Online { username, .. } => println!("{username} is here"),
            Happening::Offline { username, .. } => println!("{username} is gone"),
            Happening::Missed(count) => println!("{count} happenings were left out"),
            _ => {}
        }
    }
}

/// A die.
fn roll() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    // Good enough to play; each state is seeded anew.
    (RandomState::new().hash_one(()) % 6) as u32 + 1
}

/// The game's chat.
async fn start(game: Game, address: &str, data_dir: PathBuf) -> Result<Server, Box<dyn Error + Send + Sync>> {
    let mut config = Config::default();
    config.server.name = "the game".to_owned();
    // The game makes accounts and rooms, and nobody else does.
    config.accounts.registration = Registration::Closed;
    config.rooms.creation = Creation::Admins;
    config.rooms.default =
        ["lobby", "table-1", "table-2"].into_iter().map(RoomName::parse).collect::<Result<_, _>>()?;
    Ok(Server::builder(config).data_dir(data_dir).listen(address).hooks(game).start().await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9998".to_owned());
    let game = Game::default();
    let server = start(game.clone(), &address, "lobby-chat".into()).await?;
    println!("chat at {}; Enter stops it", server.listening().join(", "));
    for (name, is_referee) in [("ann", false), ("bob", false), ("rita", true)] {
        let ticket = game.admit(name, is_referee)?;
        println!("snakk --server {address} -u {name}: the password is {ticket}");
    }
    game.seat("ann", "table-1");
    game.seat("bob", "table-1");
    let read = || std::io::stdin().read_line(&mut String::new());
    tokio::select! {
        _ = tokio::task::spawn_blocking(read) => {}
        () = server.failed() => eprintln!("the chat has failed"),
    }
    server.shutdown().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use snakk::Client;
    use snakk::client::{ClientError, Code, HistoryQuery};

    use super::*;

    fn says(refused: ClientError, code: Code, reason: &str) {
        assert_eq!((refused.code(), refused.reason()), (Some(code), Some(reason)), "{refused:?}");
    }

    #[tokio::test]
    async fn the_game_decides_who_comes_in_where_and_what_a_die_shows() {
        let folder = tempfile::tempdir().unwrap();
        let game = Game::default();
        let server = start(game.clone(), "127.0.0.1:0", folder.path().to_owned()).await.unwrap();
        let address = server.local_addrs()[0].to_string();
        let ticket = game.admit("Ann", false).unwrap();
        let login = |name: &str, token: &str| Client::builder(&address).username(name).token(token).connect();
        let needs = "log in to the game first; it gives you a ticket";
        says(login("ann", "wrong").await.unwrap_err(), Code::BadCredentials, needs);
        let without = Client::builder(&address).username("ann").connect().await;
        says(without.unwrap_err(), Code::BadCredentials, needs);

        let ann = login("ann", &ticket).await.unwrap();
        ann.join("lobby").await.unwrap();
        says(ann.join("table-1").await.unwrap_err(), Code::Forbidden, "you do not sit at table-1");
        game.seat("ann", "table-1");
        ann.join("table-1").await.unwrap();
        says(ann.join("table-2").await.unwrap_err(), Code::Forbidden, "you do not sit at table-2");

        ann.send("lobby", "/roll").await.unwrap();
        says(ann.send("lobby", "(rolls 6)").await.unwrap_err(), Code::Forbidden, "to roll, say /roll");
        let guest = Client::builder(&address).username("gast").connect().await.unwrap();
        guest.join("lobby").await.unwrap();
        says(guest.send("lobby", "hei").await.unwrap_err(), Code::Forbidden, "who has no ticket watches");
        let page = guest.history("lobby", HistoryQuery::default()).await.unwrap();
        let said: Vec<_> = page.messages.iter().map(|message| &*message.text).collect();
        assert!((1..=6).any(|pips| said == [format!("(rolls {pips})")]), "{said:?}");

        let rita = login("rita", &game.admit("rita", true).unwrap()).await.unwrap();
        rita.join("table-2").await.unwrap();
        rita.notice("dinner").await.unwrap();
        assert_eq!(ann.notice("dinner").await.unwrap_err().code(), Some(Code::Forbidden));
        server.shutdown().await.unwrap();
    }
}
