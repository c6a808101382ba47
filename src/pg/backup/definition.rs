//! The statements that make a table anew in another database.
