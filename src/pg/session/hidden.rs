//! Rows that row-level security hides.

/// What becomes of hidden rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hidden {
    /// That there may be some is an error: left out, they would pass for rows that are not there.
    #[default]
    Refused,
    /// They are left alone: a fix of the run is meant for the rows that it sees.
    LeftAlone,
}

impl Hidden {
    /// Returns what is left of hidden rows after a fix which says whether they are none of its business.
    pub(super) fn after(self, row_security: bool) -> Self {
        if row_security { Self::LeftAlone } else { self }
    }

    /// Returns the statement that has the server do so until the transaction ends.
    pub(super) fn setting(self) -> &'static str {
        match self {
            Self::Refused => "SET LOCAL row_security = off",
            Self::LeftAlone => "SET LOCAL row_security = on",
        }
    }
}
