//! A private PostgreSQL server for a benchmark.

use runbook::pg::environment::Environment;
use runbook::pg::scratch::{self, Scratch, ScratchOptions};
use tokio_postgres::{Client, Config, NoTls};

/// Starts a server, or says why there is none: a benchmark without PostgreSQL is left out, not failed.
pub(crate) async fn start(setup: &str) -> Option<Scratch> {
    let server = match scratch::start(&Environment::from_process(), ScratchOptions::default()).await
    {
        Ok(server) => server,
        Err(error) => {
            println!("left out: {error}");
            return None;
        }
    };
    let client = connect(&server).await;
    client.batch_execute(setup).await.expect("its tables");
    Some(server)
}

/// Connects as the smallest program does.
pub(crate) async fn connect(server: &Scratch) -> Client {
    let mut config = Config::new();
    config
        .host_path(server.path())
        .user("postgres")
        .dbname("postgres");
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}
