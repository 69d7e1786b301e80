//! What systemd is told (sd_notify(3)). Without a `$NOTIFY_SOCKET` nothing happens, and what fails is not worth a word:
//! systemd has its own timeouts.

use std::time::Duration;

use sd_notify::NotifyState;
use snakk::server::{Health, NotReady, Part};
use tokio::time::{MissedTickBehavior, interval};

/// How long the parts of the server may take for their first answers before it is said that they do not answer.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// The watchdog is fed at least so often, however long it would wait.
const LONGEST: Duration = Duration::from_secs(15);

/// Waits until the server answers `hello`. A disk that is slow or full is not waited for.
pub(crate) async fn until_it_answers(health: Health) {
    while let Err(why) = health.probe(FIRST_ANSWER).await {
        tracing::warn!(reason = %why, "the server is not ready");
        match why {
            NotReady::Silent { part: Part::Sessions | Part::Publisher, .. } => {}
            // It never will, which others find out as well.
            NotReady::Failed => std::future::pending().await,
            _ => return,
        }
    }
}

/// Connections are accepted, and answered.
pub(crate) fn ready(listeners: usize) {
    let s = if listeners == 1 { "" } else { "s" };
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&format!("{listeners} listener{s}"))]);
}

/// The configuration is being read again; to be followed by [`ready`].
pub(crate) fn reloading() {
    // A `Type=notify-reload` unit waits for the time; others do not mind it.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        let _ = sd_notify::notify(&[NotifyState::Reloading, now]);
    }
}

/// No more connections are accepted.
pub(crate) fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// Feeds the watchdog, if there is one, for as long as the server is alive; see [`snakk::server::NotReady::is_alive`] for
/// what that means. A full disk does not count, for a restart would not empty it; nor does a slow one.
pub(crate) async fn feed_watchdog(health: Health) {
    let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero()) else { return };
    // Often enough that one answer that comes too late, on a machine that has a lot to do, is not the end.
    let pause = (patience / 4).clamp(Duration::from_millis(10), LONGEST);
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_alive = true;
    loop {
        ticks.tick().await;
        match health.probe(pause).await {
            Err(why) if !why.is_alive() => {
                if was_alive {
                    tracing::error!(reason = %why, "the watchdog is not fed any more");
                }
                was_alive = false;
            }
            _ => {
                if !was_alive {
                    tracing::info!("the watchdog is fed again");
                }
                was_alive = true;
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            }
        }
    }
}
