use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;
use crate::pg::tls::{Roots, SslMode};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().fold(
        Environment::empty().with_user("me"),
        |environment, (name, value)| environment.with(*name, *value),
    )
}

fn described(url: Option<&str>, variables: &[(&str, &str)]) -> String {
    match ConnectSettings::resolve(url, &environment(variables)) {
        Ok(settings) => settings.describe(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn every_source_has_its_place() {
    let database_url = ("DATABASE_URL", "postgres://alice@db/crm");
    for (url, variables, expected) in [
        (None, &[][..], "me@/var/run/postgresql:5432,/tmp:5432/me"),
        (None, &[database_url], "alice@db:5432/crm"),
        (Some("postgres://bob@x/y"), &[database_url], "bob@x:5432/y"),
        (
            Some("host=x"),
            &[database_url, ("PGUSER", "carol")],
            "carol@x:5432/carol",
        ),
        (
            None,
            &[
                ("PGHOST", "h"),
                ("PGPORT", "7"),
                ("PGUSER", "u"),
                ("PGDATABASE", "d"),
            ],
            "u@h:7/d",
        ),
        (None, &[("PGHOSTADDR", "192.0.2.7")], "me@192.0.2.7:5432/me"),
        (
            Some("host=x"),
            &[("PGHOSTADDR", "192.0.2.7")],
            "me@x:5432/me",
        ),
        (Some("postgres://[::1]:9/d"), &[], "me@[::1]:9/d"),
        (Some("postgres://a:1,b:2/d"), &[], "me@a:1,b:2/d"),
        (Some("host=a,b port=6"), &[], "me@a:6,b:6/me"),
        (Some("postgres://u@/d?host=/tmp/x"), &[], "u@/tmp/x:5432/d"),
        (Some("user=first user=last host=x"), &[], "last@x:5432/last"),
    ] {
        assert_eq!(described(url, variables), expected, "{url:?} {variables:?}");
    }
}

#[test]
fn wrong_settings_are_named_and_passwords_are_not() {
    for (url, variables, expected) in [
        (
            "postgres://u:hunter2@db?sslmoed=x",
            &[][..],
            "did you mean `sslmode`",
        ),
        (
            "postgres://u:hunter2@db?sslmode=full",
            &[],
            "`sslmode` cannot be `full`",
        ),
        ("password=hunter2 port=abc", &[], "`port` cannot be `abc`"),
        ("password=hunter2 port=0", &[], "from 1 to 65535"),
        (
            "password=hunter2 host=a,b port=1,2,3",
            &[],
            "as many as there are hosts",
        ),
        (
            "password=hunter2 hostaddr=db",
            &[],
            "`hostaddr` cannot be `db`",
        ),
        (
            "password=hunter2 host=a hostaddr=::1,::2",
            &[],
            "as many addresses",
        ),
        ("password=hunter2 connect_timeout=soon", &[], "whole number"),
        (
            "password=hunter2 sslcrl=x",
            &[],
            "`sslcrl` is not supported",
        ),
        (
            "password=hunter2 gssencmode=require",
            &[],
            "use disable or prefer",
        ),
        (
            "password=hunter2 sslrootcert=system sslmode=require",
            &[],
            "verify-full is safe",
        ),
        (
            "password=hunter2",
            &[("PGSSLMODE", "yes")],
            "$PGSSLMODE: `sslmode` cannot be `yes`",
        ),
        (
            "password=hunter2",
            &[("PGREQUIREAUTH", "none")],
            "$PGREQUIREAUTH: `require_auth`",
        ),
        ("password=hunter2", &[("PGSERVICE", "gone")], "no"),
        ("postgres://u:hunter/2@db", &[], "there is an `@` too many"),
        ("password=a hunter2", &[], "follows the value of `password`"),
        ("host=x password='hunter2", &[], "no closing quote"),
    ] {
        let shown = described(Some(url), variables);
        assert!(shown.contains(expected), "{url}: {shown}");
        assert!(shown.starts_with("error: "), "{url}: {shown}");
        assert!(!shown.contains("hunter"), "{url}: {shown}");
    }
}

#[test]
fn a_password_is_kept_and_never_shown() -> Outcome {
    for (url, variables) in [
        (Some("postgres://u:hunter2@db/x"), &[][..]),
        (Some("host=db password=hunter2"), &[]),
        (Some("postgres://u@db/x?password=hunter2"), &[]),
        (None, &[("PGPASSWORD", "hunter2")]),
        (None, &[("DATABASE_URL", "postgres://u:hunter2@db")]),
    ] {
        let settings = ConnectSettings::resolve(url, &environment(variables))?;
        let password = settings.password_for(&settings.hosts()[0]);
        assert_eq!(password.map(Secret::reveal), Some("hunter2"));
        let shown = format!("{settings:?} {}", settings.describe());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    Ok(())
}

#[test]
fn the_files_fill_what_is_open() -> Outcome {
    let home = tempfile::tempdir()?;
    let passfile = home.path().join(".pgpass");
    fs::write(
        &passfile,
        "db:5433:crm:alice:hunter2\nlocalhost:*:*:me:local\n",
    )?;
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600))?;
    fs::write(
        home.path().join(".pg_service.conf"),
        "[crm]\nhost=db\nport=5433\nuser=alice\ndbname=crm\n[bad]\nprot=1\n",
    )?;
    let environment = environment(&[("PGPORT", "9")]).with_home(home.path());
    let resolve = |url| ConnectSettings::resolve(Some(url), &environment);

    let settings = resolve("service=crm")?;
    assert_eq!(settings.describe(), "alice@db:5433/crm");
    let password = settings.password_for(&settings.hosts()[0]);
    assert_eq!(password.map(Secret::reveal), Some("hunter2"));

    let socket = resolve("")?;
    let password = socket.password_for(&socket.hosts()[0]);
    assert_eq!(password.map(Secret::reveal), Some("local"));

    let error = resolve("service=bad").err().map(|error| error.to_string());
    assert!(
        error.is_some_and(|error| error.contains(".conf:7: unknown connection setting `prot`"))
    );

    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o644))?;
    assert_eq!(resolve("service=crm")?.warnings().len(), 1);
    assert!(resolve("service=crm password=x")?.warnings().is_empty());
    Ok(())
}

#[test]
fn times_and_tls_follow_libpq() -> Outcome {
    let resolve = |url| ConnectSettings::resolve(Some(url), &environment(&[]));
    assert_eq!(resolve("")?.timeout, Some(Duration::from_secs(10)));
    assert_eq!(
        resolve("connect_timeout=3")?.timeout,
        Some(Duration::from_secs(3))
    );
    assert_eq!(resolve("connect_timeout=0")?.timeout, None);
    assert_eq!(resolve("")?.tls.mode, SslMode::Prefer);
    assert_eq!(resolve("")?.tls.roots, Roots::None);
    let system = resolve("sslrootcert=system")?;
    assert_eq!(system.tls.mode, SslMode::VerifyFull);
    let client = resolve("sslcert=/c sslkey=/k")?.tls.client;
    assert_eq!(client.map(|client| client.key), Some(PathBuf::from("/k")));
    assert_eq!(
        resolve("keepalives=0")?.keepalives,
        Keepalives {
            disabled: true,
            ..Keepalives::default()
        }
    );
    assert_eq!(
        resolve("target_session_attrs=standby")?.session_attrs,
        SessionAttrs::Standby
    );
    Ok(())
}
