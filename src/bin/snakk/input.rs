//! Standard input as messages.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Stdin};

use crate::failure::Failure;

/// More than any server takes as a text; less than would hurt.
const MAX_BYTES: usize = 1 << 20;

/// The lines of standard input.
pub(crate) struct Lines {
    reader: BufReader<Stdin>,
    held: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(crate) fn new() -> Lines {
        Lines { reader: BufReader::new(tokio::io::stdin()), held: Vec::new(), number: 0 }
    }

    /// The number of the line that came last, from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not empty, without its end.
    ///
    /// # Cancel safety
    /// What was read is kept for the next call.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, Failure> {
        loop {
            let bytes = self.reader.fill_buf().await.map_err(unreadable)?;
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(bytes.len(), |end| end + 1);
            let over = taken == 0;
            self.held.extend_from_slice(bytes.get(..taken).unwrap_or_default());
            self.reader.consume(taken);
            if self.held.len() > MAX_BYTES {
                return Err(too_long());
            }
            if end.is_none() && !over {
                continue;
            }
            if over && self.held.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            let line = text(std::mem::take(&mut self.held), self.number)?;
            let line = line.strip_suffix('\n').unwrap_or(&line);
            let line = line.strip_suffix('\r').unwrap_or(line);
            if !line.is_empty() {
                return Ok(Some(line.to_owned()));
            }
        }
    }
}

/// All of standard input as one text, without the end of its last line.
pub(crate) async fn whole() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let mut limited = tokio::io::stdin().take(MAX_BYTES as u64 + 1);
    limited.read_to_end(&mut bytes).await.map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        return Err(too_long());
    }
    let text = text(bytes, 1)?.replace("\r\n", "\n");
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

fn text(bytes: Vec<u8>, line: u64) -> Result<String, Failure> {
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(Failure::USAGE, format!("standard input is not UTF-8 (line {line})")))
}

fn too_long() -> Failure {
    Failure::new(Failure::USAGE, "a message of more than a megabyte is longer than any server takes")
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::new(Failure::USAGE, format!("cannot read standard input: {error}"))
}
