//! `runbook test`: what goes wrong in a case, and who else is there.

use insta::assert_snapshot;

use crate::suite::Suite;

#[test]
fn faults_happen_at_their_moments() {
    let suite = Suite::cases(
        "
        - case: before a step somebody takes the item away
          params: { item: 1, price: 15 }
          faults: [{ before: found, sql: DELETE FROM items WHERE id = 1 }]
          outcome: failed
          says: There is no item 1.
          unchanged: all
        - case: while the question stands somebody changes the price
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ during: go, sql: UPDATE items SET price = 11 WHERE id = 1 }]
          outcome: failed
          says: the changes are not those that were shown and approved
          rows: [{ sql: SELECT price FROM items WHERE id = 1, are: [11] }]
          unchanged: all
        - case: after the fix somebody changes it again
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ after: set, sql: [UPDATE items SET price = 16 WHERE id = 1, INSERT INTO notes VALUES ('x')] }]
          outcome: stopped
          path: [found, differs, go, set, is_set]
          rows: [{ sql: SELECT price FROM items WHERE id = 1, are: [16] }]
          unchanged: [notes]
        - case: a serialization failure passes
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ during: set, error: serialization, times: 2 }]
          outcome: done
          says: could not serialize access
        - case: too many of them do not
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ during: set, error: serialization, times: 9 }]
          outcome: failed
          says: SQLSTATE 40001
          unchanged: all
        - case: a lock is not to be had
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ during: set, error: lock_timeout }]
          outcome: failed
          says: SQLSTATE 55P03
          unchanged: all
        - case: the connection is lost
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ during: set, error: connection }]
          outcome: failed
          says: the connection to the server is lost
          unchanged: all
        - case: the disk is full
          params: { item: 1, price: 15 }
          faults: [{ during: found, error: no space left on device }]
          outcome: failed
          says: no space left on device
        - case: Ctrl-C at the question
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ during: go, cancel: true }]
          outcome: cancelled
          unchanged: all
        - case: Ctrl-C while it works
          params: { item: 1, price: 15 }
          answers: { go: yes }
          faults: [{ during: set, cancel: true }]
          outcome: cancelled
          unchanged: all
        ",
    );
    assert_snapshot!(suite.run("").code(0), @"
    exit 0
    --- stdout
    set-price
      ✓ before a step somebody takes the item away  TIME
      ✓ while the question stands somebody changes the price  TIME
      ✓ after the fix somebody changes it again  TIME
      ✓ a serialization failure passes  TIME
      ✓ too many of them do not  TIME
      ✓ a lock is not to be had  TIME
      ✓ the connection is lost  TIME
      ✓ the disk is full  TIME
      ✓ Ctrl-C at the question  TIME
      ✓ Ctrl-C while it works  TIME

    10 cases of 1 runbook: 10 passed; coverage 77 % (7 of 9 ways)
    ");
}

