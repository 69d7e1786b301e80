//! The terminal: taken over when the screen starts, and given back in any case, as it was.

use std::fmt;
use std::io::{self, BufWriter, Stdout, Write};

use crossterm::Command;
use crossterm::cursor::Show;
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::style::ResetColor;
use crossterm::terminal::{
    BeginSynchronizedUpdate, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;

use super::settings::{Rtl, Settings};
use super::view::{self, Drawn};
use crate::tui::state::State;

type Backend = CrosstermBackend<BufWriter<Stdout>>;

/// How much of a frame is gathered before it is written: a whole one, mostly.
const FRAME_BYTES: usize = 64 * 1024;

/// The terminal, while the screen has it. Dropping it gives it back.
pub(crate) struct Terminal {
    screen: ratatui::Terminal<Backend>,
    mouse: bool,
    rtl: Rtl,
}

impl Terminal {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// What the terminal says.
    pub(crate) fn enter(settings: &Settings) -> io::Result<Terminal> {
        let out = BufWriter::with_capacity(FRAME_BYTES, io::stdout());
        let screen = ratatui::Terminal::new(CrosstermBackend::new(out))?;
        let mut terminal = Terminal { screen, mouse: settings.mouse, rtl: settings.rtl };
        terminal.take()?;
        Ok(terminal)
    }

    fn take(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        let out = self.screen.backend_mut();
        execute!(out, EnterAlternateScreen, DisableLineWrap, EnableBracketedPaste, EnableFocusChange)?;
        if self.mouse {
            execute!(out, EnableMouseCapture)?;
        }
        if self.rtl == Rtl::Reorder {
            execute!(out, Explicit)?;
        }
        Ok(())
    }

    /// How large it is: columns, rows.
    ///
    /// # Errors
    /// What the terminal says.
    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.screen.size()?;
        Ok((size.width, size.height))
    }

    /// Draws the state: what has changed since the last frame is written, at once.
    ///
    /// # Errors
    /// What the terminal says.
    pub(crate) fn draw(&mut self, state: &State) -> io::Result<Drawn> {
        let mut drawn = Drawn::default();
        queue!(self.screen.backend_mut(), BeginSynchronizedUpdate)?;
        self.screen.draw(|frame| {
            drawn = view::draw(state, frame.buffer_mut());
            if let Some(cursor) = drawn.cursor {
                frame.set_cursor_position(cursor);
            }
        })?;
        execute!(self.screen.backend_mut(), EndSynchronizedUpdate)?;
        Ok(drawn)
    }

    /// Forgets what is on the screen: the next frame is written whole.
    ///
    /// # Errors
    /// What the terminal says.
    pub(crate) fn redraw(&mut self) -> io::Result<()> {
        // Not `clear`, which asks the terminal where the cursor is and waits for an answer.
        let size = self.screen.size()?;
        self.screen.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Writes something that is no part of the picture, such as the bell.
    ///
    /// # Errors
    /// What the terminal says.
    pub(crate) fn write(&mut self, bytes: &str) -> io::Result<()> {
        let out = self.screen.backend_mut();
        out.write_all(bytes.as_bytes())?;
        Write::flush(out)
    }

    /// Gives the terminal back while `stopped` runs, and takes it over again behind it.
    ///
    /// # Errors
    /// What the terminal says.
    pub(crate) fn pause(&mut self, stopped: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        restore();
        let outcome = stopped();
        self.take()?;
        // The window may have another size by now, and something else on it in any case.
        self.redraw()?;
        outcome
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was: for a panic, behind which nothing may be dropped any more. Doing it twice does no
/// harm.
pub fn restore() {
    let mut out = io::stdout();
    // There is nobody left to tell that this failed.
    let _ = execute!(
        out,
        EndSynchronizedUpdate,
        Implicit,
        DisableMouseCapture,
        DisableFocusChange,
        DisableBracketedPaste,
        EnableLineWrap,
        ResetColor,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}

/// Asks the terminal not to reorder right-to-left text, for it comes in its order already (BDSM, ECMA-48 8.3.18 SM/RM 8;
/// see "BiDi in Terminal Emulators" of the terminal working group).
struct Explicit;

/// Lets the terminal reorder text again, which is where terminals that can do it start.
struct Implicit;

impl Command for Explicit {
    fn write_ansi(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str("\x1b[8l")
    }
}

impl Command for Implicit {
    fn write_ansi(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str("\x1b[8h")
    }
}
