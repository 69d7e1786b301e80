//! `snakkd user`: accounts, while no daemon runs. (While one does: `control.rs`.)

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::daemon;
use crate::support::daemon::{fed, printed};
use crate::support::server::PASSWORD;

/// Runs `snakkd user ..` on a data directory, with this on its standard input.
fn user(data: &Path, input: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_snakkd"));
    command.arg("--data-dir").arg(data).arg("user").args(args).env_clear().env("HOME", data).current_dir("/");
    fed(command, input)
}

#[track_caller]
fn said(data: &Path, input: &str, args: &[&str]) -> String {
    printed(user(data, input, args), args)
}

#[track_caller]
fn refused(data: &Path, input: &str, args: &[&str], code: i32, why: &str) {
    let stderr = daemon::refused(&user(data, input, args), args, code, why);
    assert!(!stderr.contains("horse"), "a password in {stderr}");
}

#[tokio::test]
async fn accounts_are_made_and_changed_while_no_daemon_runs() {
    let setup = daemon();
    let data = setup.data_dir();
    refused(&data, "", &["list"], 73, "cannot open the database");
    assert!(!data.exists(), "nothing was made");
    said(&data, &format!("{PASSWORD}\n"), &["add", "Root"]);
    said(&data, "another horse\r\nmore", &["add", "anna"]);
    refused(&data, "another horse\n", &["add", "r00t"], 1, "taken");
    refused(&data, "another horse\n", &["add", "admin"], 1, "no name");
    refused(&data, "short\n", &["add", "bob"], 1, "8 to 1024");
    refused(&data, "", &["add", "bob"], 1, "no password");
    refused(&data, "", &["role", "nobody", "admin"], 1, "no such user");
    said(&data, "", &["role", "ROOT", "admin"]);
    said(&data, &format!("{PASSWORD}\n"), &["passwd", "anna"]);
    assert_eq!(said(&data, "", &["list"]), "anna user never\nRoot admin never\n");
    let lines: Vec<Value> =
        said(&data, "", &["list", "--json"]).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[1], json!({"username": "Root", "role": "admin", "last_seen": null}));

    let daemon = setup.await;
    let mut anna = daemon.hello("anna").await;
    anna.ask(json!({"request": "login", "username": "anna", "password": PASSWORD})).await;
    anna.ask(json!({"request": "create", "room": "den"})).await;
    let token = anna.ask(json!({"request": "token", "action": "create"})).await["token"].clone();
    let by_token = json!({"request": "login", "username": "anna", "token": token});
    let mut root = daemon.hello("root").await;
    let login = root.ask(json!({"request": "login", "username": "root", "password": PASSWORD})).await;
    assert_eq!((&login["username"], &login["role"]), (&json!("Root"), &json!("admin")));
    root.join("den").await;
    assert!(said(&data, "", &["list"]).starts_with("anna user never\n"), "the daemon is asked where one runs");
    let setup = daemon.again();
    let mut stopped = daemon;
    stopped.sigterm();
    assert!(stopped.exited().await.success());

    // Another password alone leaves the tokens.
    said(&data, "another horse\n", &["passwd", "anna"]);
    let mut daemon = setup.clone().await;
    daemon.hello("bot").await.ask(by_token.clone()).await;
    daemon.sigterm();
    assert!(daemon.exited().await.success());
    said(&data, "another horse\n", &["passwd", "anna", "--revoke-tokens"]);
    let mut daemon = setup.clone().await;
    daemon.hello("bot").await.ask_in_vain(by_token, "bad_credentials").await;
    daemon.sigterm();
    assert!(daemon.exited().await.success());

    // What anna owned is Root's, by the rules of the running server.
    said(&data, "", &["delete", "anna"]);
    refused(&data, "", &["delete", "anna"], 1, "no such user");
    refused(&data, "another horse\n", &["add", "anna"], 1, "taken");
    assert!(said(&data, "", &["list"]).starts_with("Root admin 20"));
    let daemon = setup.await;
    let mut root = daemon.hello("root").await;
    let login = root.ask(json!({"request": "login", "username": "root", "password": PASSWORD})).await;
    assert_eq!((&login["rooms"][0]["room"], &login["rooms"][0]["role"]), (&json!("den"), &json!("owner")));
    let acts = root.ask(json!({"request": "acts"})).await;
    assert_eq!((&acts["acts"][0]["by"], &acts["acts"][0]["target"]), (&json!("snakkd"), &json!("anna")));
}

#[test]
fn what_makes_no_sense_is_a_usage_error_and_a_bad_configuration_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    refused_usage(&data, &["role", "olaf", "owner"]);
    refused_usage(&data, &["add"]);
    let config = folder.path().join("bad.toml");
    std::fs::write(&config, "nonsense = 1\n").expect("a file");
    let config = config.to_str().expect("UTF-8");
    assert_eq!(user(&data, "", &["list", "--config", config]).status.code(), Some(78));
    assert!(!data.exists());
}

fn refused_usage(data: &Path, args: &[&str]) {
    assert_eq!(user(data, "", args).status.code(), Some(2), "{args:?}");
}
