//! What is installed besides the programs: units, the configuration of the package, the manual page of the configuration.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use snakk::Config;

/// No unit may be more exposed than this, of 10.
const MOST_EXPOSED: f64 = 1.2;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The output of a program of the system, or nothing where it is not installed, which is said loudly.
fn system(program: &str, arguments: impl FnOnce(&mut Command) -> &mut Command) -> Option<Output> {
    let mut command = Command::new(program);
    match arguments(&mut command).env("LC_ALL", "C.UTF-8").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: THERE IS NO {program} HERE, SO NOBODY HAS LOOKED AT WHAT IT WOULD HAVE LOOKED AT");
            None
        }
        Err(error) => panic!("{program}: {error}"),
    }
}

/// The values that a unit gives to a key, in their order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn systemd_has_nothing_to_say_about_the_units() {
    let folder = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for name in ["snakkd.service", "snakkd.socket", "snakkd-backup.service", "snakkd-backup.timer"] {
        // Where the program is not installed, the units would name one that is not there.
        let unit = read(&format!("systemd/{name}")).replace("/usr/bin/snakkd", env!("CARGO_BIN_EXE_snakkd"));
        let file = folder.path().join(name);
        fs::write(&file, unit).unwrap();
        units.push(file);
    }
    let mut path = folder.path().as_os_str().to_owned();
    path.push(":");
    let checked = system("systemd-analyze", |command| {
        command.env("SYSTEMD_UNIT_PATH", path).args(["verify", "--man=no"]).args(&units)
    });
    let Some(output) = checked else { return };
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_services_may_do_hardly_anything() {
    for name in ["snakkd.service", "snakkd-backup.service"] {
        let checked = system("systemd-analyze", |command| {
            command.args(["security", "--offline=true", "--no-pager"]).arg(root().join("systemd").join(name))
        });
        let Some(output) = checked else { return };
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.contains("Overall exposure level"));
        let line = line.unwrap_or_else(|| panic!("{name}: {text}{}", String::from_utf8_lossy(&output.stderr)));
        let level: f64 = line.rsplit(": ").next().unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!(level <= MOST_EXPOSED, "{name} has {level}, at most {MOST_EXPOSED} is allowed:\n{text}");
    }
}

#[test]
fn the_unit_and_the_program_agree() {
    let unit = read("systemd/snakkd.service");
    // What sysexits.h calls usage and config: trying again does not help.
    assert_eq!(values(&unit, "RestartPreventExitStatus"), ["2 78"]);
    let grace = Config::default().server.shutdown_grace.as_secs();
    let stop: u64 = values(&unit, "TimeoutStopSec")[0].parse().unwrap();
    assert!(stop > grace, "systemd would not wait for the {grace} s that a shutdown may take");
    assert_eq!(values(&unit, "StateDirectory"), ["snakk"]);
    let listener = &Config::default().listeners[0].address;
    assert_eq!(values(&read("systemd/snakkd.socket"), "ListenStream"), [listener]);
}

#[test]
fn a_lasting_user_can_be_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("etc")).unwrap();
    let checked = system("systemd-sysusers", |command| {
        let mut root_option = std::ffi::OsString::from("--root=");
        root_option.push(folder.path());
        command.arg("--dry-run").arg(root_option).arg(root().join("systemd/snakkd.sysusers.conf"))
    });
    let Some(output) = checked else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("Creating user 'snakk'"), "{text}");
}

#[test]
fn the_configuration_of_the_package_is_good() {
    let file = root().join("packaging/debian/snakk.toml");
    // It changes nothing, but that root finds the data of the unit.
    let text = fs::read_to_string(&file).unwrap();
    let mut expected = Config::default();
    expected.server.data_dir = Some("/var/lib/snakk".into());
    assert_eq!(Config::from_toml(&text, &file).unwrap(), expected);
    let mut command = Command::new(env!("CARGO_BIN_EXE_snakkd"));
    let output = command.env_clear().arg("--config").arg(&file).arg("check").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("listener 127.0.0.1:9998\n") && told.contains("data in /var/lib/snakk\n"), "{told}");

    // What stands behind a # must be good, too, once the # is taken away: everything is wrong with it that is wrong with
    // the paths, which are another machine's.
    let is_key =
        |line: &str| line.starts_with("[[") || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let all: Vec<&str> =
        text.lines().map(|line| line.strip_prefix('#').filter(|line| is_key(line)).unwrap_or(line)).collect();
    let config = Config::from_toml(&all.join("\n"), &file).unwrap();
    assert_eq!(config.listeners.len(), 2);
    assert!(config.listeners[1].tls.is_some() && config.server.motd == "Welcome!", "{config:?}");
}

