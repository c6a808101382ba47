//! The whole database by pg_dump, and what there is in its dump.
