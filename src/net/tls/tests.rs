//! Whom a client believes and whom it does not, over streams in memory; and what is said of certificates in files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;
use crate::net::{Address, CertificateFiles, ConnectError, Distrust, Host, Stream, Trust, Untrusted, memory_pair};

/// An authority that only a test trusts.
struct Authority(Issuer<'static, KeyPair>, RootCertStore);

/// A certificate and its key, as files.
struct Issued {
    folder: TempDir,
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Authority {
        let (mut params, key) = (params(&[]), KeyPair::generate().unwrap());
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        Authority(Issuer::new(params, key), roots)
    }

    fn issue(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        Issued::new(&params.signed_by(&key, &self.0).unwrap().pem(), &key.serialize_pem())
    }
}

impl Issued {
    fn new(certificate: &str, key: &str) -> Issued {
        let issued =
            Issued { folder: tempfile::tempdir().unwrap(), certificate: certificate.to_owned(), key: key.to_owned() };
        issued.write("certificate", certificate);
        issued.write("key", key);
        issued
    }

    fn self_signed(params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        Issued::new(&params.self_signed(&key).unwrap().pem(), &key.serialize_pem())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn files(&self) -> CertificateFiles {
        CertificateFiles { certificate: self.path("certificate"), key: self.path("key") }
    }

    fn read(&self) -> Certificate {
        Certificate::read(&self.files(), SystemTime::now()).unwrap()
    }

    fn acceptor(&self) -> Acceptor {
        Acceptor::new(self.read()).unwrap()
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn host(name: &str) -> Host {
    match format!("tls://{name}:1").parse() {
        Ok(Address::Tls(host, _)) => host,
        other => panic!("{other:?}"),
    }
}

/// Both ends after their handshake, or how it failed for the client and for the server.
async fn shake(
    acceptor: &Acceptor,
    trust: Trust,
    roots: &RootCertStore,
    name: &str,
) -> (Result<Stream, ConnectError>, io::Result<Stream>) {
    let (near, far) = memory_pair();
    let (credentials, host) = (Credentials::with(trust, roots.clone()), host(name));
    tokio::join!(credentials.connect(near, &host), acceptor.accept(far))
}

/// Two ends of an encrypted stream in memory, for tests of what goes over it.
pub(in crate::net) async fn pair() -> (Stream, Stream) {
    let acceptor = Issued::self_signed(&params(&["localhost"])).acceptor();
    let (client, server) = shake(&acceptor, Trust::Anything, &RootCertStore::empty(), "localhost").await;
    (client.unwrap(), server.unwrap())
}

#[test]
fn a_fingerprint_is_the_sha_256() {
    // The hash of "abc" is an example of FIPS 180-4.
    let expected = "BA7816BF:8F01CFEA:414140DE:5DAE2223:B00361A3:96177A9C:B410FF61:F20015AD";
    assert_eq!(fingerprint(b"abc"), expected.parse().unwrap());
}

#[tokio::test]
async fn a_server_is_believed_for_the_names_that_an_authority_has_signed() {
    let authority = Authority::new();
    let issued = authority.issue(&params(&["chat.example.org", "*.example.net", "127.0.0.1", "::1"]));
    let acceptor = issued.acceptor();
    for name in ["chat.example.org", "CHAT.example.org", "a.example.net", "127.0.0.1", "[::1]"] {
        let (client, server) = shake(&acceptor, Trust::System, &authority.1, name).await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        client.write_all(b"hello").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "hello", "{name}");
    }
}

#[tokio::test]
async fn each_fault_of_a_certificate_is_named_and_a_pin_helps_where_it_should() {
    let (authority, name) = (Authority::new(), "chat.example.org");
    let good = params(&[name]);
    let (mut old, mut new, mut openssl) = (good.clone(), good.clone(), good.clone());
    (old.not_before, old.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 2, 3));
    (new.not_before, new.not_after) = (date_time_ymd(2400, 1, 2), date_time_ymd(2401, 1, 1));
    openssl.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let second = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    let wrong =
        Distrust::WrongHost { host: name.into(), names: vec!["a.example.org".to_owned(), "10.0.0.1".to_owned()] };
    let nobody = RootCertStore::empty();
    let cases = [
        (authority.issue(&old), &authority.1, Distrust::Expired { since: second(981_158_400) }),
        (authority.issue(&new), &authority.1, Distrust::NotYetValid { until: second(13_569_552_000) }),
        (authority.issue(&params(&["a.example.org", "10.0.0.1"])), &authority.1, wrong),
        (Authority::new().issue(&good), &authority.1, Distrust::UnknownIssuer),
        (Issued::self_signed(&good), &authority.1, Distrust::UnknownIssuer),
        (Issued::self_signed(&openssl), &authority.1, Distrust::UnknownIssuer),
        (Issued::self_signed(&good), &nobody, Distrust::NoAuthorities),
    ];
    for (issued, roots, expected) in cases {
        let (acceptor, shown) = (issued.acceptor(), issued.read().fingerprint());
        let (client, server) = shake(&acceptor, Trust::System, roots, name).await;
        let Err(ConnectError::Untrusted(Untrusted { why, fingerprint })) = client else {
            panic!("it should be {expected}")
        };
        assert_eq!((&why, fingerprint), (&expected, shown));
        assert!(why.may_be_pinned(), "{why}");
        let told = server.unwrap_err().to_string();
        let forged = told == "the other side ended the TLS handshake (DecryptError)";
        assert!(forged || told.starts_with("the certificate is not trusted there ("), "{why}: {told}");

        for trust in [Trust::Pinned(shown), Trust::Anything] {
            let (client, server) = shake(&acceptor, trust, &nobody, "other.example.org").await;
            assert!(client.is_ok() && server.is_ok(), "{why}");
        }
        let pinned = fingerprint_of("another certificate");
        let (client, _) = shake(&acceptor, Trust::Pinned(pinned), roots, name).await;
        let Err(ConnectError::Untrusted(Untrusted { why, fingerprint })) = client else { panic!("another is pinned") };
        assert_eq!((&why, fingerprint), (&Distrust::OtherFingerprint { pinned }, shown));
        assert!(!why.may_be_pinned());
    }
}

fn fingerprint_of(text: &str) -> Fingerprint {
    fingerprint(text.as_bytes())
}

#[tokio::test]
async fn whoever_has_only_copied_a_certificate_is_believed_by_nobody() {
    let authority = Authority::new();
    let (theirs, own) = (authority.issue(&params(&["localhost"])), authority.issue(&params(&["localhost"])));
    let mut copied = theirs.read();
    let shown = copied.fingerprint();
    copied.certified =
        Arc::new(CertifiedKey::new(copied.certified.cert.clone(), Arc::clone(&own.read().certified.key)));
    let acceptor = Acceptor::new(copied).unwrap();
    for trust in [Trust::System, Trust::Pinned(shown), Trust::Anything] {
        let (client, _) = shake(&acceptor, trust.clone(), &authority.1, "localhost").await;
        let Err(ConnectError::Untrusted(Untrusted { why, .. })) = client else { panic!("{trust:?}") };
        assert_eq!(why, Distrust::NotProven, "{trust:?}");
        assert!(!why.may_be_pinned());
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_does_not_end_as_if_it_were_closed() {
    let acceptor = Issued::self_signed(&params(&["localhost"])).acceptor();
    let ((near, mut here), (mut there, far)) = (memory_pair(), memory_pair());
    let (cut, is_cut) = oneshot::channel::<()>();
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut here, &mut there) => {}
            _ = is_cut => {}
        }
    });
    let host = host("localhost");
    let credentials = Credentials::with(Trust::Anything, RootCertStore::empty());
    let (client, server) = tokio::join!(credentials.connect(near, &host), acceptor.accept(far));
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    server.write_all(b"{\"half\":").await.unwrap();
    server.flush().await.unwrap();
    let mut heard = [0; 8];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"{\"half\":");
    drop(cut);
    for end in [&mut client, &mut server] {
        let error = end.read_u8().await.unwrap_err();
        assert_eq!(error.to_string(), "the connection was cut off");
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_those_who_come_after_it() {
    let (first, second) = (Issued::self_signed(&params(&["a"])), Issued::self_signed(&params(&["a"])));
    let acceptor = first.acceptor();
    let nobody = RootCertStore::empty();
    let pinned = |issued: &Issued| Trust::Pinned(issued.read().fingerprint());
    let (client, server) = shake(&acceptor, pinned(&first), &nobody, "a").await;
    acceptor.replace(second.read());
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    server.write_all(b"still here").await.unwrap();
    server.shutdown().await.unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "still here");
    assert!(shake(&acceptor, pinned(&first), &nobody, "a").await.0.is_err());
    assert!(shake(&acceptor.clone(), pinned(&second), &nobody, "a").await.0.is_ok());
}

