//! `sslmode` means what libpq means by it.

use std::path::{Path, PathBuf};
use std::process::Command;

use runbook::pg::connect::Connected;
use runbook::pg::connect_error::ConnectError;
use runbook::pg::scratch::Scratch;
use tempfile::TempDir;
use tokio_postgres::error::SqlState;

use crate::support::{connect, give, start_on_tcp, text};

/// Certificates for `db.example`: one that signs itself, and one that an authority has signed.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes them, or returns nothing where there is no openssl.
    fn make() -> Option<Self> {
        Command::new("openssl").arg("version").output().ok()?;
        let made = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let name = "subjectAltName=DNS:db.example";
        let key = |name: &str| format!("-newkey rsa:2048 -nodes -keyout {name}.key");
        made.openssl(&format!(
            "req -x509 {} -out self.crt -days 2 -subj /CN=db.example -addext {name}",
            key("self")
        ));
        made.openssl(&format!(
            "req -x509 {} -out ca.crt -days 2 -subj /CN=ca",
            key("ca")
        ));
        made.openssl(&format!(
            "req {} -out server.csr -subj /CN=db.example",
            key("server")
        ));
        std::fs::write(made.path("names"), name).expect("a file");
        made.openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
             -extfile names -days 2 -out server.crt",
        );
        Some(made)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .output()
            .expect("openssl");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {words}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Starts a server that speaks TLS with a certificate, and nothing else on TCP.
async fn start_with(certificate: &Path, key: &Path) -> (Scratch, u16) {
    let (mut server, port) = start_on_tcp("hostssl all all 127.0.0.1/32 trust").await;
    give(&server, certificate, "server.crt");
    give(&server, key, "server.key");
    let conf = server.data().join("postgresql.conf");
    let before = std::fs::read_to_string(&conf).expect("its file");
    std::fs::write(&conf, format!("{before}ssl = on\n")).expect("its file");
    server.restart().await.expect("a server with TLS");
    (server, port)
}

async fn is_encrypted(connected: &Connected) -> bool {
    let question = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    text(connected, question).await == "true"
}

/// What becomes of a connection: "tls", "plain", or the kind of its error.
async fn outcome(port: u16, host: &str, rest: &str) -> String {
    let pairs = format!("host={host} hostaddr=127.0.0.1 port={port} user=postgres {rest}");
    match connect(&pairs).await {
        Ok(connected) if is_encrypted(&connected).await => "tls".to_owned(),
        Ok(_) => "plain".to_owned(),
        Err(ConnectError::Tls { reason, .. }) => format!("untrusted: {reason}"),
        Err(ConnectError::Login { .. }) => "refused".to_owned(),
        Err(other) => other.to_string(),
    }
}

#[tokio::test]
async fn every_mode_means_what_libpq_means() {
    let Some(made) = Certificates::make() else {
        return;
    };
    for (certificate, root, stranger) in [("self", "self", "ca"), ("server", "ca", "self")] {
        let (_server, port) = start_with(
            &made.path(&format!("{certificate}.crt")),
            &made.path(&format!("{certificate}.key")),
        )
        .await;
        let root = format!(
            "sslrootcert={}",
            made.path(&format!("{root}.crt")).display()
        );
        let stranger = format!(
            "sslrootcert={}",
            made.path(&format!("{stranger}.crt")).display()
        );
        let (right, wrong) = ("db.example", "other.example");
        for (host, rest, expected) in [
            (right, "sslmode=disable".to_owned(), "refused"),
            (right, "sslmode=allow".to_owned(), "tls"),
            (right, "sslmode=prefer".to_owned(), "tls"),
            (wrong, "sslmode=require".to_owned(), "tls"),
            (wrong, format!("sslmode=require {root}"), "tls"),
            (right, format!("sslmode=require {stranger}"), "untrusted"),
            (right, "sslmode=require sslrootcert=/gone".to_owned(), "tls"),
            (wrong, format!("sslmode=verify-ca {root}"), "tls"),
            (right, format!("sslmode=verify-ca {stranger}"), "untrusted"),
            (right, format!("sslmode=verify-full {root}"), "tls"),
            (
                wrong,
                format!("sslmode=verify-full {root}"),
                "not valid for",
            ),
            (
                right,
                "sslmode=verify-full sslrootcert=/gone".to_owned(),
                "/gone does not exist",
            ),
            (
                right,
                "sslmode=verify-full".to_owned(),
                "no root certificate",
            ),
            (right, "sslrootcert=system".to_owned(), "untrusted"),
        ] {
            let seen = outcome(port, host, &rest).await;
            assert!(
                seen.contains(expected),
                "{certificate} {host} {rest}: {seen}"
            );
        }
    }
}

#[tokio::test]
async fn a_cancel_request_is_encrypted_too() {
    let Some(made) = Certificates::make() else {
        return;
    };
    let (_server, port) = start_with(&made.path("server.crt"), &made.path("server.key")).await;
    let root = made.path("ca.crt");
    let connected = connect(&format!(
        "host=db.example hostaddr=127.0.0.1 port={port} user=postgres sslmode=verify-full sslrootcert={}",
        root.display()
    ))
    .await
    .expect("a connection");
    let sleeping = connected.client.batch_execute("SELECT pg_sleep(30)");
    let cancelling = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        connected.canceller.cancel().await
    };
    let (slept, asked) = tokio::join!(sleeping, cancelling);
    asked.expect("a cancel request");
    let error = slept.expect_err("a cancelled statement");
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
}
