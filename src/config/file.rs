//! The TOML file as written: a walk over its sections, and over the list of listeners.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::keys::{self, COURSE, COURSE_KEYS, LISTENER, LISTENER_KEYS, TLS, TLS_KEYS};
use super::{Config, ListenerSection, TlsSection};
use crate::settings::{self, Key, Places, Problem, Reader, given};

/// More listeners than this are a mistake.
const MAX_LISTENERS: usize = 256;

/// Reads the text of a file into a configuration.
pub(super) fn read(text: &str, file: &Path, config: &mut Config, places: &mut Places, problems: &mut Vec<Problem>) {
    settings::read(text, file, places, problems, keys::unknown_key, |reader, document| {
        Walk { reader, config }.document(document);
    });
}

/// A walk over the document.
struct Walk<'w, 'r> {
    reader: &'w mut Reader<'r>,
    config: &'w mut Config,
}

impl Walk<'_, '_> {
    fn document(&mut self, document: &DeTable<'_>) {
        for (name, value) in document {
            if self.reader.is_full() {
                break;
            }
            let known = keys::section(name.get_ref());
            match (known, value.get_ref()) {
                (Some(section), DeValue::Table(table)) => {
                    let mut config = std::mem::take(self.config);
                    self.reader.table(section.name, section.name, section.keys, &mut config, table, &[]);
                    if section.name == "server" && table.contains_key("data_dir") {
                        let beside = config.server.data_dir.take().map(|path| self.reader.beside(&path));
                        config.server.data_dir = beside;
                    }
                    *self.config = config;
                }
                (Some(section), _) => {
                    let what = format!("{0} is {1}, it must be a section: [{0}]", section.name, given(value).shown());
                    self.reader.wrong(value.span(), what);
                }
                (None, value_given) if name.get_ref() == LISTENER => match value_given {
                    DeValue::Array(listeners) => self.listeners(listeners),
                    _ => {
                        let what = format!("{LISTENER} is {}, it must be a list: [[{LISTENER}]]", given(value).shown());
                        self.reader.wrong(name.span(), what);
                    }
                },
                (None, _) => self.reader.wrong(name.span(), keys::unknown_section(name.get_ref())),
            }
        }
    }

    fn listeners(&mut self, list: &DeArray<'_>) {
        let mut listeners = Vec::new();
        if let Some(item) = list.get(MAX_LISTENERS) {
            self.reader.wrong(
                item.span(),
                format!("{LISTENER} is too long a list, it must have at most {MAX_LISTENERS} tables"),
            );
            return;
        }
        for (index, item) in list.iter().enumerate() {
            let DeValue::Table(table) = item.get_ref() else {
                let what = format!("{LISTENER} is {}, it must be a table", given(item).shown());
                self.reader.wrong(item.span(), what);
                continue;
            };
            let path = format!("{LISTENER}.{index}");
            // Where there is no key, what is wrong with it is wrong with the table.
            self.reader.found(format!("{path}.address"), item.span());
            let mut listener = ListenerSection::default();
            self.reader.table(LISTENER, &path, LISTENER_KEYS, &mut listener, table, &[TLS, COURSE]);
            if let Some(value) = table.get(TLS) {
                self.reader.found(format!("{path}.{TLS}"), value.span());
                listener.tls = self.tls(value);
            }
            if let Some(value) = table.get(COURSE) {
                self.inner("listener.course", COURSE_KEYS, &mut listener.course, value);
            }
            listeners.push(listener);
        }
        if !listeners.is_empty() {
            self.config.listeners = listeners;
        }
    }

    /// The `tls` of a listener. Neither of its keys has a default.
    fn tls(&mut self, value: &Spanned<DeValue<'_>>) -> Option<TlsSection> {
        const NAME: &str = "listener.tls";
        let mut tls = TlsSection::default();
        self.inner(NAME, TLS_KEYS, &mut tls, value);
        let DeValue::Table(table) = value.get_ref() else { return None };
        let there = TLS_KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(" and ");
        for key in TLS_KEYS.iter().filter(|key| !table.contains_key(key.name)) {
            self.reader.wrong(value.span(), format!("{NAME} has no {}, it must have {there}", key.name));
        }
        Some(TlsSection::new(self.reader.beside(&tls.certificate), self.reader.beside(&tls.key)))
    }

    /// A table in a listener.
    fn inner<S>(&mut self, name: &str, known: &[Key<S>], target: &mut S, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => self.reader.table(name, name, known, target, table, &[]),
            _ => self.reader.wrong(value.span(), format!("{name} is {}, it must be a table", given(value).shown())),
        }
    }
}