#[test]
fn what_is_wrong_with_the_files_is_said_with_their_names() {
    let (issued, other) = (Issued::self_signed(&params(&["a"])), Issued::self_signed(&params(&["a"])));
    let (certificate, key) = (&issued.certificate, &issued.key);
    let spoiled = certificate.replacen('M', "!", 1);
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let older = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n";
    let useless = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let large = "x".repeat((1 << 20) + 1);
    let cases = [
        (certificate.as_str(), key.as_str(), None),
        ("", key, Some("certificate has no certificate in it")),
        ("hello\n", key, Some("certificate has no certificate in it")),
        (key, key, Some("certificate has no certificate in it")),
        (&spoiled, key, Some("certificate cannot be used: it is damaged")),
        (garbage, key, Some("certificate cannot be used: ")),
        (&certificate[..200], key, Some("certificate cannot be used: a \"-----BEGIN\" in it has no \"-----END\"")),
        (&large, key, Some("certificate is too large")),
        (certificate, "", Some("key has no private key in it")),
        (certificate, certificate, Some("key has no private key in it")),
        (certificate, encrypted, Some("is encrypted")),
        (certificate, older, Some("is encrypted")),
        (certificate, useless, Some("key cannot be used: ")),
        (certificate, &other.key, Some("certificate")),
    ];
    for (certificate, key, words) in cases {
        issued.write("certificate", certificate);
        issued.write("key", key);
        let read = Certificate::read(&issued.files(), SystemTime::now());
        match (read, words) {
            (Ok(read), None) => assert_eq!(read.warnings(), [""; 0]),
            (Err(error), Some(words)) => {
                let shown = error.to_string();
                assert!(shown.contains(words) && shown.contains(issued.folder.path().to_str().unwrap()), "{shown}");
            }
            (read, words) => panic!("{words:?}, but it is {:?}", read.map(|_| ())),
        }
    }
    let read = |certificate: &Path, key: &Path| {
        let files = CertificateFiles { certificate: certificate.to_owned(), key: key.to_owned() };
        Certificate::read(&files, SystemTime::now()).unwrap_err().to_string()
    };
    issued.write("certificate", certificate);
    let (folder, here, nowhere) = (issued.folder.path(), issued.path("certificate"), issued.path("nowhere"));
    assert_eq!(read(folder, &here), format!("{} is not a regular file, it must be one", folder.display()));
    assert_eq!(read(&here, folder), format!("{} is not a regular file, it must be one", folder.display()));
    let missing = "No such file or directory (os error 2)";
    assert_eq!(read(&nowhere, &here), format!("cannot read {}: {missing}", nowhere.display()));
    assert_eq!(read(&here, &nowhere), format!("cannot read {}: {missing}", nowhere.display()));
}

