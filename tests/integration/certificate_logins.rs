//! Certificates that clients show: they log in to the accounts that know them, and to nothing else.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{Certificate, CertificateParams, CustomExtension, KeyPair};
use snakk::Client;
use snakk::client::{Builder, CertificateError, ClientError, Event, Fingerprint, Trust};
use snakk::model::{ServerRole, Time};
use snakk::server::{Authentication, Hooks, Identity, Login};
use tokio_rustls::rustls::SupportedProtocolVersion;
use tokio_rustls::rustls::crypto::ring::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version;

use crate::support::clock::Hands;
use crate::support::person::fine;
use crate::support::secure::{Authority, BOTH, Middle, Secure, params};
use crate::support::server::{PASSWORD, Setup, hello};
use crate::support::{Person, TestServer, Value, json, server, within};

/// A certificate that nobody has signed, and its key.
struct Badge {
    certificate: Certificate,
    key: KeyPair,
}

impl Badge {
    fn new() -> Badge {
        Badge::of(&params(&["ann"]))
    }

    fn of(params: &CertificateParams) -> Badge {
        let key = KeyPair::generate().unwrap();
        Badge { certificate: params.self_signed(&key).unwrap(), key }
    }

    /// One of more than so many bytes.
    fn large(bytes: usize) -> Badge {
        let mut params = params(&["ann"]);
        params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![7; bytes]));
        Badge::of(&params)
    }

    fn shown(&self) -> CertifiedKey {
        shown(&self.certificate, &self.key)
    }

    /// What `openssl req -x509 -out FILE -keyout FILE` makes.
    fn pem(&self) -> String {
        self.key.serialize_pem() + &self.certificate.pem()
    }
}

fn shown(certificate: &Certificate, key: &KeyPair) -> CertifiedKey {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    CertifiedKey::new(vec![certificate.der().clone()], any_supported_type(&key).unwrap())
}

/// A server that speaks TLS at its second port, to be awaited.
fn secured() -> (Setup, Authority) {
    let authority = Authority::new();
    let tls = authority.issue();
    (server().listening(|section| section.tls = Some(tls)).people(ServerRole::User, ["Ann", "bob"]), authority)
}

/// A town with people, and a way to it.
struct Town {
    server: TestServer,
    authority: Authority,
}

async fn town() -> Town {
    let (setup, authority) = secured();
    Town { server: setup.await, authority }
}

impl Town {
    fn address(&self) -> SocketAddr {
        self.server.address_of(1)
    }

    /// A native connection that shows a certificate.
    async fn shows(&self, badge: &Badge) -> Secure {
        hello(self.shows_as(badge, BOTH).await).await
    }

