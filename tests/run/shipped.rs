//! The runbooks that are shipped, on the sample CRM.

use insta::assert_snapshot;

use crate::test::Test;

const ACME: &str = "SELECT c.status, c.suspended_at, s.status, string_agg(u.is_active::text, ',' ORDER BY u.id) \
    FROM companies c JOIN subscriptions s ON s.company_id = c.id JOIN users u ON u.company_id = c.id \
    WHERE c.id = 42 GROUP BY c.id, s.id";

#[test]
fn a_suspended_customer_is_enabled() {
    let test = Test::crm();
    let ran = test.run("run enable-suspended-customer --company 42 --yes");
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    Enable a suspended customer  run RUN · postgres@SERVER:5432/DB · medium risk
      company  42

      ✓ customer               1 row  TIME
          id                   42
          name                 Acme GmbH
          status               suspended
          suspended_at         2026-11-02 08:14:03+00
          subscription_id      9001
          subscription_status  suspended
          inactive_users       3
      ✓ has_subscription       passed  TIME
      ✓ is_suspended           passed  TIME
      ✓ not_cancelled          passed  TIME
      ✓ before                 5 rows of 3 tables → ~/.local/state/runbook/backups/RUN-before (312 B, verified)  TIME
      ? go_ahead
          reactivation changes 5 rows of 3 tables
            subscriptions     9001  status        suspended → active
            companies           42  status        suspended → active
                                    suspended_at  2026-11-02 08:14:03+00 → null
            users          1, 2, 3  is_active     f → t
          Reactivate Acme GmbH and 3 users?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ reactivation           5 rows changed, committed  TIME
          ✓ activate_subscription  1 row   ✓ enable_company  1 row   ✓ enable_users  3 rows   ✓ all_enabled
      ✓ reactivated            3 of 3 passed  TIME
          ✓ company is active   ✓ subscription is active   ✓ no user is left inactive

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(test.rows(ACME), "active | null | active | true,true,true");
}

#[test]
fn the_answer_is_the_name_of_the_customer() {
    let test = Test::crm();
    let run = |answer| {
        test.run_with([
            "run",
            "enable-suspended-customer",
            "--company",
            "42",
            "--answer",
            answer,
        ])
    };
    let before = test.contents();
    run("go_ahead=Acme")
        .code(12)
        .says("\"Acme\" is not the text asked for, \"Acme GmbH\"")
        .says("`go_ahead` was answered with no");
    run("go_ahead=yes").code(12);
    assert_eq!(test.contents(), before);
    run("go_ahead=Acme GmbH").code(0).says("by --answer");
    assert_eq!(test.rows(ACME), "active | null | active | true,true,true");
}

#[test]
fn case_35_a_dry_run_shows_everything_and_leaves_every_table_as_it_was() {
    let test = Test::crm();
    let before = test.contents();
    let ran = test.run("run enable-suspended-customer --company 42 --dry-run");
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    Enable a suspended customer  run RUN · postgres@SERVER:5432/DB · medium risk
      company  42

    Dry run: everything is rolled back at its end.
    What it cannot rehearse:
      – before makes a backup

      ✓ customer               1 row  TIME
          id                   42
          name                 Acme GmbH
          status               suspended
          suspended_at         2026-11-02 08:14:03+00
          subscription_id      9001
          subscription_status  suspended
          inactive_users       3
      ✓ has_subscription       passed  TIME
      ✓ is_suspended           passed  TIME
      ✓ not_cancelled          passed  TIME
      – before                 would run; a dry run cannot rehearse it
      ? go_ahead
          reactivation changes 5 rows of 3 tables
            subscriptions     9001  status        suspended → active
            companies           42  status        suspended → active
                                    suspended_at  2026-11-02 08:14:03+00 → null
            users          1, 2, 3  is_active     f → t
          Reactivate Acme GmbH and 3 users?
          ✓ yes · the rehearsal
      ✓ reactivation           5 rows changed, to be rolled back  TIME
          ✓ activate_subscription  1 row   ✓ enable_company  1 row   ✓ enable_users  3 rows   ✓ all_enabled
      ✓ reactivated            3 of 3 passed  TIME
          ✓ company is active   ✓ subscription is active   ✓ no user is left inactive

    Done in TIME.
    It would change 5 rows of 3 tables:
      subscriptions  1 updated
      companies      1 updated
      users          3 updated
    Everything is rolled back, as the server confirms.
    ");
    assert_eq!(test.contents(), before);
    let answer = "run enable-suspended-customer --company 42 --dry-run --answer go_ahead=no";
    test.run(answer).code(12);
    assert_eq!(test.contents(), before);
}

