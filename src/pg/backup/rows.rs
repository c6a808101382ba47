//! Rows of tables, over the session of the run: few round trips, values bound, one snapshot for all.
