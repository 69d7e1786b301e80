//! What `snakkd` does besides running.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use rustix::fs::Access;
use serde_json::{Value, json};
use snakk::server::{MAX_SOCKET_PATH, check_certificates};
use snakk::{Config, StartError};

use crate::args::{Args, PAGE};
use crate::exit::{self, Failure};
use crate::logging;
use crate::manual;
use crate::pages::{self, Shell};
use crate::paths;

/// `snakkd check`: says what is wrong with the configuration and the certificates, or what they come to. Creates nothing.
pub(crate) fn check(args: &Args) -> Result<(), Failure> {
    let found = paths::load(args)?;
    let data_dir = paths::data_dir(args, &found.config)?;
    let mut text = match &found.file {
        Some(file) => format!("{}: the configuration is good\n", file.display()),
        None => "no configuration file, so the defaults count\n".to_owned(),
    };
    let mut notes = found.config.remarks();
    if args.listen.is_empty() {
        let mut certificates = check_certificates(&found.config).map_err(StartError::from)?.into_iter();
        for listener in &found.config.listeners {
            text += &format!("listener {}", listener.address);
            if let Some(shown) = listener.tls.as_ref().and_then(|_| certificates.next()) {
                text += &format!(" (tls, {})", shown.fingerprint);
                notes.extend(shown.warnings);
            }
            text += "\n";
        }
    } else {
        args.listen.iter().for_each(|address| text += &format!("listener {address}\n"));
    }
    text += &format!("data in {}\n", data_dir.display());
    notes.extend(check_paths(&found.config, &data_dir)?);
    logging::check(&found.config.log)?;
    notes.iter().for_each(|note| text += &format!("note: {note}\n"));
    say(&text)
}

/// Looks at the paths. What can never be is an error, with the code that the start would end with; what may be different for
/// the user that the daemon runs as, or when it is started, is a note.
fn check_paths(config: &Config, data_dir: &Path) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    // These are made by the start, with those that they are in.
    let mut made = vec![("server.data_dir", data_dir.to_owned())];
    made.extend(config.log.directory_in(data_dir).map(|directory| ("log.directory", directory)));
    for (key, folder) in &made {
        // What is not there yet is made in the nearest folder that is.
        let Some(nearest) = folder.ancestors().find(|folder| folder.symlink_metadata().is_ok()) else { continue };
        notes.extend(check_folder(key, folder, nearest, exit::CANNOT_CREATE)?);
    }
    let (database, socket) = (data_dir.join(&config.storage.file), data_dir.join(&config.server.control_socket));
    let mut files = vec![("storage.file", &database, exit::CANNOT_CREATE)];
    if let Ok(there) = database.metadata()
        && !there.is_file()
    {
        let kind = if there.is_dir() { "a folder" } else { "no file" };
        let what = format!("storage.file is {}, which is {kind}", database.display());
        return Err(Failure::new(exit::CANNOT_CREATE, what));
    }
    if socket.as_os_str().len() > MAX_SOCKET_PATH {
        let what = format!(
            "{} has more than {MAX_SOCKET_PATH} bytes, too many for a socket; give server.control_socket a shorter path",
            socket.display()
        );
        // Nobody has asked for the usual one.
        if config.server.control_socket != Config::default().server.control_socket {
            return Err(Failure::new(exit::CONFIG, what));
        }
        notes.push(what);
    } else {
        if socket.symlink_metadata().is_ok_and(|there| !there.file_type().is_socket()) {
            let what = format!("server.control_socket is {}, which exists and is not a socket", socket.display());
            return Err(Failure::new(exit::UNAVAILABLE, what));
        }
        files.push(("server.control_socket", &socket, exit::UNAVAILABLE));
    }
    for (key, file, code) in files {
        let Some(folder) = file.parent() else { continue };
        if made.iter().any(|(_, made)| made.starts_with(folder)) {
            continue;
        }
        if folder.symlink_metadata().is_ok() {
            notes.extend(check_folder(key, file, folder, code)?);
            continue;
        }
        let what = format!("{key} is {}, but there is no folder {}", file.display(), folder.display());
        // There systemd makes folders when it starts something.
        if !folder.starts_with("/run") {
            return Err(Failure::new(code, what));
        }
        notes.push(what);
    }
    Ok(notes)
}