#[test]
fn a_customer_that_is_not_suspended_needs_nothing() {
    let test = Test::crm();
    let before = test.contents();
    // The choices are the suspended ones: the runbook's own answer shows without them.
    let book = include_str!("../../runbooks/crm/enable-suspended-customer.yaml");
    let lines = book.lines();
    let free: Vec<&str> = lines
        .filter(|line| !line.trim_start().starts_with("choices:"))
        .collect();
    let test = test.file("runbooks/enable-suspended-customer.yaml", free.join("\n"));
    let ran = test.run("run enable-suspended-customer --company 7 --yes");
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    Enable a suspended customer  run RUN · postgres@SERVER:5432/DB · medium risk
      company  7

      ✓ customer               1 row  TIME
          id                   7
          name                 Globex Corporation
          status               active
          suspended_at         null
          subscription_id      8966
          subscription_status  active
          inactive_users       2
      ✓ has_subscription       passed  TIME
      → is_suspended           no  TIME
          → not so: customer.status == 'suspended' or customer.subscription_status == 'suspended'

    Nothing to do after TIME.
    Globex Corporation is active: nothing to do.
    ");
    test.run("run enable-suspended-customer --company 66 --yes")
        .code(10)
        .says("Initech LLC has no subscription to activate.");
    test.run("run enable-suspended-customer --company 99999 --yes")
        .code(10)
        .says("There is no company 99999.");
    assert_eq!(test.contents(), before);
}

