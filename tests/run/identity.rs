//! The target's identity: a pooler in between, a replica, another cluster, database or timeline.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use runbook::engine::event::TargetFacts;
use runbook::engine::port::Close;
use runbook::pg::environment::Environment;
use runbook::pg::scratch::{self, ScratchOptions};
use runbook::pg::session::identity::other_target;

use crate::proxy::Proxy;
use crate::server::Database;
use crate::session::{apply, begin, block_on, connect, entry, limits, words};
use crate::test::Test;

const COUNTERS: &str = "CREATE TABLE counters (id int PRIMARY KEY, value int NOT NULL); \
    INSERT INTO counters SELECT n, 0 FROM generate_series(1, 3) n";

const ONE: &str = "UPDATE counters SET value = value + 1 WHERE id = 1";

#[test]
fn case_11_a_pooler_of_transactions_is_refused() {
    let test = Test::sql(COUNTERS);
    let proxy = Proxy::pooling(test.root(), &Database::folder());
    let failure = block_on(async {
        let mut session = connect(&proxy.url(&test.db.url()), "aaaaaa").await;
        apply(&mut session, &entry("aaaaaa", 1), ONE)
            .await
            .unwrap_err()
    });
    assert_snapshot!(words(&failure), @"
    Target: a connection pooler stands between this program and the server
      note: the transaction came to another server process than the connection began with
      note: the run's lock and settings are of one process; nothing was changed
      help: demand a direct connection: the server's own address, or a pool of sessions
    ");
    assert_eq!(test.rows("SELECT value FROM counters WHERE id = 1"), "0");
}

#[test]
fn a_proxy_that_only_passes_on_is_fine() {
    let test = Test::sql(COUNTERS);
    let proxy = Proxy::new(test.root(), &Database::folder());
    block_on(async {
        let mut session = connect(&proxy.url(&test.db.url()), "aaaaaa").await;
        apply(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
    });
    assert_eq!(test.rows("SELECT value FROM counters WHERE id = 1"), "1");
}

#[test]
fn case_15_a_target_that_became_a_replica_or_was_promoted_is_refused() {
    block_on(async {
        let options = ScratchOptions::default();
        let mut server = scratch::start(&Environment::from_process(), options)
            .await
            .unwrap();
        let url = server.url("postgres");
        let mut session = connect(&url, "aaaaaa").await;
        session.client().batch_execute(COUNTERS).await.unwrap();
        apply(&mut session, &entry("aaaaaa", 1), ONE).await.unwrap();
        begin(&mut session, &entry("aaaaaa", 2), ONE).await.unwrap();
        let began = session.target().clone();
        assert_eq!(began.timeline.as_deref(), Some("00000001"));
        assert!(!session.is_replica());

        let signal = server.data().join("standby.signal");
        std::fs::write(&signal, "").unwrap();
        std::fs::set_permissions(&signal, PermissionsExt::from_mode(0o666)).unwrap();
        server.restart().await.unwrap();
        session.close(Close::Rollback, &limits()).await.unwrap_err();
        assert_snapshot!(words(&session.revive().await.unwrap_err()), @"
        Target: the server is a replica: nothing can be changed on it
          help: give the connection of the primary, or add target_session_attrs=primary to it
        ");
        let mut replica = connect(&url, "bbbbbb").await;
        assert!(replica.is_replica());
        replica.refuse_replica().unwrap_err();
        replica.lock("key").await.unwrap();
        apply(&mut replica, &entry("bbbbbb", 1), ONE)
            .await
            .unwrap_err();

        let promote = "SELECT pg_promote(true)";
        assert!(
            replica
                .client()
                .query_one(promote, &[])
                .await
                .unwrap()
                .get::<_, bool>(0)
        );
        assert_snapshot!(words(&session.revive().await.unwrap_err()), @"
        Target: this is another timeline than the one that the run began on
          note: it began on timeline 00000001, this is timeline 00000002
          note: the server was promoted or restored since: what the run committed may be missing here
          note: the connection was lost and opened again
          help: look whether its changes are there; then `runbook resume RUN --new-timeline` goes on
        ");
        let now = connect(&url, "aaaaaa").await;
        assert!(other_target(&began, now.target(), false).is_some());
        assert!(other_target(&began, now.target(), true).is_none());
        let value = now
            .client()
            .query_one("SELECT value FROM counters WHERE id = 1", &[])
            .await;
        assert_eq!(value.unwrap().get::<_, i32>(0), 1);
        drop((session, replica, now));
        server.stop().unwrap();
    });
}

#[test]
fn case_15_another_cluster_or_database_is_named() {
    let began = TargetFacts {
        database: "crm".to_owned(),
        system_identifier: Some("71".to_owned()),
        timeline: Some("00000001".to_owned()),
        database_oid: Some(16400),
        ..TargetFacts::default()
    };
    let cluster = TargetFacts {
        system_identifier: Some("72".to_owned()),
        ..began.clone()
    };
    let renewed = TargetFacts {
        database_oid: Some(16500),
        ..began.clone()
    };
    let timeline = TargetFacts {
        timeline: Some("00000002".to_owned()),
        ..began.clone()
    };
    let unknown = TargetFacts {
        system_identifier: None,
        timeline: None,
        ..began.clone()
    };
    assert!(other_target(&began, &began, false).is_none());
    assert!(other_target(&began, &unknown, false).is_none());
    let all =
        [cluster, renewed, timeline].map(|now| words(&other_target(&began, &now, false).unwrap()));
    assert_snapshot!(all.join("\n"), @"
    Target: this is another cluster than the one that the run began on
      note: it began on cluster 71, this is cluster 72
      help: give the connection of the server that it began on
    Target: this is another database than the one that the run began on
      note: it began on database crm (OID 16400), this is database crm (OID 16500)
      help: give the connection of the database that it began on
    Target: this is another timeline than the one that the run began on
      note: it began on timeline 00000001, this is timeline 00000002
      note: the server was promoted or restored since: what the run committed may be missing here
      help: look whether its changes are there; then `runbook resume RUN --new-timeline` goes on
    ");
}