/// Looks whether something can be made in a folder, or what looks like one.
fn check_folder(key: &str, path: &Path, folder: &Path, code: u8) -> Result<Option<String>, Failure> {
    let wrong = |why: &str| {
        let what = format!("{key} is {}, but {} {why}", path.display(), folder.display());
        Err(Failure::new(code, what))
    };
    let Ok(there) = folder.metadata() else { return wrong("leads nowhere") };
    if !there.is_dir() {
        return wrong("is not a folder");
    }
    if is_of_the_kernel(folder) {
        return wrong("is the kernel's, and nothing can be made there");
    }
    let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    let may = rustix::fs::access(folder, access).is_ok();
    Ok((!may).then(|| format!("{key} is {}: this user may not write in {}", path.display(), folder.display())))
}

/// Whether a folder shows processes: there root may write too, as far as its mode goes.
fn is_of_the_kernel(folder: &Path) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::fs::statfs(folder).is_ok_and(|system| system.f_type == rustix::fs::PROC_SUPER_MAGIC);
    #[cfg(not(target_os = "linux"))]
    return folder.starts_with("/proc");
}

/// `snakkd config`: the settings in force, as a file that could be read again, or as lines of JSON.
pub(crate) fn config(args: &Args, json: bool) -> Result<(), Failure> {
    let (found, mut settings) = paths::load_explained(args)?;
    let data_dir = paths::data_dir(args, &found.config)?;
    if !args.listen.is_empty() {
        settings.retain(|setting| setting.section != "listener");
    }
    let mut text = String::new();
    let mut open = (String::new(), None);
    let mut add = |section: &str, index: Option<usize>, key: &str, value: &str, from: &str| {
        if json {
            let value: Value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            let name = match index {
                Some(index) => format!("{section}.{index}.{key}"),
                None => format!("{section}.{key}"),
            };
            text += &format!("{}\n", json!({"key": name, "value": value, "from": from}));
            return;
        }
        if open != (section.to_owned(), index) {
            let head = if index.is_some() { format!("[[{section}]]") } else { format!("[{section}]") };
            text += &format!("{}{head}\n", if text.is_empty() { "" } else { "\n" });
            open = (section.to_owned(), index);
        }
        text += &format!("{:<40} # {from}\n", format!("{key} = {value}"));
    };
    for setting in settings {
        let (section, key) = (&*setting.section, &*setting.key);
        let from = setting.place.map_or_else(|| "default".to_owned(), |place| place.to_string());
        match key {
            "data_dir" if args.data_dir.is_some() => {
                add(section, None, key, &format!("{:?}", data_dir.display().to_string()), "--data-dir");
            }
            "data_dir" => add(section, None, key, &format!("{:?}", data_dir.display().to_string()), &from),
            _ => add(section, setting.index, key, &setting.value, &from),
        }
    }
    for (index, address) in args.listen.iter().enumerate() {
        add("listener", Some(index), "address", &format!("{address:?}"), "--listen");
    }
    say(&text)
}

/// `snakkd init`: writes the example file. It holds no secret and the daemon may run as another user, so who may read it
/// is left to the umask.
pub(crate) fn init(args: &Args) -> Result<(), Failure> {
    let file = args.config.clone().unwrap_or_else(|| PathBuf::from("snakk.toml"));
    write_new(&file, Config::example().as_bytes()).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(exit::FAILURE, format!("{} is there already, and stays as it is", file.display()))
        }
        _ => Failure::new(exit::CANNOT_CREATE, format!("cannot write {}: {error}", file.display())),
    })?;
    say(&format!("{} has every key with its default\n", file.display()))
}

/// `snakkd man`: writes a manual page to standard output, or all of them into a folder.
pub(crate) fn man(what: Option<&Path>) -> Result<(), Failure> {
    let program = Args::command();
    let failed = |error: io::Error| Failure::new(exit::FAILURE, format!("cannot write the pages: {error}"));
    match what {
        None => say(&String::from_utf8_lossy(&pages::page(&program, &PAGE).map_err(failed)?)),
        Some(page) if page == Path::new(manual::NAME) => say(&manual::page()),
        Some(folder) => pages::write_all(&program, &PAGE, folder)
            .and_then(|()| fs::write(folder.join(format!("{}.{}", manual::NAME, manual::SECTION)), manual::page()))
            .map_err(failed),
    }
}

/// `snakkd completions`.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    say(&String::from_utf8_lossy(&pages::completions(&Args::command(), shell)))
}

/// Writes a file that must not be there yet: whole, or not at all.
fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).create_new(true).open(file)?;
    opened.write_all(bytes).inspect_err(|_| {
        // Half a file would be in the way of the next attempt.
        let _ = fs::remove_file(file);
    })
}

/// Writes to standard output, where somebody may have stopped reading: that is no failure, and all else that keeps the text
/// from getting there is one.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// What came of writing to standard output.
pub(crate) fn written(done: io::Result<()>) -> Result<(), Failure> {
    match done {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(exit::FAILURE, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