    async fn shows_as(&self, badge: &Badge, versions: &[&'static SupportedProtocolVersion]) -> Secure {
        let wire = self.authority.connect_showing(&badge.shown(), "ann", self.address(), versions).await;
        wire.expect("a handshake")
    }

    /// Lets Ann's account know a certificate: the first time with the password.
    async fn introduces(&self, badge: &Badge) -> (Fingerprint, Value) {
        let mut wire = self.shows(badge).await;
        wire.ask(json!({"request": "login", "username": "ann", "password": PASSWORD})).await;
        let answer = wire.ask(json!({"request": "token", "action": "certificate", "label": "laptop"})).await;
        (answer["fingerprint"].as_str().expect("a fingerprint").parse().unwrap(), answer["token_id"].clone())
    }

    /// The typed client, as far as it is the same for all.
    fn client(&self) -> Builder {
        let pinned = Trust::Pinned(self.authority.fingerprint());
        Client::builder(format!("tls://{}", self.address())).username("ann").trust(pinned)
    }

    /// The terminal client in the hands of somebody who has a certificate in one file with its key, and says so in the
    /// settings.
    fn person(&self, badge: &Badge) -> Person {
        let person = Person::of(self.address());
        person.secret("ann.pem", &badge.pem());
        let (address, fingerprint) = (self.address(), self.authority.fingerprint());
        person.settle(&format!(
            "server = \"tls://{address}\"\nusername = \"ann\"\ncertificate = \"~/ann.pem\"\ntls_fingerprint = \"{fingerprint}\"\n"
        ));
        person
    }
}

fn login(name: &str) -> Value {
    json!({"request": "login", "username": name, "certificate": true})
}

/// Without a word about the certificate.
fn by_name(name: &str) -> Value {
    json!({"request": "login", "username": name})
}

#[tokio::test]
async fn an_account_that_knows_a_certificate_needs_no_password_in_any_version_and_dialect() {
    let town = town().await;
    let badge = Badge::new();
    let (fingerprint, id) = town.introduces(&badge).await;
    assert_eq!(fingerprint.to_string().len(), "SHA256".len() + 3 * 32);
    for versions in [&[&version::TLS12], &[&version::TLS13]] {
        let mut ann = hello(town.shows_as(&badge, versions).await).await;
        let answer = ann.ask(login("ANN")).await;
        assert_eq!((&answer["username"], &answer["guest"], answer.get("token")), (&json!("Ann"), &json!(false), None));
        ann.join("lobby").await;
        ann.say("lobby", "it is me").await;
        let listed = ann.ask(json!({"request": "token", "action": "list"})).await["tokens"].clone();
        assert_eq!((&listed[0]["token_id"], &listed[0]["label"]), (&id, &json!("laptop")));
        assert_eq!(listed[0]["fingerprint"], fingerprint.to_string());
        assert!(listed[0]["last_used"].is_string(), "{listed}");
        let sessions = ann.ask(json!({"request": "sessions"})).await["sessions"].clone();
        let current = sessions.as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
        assert_eq!((&current["token"], &current["token_id"]), (&json!("laptop"), &id));
        let hello = ann.ask(json!({"request": "hello", "protocol": 1})).await;
        assert_eq!(hello["certificate"], fingerprint.to_string());
    }
    // Those who have no word for a certificate show it all the same.
    let mut course2015 = town.shows_as(&badge, BOTH).await;
    course2015.send_raw(json!({"request": "login", "content": "Ann"}).to_string()).await;
    course2015.expect(json!({"response": "info", "content": "Login successful"})).await;
    let mut course2014 = town.shows_as(&badge, BOTH).await;
    course2014.send_raw(json!({"request": "login", "username": "Ann"}).to_string()).await;
    course2014.expect(json!({"response": "login", "username": "Ann", "messages": "<any>"})).await;
    // It is as good after a restart.
    let Town { server, authority } = town;
    let town = Town { server: server.restart().await, authority };
    assert_eq!(town.shows(&badge).await.ask(login("ann")).await["guest"], false);
}

#[tokio::test]
async fn a_certificate_that_an_account_does_not_know_opens_nothing() {
    let town = town().await;
    let badge = Badge::new();
    let (fingerprint, _) = town.introduces(&badge).await;
    // Of somebody else; of nobody; and none. Whether there is such an account is not told either.
    for name in ["bob", "nobody", "Gina"] {
        town.shows(&badge).await.ask_in_vain(login(name), "bad_credentials").await;
        town.server.hello("plain").await.ask_in_vain(login(name), "bad_credentials").await;
    }
    town.shows(&Badge::new()).await.ask_in_vain(login("ann"), "bad_credentials").await;
    let mut without = hello(town.authority.connect("without", town.address()).await).await;
    without.ask_in_vain(login("ann"), "bad_credentials").await;
    assert_eq!(without.ask(json!({"request": "hello", "protocol": 1})).await.get("certificate"), None);
    // What is public of it, or follows from that, is no token.
    let said = fingerprint.to_string();
    for token in [&*said, "snk_a", &said.replace("SHA256", "snk_a").replace(':', "").to_lowercase()] {
        without.ask_in_vain(json!({"request": "login", "username": "ann", "token": token}), "bad_credentials").await;
    }
    // Whoever has one may still be a guest, and a password is as good as ever.
    let mut guest = town.shows(&badge).await;
    guest.ask_in_vain(by_name("ann"), "name_taken").await;
    assert_eq!(guest.ask(by_name("gina")).await["guest"], true);
    guest.ask(json!({"request": "logout"})).await;
    guest.ask(json!({"request": "login", "username": "bob", "password": PASSWORD})).await;
    // A course client comes in as it did without one.
    let mut course = town.shows_as(&Badge::new(), BOTH).await;
    course.send_raw(json!({"request": "login", "username": "ann"}).to_string()).await;
    course.expect(json!({"response": "login", "username": "ann", "error": "<string>"})).await;
}

#[tokio::test]
async fn certificates_that_nobody_knows_are_slowed_down_like_wrong_passwords() {
    let (setup, authority) = secured();
    let town = Town { server: setup.with(|config| config.limits.password_attempts = 3).await, authority };
    let mut eve = town.shows(&Badge::new()).await;
    for name in ["ann", "ann", "nobody"] {
        eve.ask_in_vain(login(name), "bad_credentials").await;
    }
    eve.ask_in_vain(login("bob"), "rate_limited").await;
}

#[tokio::test]
async fn what_keeps_an_account_out_keeps_it_out_with_a_certificate() {
    let (setup, authority) = secured();
    let setup = setup.people(ServerRole::Admin, ["boss"]).with(|config| config.limits.max_sessions_per_user = 2);
    let town = Town { server: setup.await, authority };
    let badge = Badge::new();
    town.introduces(&badge).await;
    let mut boss = town.server.login("boss").await;
    boss.ask(json!({"request": "suspend", "username": "ann", "reason": "spam"})).await;
    let refused = town.shows(&badge).await.ask_in_vain(login("ann"), "banned").await;
    assert_eq!(refused["reason"], "spam");
    boss.ask(json!({"request": "unsuspend", "username": "ann"})).await;
    boss.ask(json!({"request": "level", "level": "members_only"})).await;
    let (mut one, mut two) = (town.shows(&badge).await, town.shows(&badge).await);
    one.ask(login("ann")).await;
    two.ask(login("ann")).await;
    town.shows(&badge).await.ask_in_vain(login("ann"), "too_many_sessions").await;
    // Whoever looks after the accounts can take all of them at once.
    let reset =
        json!({"request": "set_password", "username": "ann", "password": "another horse", "revoke_tokens": true});
    boss.ask(reset).await;
    for mut wire in [one, two] {
        wire.expect(json!({"event": "shutdown"})).await;
        wire.expect_close().await;
    }
    town.shows(&badge).await.ask_in_vain(login("ann"), "bad_credentials").await;
}

#[tokio::test]
async fn whoever_does_not_hold_the_key_does_not_come_in() {
    let town = town().await;
    let badge = Badge::new();
    town.introduces(&badge).await;
    let stolen = shown(&badge.certificate, &KeyPair::generate().unwrap());
    for versions in [&[&version::TLS12], &[&version::TLS13]] {
        let connected = town.authority.connect_showing(&stolen, "eve", town.address(), versions).await;
        // In TLS 1.3 the client is done before the server has looked.
        let refused = match connected {
            Ok(mut eve) => eve.expect_broken().await,
            Err(error) => error,
        };
        assert!(refused.to_string().contains("DecryptError"), "{refused}");
    }
}

#[tokio::test]
async fn certificates_may_be_out_of_date_but_not_without_end() {
    let town = town().await;
    let mut old = params(&["ann"]);
    old.not_before = rcgen::date_time_ymd(2000, 1, 1);
    old.not_after = rcgen::date_time_ymd(2001, 1, 1);
    for badge in [Badge::of(&old), Badge::large(7000)] {
        town.introduces(&badge).await;
        town.shows(&badge).await.ask(login("ann")).await;
    }
    // What is shown is kept for as long as the connection is open, so there is an end: of the bytes, and of the number, for
    // certificates may have no bytes at all.
    let badge = Badge::new();
    let behind = |rest: Vec<CertificateDer<'static>>| {
        let mut shown = badge.shown();
        shown.cert.extend(rest);
        shown
    };
    let other = |bytes| Badge::large(bytes).certificate.der().clone();
    let nothing = |count| vec![CertificateDer::from(Vec::new()); count];
    for (shown, comes_in) in [
        (behind(vec![other(1000)]), true),
        (behind(nothing(7)), true),
        (behind(nothing(8)), false),
        (behind(nothing(10_000)), false),
        (behind(vec![other(4000), other(4000)]), false),
        (Badge::large(8192).shown(), false),
    ] {
        for versions in [&[&version::TLS12], &[&version::TLS13]] {
            let connected = town.authority.connect_showing(&shown, "ann", town.address(), versions).await;
            let outcome = match connected {
                Ok(mut wire) if comes_in => {
                    wire.ask(json!({"request": "hello", "protocol": 1})).await;
                    continue;
                }
                // In TLS 1.3 the client is done before the server has looked.
                Ok(mut wire) => wire.expect_broken().await,
                Err(error) => error,
            };
            assert!(!comes_in && outcome.to_string().contains("CertificateUnknown"), "{outcome}");
        }
    }
    // The typed client says so, too.
    let folder = tempfile::tempdir().unwrap();
    let both = folder.path().join("ann.pem");
    fs::write(&both, Badge::large(8192).pem()).unwrap();
    match town.client().certificate(&both, &both).connect().await {
        Err(ClientError::Connect { source, .. }) => {
            assert_eq!(source.to_string(), "the certificate is not trusted there (CertificateUnknown)");
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[tokio::test]
async fn a_certificate_is_made_known_by_whoever_is_logged_in_and_taken_back_like_a_token() {
    let town = town().await;
    let badge = Badge::new();
    let (fingerprint, id) = town.introduces(&badge).await;
    let mut ann = town.shows(&badge).await;
    ann.ask(login("ann")).await;
    // Asked again it is the same one.
    let add = json!({"request": "token", "action": "certificate"});
    let again = ann.ask(add.clone()).await;
    assert_eq!((&again["token_id"], &again["fingerprint"]), (&id, &json!(fingerprint.to_string())));
    let listed = ann.ask(json!({"request": "token", "action": "list"})).await["tokens"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["label"]), (1, &json!("")));
    // From a connection that shows none, by its fingerprint; and by other accounts.
    let mut bob = town.server.login("bob").await;
    assert_eq!(bob.ask_in_vain(add.clone(), "bad_request").await["field"], "fingerprint");
    let with = |text: &str| json!({"request": "token", "action": "certificate", "fingerprint": text});
    assert_eq!(bob.ask_in_vain(with("SHA256:AB"), "bad_request").await["field"], "fingerprint");
    let of_bob = bob.ask(with(&fingerprint.to_string().to_lowercase().replace(':', ""))).await;
    assert_eq!(of_bob["fingerprint"], fingerprint.to_string());
    town.shows(&badge).await.ask(login("bob")).await;
    let mut gina = town.server.native("gina").await;
    gina.ask_in_vain(with(&fingerprint.to_string()), "forbidden").await;
    // It counts among the tokens.
    for number in 1..100 {
        bob.ask(with(&format!("{number:064}"))).await;
    }
    bob.ask_in_vain(with(&format!("{:064}", 100)), "forbidden").await;

    // Taken back, it ends what came in with it, and nothing else.
    let revoke = json!({"request": "token", "action": "revoke", "token_id": id});
    bob.ask_in_vain(revoke.clone(), "bad_request").await;
    let mut other = town.server.login("Ann").await;
    other.ask(revoke).await;
    ann.expect(json!({"event": "shutdown"})).await;
    ann.expect_close().await;
    town.shows(&badge).await.ask_in_vain(login("ann"), "bad_credentials").await;
    town.shows(&badge).await.ask(login("bob")).await;
    // Another password is no reason to forget a certificate; the end of the account is.
    town.introduces(&badge).await;
    other.ask(json!({"request": "password", "old": PASSWORD, "new": "another horse"})).await;
    town.shows(&badge).await.ask(login("ann")).await;
    other.ask(json!({"request": "delete_account", "password": "another horse"})).await;
    town.shows(&badge).await.ask_in_vain(login("ann"), "bad_credentials").await;
}

#[tokio::test]
async fn a_certificate_has_an_end_that_can_be_moved() {
    let (setup, authority) = secured();
    let hands = Hands::at(Time::parse("2026-06-01T12:00:00Z").unwrap());
    let clock = hands.clone();
    let town = Town { server: setup.around(|builder| builder.clock(clock)).await, authority };
    let badge = Badge::new();
    let (_, id) = town.introduces(&badge).await;
    let mut ann = town.shows(&badge).await;
    ann.ask(login("ann")).await;
    let until = |seconds| json!({"request": "token", "action": "certificate", "label": "for now", "for_s": seconds});
    let answer = ann.ask(until(60)).await;
    assert_eq!((&answer["token_id"], &answer["expires"]), (&id, &json!("2026-06-01T12:01:00.000Z")));
    hands.pass(Duration::from_secs(60));
    town.shows(&badge).await.ask_in_vain(login("ann"), "bad_credentials").await;
    // Whoever is in stays, and may give it another end.
    assert_eq!(ann.ask(until(60)).await["token_id"], id);
    town.shows(&badge).await.ask(login("ann")).await;
    // And revoking it ends what came in before its first end as well.
    let mut other = town.server.login("Ann").await;
    other.ask(json!({"request": "token", "action": "revoke", "token_id": id})).await;
    ann.expect(json!({"event": "shutdown"})).await;
    ann.expect_close().await;
}

#[tokio::test]
async fn the_typed_client_shows_its_certificate_whenever_it_connects() {
    let town = town().await;
    let (badge, folder) = (Badge::new(), tempfile::tempdir().unwrap());
    let (certificate, key) = (folder.path().join("ann.crt"), folder.path().join("ann.key"));
    fs::write(&certificate, badge.certificate.pem()).unwrap();
    fs::write(&key, badge.key.serialize_pem()).unwrap();
    let middle = Middle::before(town.address()).await;
    let pinned = Trust::Pinned(town.authority.fingerprint());
    let builder = || {
        let builder = Client::builder(format!("tls://{}", middle.address)).username("ann").trust(pinned.clone());
        builder.certificate(&certificate, &key)
    };
    match builder().connect().await {
        Err(error @ ClientError::LoginRefused { .. }) => assert_eq!(error.code().unwrap().as_str(), "bad_credentials"),
        other => panic!("{:?}", other.map(|_| ())),
    }
    let with_password = builder().password(PASSWORD).connect().await.unwrap();
    let added = with_password.add_certificate("laptop", None).await.unwrap();
    let me = builder().connect().await.unwrap();
    assert!(me.logged_in().is_some_and(|login| login.username == "Ann" && !login.guest));
    let mut events = me.events();
    middle.cut();
    while !matches!(within("the way back", events.next()).await, Some(Event::Connected { .. })) {}
    assert!(me.logged_in().is_some_and(|login| login.username == "Ann" && !login.guest));
    me.send("@bob", "here again").await.unwrap();
    // Whoever comes back and is not known any more does not try for ever.
    with_password.revoke_token(added.token_id).await.unwrap();
    while within("the end", events.next()).await.is_some() {}
    assert!(matches!(me.ping().await, Err(ClientError::Closed)));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_shown_is_said_to_be_so_before_anything_is_sent() {
    let town = town().await;
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("ann.crt"), folder.path().join("ann.key"));
    match town.client().certificate(&certificate, &key).connect().await {
        Err(ClientError::Certificate(CertificateError::Read { path, .. })) => assert_eq!(path, certificate),
        other => panic!("{:?}", other.map(|_| ())),
    }
    let (one, other) = (Badge::new(), Badge::new());
    fs::write(&certificate, one.certificate.pem()).unwrap();
    fs::write(&key, other.key.serialize_pem()).unwrap();
    match town.client().certificate(&certificate, &key).connect().await {
        Err(ClientError::Certificate(CertificateError::Mismatch { .. })) => {}
        other => panic!("{:?}", other.map(|_| ())),
    }
    // A name that is no account's makes no guest of whoever shows a certificate.
    fs::write(&key, one.key.serialize_pem()).unwrap();
    match town.client().username("gina").certificate(&certificate, &key).connect().await {
        Err(error @ ClientError::LoginRefused { .. }) => assert_eq!(error.code().unwrap().as_str(), "bad_credentials"),
        other => panic!("{:?}", other.map(|_| ())),
    }
    let stream = tokio::io::duplex(64).0;
    match Client::over(stream).username("gina").certificate(&certificate, &key).connect().await {
        Err(ClientError::Connect { source, .. }) => assert_eq!(source.kind(), ErrorKind::InvalidInput),
        other => panic!("{:?}", other.map(|_| ())),
    }
    let plain = Client::builder(town.server.address().to_string()).username("gina").certificate(&certificate, &key);
    match plain.connect().await {
        Err(ClientError::Connect { source, .. }) => assert!(source.to_string().contains("tls://"), "{source}"),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

/// A program that knows the certificates of its people itself.
#[derive(Clone, Default)]
struct Register(Arc<Mutex<Vec<Option<Fingerprint>>>>);

impl Hooks for Register {
    async fn authenticate(&self, login: &Login) -> Authentication {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(login.certificate);
        match login.certificate {
            Some(_) if login.username == "carol" => Authentication::Accept(Identity::new("carol")),
            _ => Authentication::NotMine,
        }
    }
}

#[tokio::test]
async fn a_hook_is_told_of_the_certificate() {
    let (setup, authority) = secured();
    let register = Register::default();
    let hooks = register.clone();
    let town = Town { server: setup.around(|builder| builder.hooks(hooks)).await, authority };
    let badge = Badge::new();
    let (fingerprint, _) = town.introduces(&badge).await;
    assert_eq!(town.shows(&badge).await.ask(by_name("carol")).await["guest"], false);
    town.server.native("gina").await;
    let seen = register.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(seen, [Some(fingerprint), Some(fingerprint), None]);
}

#[tokio::test]
async fn the_terminal_client_adds_shows_lists_and_revokes_certificates() {
    let town = town().await;
    let badge = Badge::new();
    let ann = town.person(&badge);
    let run = async |args: &str| ann.run_with("", &args.split(' ').collect::<Vec<_>>()).await;
    let refused = run("rooms").await;
    assert_eq!(refused.code, Some(77), "{refused:?}");
    assert!(refused.stderr.contains("snakk token certificate"), "{refused:?}");
    // Nobody becomes a guest by a slip.
    let slip = run("send lobby hello -u anm --certificate ann.pem").await;
    assert_eq!(slip.code, Some(77), "{slip:?}");
    let without = ann.run_with("", &["token", "certificate", "-u", "tester"]).await;
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(without.stderr.contains("--fingerprint"), "{without:?}");
    ann.secret("password", &format!("{PASSWORD}\n"));
    let added = run("token certificate laptop --password-file password").await;
    fine(&added);
    let fingerprint: Fingerprint = added.lines[0].parse().unwrap();
    fine(&run("rooms").await);
    let listed = run("token list").await;
    fine(&listed);
    assert!(listed.lines[0].starts_with(&format!("    1  {fingerprint}  laptop  (made ")), "{listed:?}");
    let listed = run("token list --json").await;
    let line: Value = serde_json::from_str(&listed.lines[0]).unwrap();
    assert_eq!((&line["token_id"], &line["fingerprint"]), (&json!(1), &json!(fingerprint.to_string())));
    // That of another machine.
    let other = "ab".repeat(32);
    fine(&run(&format!("token certificate --for 90d --fingerprint {other}")).await);
    assert!(run("token list").await.lines[1].contains(", ends "));
    // A token stands where a password would.
    let made = run("token create bot").await;
    fine(&made);
    ann.secret("token", &format!("{}\n", made.lines[0]));
    let plain = town.server.address().to_string();
    fine(&run(&format!("names --server {plain} -u ann --password-file token")).await);
    // And what only begins like one is a password.
    ann.secret("other", "snk_alpha horse\n");
    fine(&run(&format!("register --server {plain} -u alpha --password-file other")).await);
    fine(&run(&format!("names --server {plain} -u alpha --password-file other")).await);

    fine(&run("token revoke 1").await);
    let nothing = run("token revoke 1 --password-file password").await;
    assert!(nothing.code == Some(1) && nothing.stderr.contains("has no token or certificate 1"), "{nothing:?}");
    let refused = run("rooms").await;
    assert_eq!(refused.code, Some(77), "{refused:?}");
    // For another server or name the certificate is nobody's business.
    fine(&run(&format!("rooms --server {plain} -u gina")).await);
    let said = run(&format!("rooms --server {plain} -u gina --certificate ann.pem")).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("tls://"), "{said:?}");
    ann.settle(&format!("server = \"{plain}\"\ncertificate = \"~/ann.pem\"\n"));
    let said = run("rooms").await;
    assert_eq!(said.code, Some(78), "{said:?}");
    ann.settle(&format!("server = \"{plain}\"\ncertificate_key = \"~/ann.pem\"\n"));
    assert_eq!(run("rooms").await.code, Some(78));
    assert_eq!(run("host --certificate ann.pem").await.code, Some(2));
}

#[tokio::test]
async fn the_terminal_client_says_what_is_wrong_with_a_certificate() {
    let town = town().await;
    let ann = town.person(&Badge::new());
    ann.secret("password", &format!("{PASSWORD}\n"));
    let shows = async |args: &str| {
        let rooms = ["rooms", "--password-file", "password"];
        ann.run_with("", &rooms.into_iter().chain(args.split(' ')).collect::<Vec<_>>()).await
    };
    let missing = shows("--certificate nowhere.pem").await;
    assert_eq!(missing.code, Some(78), "{missing:?}");
    assert_eq!(missing.stderr.matches("No such file").count(), 1, "{missing:?}");
    ann.secret("other.key", &Badge::new().key.serialize_pem());
    let mismatch = shows("--certificate ann.pem --key other.key").await;
    assert_eq!(mismatch.code, Some(78), "{mismatch:?}");
    ann.secret("none.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let unusable = shows("--certificate ann.pem --key none.key").await;
    assert_eq!(unusable.code, Some(78), "{unusable:?}");
    assert!(unusable.stderr.contains("RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, Ed25519"), "{unusable:?}");
    fs::set_permissions(ann.path("ann.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let open = shows("--certificate ann.pem").await;
    assert_eq!(open.code, Some(0), "{open:?}");
    assert!(open.stderr.contains("others can read ann.pem, which holds the key of your certificate"), "{open:?}");
}

#[tokio::test]
async fn whoever_sits_at_a_terminal_is_asked_for_the_password_where_the_certificate_is_not_known() {
    let town = town().await;
    let ann = town.person(&Badge::new());
    let server = format!("tls://{}", town.address());
    let mut screen = ann.screen_of(120, 24, &[], &["rooms", "--server", &server]);
    screen.shows("does not know this certificate").await;
    screen.shows("Password of ann:").await;
    screen.enter(PASSWORD).await;
    screen.shows("lobby").await;
    assert_eq!(screen.exited().await.code(), Some(0));
}
