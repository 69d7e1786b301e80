//! A bot that keeps order in a room: `cargo run --example moderation_bot -- 127.0.0.1:9998 warden lobby`.
//!
//! It takes back messages with words that are not wanted and those of whoever says too much, warns twice, and then mutes for
//! ten minutes. For that its account has to be a moderator of the room (`/role warden moderator` by an owner); until then it
//! says what it may not do. Words are in `BAD_WORDS`, separated by commas; the account's token is in `SNAKK_TOKEN`.
//!
//! A program that carries the server itself can refuse a message before it is stored instead: see the example `lobby`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::error::Error;
use std::time::Duration;

use snakk::Client;
use snakk::client::{ClientError, Code, Draft, Event, Sanction};
use snakk::model::{Seq, Time};

/// Whoever says more than so many messages in that time says too much.
const MOST_MESSAGES: usize = 5;
const WINDOW: Duration = Duration::from_secs(10);
/// The offence after so many warnings mutes, for so long. After that time without an offence they are forgotten.
const WARNINGS: u32 = 2;
const MUTE: Duration = Duration::from_secs(600);
/// Of more people than this nothing is remembered that is older than any rule looks back.
const MOST_PEOPLE: usize = 1000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut arg = |or: &str| args.next().unwrap_or_else(|| or.to_owned());
    let (address, name, room) = (arg("127.0.0.1:9998"), arg("warden"), arg("lobby"));
    let mut builder = Client::builder(address).username(name).client_name("warden/1");
    if let Ok(token) = std::env::var("SNAKK_TOKEN") {
        builder = builder.token(token);
    }
    let words = std::env::var("BAD_WORDS").unwrap_or_else(|_| "spam,casino".to_owned());
    run(builder.connect().await?, &room, Rules::new(words.split(','))).await?;
    Ok(())
}

/// Keeps order until the events end.
async fn run(me: Client, room: &str, mut rules: Rules) -> Result<(), ClientError> {
    // Before joining, so that nothing is missed.
    let mut events = me.events();
    me.join(room).await?;
    while let Some(event) = events.next().await {
        let (target, room, from, said) = match event {
            Event::Message(message) => {
                if message.deleted || Some(&message.from) == me.username().as_ref() {
                    continue;
                }
                let offence = rules.judge(&message.from, &message.text, message.time);
                (message.seq, message.room, message.from, offence)
            }
            // Saying something else afterwards is no way around the rules.
            Event::Edit(edit) => {
                let offence = rules.judge_words(&edit.from, edit.text.as_deref().unwrap_or_default(), edit.time);
                (edit.target, edit.room, edit.from, offence)
            }
            _ => continue,
        };
        let Some((offence, deed)) = said else { continue };
        match punish(&me, &room, target, &from, offence, deed).await {
            // Another moderator was faster; or it is somebody to whom it may do nothing; or nobody knows what became of it.
            Err(ClientError::Refused { code: Code::NoSuchMessage, .. }) => {}
            Err(error @ (ClientError::Refused { .. } | ClientError::Disconnected | ClientError::Timeout)) => {
                eprintln!("{room}: could not keep {from} in order: {error}");
            }
            other => other?,
        }
    }
    Ok(())
}

async fn punish(
    me: &Client,
    room: &str,
    target: Seq,
    who: &str,
    offence: Offence,
    deed: Deed,
) -> Result<(), ClientError> {
    let reason = match offence {
        Offence::Word => "that word is not wanted here",
        Offence::Flood => "one thing after the other, please",
    };
    if deed == Deed::Mute {
        me.mute(room, who, Sanction::new().reason(reason).lasting(MUTE)).await?;
    }
    me.delete(room, target, Some(reason)).await?;
    if let Deed::Warn(left) = deed {
        let text = format!("@{who} {reason}; {left} more and you are silent for a while");
        // Under a nonce that follows from the message, so that a warning that is repeated after a lost connection is one.
        me.post(Draft::new(room, text).nonce(format!("warn-{target}"))).await?;
    }
    Ok(())
}

/// What is not to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Offence {
    Word,
    Flood,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// So many more, and it is a mute.
    Warn(u32),
    Mute,
}

/// The rules, and what has to be remembered for them. They know no clock but the time that messages carry.
struct Rules {
    words: HashSet<String>,
    people: HashMap<String, Person>,
}

#[derive(Default)]
struct Person {
    said: VecDeque<Time>,
    offences: u32,
    last: Time,
}

