//! Whole tables: several connections copy, hash and compress at once under one snapshot.
