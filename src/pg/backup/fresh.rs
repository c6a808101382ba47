//! A database of our own that gets its name only when it is good, and is gone otherwise: also after a kill, as
//! soon as anyone restores something again.

use tokio_postgres::Client;

use super::maintenance::{self, field, rows, run};
use super::refused;
use crate::engine::failure::Failure;
use crate::pg::connect::Connected;
use crate::pg::settings::ConnectSettings;
use crate::sql::ident::quote_ident;

/// How many bytes PostgreSQL keeps of a name: it cuts what is longer, and says so to nobody.
const MOST_BYTES: usize = 63;

/// Whether the login may make databases, a name for one, and the statement that makes it like the one that is
/// connected to. Which columns there are depends on the server's version: as JSON all can be asked for.
const LIKE: &str = "\
    SELECT current_user::text, \
      (SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user), \
      n.name, \
      format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', \
             n.name, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype) \
      || CASE j.j->>'datlocprovider' \
           WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(j.j->>'datlocale', j.j->>'daticulocale')) \
           WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', j.j->>'datlocale') ELSE '' END \
      || coalesce(' ICU_RULES ' || quote_literal(j.j->>'daticurules'), '') \
      || CASE WHEN d.dattablespace <> t.dattablespace THEN format(' TABLESPACE %I', s.spcname) ELSE '' END \
    FROM pg_database d CROSS JOIN LATERAL (SELECT to_jsonb(d)) AS j(j) \
      JOIN pg_database t ON t.datname = 'template0' JOIN pg_tablespace s ON s.oid = d.dattablespace \
      CROSS JOIN (SELECT format('runbook_restoring_%s_%s', extract(epoch FROM clock_timestamp())::bigint, \
                                substr(md5(random()::text || clock_timestamp()::text), 1, 8))) AS n(name) \
    WHERE d.datname = current_database()";

/// What killed programs left: nobody is connected, and so long ago that nobody is about to be.
const LEFT: &str = "\
    SELECT quote_ident(datname) FROM pg_database d \
    WHERE datname ~ '^runbook_restoring_[0-9]{1,12}_' AND pg_has_role(datdba, 'MEMBER') \
      AND split_part(datname, '_', 3)::bigint < extract(epoch FROM now()) - 60 \
      AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datid = d.oid)";

/// A database that is being made. Its name begins with `runbook_restoring_` until it is kept.
pub struct Fresh {
    settings: ConnectSettings,
    /// How to connect to the database beside which it is.
    beside: ConnectSettings,
    /// While this connection lives, nobody takes the database for a leftover.
    held: Option<Connected>,
}

impl Fresh {
    /// Makes an empty database beside the one of `settings`, like it in encoding, locale and tablespace, and drops
    /// what killed programs left: databases of such names to which nobody is connected any more.
    ///
    /// # Errors
    /// The login may not create databases; the server's word.
    pub async fn create(settings: &ConnectSettings) -> Result<Self, Failure> {
        let connected = maintenance::here(settings).await?;
        sweep(&connected.client).await?;
        let found = rows(&connected.client, LIKE, &[]).await?;
        let row = found
            .first()
            .ok_or_else(|| refused("the server does not know the database any more"))?;
        let (login, may, name, statement): (String, bool, String, String) = (
            field(row, 0)?,
            field(row, 1)?,
            field(row, 2)?,
            field(row, 3)?,
        );
        if !may {
            return Err(refused(format!("{login} may not create databases"))
                .note("a backup is restored into a database of its own first, and compared there")
                .help(format!(
                    "use another login, or let it: ALTER ROLE {} CREATEDB",
                    quote_ident(&login)
                )));
        }
        run(&connected.client, &statement)
            .await
            .map_err(|failure| {
                failure.note("no database could be made to restore the backup into")
            })?;
        let mut fresh = Self {
            settings: settings.clone().with_database(name),
            beside: settings.clone(),
            held: None,
        };
        match maintenance::here(&fresh.settings).await {
            Ok(held) => fresh.held = Some(held),
            Err(failure) => return Err(fresh.discarded(failure).await),
        }
        Ok(fresh)
    }