#[test]
fn what_the_package_takes_from_the_tree_is_there() {
    let manifest = read("Cargo.toml");
    let (_, metadata) =
        manifest.split_once("[package.metadata.deb]\n").expect("Cargo.toml has no [package.metadata.deb]");
    let (_, assets) = metadata.split_once("\nassets = [\n").expect("no assets");
    let (assets, _) = assets.split_once("\n]").expect("no end of the assets");
    let mut seen = Vec::new();
    for line in assets.lines() {
        let words: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        let [source, target, mode] = words[..] else { panic!("{line}") };
        // The rest is what is built, and what the programs write.
        assert!(source.starts_with("target/release/") || root().join(source).is_file(), "there is no {source}");
        assert_eq!(mode, if target == "usr/bin/" { "755" } else { "644" }, "{line}");
        seen.push(source);
    }
    for needed in
        ["target/release/snakkd", "target/release/snakk", "packaging/debian/snakk.toml", "config.example.toml"]
    {
        assert!(seen.contains(&needed), "{needed} is not in the package");
    }
    for entry in fs::read_dir(root().join("systemd")).unwrap() {
        let name = format!("systemd/{}", entry.unwrap().file_name().to_str().unwrap());
        assert!(seen.contains(&name.as_str()), "{name} is not in the package");
    }
    for file in ["packaging/debian/changelog", "packaging/debian/copyright", "packaging/debian/scripts/postrm"] {
        assert!(root().join(file).is_file(), "there is no {file}");
    }
    // Without this word what cargo-deb writes would be left out.
    assert!(read("packaging/debian/scripts/postrm").contains("#DEBHELPER#"));
    assert!(read("packaging/debian/changelog").contains(concat!("(", env!("CARGO_PKG_VERSION"), "-")), "the version");
}

#[test]
fn the_licences_are_there_and_the_package_has_the_same() {
    assert!(read("Cargo.toml").contains("\nlicense = \"MIT OR Apache-2.0\"\n"));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let mit = read("LICENSE-MIT");
    let (head, permission) = mit.split_once("\n\nPermission").expect("the text of the licence");
    assert_eq!(head, "MIT License\n\nCopyright (c) 2026 The snakk authors");
    let copyright = read("packaging/debian/copyright");
    assert!(copyright.contains("\nCopyright: 2026 The snakk authors\nLicense: Expat or Apache-2.0\n"), "{copyright}");
    let (_, expat) = copyright.split_once("License: Expat\n Permission").expect("the text of the licence");
    let (expat, _) = expat.split_once("\nLicense: ").expect("another licence");
    assert_eq!(words(&expat.replace("\n .\n", "\n")), words(permission));
    let apache = read("LICENSE-APACHE");
    assert!(apache.contains("Apache License\n") && apache.contains("Version 2.0, January 2004"), "{apache}");
    assert!(apache.contains("END OF TERMS AND CONDITIONS"), "it is cut short");
}

#[test]
fn the_scripts_can_be_read_by_bash() {
    for script in [
        "packaging/debian/build",
        "packaging/debian/test",
        "packaging/debian/boot",
        "packaging/debian/scripts/postrm",
        "packaging/static",
    ] {
        let Some(output) = system("bash", |command| command.arg("-n").arg(root().join(script))) else { return };
        assert!(output.status.success() && output.stderr.is_empty(), "{script}: {output:?}");
    }
}

#[test]
fn the_page_of_the_configuration_tells_of_every_key() {
    let page = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_snakkd")).arg("man").args(arguments).env_clear().output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = page(&["snakk.toml"]);
    let folder = tempfile::tempdir().unwrap();
    page(&[folder.path().to_str().unwrap()]);
    let file = folder.path().join("snakk.toml.5");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    let plain = text.replace("\\-", "-").replace("\\fR", "").replace("\\fB", "").replace("\\fI", "");
    let (mut rest, mut keys) = (plain.as_str(), 0);
    for line in read("config.example.toml").lines() {
        let shown = match line.strip_prefix('#').unwrap_or(line).split_once(" = ") {
            Some((key, value)) if !key.contains(' ') => format!("\n{key} = {}\n", value.replace('\\', "\\\\")),
            _ if line.starts_with('[') => format!("\n.SH {line}\n"),
            _ => continue,
        };
        // In the order of the file.
        let at = rest.find(&shown).unwrap_or_else(|| panic!("the page has no {shown:?} in its place:\n{plain}"));
        rest = &rest[at + 1..];
        keys += 1;
    }
    assert!(keys > 50, "the example has only {keys} keys");
    assert!(plain.contains("It must be a whole number from 1 to 64."), "{plain}");

    let Some(output) = system("man", |command| command.args(["--warnings", "-E", "UTF-8", "-l"]).arg(&file)) else {
        return;
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let rendered = String::from_utf8_lossy(&output.stdout);
    assert!(rendered.contains("messages_per_second"), "{rendered}");
}
