//! The certificates of listeners: bad ones, old ones, those of the README, and renewed ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rcgen::{KeyPair, date_time_ymd};
use rustix::process::Signal;
use snakk::Client;
use snakk::client::{ClientError, Distrust, Fingerprint, Trust};

use crate::support::person::{ended, fine};
use crate::support::secure::{Place, line_with, listener, params, secured};
use crate::support::{Person, daemon};

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_refused_at_the_start_and_by_check() {
    let place = Place::new();
    let (certificate, key) = (place.authority.path("snakk.crt"), place.authority.path("snakk.key"));
    let good = (fs::read_to_string(&certificate).unwrap(), fs::read_to_string(&key).unwrap());
    let other = KeyPair::generate().unwrap().serialize_pem();
    type Spoil<'a> = Box<dyn Fn() + 'a>;
    let missing = |path: &'static str| -> Spoil<'_> {
        let path = place.authority.path(path);
        Box::new(move || fs::remove_file(&path).unwrap())
    };
    let directory = |path: &'static str| -> Spoil<'_> {
        let path = place.authority.path(path);
        Box::new(move || {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        })
    };
    let garbage = |path: &'static str| -> Spoil<'_> {
        let path = place.authority.path(path);
        Box::new(move || fs::write(&path, [0xff; 3000]).unwrap())
    };
    let mismatch: Spoil<'_> = Box::new(|| fs::write(&key, &other).unwrap());
    let cases = [
        ("snakk.crt", missing("snakk.crt")),
        ("snakk.crt", directory("snakk.crt")),
        ("snakk.crt", garbage("snakk.crt")),
        ("snakk.key", missing("snakk.key")),
        ("snakk.key", directory("snakk.key")),
        ("snakk.key", garbage("snakk.key")),
        ("snakk.key", mismatch),
    ];
    for (number, (named, spoil)) in cases.iter().enumerate() {
        spoil();
        for args in ["check", ""] {
            let ended = place.run(args).await;
            assert_eq!(ended.code, Some(78), "{number} {args}: {ended:?}");
            let last = ended.lines.last().unwrap();
            let named = place.authority.path(named);
            assert!(last.contains(named.to_str().unwrap()), "{number}: {ended:?}");
            let key = if named == certificate { "certificate" } else { "key" };
            assert!(last.starts_with(&format!("snakkd: listener 127.0.0.1:0: tls.{key}: ")), "{number}: {ended:?}");
            assert!(!place.folder.path().join("data").exists(), "{number}: nothing is made");
        }
        for path in [&certificate, &key] {
            let _ = fs::remove_dir(path);
        }
        place.authority.write(&good.0, &good.1);
    }
    let ended = place.run("check").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let shown = format!("listener 127.0.0.1:0 (tls, {})", place.authority.fingerprint());
    assert!(ended.lines.contains(&shown), "{ended:?}");
    assert!(!place.folder.path().join("data").exists());
    // All that is wrong is said at once.
    fs::remove_file(&key).unwrap();
    let two = listener(&certificate, &key).repeat(2) + &listener(&place.authority.path("nowhere"), &key);
    place.configure(&two);
    let ended = place.run("check").await;
    assert_eq!((ended.code, ended.lines.len()), (Some(78), 2), "{ended:?}");
    assert!(ended.lines[0].contains("snakk.key") && ended.lines[1].contains("nowhere"), "{ended:?}");
}

#[tokio::test]
async fn a_certificate_that_is_out_of_date_and_a_key_that_is_no_secret_are_warned_of() {
    let place = Place::new();
    let mut old = params(&["localhost"]);
    (old.not_before, old.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
    let mut new = params(&["localhost"]);
    (new.not_before, new.not_after) = (date_time_ymd(2800, 1, 1), date_time_ymd(2801, 1, 1));
    let key = place.authority.path("snakk.key");
    for (params, mode, words) in [
        (&old, 0o600, "it expired on 2001-01-01 00:00 UTC"),
        (&new, 0o600, "it is not valid before 2800-01-01 00:00 UTC"),
        (&params(&["localhost"]), 0o644, "can be read by others than its owner (mode 0644)"),
    ] {
        place.authority.issue_as(params);
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let ended = place.run("check").await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.lines.iter().any(|line| line.starts_with("note: ") && line.contains(words)), "{ended:?}");
        let mut daemon = daemon().spawn_by(place.command(""));
        let line = line_with(&mut daemon, words).await;
        assert!(line.contains("WARN"), "{line}");
        line_with(&mut daemon, "listening on 127.0.0.1:").await;
        // The next one needs its database.
        daemon.kill9().await;
    }
}

/// What the README tells to do, done with its very words.
#[tokio::test]
async fn the_certificate_of_the_readme_is_good_and_has_the_fingerprint_that_openssl_says() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let making = page.lines().find(|line| line.starts_with("openssl req ")).expect("a line for openssl");
    let place = Place::new();
    let shell = |line: &str| Command::new("/bin/sh").args(["-c", line]).current_dir(place.folder.path()).output();
    if !shell("openssl version").unwrap().status.success() {
        println!("skipped: there is no openssl here");
        return;
    }
    let made = shell(&making.replace("chat.example.org", "localhost")).unwrap();
    assert!(made.status.success(), "{made:?}");
    place.configure(&listener(Path::new("snakk.crt"), Path::new("snakk.key")));
    let said = shell("openssl x509 -in snakk.crt -noout -fingerprint -sha256").unwrap();
    let fingerprint: Fingerprint = String::from_utf8(said.stdout).unwrap().parse().unwrap();
    let check = place.run("check").await;
    assert!(check.lines.contains(&format!("listener 127.0.0.1:0 (tls, {fingerprint})")), "{check:?}");
    assert!(!check.lines.iter().any(|line| line.starts_with("note: ")), "the key is a secret: {check:?}");
    let (_daemon, address) = place.start().await;
    let pinned = Client::builder(format!("tls://{address}")).username("ann").trust(Trust::Pinned(fingerprint));
    pinned.connect().await.unwrap();
    let person = Person::of(address);
    let server = format!("tls://localhost:{}", address.port());
    let mut command = person.shell("exec \"$0\" \"$@\"", &["--server", &server, "rooms"]);
    command.env("SSL_CERT_FILE", place.folder.path().join("snakk.crt"));
    fine(&ended(daemon().spawn_by(command)).await);
}

