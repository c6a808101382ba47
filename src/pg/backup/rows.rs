//! Rows of tables, over the session of the run: few round trips, values bound, one snapshot for all.

use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::catalog::{self, Asked, Saved};
use super::copy::{Copied, entry, file_name};
use super::progress::Meter;
use super::{Content, Told, refused};
use crate::archive::folder::Draft;
use crate::archive::manifest::Definition;
use crate::archive::row::{Tally, line_of};
use crate::archive::table_file::TableWriter;
use crate::base::words;
use crate::engine::backup::TableRows;
use crate::engine::failure::{Failure, FailureKind};
use crate::engine::port::{Bound, Limits};
use crate::pg::session::Session;
use crate::pg::session::fingerprint::fingerprint;
use crate::pg::session::snapshot::{Beginning, TEXTS};
use crate::pg::{bind, failure};

/// How many bytes of text go to the file at once.
const BATCH: usize = 64 << 10;

/// How many tables are read in one flight: more would only be more that waits.
const FLIGHT: usize = 12;

/// How a transaction begins that sees one moment and cannot write.
const MODE: &str = "ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Finds the tables of names as the run's session sees them, by its own settings.
///
/// # Errors
/// As [`catalog::tables`]; the database has an encoding in which hashes could not be compared.
pub(super) async fn tables(
    session: &Session,
    names: &[String],
    limits: &Limits,
) -> Result<Vec<Asked>, Failure> {
    let beginning = session.beginning(MODE, &[], limits)?;
    let client = session.client();
    let work = async {
        let (begun, found, encoded, ended) = tokio::join!(biased;
            batch(client, &beginning.text),
            catalog::asked(client, names),
            encoded(client),
            batch(client, "ROLLBACK")
        );
        begun?;
        let found = found?;
        encoded?;
        ended?;
        Ok(found)
    };
    session.guarded(limits, work).await
}

/// Saves rows of tables.
///
/// # Errors
/// A table has rows in others that inherit from it; the predicate finds other rows each time; a full disk; the
/// server's word; a limit.
pub(super) async fn save(
    session: &Session,
    draft: &Draft,
    rows: &[TableRows],
    limits: &Limits,
    told: Told<'_>,
) -> Result<Content, Failure> {
    let names: Vec<String> = rows.iter().map(|rows| rows.table.clone()).collect();
    let tables = own(&names, &tables(session, &names, limits).await?)?;
    let works = rows
        .iter()
        .zip(&tables)
        .enumerate()
        .map(|(index, (rows, table))| Work::new(index + 1, &rows.bound, table))
        .collect::<Result<Vec<Work>, Failure>>()?;
    let locked: Vec<String> = tables.iter().map(Saved::from).collect();
    let beginning = session.beginning(MODE, &locked, limits)?;
    let taken_at = Timestamp::now();
    let meter = Meter::new("saving rows", None);
    let flying = Box::pin(fly(session.client(), &beginning, draft, &works, &meter));
    let copied = meter.telling(told, session.guarded(limits, flying)).await;
    let copied = copied.map_err(gone)?;
    let predicates = rows.iter().map(|rows| rows.shown.clone());
    let (entries, files) = tables
        .into_iter()
        .zip(copied)
        .zip(predicates)
        .map(|((table, copied), predicate)| {
            let predicate = Some(predicate);
            entry(table, copied, predicate, Definition::default())
        })
        .unzip();
    Ok(Content {
        tables: entries,
        types: Vec::new(),
        files,
        tool: None,
        taken_at,
    })
}

/// Returns the table of each name, unless some of its rows are those of other tables.
fn own(names: &[String], asked: &[Asked]) -> Result<Vec<Saved>, Failure> {
    if let Some(parent) = asked.iter().find_map(|one| one.heir_of.as_deref()) {
        let heirs: Vec<&str> = asked
            .iter()
            .filter(|one| one.heir_of.as_deref() == Some(parent))
            .map(|one| one.saved.relation.as_str())
            .collect();
        let heirs = words::list(&heirs);
        return Err(refused(format!(
            "rows of {parent} may be rows of {heirs}, which inherit from it: nobody could say where they belong"
        ))
        .help(format!(
            "save the whole tables (`tables: [{parent}]` brings the others along), or the rows of {heirs} alone"
        )));
    }
    let table = |name: &String| {
        let found = asked.iter().find(|one| one.name.as_ref() == Some(name));
        found.map(|one| one.saved.clone()).ok_or_else(|| {
            refused(format!(
                "`rows` names the table {name} twice, by different names"
            ))
            .help("put both predicates into one: (…) OR (…)")
        })
    };
    names.iter().map(table).collect()
}