impl Rules {
    fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Rules {
        let words = words.into_iter().map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty());
        Rules { words: words.collect(), people: HashMap::new() }
    }

    /// A message.
    fn judge(&mut self, from: &str, text: &str, now: Time) -> Option<(Offence, Deed)> {
        let person = self.person(from, now);
        person.said.push_back(now);
        while person.said.front().is_some_and(|then| since(*then, now) > WINDOW) {
            person.said.pop_front();
        }
        if person.said.len() > MOST_MESSAGES {
            return Some((Offence::Flood, person.offend(now)));
        }
        self.judge_words(from, text, now)
    }

    /// What somebody says, no matter how often.
    fn judge_words(&mut self, from: &str, text: &str, now: Time) -> Option<(Offence, Deed)> {
        let mut words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
        let found = words.any(|word| self.words.contains(&word));
        found.then(|| (Offence::Word, self.person(from, now).offend(now)))
    }

    fn person(&mut self, name: &str, now: Time) -> &mut Person {
        if self.people.len() >= MOST_PEOPLE {
            self.people.retain(|_, person| {
                person.said.back().is_some_and(|then| since(*then, now) <= WINDOW) || since(person.last, now) <= MUTE
            });
        }
        // Names are the same in any case.
        self.people.entry(name.to_lowercase()).or_default()
    }
}

impl Person {
    fn offend(&mut self, now: Time) -> Deed {
        if since(self.last, now) > MUTE {
            self.offences = 0;
        }
        (self.offences, self.last) = (self.offences + 1, now);
        if self.offences <= WARNINGS {
            return Deed::Warn(WARNINGS + 1 - self.offences);
        }
        self.offences = 0;
        Deed::Mute
    }
}

fn since(then: Time, now: Time) -> Duration {
    Duration::from_millis(u64::try_from(now.0 - then.0).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use snakk::model::RoomRole;
    use snakk::testing::TestServer;

    use super::*;

    #[test]
    fn words_are_words_and_a_flood_is_a_matter_of_time() {
        let mut rules = Rules::new(["Spam", " casino "]);
        assert_eq!(rules.judge("ann", "spamalot", Time(0)), None);
        assert_eq!(rules.judge("ann", "free SPAM!", Time(1000)), Some((Offence::Word, Deed::Warn(2))));
        assert_eq!(rules.judge_words("Ann", "the casino", Time(2000)), Some((Offence::Word, Deed::Warn(1))));
        assert_eq!(rules.judge("ann", "casino", Time(3000)), Some((Offence::Word, Deed::Mute)));
        for n in 0..5 {
            assert_eq!(rules.judge("bob", "calm", Time(n * 2000)), None);
        }
        assert_eq!(rules.judge("bob", "calm", Time(9000)), Some((Offence::Flood, Deed::Warn(2))));
        assert_eq!(rules.judge("bob", "calm", Time(60_000)), None);
        // Forgotten after a while.
        assert_eq!(rules.judge("bob", "spam", Time(9_000_000)), Some((Offence::Word, Deed::Warn(2))));
    }

    #[tokio::test]
    async fn it_warns_and_then_mutes_and_no_connection_that_is_cut_lets_anything_pass() {
        let server = TestServer::start().await.unwrap();
        let owner = server.account("olaf", "correct horse").await.unwrap();
        let warden = server.account("warden", "correct horse").await.unwrap();
        let mallory = server.account("mallory", "correct horse").await.unwrap();
        owner.create("den", "").await.unwrap();
        for one in [&owner, &warden, &mallory] {
            one.join("den").await.unwrap();
        }
        tokio::spawn(run(warden, "den", Rules::new(["spam"])));
        owner.role("den", "warden", RoomRole::Moderator, None).await.unwrap();
        let mut events = owner.events();
        for round in 0..3 {
            if round == 1 {
                server.cut_connections().await;
            }
            let sent = mallory.send("den", "spam").await.unwrap();
            let taken_back = loop {
                let event = tokio::time::timeout(Duration::from_secs(30), events.next()).await.expect("a deletion");
                if let Some(Event::Delete(delete)) = event {
                    break delete;
                }
            };
            assert_eq!((&*taken_back.from, taken_back.target), ("warden", sent.seq));
        }
        let refused = mallory.send("den", "sorry").await.unwrap_err();
        assert_eq!(refused.code(), Some(Code::Muted));
        let page = owner.history("den", snakk::client::HistoryQuery::default()).await.unwrap();
        let warnings = page.messages.iter().filter(|message| message.from == "warden").count();
        assert_eq!(warnings, 2, "{page:?}");
    }
}