    /// Makes a database and has it filled; what fails leaves none.
    ///
    /// # Errors
    /// As [`Self::create`], and those of `work`.
    pub async fn filled<T>(
        settings: &ConnectSettings,
        work: impl AsyncFnOnce(&ConnectSettings) -> Result<T, Failure>,
    ) -> Result<(Self, T), Failure> {
        let fresh = Self::create(settings).await?;
        match work(&fresh.settings).await {
            Ok(made) => Ok((fresh, made)),
            Err(failure) => Err(fresh.discarded(failure).await),
        }
    }

    /// Returns how to connect to it.
    pub fn settings(&self) -> &ConnectSettings {
        &self.settings
    }

    /// Returns how many bytes it has on the server so far; none where that cannot be said.
    pub async fn bytes(&self) -> Option<u64> {
        let held = self.held.as_ref()?;
        let query = "SELECT pg_database_size(current_database())";
        let found = rows(&held.client, query, &[]).await.ok()?;
        u64::try_from(field::<i64>(found.first()?, 0).ok()?).ok()
    }

    /// Gives it its name; it is dropped where that fails.
    ///
    /// # Errors
    /// There is one of that name already; the server's word.
    pub async fn keep_as(mut self, name: &str) -> Result<(), Failure> {
        match self.rename(name).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.discarded(failure).await),
        }
    }

    async fn rename(&mut self, name: &str) -> Result<(), Failure> {
        let connected = maintenance::connect(&self.beside, &[self.settings.database()]).await?;
        let client = &connected.client;
        free(client, name).await?;
        let own = quote_ident(self.settings.database());
        // The lock of COMMENT keeps others from taking it for a leftover once our connection to it is gone.
        run(client, &format!("BEGIN; COMMENT ON DATABASE {own} IS NULL")).await?;
        self.held = None;
        let rename = format!(
            "ALTER DATABASE {own} RENAME TO {}; COMMIT",
            quote_ident(name)
        );
        run(client, &rename).await
    }

    /// Gives up the connection that holds it, once something else does.
    pub(super) fn release(&mut self) {
        self.held = None;
    }

    /// Returns how to connect to the database beside which it is.
    pub(super) fn beside(&self) -> &ConnectSettings {
        &self.beside
    }

    /// Drops it, because of a failure, which is returned.
    pub(super) async fn discarded(self, failure: Failure) -> Failure {
        let name = self.settings.database().to_owned();
        match self.discard().await {
            Ok(()) => failure,
            Err(left) => failure
                .note(format!(
                    "the database {name} is left behind: {}",
                    left.message
                ))
                .note("the next restore drops it"),
        }
    }

    /// Drops it.
    ///
    /// # Errors
    /// The server's word.
    pub async fn discard(mut self) -> Result<(), Failure> {
        self.held = None;
        let connected = maintenance::connect(&self.beside, &[self.settings.database()]).await?;
        let name = self.settings.database();
        let end = "SELECT current_setting('server_version_num')::int >= 130000, \
                     count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
        let found = rows(&connected.client, end, &[name]).await?;
        let forces = found.first().is_some_and(|row| field(row, 0) == Ok(true));
        let force = if forces { " WITH (FORCE)" } else { "" };
        let drop = format!("DROP DATABASE IF EXISTS {}{force}", quote_ident(name));
        run(&connected.client, &drop).await
    }
}

/// Refuses a name that a database has already, or that none can have.
///
/// # Errors
/// As it says.
pub(super) async fn free(client: &Client, name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.len() > MOST_BYTES {
        return Err(refused(format!("no database can be called `{name}`"))
            .help(format!("take a name of 1 to {MOST_BYTES} bytes")));
    }
    let taken = "SELECT 1 FROM pg_database WHERE datname = $1";
    if rows(client, taken, &[name]).await?.is_empty() {
        return Ok(());
    }
    Err(refused(format!("there is a database {name} already"))
        .help("take another name, or drop that database first"))
}

/// Drops what killed programs left. What cannot be dropped is someone else's by now.
async fn sweep(client: &Client) -> Result<(), Failure> {
    for row in rows(client, LEFT, &[]).await? {
        let name: String = field(&row, 0)?;
        let _ = run(client, &format!("DROP DATABASE IF EXISTS {name}")).await;
    }
    Ok(())
}
