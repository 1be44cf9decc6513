//! The environment variables that stand for options, where clap alone would be curt.

use std::{env, ffi::OsString};

use clap::{
    Arg, Command,
    builder::Resettable,
    error::{ContextKind, ContextValue},
};

/// An empty variable counts as not given: whoever starts containers can't always leave one out.
pub(crate) fn ignore_empty(argument: Arg) -> Arg {
    let value = argument.get_env().and_then(env::var_os);
    if value.is_some_and(|value| value.is_empty()) {
        argument.env(Resettable::Reset)
    } else {
        argument
    }
}

/// Adds to an error over a value that it came from a variable, if it did: clap names the option
/// alone, which whoever set the variable has never typed.
pub(crate) fn name_source(
    mut error: clap::Error,
    command: &Command,
    arguments: &[OsString],
) -> clap::Error {
    if let Some(variable) = source(&error, command, arguments) {
        let tip = format!("the value comes from {variable}");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn source(error: &clap::Error, command: &Command, arguments: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidArg) else { return None };
    let argument = command.get_arguments().find(|argument| argument.to_string() == *name)?;
    let variable = argument.get_env()?;
    let option = format!("--{}", argument.get_long()?);
    let is_typed = arguments.iter().any(|typed| {
        let typed = typed.to_string_lossy();
        typed.strip_prefix(&option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    let is_set = env::var_os(variable).is_some();
    (is_set && !is_typed).then(|| variable.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use crate::options::tests::read;

    /// Variables are set for another process: this one, run again.
    #[test]
    fn wrong_ones_are_named_and_empty_ones_ignored() {
        const ARGUMENTS: &str = "VARIABLES_TEST_ARGUMENTS";
        if let Ok(arguments) = env::var(ARGUMENTS) {
            let error = read(&arguments).err();
            println!("[{}]", error.as_deref().unwrap_or("none"));
            return;
        }
        let run = |arguments: &str, variables: &[(&str, &str)]| {
            let test = "variables::tests::wrong_ones_are_named_and_empty_ones_ignored";
            let output = process::Command::new(env::current_exe().expect("this test's program"))
                .args(["--exact", test, "--nocapture"])
                .env(ARGUMENTS, arguments)
                .envs(variables.iter().copied())
                .output()
                .expect("this test's program runs");
            let printed = String::from_utf8(output.stdout).expect("text");
            let (_, rest) = printed.split_once('[').expect(&printed);
            rest.split_once(']').expect(&printed).0.to_owned()
        };
        let error = run("", &[("FIVE_IDLE_TIMEOUT", "5")]);
        assert!(error.contains("'--idle-timeout <TIME>'"), "{error}");
        assert!(error.ends_with("tip: the value comes from FIVE_IDLE_TIMEOUT"), "{error}");
        for arguments in ["--idle-timeout 6", "--idle-timeout=6"] {
            let error = run(arguments, &[("FIVE_IDLE_TIMEOUT", "5")]);
            assert!(error.contains("'6'") && !error.contains("FIVE_"), "{error}");
        }
        let empty = [("FIVE_IDLE_TIMEOUT", ""), ("FIVE_UPSTREAM", ""), ("FIVE_HEALTH", "")];
        assert_eq!(run("", &empty), "none");
    }
}