#[tokio::test]
async fn certificates_are_relative_to_the_configuration_and_listen_replaces_them_not_in_silence() {
    let place = Place::new();
    let home = place.folder.path().join("etc");
    fs::create_dir(&home).unwrap();
    for name in ["snakk.crt", "snakk.key"] {
        fs::rename(place.authority.path(name), home.join(name)).unwrap();
    }
    fs::write(home.join("snakk.toml"), listener(Path::new("snakk.crt"), Path::new("snakk.key"))).unwrap();
    let ended = place.run("check --config etc/snakk.toml").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut daemon = daemon().spawn_by(place.command("--config etc/snakk.toml --listen 127.0.0.1:0"));
    let line = line_with(&mut daemon, "TLS").await;
    assert!(line.contains("WARN") && line.contains("those that replace it have none"), "{line}");
    let line = line_with(&mut daemon, "listening on ").await;
    assert!(line.ends_with("(tcp)"), "{line}");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_over_and_a_broken_one_is_not() {
    let place = Place::new();
    let first = place.authority.fingerprint();
    let (mut daemon, address) = place.start().await;
    let comes_in = async |fingerprint, name: &str| {
        let builder = Client::builder(format!("tls://{address}")).username(name).trust(Trust::Pinned(fingerprint));
        builder.connect().await
    };
    let old = comes_in(first, "old").await.unwrap();
    old.join("lobby").await.unwrap();
    place.authority.issue();
    let second = place.authority.fingerprint();
    assert!(comes_in(second, "early").await.is_err(), "it is not read before somebody says so");
    daemon.signal(Signal::HUP);
    line_with(&mut daemon, &format!("the certificate was read listener=127.0.0.1:0 fingerprint={second}")).await;
    let new = comes_in(second, "new").await.unwrap();
    // Who asks for it is told which one it is.
    let said = place.run("reload").await;
    assert!(said.code == Some(0) && !said.lines.join(" ").contains("SHA256"), "{said:?}");
    let (certificate, key) = (place.authority.path("snakk.crt"), place.authority.path("snakk.key"));
    let kept = (fs::read_to_string(&certificate).unwrap(), fs::read_to_string(&key).unwrap());
    place.authority.issue();
    let said = place.run("reload").await;
    assert!(said.lines.join(" ").contains(&place.authority.fingerprint().to_string()), "{said:?}");
    place.authority.write(&kept.0, &kept.1);
    fine(&place.run("reload").await);
    match comes_in(first, "late").await {
        Err(ClientError::Untrusted { why, fingerprint, .. }) => {
            assert_eq!((why, fingerprint), (Distrust::OtherFingerprint { pinned: first }, second));
        }
        other => panic!("{other:?}"),
    }
    // Another key, half a certificate, and then no file.
    let key = KeyPair::generate().unwrap().serialize_pem();
    let certificate = fs::read_to_string(place.authority.path("snakk.crt")).unwrap();
    place.authority.write(&certificate, &key);
    daemon.signal(Signal::HUP);
    let said = "a certificate was not reloaded, the old one stays";
    let line = line_with(&mut daemon, said).await;
    assert!(line.contains("ERROR") && line.contains("is not that of the first certificate in"), "{line}");
    assert!(line.contains("listener 127.0.0.1:0: tls.key: the key in "), "{line}");
    place.authority.write(&certificate[..300], &key);
    // A configuration that is wrong as well does not keep the certificates from being read.
    place.configure("[log]\nkeep = -1\n");
    daemon.signal(Signal::HUP);
    line_with(&mut daemon, "log.keep is -1").await;
    line_with(&mut daemon, said).await;
    fs::remove_file(place.authority.path("snakk.crt")).unwrap();
    daemon.signal(Signal::HUP);
    line_with(&mut daemon, said).await;
    assert!(comes_in(second, "after").await.is_ok());
    for client in [&old, &new] {
        client.ping().await.unwrap();
    }
    old.send("lobby", "still here").await.unwrap();
    daemon.sigterm();
    assert_eq!(daemon.exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_program_that_carries_a_server_can_renew_its_certificate() {
    let (server, authority) = secured(|_| {}).await;
    let address = format!("tls://{}", server.address_of(1));
    authority.issue();
    let new = server.server.reload_certificates().unwrap();
    assert_eq!(new.iter().map(|new| new.fingerprint).collect::<Vec<_>>(), [authority.fingerprint()]);
    assert_eq!(server.server.reload_certificates().unwrap(), [], "it is the same");
    let renewed = Trust::Pinned(authority.fingerprint());
    Client::builder(&*address).username("ann").trust(renewed.clone()).connect().await.unwrap();
    fs::remove_file(authority.path("snakk.key")).unwrap();
    let errors = server.server.reload_certificates().unwrap_err();
    assert_eq!(errors.errors().len(), 1);
    assert_eq!(errors.errors()[0].key, "tls.key");
    assert!(errors.to_string().contains("snakk.key"), "{errors}");
    Client::builder(&*address).username("bob").trust(renewed).connect().await.unwrap();
}
