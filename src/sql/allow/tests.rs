//! The refusals of cases 31, 32 and 34, with odd case, comments and nesting, and what has to stay allowed.

use crate::sql::statement::{Access, SqlError, Statement};

fn read(text: &str) -> Result<(), SqlError> {
    Statement::parse(text)?.allowed_in_read()
}

fn fix(text: &str) -> Result<(), SqlError> {
    Statement::parse(text)?.allowed_in_fix()
}

#[test]
fn reads_are_allowed_in_reads() {
    let texts = [
        "select 1",
        "SELECT count(*) FROM sales.orders o JOIN x ON o.id = x.id WHERE o.id = $1;",
        "values (1), (2)",
        "table users",
        "(select 1) union all (select 2) order by 1 limit 3",
        "with recursive a as (select 1 union select n + 1 from a) select * from a",
        "with a as (values (1)), b as (table t) select * from a, b",
        "explain select 1",
        "explain (analyze, buffers) with a as (select 1) select * from a",
        "EXPLAIN ANALYZE VERBOSE select 1",
        "show server_version",
        "select random(), clock_timestamp(), currval('s'), pg_backend_pid()",
        "select extract(year from now()), trim(both from a), substring(a from 1 for 2) from t",
        "select j -> 'a', j ? 'b', a[1], (r).f, $1::int[], 'COMMIT; DROP TABLE t' from t",
        "select 1 -- ; commit",
        "/* drop table t; */ select 1 ; ;",
        "select * from rows from (generate_series(1, 2), unnest($1)) as x(a, b)",
        "select $$ delete from t $$",
        "select \"delete\", \"FOR UPDATE\" from \"into\"",
        "select * from größe where straße = 1",
    ];
    for text in texts {
        assert_eq!(read(text), Ok(()), "{text}");
        assert!(fix(text).is_err(), "{text}");
        assert_eq!(
            Statement::parse(text).unwrap().access(),
            Access::Read,
            "{text}"
        );
    }
}

#[test]
fn case_34_what_writes_is_refused_in_reads() {
    let texts = [
        "insert into t values (1)",
        "UpDaTe t set a = 1 where id = 2",
        "delete from t where id = 1",
        "merge into t using u on t.id = u.id when matched then delete",
        "with x as (delete from t returning *) select * from x",
        "WITH x AS (/* */ DeLeTe FROM t) SELECT 1",
        "with a as (with b as (update t set a = 1 returning a) select * from b) select * from a",
        "select * from (with x as (insert into t values (1) returning *) select * from x) y",
        "values ((with x as (insert into t values (1) returning 1) select 1))",
        "with x as (merge into t using u on true when matched then delete) table y",
        "select 1 into t",
        "select * into temp t from u",
        "with a as (select 1) select * into unlogged t from a",
        "explain select 1 into t",
        "select * from t for update",
        "SELECT * FROM t FOR/**/KEY SHARE OF t NOWAIT",
        "select * from (select * from t for no key update skip locked) x",
        "table t for share",
        "explain select * from t for update",
        "explain analyze delete from t",
        "explain (analyze on) update t set a = 1",
        "explain update t set a = 1",
        "explain (analyze) create table t as select 1",
        "explain analyze execute p",
        "explain analyze create materialized view m as select 1",
        "explain declare c cursor for select 1",
        "explain with x as (delete from t) select 1",
        "create table t as select 1",
        "create view v as select 1",
        "truncate t",
        "refresh materialized view m",
        "vacuum",
        "copy t to stdout",
        "copy (select 1) to program 'sh'",
        "lock table t",
        "call p()",
        "do $$ begin delete from t; end $$",
        "set role admin",
        "declare c cursor for select 1",
    ];
    for text in texts {
        let error = read(text).expect_err(text);
        assert!(error.range.is_some(), "{text}: {error}");
        assert!(
            error.help.is_some() || error.message.contains("parse"),
            "{text}: {error}"
        );
    }
}

#[test]
fn case_34_functions_that_act_are_refused_in_reads() {
    let calls = [
        "pg_terminate_backend(1)",
        "PG_Terminate_Backend ( 1 )",
        "pg_catalog.pg_cancel_backend(1)",
        "\"pg_catalog\" . \"pg_cancel_backend\" (1)",
        "u&\"pg\\005freload_conf\"()",
        "U&\"pg!005freload_conf\" UESCAPE '!' ()",
        "(1).pg_terminate_backend",
        "('/etc/passwd'::text).pg_read_file",
        "nextval('s')",
        "setval('s', 1)",
        "set_config('a', 'b', false)",
        "pg_advisory_lock(1)",
        "pg_try_advisory_xact_lock(1)",
        "pg_notify('a', 'b')",
        "dblink_exec('', 'drop table t')",
        "public.dblink('', 'commit')",
        "lo_import('/etc/passwd')",
        "lo_unlink(1)",
        "pg_ls_dir('.')",
        "pg_read_binary_file/* */('x')",
        "query_to_xml('select 1', true, true, '')",
        "query_to_xml_and_xmlschema('select 1', true, true, '')",
        "ts_stat('select 1')",
        "pg_promote()",
        "pg_switch_wal()",
        "pg_logical_emit_message(true, 'a', 'b')",
        "pg_create_logical_replication_slot('a', 'b')",
        "pg_drop_replication_slot('a')",
        "pg_start_backup('a')",
        "pg_export_snapshot()",
        "coalesce(1, lo_creat(1))",
        "case when true then pg_rotate_logfile() end",
    ];
    for call in calls {
        let texts = [
            format!("select {call}"),
            format!("select 1 where {call} is null"),
            format!("with a as (select 1 order by {call}) select 1"),
            format!("values (1, ({call}))"),
            format!("explain select 1 from t group by {call}"),
            format!(
                "select count(*) filter (where {call} is null) over (partition by {call}) from t"
            ),
        ];
        for text in texts {
            assert!(read(&text).is_err(), "{text}");
        }
    }
    for from in [
        "pg_ls_dir('.')",
        "lateral dblink('', '') as x(a int)",
        "rows from (pg_ls_dir('.'))",
    ] {
        assert!(read(&format!("select * from {from}")).is_err(), "{from}");
    }
}

