//! Where cases are played: a scratch server with a database for each, copied from one that is made once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::book::Book;
use super::contents::Contents;
use super::script::Script;
use crate::cli::findings::Checked;
use crate::pg::connect_error::ConnectError;
use crate::pg::environment::Environment;
use crate::pg::scratch::{self, Scratch, ScratchError, ScratchOptions};
use crate::pg::settings::ConnectSettings;
use crate::suite::document::Server;
use tokio_postgres::Error;

/// What a case of its own server finds there.
const OWN: &str = "test";

/// A scratch server, and the databases that those of cases are copied from.
pub(in crate::cli) struct Ground {
    server: Scratch,
    templates: Mutex<HashMap<String, (String, Contents)>>,
    next: AtomicU32,
}

/// Why there is no database for a case.
#[derive(Debug)]
pub(in crate::cli) enum Unfit {
    /// The SQL that is to make it is wrong.
    Wrong(Box<Checked>),
    /// The server does not do what it should.
    Server(String),
}

impl From<Box<Checked>> for Unfit {
    fn from(wrong: Box<Checked>) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<ScratchError> for Unfit {
    fn from(error: ScratchError) -> Self {
        Self::Server(error.to_string())
    }
}

impl From<ConnectError> for Unfit {
    fn from(error: ConnectError) -> Self {
        Self::Server(error.to_string())
    }
}

/// The database of a case.
pub(super) struct Place<'a> {
    ground: Option<&'a Ground>,
    own: Option<Scratch>,
    database: String,
    /// What is in its tables at first.
    pub(super) contents: Contents,
}

impl Ground {
    /// Starts the server.
    ///
    /// # Errors
    /// Why there is none.
    pub(in crate::cli) async fn start(
        environment: &Environment,
        jobs: usize,
    ) -> Result<Self, ScratchError> {
        let most = (jobs * 16 + 30).to_string();
        let settings = [
            ("max_connections", most.as_str()),
            ("deadlock_timeout", "100ms"),
            // Each database that is made passes through it, and none of it is needed again.
            ("max_wal_size", "128MB"),
        ];
        let options = ScratchOptions {
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            in_memory: true,
            ..ScratchOptions::default()
        };
        Ok(Self {
            server: scratch::start(environment, options).await?,
            templates: Mutex::default(),
            next: AtomicU32::new(1),
        })
    }

    /// Stops the server, and removes it.
    ///
    /// # Errors
    /// It does not stop.
    pub(in crate::cli) fn stop(self) -> Result<(), ScratchError> {
        self.server.stop()
    }

    /// Makes the database that those of a runbook's cases are copied from, unless it is there.
    ///
    /// # Errors
    /// The SQL of the tests is wrong.
    pub(in crate::cli) async fn prepare(&self, book: &Book) -> Result<(), Unfit> {
        let key = book.key();
        if self.template(&key).is_some() {
            return Ok(());
        }
        let name = self.name("template");
        self.server.create_database(&name, None).await?;
        let contents = fill(&self.server.settings(&name), &book.setup).await?;
        let mut templates = self
            .templates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        templates.insert(key, (name, contents));
        Ok(())
    }

    fn template(&self, key: &str) -> Option<(String, Contents)> {
        let templates = self
            .templates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        templates.get(key).cloned()
    }

    fn name(&self, what: &str) -> String {
        format!("{what}_{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the database of a case.
    async fn place(&self, book: &Book) -> Result<Place<'_>, Unfit> {
        let Some((template, contents)) = self.template(&book.key()) else {
            return Err(Unfit::Server("its database was not made".to_owned()));
        };
        let database = self.name("case");
        self.server
            .create_database(&database, Some(&template))
            .await?;
        Ok(Place {
            ground: Some(self),
            own: None,
            database,
            contents,
        })
    }
}

impl<'a> Place<'a> {
    /// Makes the database of a case, on a server of its own where the tests ask for one.
    ///
    /// # Errors
    /// The SQL of the tests is wrong, or the server does not start.
    pub(super) async fn of(
        ground: Option<&'a Ground>,
        book: &Book,
        environment: &Environment,
    ) -> Result<Self, Unfit> {
        match (&book.suite.server, ground) {
            (Some(server), _) => Self::own(server, book, environment).await,
            (None, Some(ground)) => ground.place(book).await,
            (None, None) => Err(Unfit::Server("there is no server for it".to_owned())),
        }
    }

    async fn own(server: &Server, book: &Book, environment: &Environment) -> Result<Self, Unfit> {
        let settings = server.settings.0.iter();
        let options = ScratchOptions {
            settings: settings
                .map(|(name, value)| (name.value.clone(), value.text().to_owned()))
                .collect(),
            in_memory: true,
            ..ScratchOptions::default()
        };
        let server = scratch::start(environment, options).await?;
        server.create_database(OWN, None).await?;
        let contents = fill(&server.settings(OWN), &book.setup).await?;
        Ok(Self {
            contents,
            ground: None,
            own: Some(server),
            database: OWN.to_owned(),
        })
    }

    fn server(&self) -> Option<&Scratch> {
        self.own
            .as_ref()
            .or(self.ground.map(|ground| &ground.server))
    }

    /// Returns how its superuser connects.
    ///
    /// # Errors
    /// There is no server.
    pub(super) fn settings(&self) -> Result<ConnectSettings, Unfit> {
        let server = self.server().ok_or_else(no_server)?;
        Ok(server.settings(&self.database))
    }

    /// Returns its URL for a login.
    ///
    /// # Errors
    /// There is no server.
    pub(super) fn url(&self, login: &str) -> Result<String, Unfit> {
        let server = self.server().ok_or_else(no_server)?;
        Ok(server.url_for(login, &self.database))
    }

    /// Removes it, whoever is connected to it.
    pub(super) async fn remove(self) {
        if let Some(server) = self.own {
            // Its folder goes with it in any case.
            let _ = server.stop();
            return;
        }
        let Some(ground) = self.ground else {
            return;
        };
        if let Ok(connected) = ground.server.settings("postgres").connect().await {
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.database);
            // What is left of it goes with the server.
            let _ = connected.client.batch_execute(&drop).await;
        }
    }
}

fn no_server() -> Unfit {
    Unfit::Server("there is no server for it".to_owned())
}

/// Runs scripts, and waits until nobody is connected any more: a database in use cannot be copied. Returns what is in
/// the tables then.
async fn fill(settings: &ConnectSettings, scripts: &[Script]) -> Result<Contents, Unfit> {
    let connected = settings.connect().await?;
    for script in scripts {
        script.run(&connected.client).await?;
    }
    let server = |error: Error| Unfit::Server(error.to_string());
    // The scripts may have set anything.
    connected
        .client
        .batch_execute("RESET ALL; RESET SESSION AUTHORIZATION")
        .await
        .map_err(server)?;
    let contents = Contents::read(&connected.client).await.map_err(server)?;
    drop(connected);
    let others = settings.clone().with_database("postgres").connect().await?;
    let database = settings.database();
    let question = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
    loop {
        let row = others.client.query_one(question, &[&database]).await;
        let row = row.map_err(server)?;
        if row.get::<_, i64>(0) == 0 {
            return Ok(contents);
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}
