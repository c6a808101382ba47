//! PostgreSQL: where a server is and how to reach it, and private servers of our own.
//!
//! | module | its one job |
//! |---|---|
//! | [`environment`] | the variables and the user a process was started with, read once |
//! | [`secret`] | a password that no output can show |
//! | [`conninfo`] | `postgres://` URLs and `key=value` strings, taken apart |
//! | [`keyword`] | libpq's connection keywords and variables, and which of them are supported |
//! | [`service`], [`passfile`] | libpq's two files |
//! | [`host`] | one address of a server |
//! | [`settings`] | all of these resolved into where and how to connect |
//! | [`profile`] | what every connection to a named target begins with, and which database it must be |
//! | [`tls`] | `sslmode` and certificates, by rustls |
//! | [`connect`], [`connect_error`] | a live connection, or the reason there is none |
//! | [`session`] | a run's connection: reads, changes with their row images, transactions in one another |
//! | [`live`], [`function`], [`undoable`] | a runbook against the live catalog; volatile functions in reads; fixes that cannot be put back |
//! | `audit`, `inventory` | what a database must have, looked for in its catalogs; all that it has, for such a check |
//! | [`backup`] | backups: made under one snapshot, proved, put back |
//! | [`binaries`], [`scratch`] | PostgreSQL's programs, and a private server started with them |

/// SQL of the cluster's system identifier, where the login may read it. A function that may not be called is refused
/// even where it is not reached, unless the statement with it is a text.
macro_rules! cluster {
    () => {
        "CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN \
         substring(pg_catalog.query_to_xml('SELECT system_identifier AS id FROM pg_catalog.pg_control_system()', \
         false, false, '')::text FROM '<id>([0-9]+)</id>') END"
    };
}

mod audit;
pub mod backup;
pub mod binaries;
mod bind;
pub mod connect;
pub mod connect_error;
pub mod conninfo;
pub mod environment;
pub(crate) mod failure;
pub mod function;
pub mod host;
mod inventory;
pub mod keyword;
pub mod live;
pub mod passfile;
pub mod profile;
pub mod scratch;
pub mod secret;
pub mod service;
pub mod session;
pub mod settings;
pub mod tls;
pub mod undoable;
