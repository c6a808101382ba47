//! What the tests here share.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use runbook::pg::connect::Connected;
use runbook::pg::connect_error::ConnectError;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::{self, Scratch, ScratchOptions};
use runbook::pg::settings::ConnectSettings;

/// Starts a scratch server.
pub(crate) async fn start(options: ScratchOptions) -> Scratch {
    scratch::start(&Environment::from_process(), options)
        .await
        .expect("a scratch server")
}

/// Starts a scratch server that also listens on a TCP port of this machine, with these rules of `pg_hba.conf`.
pub(crate) async fn start_on_tcp(rules: &str) -> (Scratch, u16) {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let settings = [
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
    ];
    let mut server = start(ScratchOptions {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        ..ScratchOptions::default()
    })
    .await;
    fs::write(
        server.data().join("pg_hba.conf"),
        format!("local all postgres trust\n{rules}\n"),
    )
    .expect("its file");
    server.restart().await.expect("a second start");
    (server, port)
}

/// Copies a file into a server's folder, readable by that server only.
pub(crate) fn give(server: &Scratch, file: &Path, name: &str) -> PathBuf {
    let path = server.data().join(name);
    fs::copy(file, &path).expect("a copy");
    let owner = fs::metadata(server.data()).expect("its owner");
    chown(&path, Some(owner.uid()), Some(owner.gid())).expect("its owner");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    path
}

/// Connects with a URL or pairs, without anything from this process's environment.
pub(crate) async fn connect(text: &str) -> Result<Connected, ConnectError> {
    let environment = Environment::empty().with_user("nobody");
    ConnectSettings::resolve(Some(text), &environment)?
        .connect()
        .await
}

/// Returns the first column of a query's only row.
pub(crate) async fn text(connected: &Connected, query: &str) -> String {
    let row = connected.client.query_one(query, &[]).await.expect(query);
    row.get(0)
}
