//! What systemd is told (sd_notify(3)). Without a `$NOTIFY_SOCKET` nothing happens, and what fails is not worth a word:
//! systemd has its own timeouts.

use sd_notify::NotifyState;

/// Connections are accepted.
pub(crate) fn ready(listeners: usize) {
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&format!("{listeners} listeners"))]);
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
