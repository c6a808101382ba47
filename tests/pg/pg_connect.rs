//! Every way in which there is no connection has its own words.

use std::net::TcpListener;

use runbook::pg::connect_error::ConnectError;
use runbook::pg::scratch::ScratchOptions;
use tokio_postgres::error::SqlState;

use crate::support::{connect, start, start_on_tcp, text};

async fn failure(url: &str) -> ConnectError {
    let error = connect(url).await.err().expect("no connection");
    let words = error.to_string();
    assert!(words.contains("= help: "), "{words}");
    assert!(!words.contains("hunter2"), "{words}");
    assert!(!error.is_wrong_use(), "{words}");
    error
}

#[tokio::test]
async fn a_wrong_password_is_a_refused_login() {
    let rules = "host all all 127.0.0.1/32 scram-sha-256";
    let (server, port) = start_on_tcp(rules).await;
    let admin = connect(&server.url("postgres"))
        .await
        .expect("a connection");
    admin
        .client
        .batch_execute("CREATE ROLE alice LOGIN PASSWORD 'right'")
        .await
        .expect("a role");

    let good = connect(&format!("postgres://alice:right@127.0.0.1:{port}/postgres"))
        .await
        .expect("a connection");
    assert_eq!(text(&good, "SELECT current_user::text").await, "alice");
    assert_eq!(good.place, format!("alice@127.0.0.1:{port}/postgres"));

    let error = failure(&format!(
        "postgres://alice:hunter2@127.0.0.1:{port}/postgres"
    ))
    .await;
    assert!(
        matches!(&error, ConnectError::Login { place, .. } if place.starts_with("alice@127")),
        "{error}"
    );
    assert!(error.reason().contains("28P01"), "{error}");

    let error = failure(&format!("postgres://alice@127.0.0.1:{port}/postgres")).await;
    assert!(matches!(error, ConnectError::Login { .. }), "{error}");
    assert!(error.help().contains("$PGPASSWORD"), "{error}");

    let error = failure(&format!(
        "postgres://a:hunter2@127.0.0.1:{port}/x?sslmode=require"
    ))
    .await;
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    assert!(error.help().contains("ssl = on"), "{error}");
}

#[tokio::test]
async fn an_unknown_database_is_named() {
    let server = start(ScratchOptions::default()).await;
    let error = failure(&server.url("nowhere")).await;
    assert!(
        matches!(&error, ConnectError::UnknownDatabase { .. }),
        "{error}"
    );
    assert!(error.reason().contains("nowhere"), "{error}");
}

#[tokio::test]
async fn no_server_is_unreachable() {
    let error = failure("postgres://u:hunter2@/x?host=/nonexistent").await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");

    // Something that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let url = format!("postgres://u:hunter2@127.0.0.1:{port}/x?connect_timeout=1");
    let error = failure(&url).await;
    assert!(error.reason().contains("no answer within 1 s"), "{error}");

    drop(silent);
    let error = failure(&url).await;
    assert!(error.reason().contains("refused"), "{error}");
}

#[tokio::test]
async fn the_next_host_is_tried_and_the_wanted_kind_is_found() {
    let server = start(ScratchOptions::default()).await;
    let folder = server.path().display();
    let two = format!("host=/nonexistent,{folder} user=postgres");
    assert!(connect(&two).await.is_ok());
    let wanted = |attrs: &str| format!("{two} target_session_attrs={attrs}");
    for good in ["any", "read-write", "primary", "prefer-standby"] {
        assert!(connect(&wanted(good)).await.is_ok(), "{good}");
    }
    let error = failure(&wanted("standby")).await;
    assert!(error.reason().contains("is not a replica"), "{error}");
}

#[tokio::test]
async fn notices_arrive_and_a_statement_can_be_cancelled() {
    let server = start(ScratchOptions::default()).await;
    let mut connected = connect(&server.url("postgres"))
        .await
        .expect("a connection");
    let notice = "DO $$ BEGIN RAISE NOTICE 'hello'; END $$";
    connected.client.batch_execute(notice).await.expect(notice);
    let heard = connected.notices.recv().await.expect("a notice");
    assert_eq!(heard.message(), "hello");

    let canceller = connected.canceller.clone();
    let sleeping = connected.client.batch_execute("SELECT pg_sleep(30)");
    let cancelling = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        canceller.cancel().await
    };
    let (slept, asked) = tokio::join!(sleeping, cancelling);
    asked.expect("a cancel request");
    let error = slept.expect_err("a cancelled statement");
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
}
