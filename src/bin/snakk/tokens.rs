//! `snakk token`: what logs in to an account without its password.

use std::io;

use snakk::protocol::Code;

use crate::args::{Lasting, Token};
use crate::failure::Failure;
use crate::login;
use crate::setup::Connection;
use crate::show::{self, print, print_json};

/// Does what was asked for as the owner of the account.
pub(crate) async fn run(connection: &Connection, token: Token) -> Result<(), Failure> {
    if connection.certificate.is_none() && matches!(token, Token::Certificate { fingerprint: None, .. }) {
        let what = "which certificate? Show it (--certificate FILE), or name its --fingerprint";
        return Err(Failure::new(Failure::USAGE, what));
    }
    let client = login::connect(connection).await?;
    let json = connection.json;
    match token {
        Token::Create(Lasting { label, lasting }) => {
            let made = client.create_token(&label, lasting).await?;
            // Alone on its line, so that it can go into a file.
            print_answer(json, made.json.as_str(), &made.token.0)?;
        }
        Token::Certificate { fingerprint, lasting: Lasting { label, lasting } } => {
            let added = match fingerprint {
                Some(fingerprint) => client.add_certificate_of(fingerprint, &label, lasting).await?,
                None => client.add_certificate(&label, lasting).await?,
            };
            print_answer(json, added.json.as_str(), &added.fingerprint.to_string())?;
        }
        Token::List => {
            for line in client.tokens().await? {
                if json { print_json(line.json.as_str())? } else { print(&show::token(&line))? }
            }
        }
        Token::Revoke { number } => client.revoke_token(number).await.map_err(|error| match error.code() {
            Some(Code::BadRequest) => {
                let what = format!("your account has no token or certificate {number}; snakk token list shows them");
                Failure::new(Failure::REFUSED, what)
            }
            _ => error.into(),
        })?,
    }
    login::leave(client).await;
    Ok(())
}

/// What came of it: all of it for programs, the one thing that matters for people.
fn print_answer(json: bool, answer: &str, word: &str) -> io::Result<()> {
    if json { print_json(answer) } else { print(&show::plain(word)) }
}
