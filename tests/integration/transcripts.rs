//! The conversations in `transcripts/`, each over real sockets with a server of its own.

use std::path::Path;

use crate::support::{server, transcript};

macro_rules! transcripts {
    ($($name:ident)*) => {
        /// The files that are played.
        const PLAYED: &[&str] = &[$(concat!(stringify!($name), ".txt"),)*];

        $(#[tokio::test]
        async fn $name() {
            let text = include_str!(concat!("transcripts/", stringify!($name), ".txt"));
            transcript::play(&server().await, concat!(stringify!($name), ".txt"), text).await;
        })*
    };
}

transcripts! {
    native_first_words
    native_accounts
    native_rooms
    native_history
    native_resume
    native_nonce
    native_errors
    course_2014
    course_2015
    dialects_meet
}

#[test]
fn each_transcript_is_played() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/transcripts");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let mut played = PLAYED.to_vec();
    played.sort_unstable();
    assert_eq!(files, played);
}