#[test]
fn a_case_that_cannot_be_played_as_it_is_written_fails() {
    let suite = Suite::cases(
        "
        - case: its moment never comes
          params: { item: 1, price: 10 }
          faults: [{ after: set, sql: DELETE FROM items }]
          outcome: nothing
        - case: the SQL of somebody else is wrong
          params: { item: 1, price: 10 }
          faults: [{ after: found, sql: DELETE FROM things }]
          outcome: nothing
        - case: so is that of a session
          params: { item: 1, price: 10 }
          sessions: [{ session: other, sql: SELECT oops }]
          outcome: nothing
        - case: there is no such login
          params: { item: 1, price: 10 }
          login: nobody_of_that_name
          outcome: nothing
        ",
    );
    assert_snapshot!(suite.run("").code(10), @r#"
    exit 10
    --- stdout
    set-price
      ✗ its moment never comes  TIME
          runbooks/set-price.test.yaml:5
        trouble
          the moment of the fault after `set` never came: the case proves nothing about it
      ✗ the SQL of somebody else is wrong  TIME
          runbooks/set-price.test.yaml:9
        trouble
          somebody else's `DELETE FROM things`: relation "things" does not exist
      ✗ so is that of a session  TIME
          runbooks/set-price.test.yaml:13
        trouble
          session `other`: SELECT oops: column "oops" does not exist
      ✗ there is no such login  TIME
          runbooks/set-price.test.yaml:17
        outcome
          - nothing
          + refused
            error: PostgreSQL refuses the login nobody_of_that_name@SERVER:5432/CASE:
            role "nobody_of_that_name" does not exist (28000)
              = help: check the user and its password ($PGPASSWORD, ~/.pgpass), and the server's
            pg_hba.conf

    4 cases of 1 runbook: 0 passed, 4 failed; coverage 22 % (2 of 9 ways)
    --- stderr
    warning: the case only expects an outcome
     --> runbooks/set-price.test.yaml:5:11
      |
    5 |   - case: its moment never comes
      |           ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well

    warning: the case only expects an outcome
     --> runbooks/set-price.test.yaml:9:11
      |
    9 |   - case: the SQL of somebody else is wrong
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well

    warning: the case only expects an outcome
      --> runbooks/set-price.test.yaml:13:11
       |
    13 |   - case: so is that of a session
       |           ^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well

    warning: the case only expects an outcome
      --> runbooks/set-price.test.yaml:17:11
       |
    17 |   - case: there is no such login
       |           ^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: add `path`, `says`, `rows` or `unchanged`: another reason for the same outcome would pass as well
    "#);
}

#[test]
fn others_are_open_while_it_runs() {
    let suite = Suite::cases(
        "
        - case: somebody holds the row, and somebody else waits for it
          params: { item: 1, price: 15 }
          answers: { go: yes }
          sessions:
            - session: nightly job
              sql: [BEGIN, UPDATE items SET price = price WHERE id = 1]
            - session: web
              waits: UPDATE items SET price = 99 WHERE id = 1
          outcome: failed
          says: the lock is held by session
          rows:
            - sql: SELECT application_name FROM pg_stat_activity WHERE application_name IN ('nightly job', 'web') ORDER BY 1
              are: [nightly job, web]
          unchanged: all
        - case: somebody has locked a whole table
          params: { item: 1, price: 10 }
          sessions:
            - session: admin
              sql: [INSERT INTO notes VALUES ('committed'), BEGIN, LOCK TABLE notes]
          outcome: nothing
          rows: [{ sql: SELECT text FROM notes, are: [committed] }]
          unchanged: all
        ",
    );
    assert_snapshot!(suite.run("").code(0), @"
    exit 0
    --- stdout
    set-price
      ✓ somebody holds the row, and somebody else waits for it  TIME
      ✓ somebody has locked a whole table  TIME

    2 cases of 1 runbook: 2 passed; coverage 33 % (3 of 9 ways)
    ");
}

#[test]
fn a_case_may_have_a_login_and_a_server_of_its_own() {
    let suite = Suite::with(
        "server: { settings: { work_mem: 7MB } }\n",
        "
        - case: a login that may only read
          data: CREATE ROLE reader LOGIN; GRANT SELECT ON items TO reader
          login: reader
          params: { item: 1, price: 10 }
          outcome: nothing
          says: reader@
          rows:
            - sql: SELECT setting FROM pg_settings WHERE name = 'work_mem'
              are: [7168]
        - case: the role of the other case is not there
          params: { item: 1, price: 10 }
          outcome: nothing
          rows:
            - sql: SELECT rolname FROM pg_roles WHERE rolname = 'reader'
              are: []
        ",
    );
    assert_snapshot!(suite.run("").code(0), @"
    exit 0
    --- stdout
    set-price
      ✓ a login that may only read  TIME
      ✓ the role of the other case is not there  TIME

    2 cases of 1 runbook: 2 passed; coverage 22 % (2 of 9 ways)
    ");
    let suite = Suite::with(
        "server: { settings: { work_mem: much } }\n",
        "- case: its settings are wrong\n  params: { item: 1, price: 10 }\n  outcome: nothing\n",
    );
    suite.run("").code(10).says("work_mem");
}
