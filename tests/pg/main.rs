//! Real servers: connecting to them, and the private ones of our own.

mod pg_backup;
mod pg_connect;
mod pg_create;
mod pg_rows;
mod pg_scratch;
mod pg_tls;
mod support;
