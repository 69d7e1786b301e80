//! [`Stats`] as text for Prometheus (its exposition format, version 0.0.4). One table: name, kind, what it means, value.

use std::fmt::{Display, Write};

use crate::model::Distribution;
use crate::server::Stats;

/// The figures in the text format of Prometheus. Every metric is there from the start, and has the same labels always.
pub fn prometheus(stats: &Stats) -> String {
    let mut page = Page(String::with_capacity(16 * 1024));
    let process = &stats.process;
    page.gauge("snakk_build_info", "Which version runs.", [(labels("version", stats.version), 1)]);
    page.gauge("snakk_uptime_seconds", "The time since the start.", one(stats.uptime.as_secs_f64()));

    page.gauge("snakk_connections", "Connections that are open.", one(stats.connections));
    let meaning = "Open connections in which nobody is logged in.";
    page.gauge("snakk_connections_unauthenticated", meaning, one(stats.unauthenticated));
    page.counter("snakk_connections_accepted_total", "Connections that were let in.", one(stats.accepted));
    let meaning = "Connections that were turned away, by reason.";
    page.counter("snakk_connections_rejected_total", meaning, by("reason", &stats.rejected));
    page.counter("snakk_connections_closed_total", "Connections that ended, by how.", by("reason", &stats.closed));
    let meaning = "TLS handshakes that failed.";
    page.counter("snakk_tls_handshakes_failed_total", meaning, one(stats.failed_handshakes));

    page.gauge("snakk_sessions", "Sessions that are open, by what they speak.", by("dialect", &stats.sessions));
    page.gauge("snakk_users_online", "Users who are online.", by("kind", &stats.online));
    page.gauge("snakk_rooms", "Rooms, and direct conversations.", by("kind", &stats.rooms));
    page.counter(
        "snakk_logins_total",
        "Logins, and those with a wrong password or token.",
        [(labels("result", "ok"), stats.logins), (labels("result", "bad_credentials"), stats.bad_credentials)],
    );
    page.counter("snakk_registrations_total", "Accounts that were made by their users.", one(stats.registrations));
    page.counter("snakk_refusals_total", "What was refused, by code.", by("code", &stats.refusals));
    let meaning = "How often hooks of the program around the server were asked, by which.";
    page.counter("snakk_hooks_asked_total", meaning, by("hook", &stats.hooks_asked));
    let meaning = "Calls of hooks that failed, by how.";
    page.counter("snakk_hooks_failed_total", meaning, by("reason", &stats.hooks_failed));
    let meaning = "Events that a listener inside the program was too slow for.";
    page.counter("snakk_events_missed_total", meaning, one(stats.events_missed));

    page.counter("snakk_entries_total", "Entries that were committed, by kind.", by("kind", &stats.entries));
    let meaning = "Entries that were handed to the writers of sessions, each once for each session.";
    page.counter("snakk_deliveries_total", meaning, one(stats.deliveries));
    let meaning = "The bytes of these, for native sessions.";
    page.counter("snakk_delivered_bytes_total", meaning, one(stats.delivered_bytes));
    let meaning = "From the accepting of an entry to its being handed to the writer of a follower; \
                   the oldest entry of each room of each commit, and one follower.";
    page.histogram("snakk_delivery_seconds", meaning, &stats.delivery);
    page.gauge("snakk_lag_entries", "Entries behind the cursors of sessions, all together.", one(stats.lag));
    let meaning = "Entries behind the cursors of the session that lags most.";
    page.gauge("snakk_lag_max_entries", meaning, one(stats.most_lag));
    page.gauge("snakk_lagging_sessions", "Sessions with entries behind their cursors.", one(stats.lagging));

    let meaning = "From the taking of what waits to be stored to the end of its commit.";
    page.histogram("snakk_commit_seconds", meaning, &stats.commits);
    page.counter("snakk_commits_failed_total", "Commits that failed.", one(stats.failed_commits));
    let meaning = "1 if what was to be stored last could not be stored.";
    page.gauge("snakk_storage_refusing", meaning, one(u8::from(stats.storage_refuses.is_some())));
    page.counter("snakk_readings_total", "Readings of the database.", one(stats.readings));
    let queues = || stats.queues.iter();
    page.gauge("snakk_queue_depth", "What waits.", queues().map(|(name, is, _)| (labels("queue", name), *is)));
    let limits = queues().map(|(name, _, most)| (labels("queue", name), *most));
    page.gauge("snakk_queue_limit", "How much of it may wait.", limits);
    page.gauge("snakk_password_hashes", "Passwords that are being hashed.", one(stats.hashing));
    page.gauge("snakk_database_bytes", "The size of the database.", maybe(stats.database_bytes));
    page.gauge("snakk_wal_bytes", "The size of its log.", maybe(stats.wal_bytes));

    page.gauge("process_resident_memory_bytes", "Memory in use.", maybe(process.resident_bytes));
    page.gauge("process_open_fds", "Files and sockets that are open.", maybe(process.open_files));
    page.gauge("process_max_fds", "How many may be.", maybe(process.most_open_files));
    let cpu = process.cpu.map(|cpu| cpu.as_secs_f64());
    page.counter("process_cpu_seconds_total", "The time on processors.", maybe(cpu));
    page.0
}

/// A value without labels.
fn one<V>(value: V) -> [(String, V); 1] {
    [(String::new(), value)]
}

/// A value that is not known everywhere.
fn maybe<V>(value: Option<V>) -> impl Iterator<Item = (String, V)> {
    value.into_iter().map(|value| (String::new(), value))
}

/// Values by a label.
fn by(label: &str, values: &[(&'static str, u64)]) -> impl Iterator<Item = (String, u64)> {
    values.iter().map(move |(word, value)| (labels(label, word), *value))
}

/// A label. The value is a word of ours, in which nothing has to be escaped.
fn labels(name: &str, value: &str) -> String {
    debug_assert!(!value.contains(['"', '\\', '\n']));
    format!("{{{name}=\"{value}\"}}")
}

struct Page(String);

impl Page {
    fn gauge<V: Display>(&mut self, name: &str, meaning: &str, values: impl IntoIterator<Item = (String, V)>) {
        self.family(name, "gauge", meaning, values);
    }

    fn counter<V: Display>(&mut self, name: &str, meaning: &str, values: impl IntoIterator<Item = (String, V)>) {
        self.family(name, "counter", meaning, values);
    }

    fn family<V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        meaning: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        self.head(name, kind, meaning);
        for (labels, value) in values {
            self.line(format_args!("{name}{labels} {value}"));
        }
    }

    fn histogram(&mut self, name: &str, meaning: &str, distribution: &Distribution) {
        self.head(name, "histogram", meaning);
        let Distribution { buckets, count, sum } = distribution;
        for (end, count) in buckets {
            self.line(format_args!("{name}_bucket{{le=\"{}\"}} {count}", end.as_secs_f64()));
        }
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
        self.line(format_args!("{name}_sum {}", sum.as_secs_f64()));
        self.line(format_args!("{name}_count {count}"));
    }

    fn head(&mut self, name: &str, kind: &str, meaning: &str) {
        self.line(format_args!("# HELP {name} {meaning}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}
