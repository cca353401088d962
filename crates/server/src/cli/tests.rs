//! How command lines are read.

use clap::{CommandFactory, Parser};

use super::arguments::{Arguments, Command, Output, UserCommand};

fn parsed(line: &str) -> Option<Arguments> {
    Arguments::try_parse_from(line.split(' ')).ok()
}

#[test]
fn the_command_line_is_sound() {
    Arguments::command().debug_assert();
}

#[test]
fn global_options_may_stand_anywhere() {
    let arguments = parsed("rescind user list --output json --data-dir d").unwrap();
    assert_eq!(arguments.globals.output, Output::Json);
    assert_eq!(arguments.globals.data_dir.as_deref(), Some("d".as_ref()));
    assert_eq!(parsed("rescind --output json user list").unwrap().globals.output, Output::Json);
}

#[test]
fn switches_that_contradict_each_other_are_refused() {
    assert!(parsed("rescind user set a --enabled --disabled").is_none());
    assert!(parsed("rescind user add a --password-stdin --password-file f").is_none());
    let Command::User { command: UserCommand::Set { switch, .. } } =
        parsed("rescind user set a --disabled").unwrap().command
    else {
        panic!("another command");
    };
    assert!(switch.disabled && !switch.enabled);
}

#[test]
fn no_option_takes_a_secret_itself() {
    for command in ["rescind user add a --password x", "rescind status --client-secret x", "rescind explain --token x"]
    {
        assert!(parsed(command).is_none(), "{command}");
    }
}

#[test]
fn an_id_may_begin_with_a_hyphen_and_options_still_count() {
    let Command::Revoke(order) = parsed("rescind revoke token -2x --preview").unwrap().command else {
        panic!("another command");
    };
    assert_eq!((order.id.as_deref(), order.preview), (Some("-2x"), true));
    let Command::Explain(token) = parsed("rescind explain -_x").unwrap().command else { panic!("another command") };
    assert_eq!(token.id.as_deref(), Some("-_x"));
    assert!(parsed("rescind revoke user ada --previw").is_none(), "a misspelt option is no id");
}
