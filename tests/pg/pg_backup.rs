//! Backups of a real server: what is a table, and what cannot be saved in full.

use runbook::engine::failure::Failure;
use runbook::pg::backup::catalog::{self, Saved};
use runbook::pg::connect::Connected;
use runbook::pg::scratch::{Scratch, ScratchOptions};

use crate::support::start;

const TABLES: &str = "\
    CREATE ROLE reader LOGIN; \
    CREATE SCHEMA sales; GRANT USAGE ON SCHEMA sales TO reader; \
    CREATE TABLE customers (id int PRIMARY KEY, name text, upper text GENERATED ALWAYS AS (upper(name)) STORED); \
    INSERT INTO customers SELECT g, 'name ' || g FROM generate_series(1, 10) g; \
    CREATE TABLE sales.\"Big Orders\" (id int, code text NOT NULL, part int NOT NULL, UNIQUE (code, part), UNIQUE (code) DEFERRABLE); \
    CREATE UNIQUE INDEX ON sales.\"Big Orders\" (part) WHERE id > 0; \
    CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at); \
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); \
    CREATE TABLE parent (id int); CREATE TABLE child (more int) INHERITS (parent); \
    CREATE TABLE hidden (id int); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; GRANT SELECT ON hidden, customers TO reader; \
    CREATE VIEW seen AS SELECT * FROM customers; \
    CREATE TABLE bare ()";

async fn server() -> (Scratch, Connected) {
    let server = start(ScratchOptions::default()).await;
    let connected = server.settings("postgres").connect().await.unwrap();
    connected.client.batch_execute(TABLES).await.unwrap();
    (server, connected)
}

async fn tables(connected: &Connected, names: &[&str]) -> Result<Vec<Saved>, Failure> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    catalog::tables(&connected.client, &names).await
}

fn words(failure: Failure) -> String {
    let lines = [vec![failure.message], failure.notes, failure.help];
    lines.concat().join("\n")
}

#[tokio::test]
async fn tables_are_found_as_an_author_names_them() {
    let (server, connected) = server().await;
    let found = tables(
        &connected,
        &[
            "customers",
            "sales.\"Big Orders\"",
            "parted",
            "parted_1",
            "parent",
            "bare",
            "public.customers",
        ],
    )
    .await
    .unwrap();
    let shown: Vec<String> = found
        .iter()
        .map(|one| {
            format!(
                "{} | {} | {} | {}",
                one.from(),
                one.names("t").join(", "),
                one.key.join(","),
                one.partitioned
            )
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    ONLY public.customers | t.id, t.name | id | false
    ONLY sales."Big Orders" | t.id, t.code, t.part | code,part | false
    public.parted | t.id, t.at |  | true
    ONLY public.parent | t.id |  | false
    ONLY public.child | t.id, t.more |  | false
    ONLY public.bare |  |  | false
    "#);
    let all = catalog::all(&connected.client).await.unwrap();
    let all: Vec<&str> = all.iter().map(|one| one.relation.as_str()).collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    public.bare
    public.child
    public.customers
    public.hidden
    public.parent
    public.parted_1
    sales."Big Orders"
    "#);
    let tally = catalog::tally(&connected.client, &found[0]).await.unwrap();
    assert_eq!(tally.rows, 10);
    server.stop().unwrap();
}

#[tokio::test]
async fn case_28_what_cannot_be_saved_in_full_is_refused() {
    let (server, connected) = server().await;
    let mut told = Vec::new();
    for names in [&["custmers", "sales.nothing"][..], &["seen"], &["pg_class"]] {
        told.push(words(tables(&connected, names).await.unwrap_err()));
    }
    let reader = server.settings("postgres").connect().await.unwrap();
    let become_reader = "SET SESSION AUTHORIZATION reader";
    reader.client.batch_execute(become_reader).await.unwrap();
    for names in [&["hidden"][..], &["parent"], &["hidden", "parted"]] {
        told.push(words(tables(&reader, names).await.unwrap_err()));
    }
    told.push(words(catalog::all(&reader.client).await.unwrap_err()));
    assert_eq!(tables(&reader, &["customers"]).await.unwrap().len(), 1);
    insta::assert_snapshot!(told.join("\n\n"), @r#"
    there are no tables custmers and sales.nothing
    did you mean `customers`?

    public.seen is a view: it has no rows of its own
    name the tables that hold the rows

    pg_catalog.pg_class belongs to PostgreSQL itself
    name tables of your own

    row-level security of public.hidden hides rows from reader: only a part of it would be saved
    use a login that sees all rows: the table's owner, or one with BYPASSRLS (ALTER ROLE reader BYPASSRLS)

    reader may not read public.parent
    reader may not read public.child
    GRANT SELECT ON public.parent TO reader, and USAGE on its schema; or use a login that may read it

    row-level security of public.hidden hides rows from reader: only a part of it would be saved
    reader may not read public.parted
    use a login that sees all rows: the table's owner, or one with BYPASSRLS (ALTER ROLE reader BYPASSRLS)

    reader may not read public.bare
    reader may not read public.child
    row-level security of public.hidden hides rows from reader: only a part of it would be saved
    reader may not read public.parent
    reader may not read public.parted_1
    reader may not read sales."Big Orders"
    GRANT SELECT ON public.bare TO reader, and USAGE on its schema; or use a login that may read it
    "#);
    server.stop().unwrap();
}
