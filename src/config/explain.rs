//! The settings in force, each with where it comes from.

use super::keys::{COURSE_KEYS, LISTENER, LISTENER_KEYS, SECTIONS, TLS_KEYS};
use super::{Config, CourseOverrides, ListenerSection, TlsSection};
use crate::settings::{Key, Place, Places};

/// A setting in force. No setting is a secret: passwords stand in the database, keys of certificates in files of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// The table that it stands in: `server`, `listener`.
    pub section: String,
    /// Of a listener the how manieth it is, from 0.
    pub index: Option<usize>,
    /// Its name: `motd`, `tls.certificate`.
    pub key: String,
    /// Its value, as it is written in the file; empty where there is none.
    pub value: String,
    /// Where it was set; nothing if it is the default.
    pub place: Option<Place>,
}

/// All settings in force, in the order of the example file.
pub(super) fn explain(config: &Config, places: &Places) -> Vec<Explained> {
    // The table gives fields to be changed, hence a copy.
    let mut config = config.clone();
    let mut all = Vec::new();
    for section in SECTIONS {
        for key in section.keys {
            let value = (key.field)(&mut config).written();
            let place = places.given(&format!("{}.{}", section.name, key.name));
            all.push(Explained { section: section.name.into(), index: None, key: key.name.into(), value, place });
        }
        if section.name == "server" {
            for (index, listener) in config.listeners.clone().into_iter().enumerate() {
                all.extend(of_listener(index, listener, places));
            }
        }
    }
    all
}

fn of_listener(index: usize, mut listener: ListenerSection, places: &Places) -> Vec<Explained> {
    let mut all = Vec::new();
    let mut add = |key: String, value: String, place: Option<Place>| {
        all.push(Explained { section: LISTENER.into(), index: Some(index), key, value, place });
    };
    let place = |key: &str| places.given(&format!("{LISTENER}.{index}.{key}"));
    for key in LISTENER_KEYS {
        add(key.name.into(), (key.field)(&mut listener).written(), place(key.name));
    }
    if let Some(tls) = &mut listener.tls {
        for key in TLS_KEYS {
            add(format!("tls.{}", key.name), written::<TlsSection>(key, tls), place("tls"));
        }
    }
    let mut nothing = CourseOverrides::default();
    for key in COURSE_KEYS {
        let value = written(key, &mut listener.course);
        if value != written(key, &mut nothing) {
            add(format!("course.{}", key.name), value, place("course"));
        }
    }
    all
}

fn written<S>(key: &Key<S>, table: &mut S) -> String {
    (key.field)(table).written()
}