/// Reads all rows and what the server counts of them, in one transaction.
async fn fly(
    client: &Client,
    beginning: &Beginning,
    draft: &Draft,
    works: &[Work<'_>],
    meter: &Meter,
) -> Result<Vec<Copied>, Failure> {
    let mut opening = format!("{}; {TEXTS}", beginning.text);
    if beginning.differs {
        let compared = compare(client, beginning, works).await;
        opening.clear();
        if compared.is_err() {
            // What it found is the failure to tell.
            let _ = batch(client, "ROLLBACK").await;
            compared?;
        }
    }
    let mut copied = Vec::new();
    let mut flights = works.chunks(FLIGHT).peekable();
    while let Some(flight) = flights.next() {
        let last = flights.peek().is_none();
        let ending = if last { "ROLLBACK" } else { "" };
        let saves = flight.iter().map(|work| work.save(client, draft, meter));
        let (begun, same, saved, ended) = tokio::join!(biased;
            batch(client, &opening),
            unchanged(client, flight),
            try_join_all(saves),
            batch(client, ending)
        );
        opening.clear();
        match begun
            .and(same)
            .and(saved)
            .and_then(|saved| ended.map(|()| saved))
        {
            Ok(saved) => copied.extend(saved),
            Err(failure) => {
                if !last {
                    let _ = batch(client, "ROLLBACK").await;
                }
                return Err(failure);
            }
        }
    }
    Ok(copied)
}

/// Refuses predicates that find other rows with the settings by which rows are saved than with those of the
/// run: midnight is another moment elsewhere. Begins the transaction.
async fn compare(
    client: &Client,
    beginning: &Beginning,
    works: &[Work<'_>],
) -> Result<(), Failure> {
    batch(client, &beginning.text).await?;
    let theirs = try_join_all(works.iter().map(|work| work.place(client))).await?;
    batch(client, TEXTS).await?;
    let ours = try_join_all(works.iter().map(|work| work.place(client))).await?;
    let pairs = works.iter().zip(theirs.iter().zip(&ours));
    match pairs.into_iter().find(|(_, (theirs, ours))| theirs != ours) {
        None => Ok(()),
        Some((work, _)) => Err(refused(format!(
            "the predicate of {} finds other rows with the `settings` of the runbook than without them",
            work.table.relation
        ))
        .note("rows are saved with TimeZone UTC and DateStyle ISO, so that their texts mean the same everywhere")
        .help("say it in the predicate: at >= '2026-01-31 00:00+01' instead of at >= '2026-01-31'")),
    }
}

/// Refuses tables that have other columns than a moment before.
async fn unchanged(client: &Client, works: &[Work<'_>]) -> Result<(), Failure> {
    let query = format!(
        "SELECT {} FROM unnest($1::oid[]) WITH ORDINALITY AS u(id, place) ORDER BY u.place",
        fingerprint("u.id")
    );
    let oids: Vec<u32> = works.iter().map(|work| work.table.oid).collect();
    let rows = client
        .query_typed(&query, &[(&oids, Type::OID_ARRAY)])
        .await
        .map_err(|error| failure::of(&error, "", 0))?;
    let now = |row: &Row| row.try_get::<_, Option<String>>(0).ok().flatten();
    let mut pairs = works.iter().zip(rows.iter().map(now));
    match pairs.find(|(work, now)| now.as_deref().unwrap_or_default() != work.table.fingerprint) {
        None => Ok(()),
        Some((work, _)) => Err(refused(format!(
            "the columns of {} were changed while its rows were saved",
            work.table.relation
        ))
        .help("run it again")),
    }
}

/// Refuses databases in whose encoding the server hashes other bytes than a backup has.
async fn encoded(client: &Client) -> Result<(), Failure> {
    let query = "SELECT current_setting('server_encoding')";
    let rows = client
        .query_typed(query, &[])
        .await
        .map_err(|error| failure::of(&error, "", 0))?;
    let encoding: String = rows
        .first()
        .and_then(|row| row.try_get(0).ok())
        .unwrap_or_default();
    if matches!(encoding.as_str(), "UTF8" | "SQL_ASCII") {
        return Ok(());
    }
    Err(refused(format!(
        "the database is encoded in {encoding}: rows and tables of it cannot be compared with what the server hashes"
    ))
    .help("save the database: `database: full`"))
}

/// The rows of one table on their way.
struct Work<'a> {
    number: usize,
    table: &'a Saved,
    bound: &'a Bound,
    /// The statement from its FROM on.
    from: &'a str,
}

impl<'a> Work<'a> {
    fn new(number: usize, bound: &'a Bound, table: &'a Saved) -> Result<Self, Failure> {
        let from = bound.statement.text().strip_prefix("SELECT");
        Ok(Self {
            number,
            table,
            bound,
            from: from.ok_or_else(|| refused("the rows to save are no SELECT"))?,
        })
    }

    async fn save(&self, client: &Client, draft: &Draft, meter: &Meter) -> Result<Copied, Failure> {
        let of = Tally::sql(&self.table.names(""));
        let (streamed, tally) = tokio::join!(biased;
            self.stream(client, draft, meter),
            self.tally(client, &of)
        );
        let (writer, seen) = streamed?;
        let tally = tally?;
        if seen != tally {
            return Err(refused(format!(
                "the predicate of {} finds other rows each time: {} and then {}",
                self.table.relation,
                words::count(seen.rows, "row"),
                words::count(tally.rows, "row")
            ))
            .help("take random(), clock_timestamp() and other volatile functions out of the predicate"));
        }
        let bytes = writer.written();
        // Files of several tables get to the disk together.
        let finished = tokio::task::spawn_blocking(move || writer.finish()).await;
        let file =
            finished.map_err(|error| refused(format!("a file was not finished: {error}")))?;
        Ok(Copied {
            file: file?,
            bytes,
            tally,
        })
    }

    /// Writes the rows as they come.
    async fn stream(
        &self,
        client: &Client,
        draft: &Draft,
        meter: &Meter,
    ) -> Result<(TableWriter, Tally), Failure> {
        let text = format!("SELECT {}{}", self.table.record(), self.from);
        let wrong = |error| self.wrong(&error);
        let stream = client
            .query_typed_raw(&text, bind::params(&self.bound.binds))
            .await
            .map_err(wrong)?;
        let mut stream = std::pin::pin!(stream);
        let name = file_name(self.number, draft.key().is_some());
        let mut writer = TableWriter::create(draft.folder(), &name, draft.key())?;
        let mut seen = Tally::default();
        let mut lines: Vec<u8> = Vec::new();
        while let Some(row) = stream.try_next().await.map_err(wrong)? {
            let record: &str = row.try_get(0).map_err(wrong)?;
            let line = line_of(record).ok_or_else(|| refused("the server sent no row"))?;
            seen.add_line(&line);
            lines.extend_from_slice(&line);
            lines.push(b'\n');
            if lines.len() >= BATCH {
                writer.write(&lines)?;
                meter.set(writer.written());
                lines.clear();
                lines.shrink_to(BATCH);
            }
        }
        writer.write(&lines)?;
        Ok((writer, seen))
    }

    /// Has the server count and hash the rows.
    async fn tally(&self, client: &Client, of: &str) -> Result<Tally, Failure> {
        let text = format!("SELECT {of}{}", self.from);
        let params = bind::params(&self.bound.binds);
        let rows = client
            .query_typed(&text, &bind::borrowed(&params))
            .await
            .map_err(|error| self.wrong(&error))?;
        catalog::read_tally(&rows, self.table)
    }

    /// Has the server count and hash where the rows are: which they are, and not what they say.
    async fn place(&self, client: &Client) -> Result<Tally, Failure> {
        self.tally(client, &Tally::sql(&["tableoid", "ctid"])).await
    }

    fn wrong(&self, error: &tokio_postgres::Error) -> Failure {
        failure::of(error, "", 0).note(format!("while rows of {} were saved", self.table.relation))
    }
}

/// Sends statements; nothing where there are none.
async fn batch(client: &Client, text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Ok(());
    }
    client
        .batch_execute(text)
        .await
        .map_err(|error| failure::of(&error, "", 0))
}

/// Says of a table that is not there that it was.
pub(super) fn gone(failure: Failure) -> Failure {
    match failure.sqlstate.as_deref() {
        Some("42P01") => Failure {
            kind: FailureKind::Backup,
            help: Vec::new(),
            ..failure
        }
        .note("it was there a moment before: someone dropped or renamed it meanwhile")
        .help("run it again once nobody changes the schema"),
        _ => failure,
    }
}
