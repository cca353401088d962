//! The server with a store that syncs nothing, to show that the power-cut test can fail. Nothing in the program switches the
//! syncing off, so this test binary starts itself again and wires it so.

use std::{env, fs, process::Command};

use rescind::{admin, app::Opened, clock::Clock, config, pace::Pace, serve};
use rescind_ledger::Writer;
use rescind_store::{Durability, FileMarker, Sqlite};
use tokio::net::TcpListener;

use crate::server::Place;

/// Where its configuration file is; not a name that the configuration itself would read.
const CONFIGURATION: &str = "CRASH_UNSYNCED_CONFIGURATION";

/// The command that runs it.
pub(crate) fn command(place: &Place) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    let name = concat!(module_path!(), "::the_server_that_syncs_nothing");
    let name = name.split_once("::").unwrap().1;
    command.args(["--ignored", "--exact", name, "--nocapture"]).env(CONFIGURATION, place.beside("rescind.toml"));
    command
}

#[test]
#[ignore = "the power-cut test starts it under the shim"]
fn the_server_that_syncs_nothing() {
    let Some(file) = env::var_os(CONFIGURATION) else { return };
    println!(); // the test harness leaves its line open
    let config = config::from_toml(&fs::read_to_string(file).unwrap(), []).unwrap();
    let Opened { app, writer } = Opened::open(config, Clock::System, Pace::Free).unwrap();
    drop(writer);
    let store = Sqlite::open_with(&app.data_dir.database(), Durability::Off).unwrap();
    let marker = FileMarker::open(&app.data_dir, &store).unwrap();
    let writer = Writer::new(Box::new(store), Box::new(marker), app.live.clone(), app.queue.clone());
    let (app, _writer) = Opened { app, writer }.start().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (limits, socket) = (&app.config.limits, app.data_dir.socket());
        let (to_the_world, to_us) = (rescind::router(&app), admin::local_router(&app));
        let address = listener.local_addr().unwrap();
        let say = async {
            while !socket.exists() {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            println!("listening on {address}");
        };
        let never = std::future::pending::<()>;
        let world = serve::serve(listener, None, to_the_world, limits, never());
        let own = serve::serve_unix(&socket, to_us, limits, never());
        let (world, own, ()) = tokio::join!(world, own, say);
        world.and(own).unwrap();
    });
}
