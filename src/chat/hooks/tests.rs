use super::*;
use crate::chat::hooks::ask::refused;
use crate::model::Fingerprint;
use crate::protocol::{Code, Refusal};

#[test]
fn a_reason_is_one_line_that_can_be_shown() {
    let reason = |given: &str| {
        let Refusal { because, .. } = refused(Code::Forbidden, given);
        because.and_then(|because| because.reason).map(|reason| reason.as_str().to_owned())
    };
    assert_eq!(reason("not today"), Some("not today".to_owned()));
    assert_eq!(reason(" a\nb\u{1b}[31m\u{202e} "), Some("a\u{240a}b\u{241b}[31m\u{fffd}".to_owned()));
    assert_eq!(reason(""), None);
    assert_eq!(reason(" \n"), None);
    let long = reason(&"ø".repeat(400)).unwrap_or_default();
    assert_eq!(long, "ø".repeat(256));
}

#[test]
fn no_secret_is_shown() {
    let secret = || Some(Secret("correct horse".into()));
    let (username, certificate) = ("ann".to_owned(), Some(Fingerprint::from_bytes([7; 32])));
    let login = Login { username, password: secret(), token: secret(), certificate, peer: None };
    assert!(!format!("{login:?}").contains("horse"));
}

struct Both;

impl Hooks for Both {
    async fn authorize(&self, attempt: &Attempt) -> Decision {
        match attempt.request {
            "panic" => panic!("as it is asked to"),
            "hang" => std::future::pending().await,
            "block" => {
                std::thread::sleep(std::time::Duration::from_millis(200));
                Decision::Allow
            }
            _ => Decision::Refuse("no".to_owned()),
        }
    }
}

fn attempt(request: &'static str) -> Attempt {
    Attempt { username: "ann".to_owned(), guest: true, role: ServerRole::User, request, room: None, target: None }
}

#[tokio::test]
async fn what_a_hook_does_is_its_own_affair() {
    let host = Host::new(Both).within(std::time::Duration::from_millis(20));
    for request in ["hang", "block"] {
        assert_eq!(host.authorizes(attempt(request)).await, Err(Code::Internal.into()), "{request}");
    }
    let figures = host.figures();
    assert_eq!((figures.asked, figures.panicked, figures.timed_out), ([0, 0, 2, 0, 0], 0, 2));
    let host = Host::new(Both).within(std::time::Duration::MAX);
    assert_eq!(host.authorizes(attempt("panic")).await, Err(Code::Internal.into()));
    assert_eq!(host.authorizes(attempt("other")).await.map_err(|refusal| refusal.code), Err(Code::Forbidden));
    let figures = host.figures();
    assert_eq!((figures.asked, figures.panicked, figures.timed_out), ([0, 0, 2, 0, 0], 1, 0));
}

#[tokio::test]
async fn hooks_that_only_await_do_not_take_the_places_of_others_for_long() {
    let host = std::sync::Arc::new(Host::new(Both).within(std::time::Duration::from_millis(20)));
    let asking: Vec<_> = (0..200)
        .map(|_| {
            let host = std::sync::Arc::clone(&host);
            tokio::spawn(async move { host.authorizes(attempt("hang")).await })
        })
        .collect();
    for one in asking {
        assert_eq!(one.await.unwrap(), Err(Code::Internal.into()));
    }
    // The places are free again as soon as their threads have looked at the time, too.
    loop {
        match host.authorizes(attempt("other")).await {
            Err(refusal) if refusal.code == Code::Forbidden => break,
            _ => tokio::task::yield_now().await,
        }
    }
}