#[test]
fn a_company_that_is_none_of_the_choices_is_refused_before_anything_runs() {
    let test = Test::crm();
    assert_snapshot!(test.run("run enable-suspended-customer --company 7 --yes"), @"
    exit 3
    --- stderr
    error: the parameters are not among what the database offers
      `company`: 7 is not among its choices
      = help: the choices are company: 42 Acme GmbH, 53 Eastdale Brewing Group, 68 Glenwood Controls AG, 66 Initech LLC, 25 Ironholm Pharma ApS, 91 Oakmouth Ceramics Oy
    ");
    test.run("run enable-suspended-customer --company 99999")
        .code(3)
        .says("99999 is not among its choices");
}

#[test]
fn a_user_cannot_log_in_for_every_reason() {
    let test = Test::crm();
    let email = |id: u32| test.rows(&format!("SELECT email FROM users WHERE id = {id}"));
    let run = |email: &str| test.run(&format!("run user-cannot-login --yes --email {email}"));
    let state = |email: &str| {
        test.rows(&format!(
            "SELECT is_active, email_verified FROM users WHERE email = lower('{email}')"
        ))
    };
    let mut seen = Vec::new();
    for id in 4..=8 {
        let email = email(id);
        let before = state(&email);
        let ran = run(&email);
        let last = ran.stdout.lines().last().unwrap_or_default().to_owned();
        let after = state(&email);
        seen.push(format!(
            "{before} → {after} · {:?} · {last}",
            ran.code.unwrap()
        ));
    }
    assert_snapshot!(seen.join("\n"), @"
    f | f → t | t · 0 · Done in TIME. Undo with: runbook undo RUN
    t | t → t | t · 0 · Hedy Lamarr can log in: the user is active and the e-mail address verified. A forgotten password is reset from the login page.
    t | t → t | t · 0 · Edsger Dijkstra can log in: the user is active and the e-mail address verified. A forgotten password is reset from the login page.
    f | t → t | t · 0 · Done in TIME. Undo with: runbook undo RUN
    t | f → t | t · 0 · Done in TIME. Undo with: runbook undo RUN
    ");
    let suspended = test.rows("SELECT email FROM users WHERE company_id = 42 ORDER BY id LIMIT 1");
    run(&suspended)
        .code(0)
        .says("Acme GmbH is suspended, so none of its users can log in.")
        .says("runbook run enable-suspended-customer --company 42");
    let cancelled = test.rows(
        "SELECT u.email FROM users u JOIN companies c ON c.id = u.company_id WHERE c.status = 'cancelled' ORDER BY u.id LIMIT 1",
    );
    run(&cancelled)
        .code(10)
        .says("That is for sales to settle.");
    run("nobody@example.com")
        .code(10)
        .says("No user has the e-mail address nobody@example.com.");
    run("not-an-address").code(3);
}

#[test]
fn a_locked_out_user_is_let_in() {
    let test = Test::crm();
    test.connect()
        .run("UPDATE users SET is_active = false, email_verified = false, email = 'eve@example.com' WHERE id = 4");
    let ran = test.run("run user-cannot-login --email EVE@example.com --yes");
    assert_snapshot!(ran, @"
    exit 0
    --- stdout
    A user cannot log in  run RUN · postgres@SERVER:5432/DB · medium risk
      email  EVE@example.com

      ✓ account                1 row  TIME
          id              4
          email           eve@example.com
          full_name       Grace Hopper
          role            user
          is_active       f
          email_verified  f
          last_login_at   null
          company_id      7
          company_name    Globex Corporation
          standing        active
      ✓ company_in_order       active  TIME
      ✓ locked_out             passed  TIME
      ✓ recent_attempts        1 row  TIME
          created_at              action        detail
          2026-10-31 17:18:33+00  login_failed  user is inactive
      ? go_ahead
          unlock changes 2 rows of users
            users  4  is_active       f → t
                   4  email_verified  f → t
          Let Grace Hopper (eve@example.com, user at Globex Corporation) log in again?
          ✓ yes · postgres (USER@HOST) by --yes
      ✓ unlock                 2 rows changed, committed  TIME
          ✓ enable_user  1 row   ✓ verify_email  1 row   ✓ unlocked
      ✓ can_log_in             3 of 3 passed  TIME
          ✓ the user is active   ✓ the e-mail address is verified   ✓ the company is in order

    Done in TIME. Undo with: runbook undo RUN
    ");
    assert_eq!(
        test.rows("SELECT is_active, email_verified FROM users WHERE id = 4"),
        "t | t"
    );
}

#[test]
fn a_user_becomes_an_admin() {
    let test = Test::crm();
    test.connect().run(
        "UPDATE users SET role = 'user', is_active = true, email_verified = true, email = 'eve@example.com' WHERE id = 4; \
         UPDATE users SET role = 'user', is_active = false, email = 'off@example.com' WHERE id = 5",
    );
    let ran =
        test.run("run make-user-admin --email eve@example.com --answer go_ahead=eve@example.com");
    ran.code(0).says("role  user → admin");
    assert_eq!(test.rows("SELECT role FROM users WHERE id = 4"), "admin");
    test.run("run make-user-admin --email eve@example.com --yes")
        .code(0)
        .says("is already an admin of Globex Corporation: nothing to do.");
    test.run("run make-user-admin --email off@example.com --yes")
        .code(10)
        .says("First use: runbook run user-cannot-login --email off@example.com");
    test.run("run make-user-admin --email none@example.com --yes")
        .code(10)
        .says("No user has the e-mail address none@example.com.");
    assert_eq!(test.rows("SELECT role FROM users WHERE id = 5"), "user");
}

#[test]
fn the_health_check_warns_and_succeeds() {
    let test = Test::crm();
    let before = test.contents();
    let ran = test.run("run health-check --latest 2").code(0);
    for text in [
        "✓ connections_left",
        "! nothing_to_attend",
        "      ! not so: no user of a company in order is inactive\n",
        "Once billing has settled a case, use enable-suspended-customer.",
        "suspended_companies",
        "recent_activity",
    ] {
        assert!(ran.stdout.contains(text), "{ran}");
    }
    assert_eq!(test.contents(), before);
}