#[test]
fn case_31_sessions_and_transactions_are_refused_everywhere() {
    let texts = [
        "COMMIT",
        "/* a */ CoMmIt /* b */ ; -- c",
        "-- x\ncommit and chain",
        "commit work and no chain",
        "END",
        "end transaction and chain",
        "COMMIT PREPARED 'a'",
        "begin",
        "begin isolation level serializable",
        "START TRANSACTION READ WRITE",
        "rollback",
        "abort and chain",
        "rollback to savepoint a",
        "ROLLBACK PREPARED 'a'",
        "prepare transaction 'a'",
        "savepoint a",
        "release a",
        "set constraints all deferred",
        "set transaction read write",
        "set session characteristics as transaction read write",
        "SET search_path = x",
        "set local role y",
        "set session authorization z",
        "reset all",
        "reset role",
        "discard all",
        "do $$ begin end $$",
        "do language plpgsql 'begin commit; end'",
        "call p()",
        "copy t from stdin",
        "copy t from '/etc/passwd'",
        "copy t to program 'rm -rf /'",
        "copy (delete from t returning *) to stdout",
        "listen a",
        "notify a, 'b'",
        "unlisten *",
        "lock t in share mode",
        "prepare p as delete from t",
        "execute p",
        "deallocate all",
        "declare c cursor with hold for select 1",
        "fetch all from c",
        "move c",
        "close all",
        "load 'x'",
        "create table t as execute p",
        "create rule r as on insert to t do also notify a",
        "select set_config('a', 'b', true)",
        "update t set a = set_config('role', 'x', false) where id = 1",
        "insert into t select pg_catalog.SET_CONFIG('a', 'b', true)",
        "create view v as select set_config('a', 'b', true)",
        "delete from t where dblink_exec('', '') = 'x'",
        "select lo_export(1, '/etc/passwd')",
        "select pg_advisory_lock(1)",
    ];
    for text in texts {
        assert!(read(text).is_err(), "{text}");
        assert!(fix(text).is_err(), "{text}");
    }
}

#[test]
fn changes_are_allowed_in_fixes() {
    let texts = [
        (
            "insert into t values ($1, default) returning *",
            Access::Write,
        ),
        (
            "with a as (select 1) update only t as x set a = $1 from a where x.id = $2",
            Access::Write,
        ),
        ("delete from t using u where t.id = u.id;", Access::Write),
        (
            "with x as (delete from t where id = 1 returning *) select * from x",
            Access::Write,
        ),
        (
            "create index concurrently i on t (lower(a)) where b",
            Access::Schema,
        ),
        ("alter table t add column a int default 1", Access::Schema),
        ("alter system set work_mem = '64MB'", Access::Schema),
        (
            "create table t as select * from u where id = $1",
            Access::Schema,
        ),
        ("select * into t from u", Access::Schema),
        ("grant select on t to u", Access::Schema),
        ("revoke all on t from u", Access::Schema),
        ("comment on table t is 'x'", Access::Schema),
        ("truncate t", Access::Schema),
        (
            "create function f() returns int language sql as $$ select 1 $$",
            Access::Schema,
        ),
        (
            "create function f() returns int begin atomic select 1; select 2; end",
            Access::Schema,
        ),
        ("alter type e add value 'x'", Access::Schema),
        ("drop schema s cascade", Access::Schema),
        ("vacuum (analyze) t", Access::Maintain),
        ("reindex index concurrently i", Access::Maintain),
        ("analyze t", Access::Maintain),
        (
            "select pg_terminate_backend(pid) from pg_stat_activity where pid = $1",
            Access::Act,
        ),
        ("select setval('s', 1)", Access::Act),
        ("select partman.run_maintenance()", Access::Act),
    ];
    for (text, access) in texts {
        assert_eq!(fix(text), Ok(()), "{text}");
        assert_eq!(Statement::parse(text).unwrap().access(), access, "{text}");
    }
    for text in [
        "alter table t add column a int default $1",
        "drop table $1",
        "grant $1 to u",
    ] {
        assert!(fix(text).is_err(), "{text}");
    }
}

#[test]
fn case_32_two_statements_are_refused() {
    let texts = [
        "select 1; select 2",
        "select 1; commit",
        "update t set a = 1 where id = 1; delete from t",
        "select 1;;/* */;COMMIT--",
        "select ';' ; select 1",
    ];
    for text in texts {
        let error = Statement::parse(text).expect_err(text);
        assert_eq!(error.message, "two statements in one text", "{text}");
        let at = error.range.map(|range| range.start).unwrap();
        assert!(at > text.find(';').unwrap(), "{text}");
    }
    for text in [
        "",
        " ",
        ";",
        "-- x",
        "/* */ ;;",
        "select 1 select 2",
        "selec 1",
        "select 'a",
        "select 1 \\gexec",
    ] {
        assert!(Statement::parse(text).is_err(), "{text}");
    }
}

#[test]
fn refusals_say_what_and_why() {
    let cases = [
        ("commit and chain", "COMMIT AND controls the transaction"),
        ("set a = 1", "SET changes the session's settings"),
        ("select 1", "SELECT changes nothing"),
    ];
    for (text, message) in cases {
        assert_eq!(fix(text).expect_err(text).message, message);
    }
}
