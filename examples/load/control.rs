//! One blocking connection for what is rare or goes one by one: making rooms, reading history, logging in once.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

pub(crate) struct Control {
    reader: BufReader<TcpStream>,
    line: Vec<u8>,
}

impl Control {
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { reader: BufReader::with_capacity(256 * 1024, stream), line: Vec::new() })
    }

    /// A connection to snakkd that is logged in as the guest `username`.
    pub(crate) fn log_in(address: SocketAddr, username: &str) -> Result<Self> {
        Self::say_hello(address, &guest(username))
    }

    /// A connection to snakkd that is logged in to an account, by a token.
    pub(crate) fn log_in_with(address: SocketAddr, username: &str, token: &str) -> Result<Self> {
        Self::say_hello(address, &account(username, token))
    }

    fn say_hello(address: SocketAddr, login: &str) -> Result<Self> {
        let mut control = Self::connect(address)?;
        let hello = r#"{"request":"hello","protocol":1}"#;
        control.reader.get_ref().write_all(format!("{hello}\n{login}\n").as_bytes())?;
        for _ in 0..2 {
            let answer = control.next_answer()?;
            parse(answer)?;
        }
        Ok(control)
    }

    /// The answer to a request, as an object without an error.
    pub(crate) fn ask(&mut self, request: &str) -> Result<Value> {
        parse(self.exchange(request)?).with_context(|| format!("asked {request}"))
    }

    /// The next line that is no event, after `request` was sent.
    pub(crate) fn exchange(&mut self, request: &str) -> Result<&[u8]> {
        self.reader.get_ref().write_all(format!("{request}\n").as_bytes())?;
        self.next_answer()
    }

    fn next_answer(&mut self) -> Result<&[u8]> {
        loop {
            self.line.clear();
            ensure!(self.reader.read_until(b'\n', &mut self.line)? > 0, "closed by the server");
            if !self.line.starts_with(br#"{"event":"#) {
                return Ok(self.line.trim_ascii_end());
            }
        }
    }
}

/// The login of a guest.
pub(crate) fn guest(username: &str) -> String {
    format!(r#"{{"request":"login","username":"{username}"}}"#)
}

/// The login to an account.
pub(crate) fn account(username: &str, token: &str) -> String {
    format!(r#"{{"request":"login","username":"{username}","token":"{token}"}}"#)
}

pub(crate) fn parse(answer: &[u8]) -> Result<Value> {
    let object: Value = serde_json::from_slice(answer)?;
    if object.get("error").is_some() || object.get("response").is_none() {
        bail!("refused: {object}");
    }
    Ok(object)
}
