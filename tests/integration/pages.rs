//! The manual pages and the completions of both programs.

use std::fs;
use std::process::{Command, Stdio};

#[test]
fn the_pages_of_both_programs_can_be_read() {
    let programs = [(env!("CARGO_BIN_EXE_snakk"), "snakk", "1"), (env!("CARGO_BIN_EXE_snakkd"), "snakkd", "8")];
    for (program, name, section) in programs {
        let folder = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let output = Command::new(program).args(args).env_clear().output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let page = run(&["man"]);
        let folder_name = folder.path().join("man");
        assert_eq!(run(&["man", folder_name.to_str().unwrap()]), "");
        assert_eq!(fs::read_to_string(folder_name.join(format!("{name}.{section}"))).unwrap(), page);
        let below = if name == "snakk" { "snakk-tail.1" } else { "snakkd-user-add.8" };
        let pages: Vec<_> = fs::read_dir(&folder_name).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(pages.iter().any(|page| page.ends_with(below)), "{pages:?}");
        assert!(!pages.iter().any(|page| page.to_str().unwrap().contains("completions")), "{pages:?}");
        for word in ["EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
            assert!(page.contains(word), "{name} tells nothing of {word}");
        }
        for code in [0, 1, 2, 69, 75, 78] {
            assert!(page.contains(&format!("\\fB{code}\\fR")), "{name} does not say what {code} means");
        }
        // Where there is something that reads such pages, it has nothing to complain of.
        if has("groff") {
            for page in pages {
                let output = Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(&page).output().unwrap();
                assert!(output.status.success() && output.stderr.is_empty(), "{page:?}: {output:?}");
            }
        }
        for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
            let text = run(&["completions", shell]);
            assert!(text.contains(name) && text.len() > 500, "{shell}");
            if has(shell) {
                let file = folder.path().join(shell);
                fs::write(&file, text).unwrap();
                let output = Command::new(shell).arg(check).arg(&file).output().unwrap();
                assert!(output.status.success(), "{shell}: {output:?}");
            }
        }
        let wrong = Command::new(program).args(["completions", "tcsh"]).env_clear().output().unwrap();
        assert_eq!(wrong.status.code(), Some(2));
    }
    let page = Command::new(programs[0].0).arg("man").env_clear().output().unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    for word in ["SNAKK_SERVER", "SNAKK_PASSWORD_FILE", "SNAKK_CLIENT_CONFIG", "config.toml", "known_servers"] {
        assert!(page.replace("\\-", "-").contains(word), "{word}");
    }
}

/// Whether there is such a program.
fn has(program: &str) -> bool {
    let output = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    output.is_ok_and(|status| status.success())
}

#[test]
fn bash_completes_what_the_program_knows() {
    if !has("bash") {
        return;
    }
    let script = "source <(\"$0\" completions bash); COMP_WORDS=(snakk \"$1\"); COMP_CWORD=1; \
        _snakk snakk \"$1\" snakk; echo \"${COMPREPLY[*]}\"";
    let output = Command::new("bash").args(["-c", script, env!("CARGO_BIN_EXE_snakk"), "se"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "send search", "{output:?}");
}
