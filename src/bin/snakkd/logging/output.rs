//! From an event to the queue.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::form::Form;
use super::limiter::{Limiter, Verdict};
use super::line::Line;
use super::queue::Queue;

/// Where all events go.
pub(super) struct Output {
    limiter: Mutex<Limiter<Identifier>>,
    form: Form,
    queue: Queue,
}

impl Output {
    pub(super) fn new(form: Form, queue: Queue) -> Output {
        Output { limiter: Mutex::new(Limiter::new()), form, queue }
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Writes a line, unless there were too many of its kind.
    fn take(&self, kind: Identifier, line: &Line) {
        let verdict = self.limiter.lock().unwrap_or_else(PoisonError::into_inner).judge(kind, line, Instant::now());
        match verdict {
            Verdict::LeaveOut => return,
            Verdict::WriteBehind(summary) => self.queue.push(&self.form.render(&summary)),
            Verdict::Write => {}
        }
        self.queue.push(&self.form.render(line));
    }

    /// Writes what was left out and has not been told yet.
    pub(super) fn sum_up(&self) {
        let lines = self.limiter.lock().unwrap_or_else(PoisonError::into_inner).sum_up(Instant::now());
        lines.iter().for_each(|line| self.queue.push(&self.form.render(line)));
    }
}

/// The layer that hands events to an output.
pub(super) fn layer<S: Subscriber>(output: &Arc<Output>) -> impl Layer<S> {
    Handle(Arc::clone(output))
}

struct Handle(Arc<Output>);

impl<S: Subscriber> Layer<S> for Handle {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.take(event.metadata().callsite(), &Line::of(event));
    }
}