#[test]
fn what_is_out_of_date_or_no_secret_is_a_warning() {
    let authority = Authority::new();
    let mut params = params(&["a"]);
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
    let issued = authority.issue(&params);
    // One for each: a second certificate behind the first is looked at too.
    issued.write("certificate", &format!("{0}{0}", issued.certificate));
    let warnings = |day: u64| {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs((18_262 + day) * 86_400);
        Certificate::read(&issued.files(), now).unwrap().warnings().join("\n")
    };
    let path = issued.path("certificate");
    let both = |why: &str| {
        let path = path.display();
        let rest = format!("is not good: {why}; clients that verify it will not come in");
        format!("the certificate in {path} {rest}\nthe certificate in {path}, number 2 in the file, {rest}")
    };
    assert_eq!(warnings(3), "");
    // The time begins on the first of January.
    let before = SystemTime::UNIX_EPOCH + Duration::from_secs(18_261 * 86_400);
    let early = Certificate::read(&issued.files(), before).unwrap().warnings().join("\n");
    assert_eq!(early, both("it is not valid before 2020-01-01 00:00 UTC"));
    assert_eq!(warnings(40), both("it expired on 2020-02-01 00:00 UTC"));

    for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true)] {
        fs::set_permissions(issued.path("key"), fs::Permissions::from_mode(mode)).unwrap();
        let expected = format!(
            "the key in {} can be read by others than its owner (mode {mode:04o})",
            issued.path("key").display()
        );
        assert_eq!(warnings(3), if warned { expected } else { String::new() });
    }
}
