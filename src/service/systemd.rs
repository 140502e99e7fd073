//! What a service manager is told (`sd_notify(3)`). Without one, all of this does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// Connections are accepted.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A reload has begun; [`ready`] ends it.
pub(super) fn reloading() {
    // `Type=notify-reload` wants the time with it.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no monotonic clock"),
    }
}

/// What is in force now, for `systemctl status`.
pub(super) fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// No new clients.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Where `WatchdogSec=` asks for it: a sign of life twice in each of its periods, as long as tasks are run.
pub(super) fn keep_watchdog() {
    let mut period_us = 0;
    if sd_notify::watchdog_enabled(false, &mut period_us) {
        // A period of nothing would be none.
        let mut ticks = tokio::time::interval(Duration::from_micros((period_us / 2).max(1000)));
        tokio::spawn(async move {
            loop {
                ticks.tick().await;
                tell(&[NotifyState::Watchdog]);
            }
        });
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // The environment is left as it is: other threads read it.
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
