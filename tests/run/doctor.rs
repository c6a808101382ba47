//! `runbook doctor`: what is missing, with what mends it.
