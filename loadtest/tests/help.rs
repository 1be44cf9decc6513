//! What the command line says of itself.

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{loadtest, stderr};

fn printed(arguments: &[&str]) -> String {
    let output = loadtest(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn every_shell_learns_the_commands_and_their_options() {
    let sign = [
        ("bash", "complete -F"),
        ("elvish", "edit:completion"),
        ("fish", "complete -c loadtest"),
        ("powershell", "Register-ArgumentCompleter"),
        ("zsh", "#compdef loadtest"),
    ];
    for (shell, sign) in sign {
        let script = printed(&["completions", shell]);
        for word in [sign, "compare", "c10k", "resume", "thorough"] {
            assert!(script.contains(word), "{shell} is not told of {word}");
        }
    }
    let refused = loadtest(&["completions", "tcsh"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("bash"), "it says which there are: {}", stderr(&refused));
}

#[test]
fn bash_can_read_what_it_is_given() {
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash");
    let script = printed(&["completions", "bash"]);
    bash.stdin.take().expect("its input").write_all(script.as_bytes()).expect("it reads");
    assert!(bash.wait().expect("it ends").success());
}

#[test]
fn help_names_every_command_and_an_example_of_it() {
    let help = printed(&["--help"]);
    for command in [
        "run",
        "compare",
        "c10k",
        "report",
        "diff",
        "floor",
        "serve",
        "stage",
        "swap",
        "completions",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not listed:\n{help}");
    }
    for example in ["loadtest compare --quick", "loadtest c10k", "--peer nginx", "loadtest swap"] {
        assert!(help.contains(example), "no example of {example}:\n{help}");
    }
}
