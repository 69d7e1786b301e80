//! Lines in, lines out. Neither side ever holds more than its bound, whatever the other end sends or does not take.

use std::io;

use memchr::memchr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::ClientError;
use super::wire::protocol;
use crate::net::Stream;
use crate::net::stream::{ReadHalf, WriteHalf};

/// The longest line that is taken from a server; its largest answers are about a quarter of this.
const MAX_LINE_BYTES: usize = 1 << 20;
/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// Both directions of a connection. They are two values, because the client reads while it writes.
pub(super) fn link(stream: Stream) -> (Lines, Output) {
    let (reader, writer) = stream.split();
    (
        Lines { reader, held: Vec::new(), start: 0, judged: 0 },
        Output { writer, waiting: Vec::new(), written: 0, held_back: false },
    )
}

/// The lines that come.
pub(super) struct Lines {
    reader: ReadHalf,
    held: Vec<u8>,
    /// Where in `held` the next line begins.
    start: usize,
    /// Up to here there is no end of a line.
    judged: usize,
}

impl Lines {
    /// The next line that is here already, without its end. Blank ones are nothing.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, ClientError> {
        loop {
            let Some(found) = memchr(b'\n', self.held.get(self.judged..).unwrap_or_default()) else {
                self.judged = self.held.len();
                if self.judged - self.start > MAX_LINE_BYTES {
                    return Err(protocol("a line of more than a megabyte"));
                }
                return Ok(None);
            };
            let (begin, end) = (self.start, self.judged + found);
            self.start = end + 1;
            self.judged = end + 1;
            let line = self.held.get(begin..end).unwrap_or_default().trim_ascii_end();
            if !line.is_empty() {
                // Looked up once more, because the borrow of a loop's value cannot leave it otherwise.
                let end = begin + line.len();
                return Ok(self.held.get(begin..end));
            }
        }
    }

    /// Whether the unfinished line that is here is a TLS alert, which is how a TLS server answers who does not speak TLS.
    pub(super) fn end_with_tls_alert(&self) -> bool {
        self.held.get(self.start..).unwrap_or_default().starts_with(&[0x15, 0x03])
    }

    /// Reads what has come; 0 at the end of the stream.
    ///
    /// # Cancel safety
    /// What was read is kept.
    pub(super) async fn read(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.held.drain(..self.start);
            self.judged -= self.start;
            self.start = 0;
        }
        if self.held.is_empty() && self.held.capacity() > READ_BYTES {
            self.held = Vec::new();
        }
        self.held.reserve(READ_BYTES.min(MAX_LINE_BYTES));
        self.reader.read_buf(&mut self.held).await
    }
}

/// What waits to be sent.
pub(super) struct Output {
    writer: WriteHalf,
    waiting: Vec<u8>,
    written: usize,
    /// Something was written that may still be held back (TLS does that).
    held_back: bool,
}

impl Output {
    /// Where requests are put.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() - self.written
    }

    /// Whether there is anything for [`Output::write`] to do.
    pub(super) fn has_work(&self) -> bool {
        self.len() > 0 || self.held_back
    }

    /// Writes as much as the connection takes.
    ///
    /// # Cancel safety
    /// What was written is not written again.
    pub(super) async fn write(&mut self) -> io::Result<()> {
        let rest = self.waiting.get(self.written..).unwrap_or_default();
        if rest.is_empty() {
            self.writer.flush().await?;
            self.held_back = false;
            return Ok(());
        }
        let written = self.writer.write(rest).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.held_back = true;
        self.written += written;
        if self.written == self.waiting.len() {
            self.waiting.clear();
            self.written = 0;
        }
        Ok(())
    }

    /// Writes everything, and tells the other end that nothing more comes.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.writer.shutdown().await
    }

    /// Writes everything.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while self.has_work() {
            self.write().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::BufStream;

    use super::*;

    async fn lines_of(text: &[u8], at_once: usize) -> Vec<Vec<u8>> {
        let (near, mut far) = tokio::io::duplex(at_once);
        let (mut lines, _output) = link(Stream::Other(Box::new(near)));
        let text = text.to_vec();
        let sender = tokio::spawn(async move { far.write_all(&text).await });
        let mut found = Vec::new();
        while lines.read().await.unwrap() > 0 {
            while let Some(line) = lines.next().unwrap() {
                found.push(line.to_vec());
            }
        }
        sender.await.unwrap().unwrap();
        found
    }

    #[tokio::test]
    async fn lines_are_the_same_however_they_are_cut() {
        for at_once in [1, 2, 3, 7, 100] {
            let found = lines_of(b"{\"a\":1}\n{}\r\n\n  \nlast\nunfinished", at_once).await;
            assert_eq!(found, [&b"{\"a\":1}"[..], b"{}", b"last"], "{at_once} bytes at once");
        }
    }

    #[tokio::test]
    async fn what_the_stream_holds_back_is_work_until_it_is_out() {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let (_lines, mut output) = link(Stream::Other(Box::new(BufStream::new(near))));
        assert!(!output.has_work());
        output.buffer().extend_from_slice(b"{}\n");
        while output.has_work() {
            output.write().await.unwrap();
        }
        let mut sent = [0; 3];
        let reading = tokio::time::timeout(Duration::from_secs(5), far.read_exact(&mut sent));
        reading.await.expect("it is out").unwrap();
        assert_eq!(&sent, b"{}\n");
    }

    #[tokio::test]
    async fn a_line_without_end_is_not_held() {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let (mut lines, _output) = link(Stream::Other(Box::new(near)));
        tokio::spawn(async move {
            let junk = vec![b'x'; 1 << 16];
            while far.write_all(&junk).await.is_ok() {}
        });
        let refused = loop {
            lines.read().await.unwrap();
            if let Err(error) = lines.next() {
                break error;
            }
        };
        assert!(matches!(refused, ClientError::Protocol(_)), "{refused}");
        assert!(lines.held.capacity() <= 3 * MAX_LINE_BYTES);
    }
}
