//! Past runs as Markdown.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::everything::everything;
use super::run::whole_run;
use super::undo::{conflicts, put_back, undo_of, undo_started, undoable, undone};
use super::*;
use crate::report::markdown;
use crate::report::page::Page;

pub(super) fn page(kinds: Vec<EventKind>, still_runs: bool) -> Page {
    Page::of(&events(kinds), still_runs)
}

#[test]
fn a_run_is_told_in_markdown() {
    assert_snapshot!(markdown::draw(&page(whole_run(), false)), @r#"
    # Enable a suspended customer

    **Done in 2.4 s (2.3 s waiting for you).**

    | | |
    |---|---|
    | **Run** | 7f3k |
    | **Runbook** | enable-suspended-customer (SHA-256 0) |
    | **Risk** | medium |
    | **By** | anna |
    | **Database** | production/crm |
    | **Began** | 1970-01-01 00:00:00 UTC |
    | **Ended** | 1970-01-01 00:00:00 UTC (took 2.4 s, 2.3 s of them waiting for people) |

    ## Parameters

    | | |
    |---|---|
    | **company** | 42 |

    ## Who confirmed what

    | Confirm | Question | Answer | By | When |
    |---|---|---|---|---|
    | go\_ahead | Reactivate Acme GmbH and 3 users? | yes | anna, who typed "Acme GmbH" | 1970-01-01 00:00:00 UTC |

    ## Steps

    ### ✓ customer

    fix · 1 row · 3 ms · 1970-01-01 00:00:00 UTC

    | id | name | status | subscription\_id | subscription\_status | inactive\_users |
    | ---: | --- | --- | ---: | --- | ---: |
    | 42 | Acme GmbH | suspended | 9001 | suspended | 3 |

    ### ✓ is\_suspended

    fix · passed · 0 ms · 1970-01-01 00:00:00 UTC

    ### – note\_down

    fix · skipped · 1970-01-01 00:00:00 UTC

    ### ✓ go\_ahead

    fix · yes · anna, who typed "Acme GmbH" · 0 ms · 1970-01-01 00:00:00 UTC

    Rehearsed: reactivation

    **subscriptions: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 9001 | updated | status | suspended | active |

    **companies: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 42 | updated | status | suspended | active |
    | 42 | updated | suspended\_at | 2026-11-02 08:14:03+00 | *null* |

    **users: 3 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 1, 2, 3 | updated | is\_active | f | t |

    > Reactivate Acme GmbH and 3 users?

    To be typed for a yes: Acme GmbH

    ### ✓ reactivation

    fix · 5 rows changed, committed · 14 ms · 1970-01-01 00:00:00 UTC

    **subscriptions: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 9001 | updated | status | suspended | active |

    **companies: 1 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 42 | updated | status | suspended | active |
    | 42 | updated | suspended\_at | 2026-11-02 08:14:03+00 | *null* |

    **users: 3 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 1, 2, 3 | updated | is\_active | f | t |

    #### ✓ activate\_subscription

    fix · 1 row changed, committed · 2 ms · 1970-01-01 00:00:00 UTC

    #### ✓ enable\_company

    fix · 1 row changed, committed · 2 ms · 1970-01-01 00:00:00 UTC

    #### ✓ enable\_users

    fix · 3 rows changed, committed · 2 ms · 1970-01-01 00:00:00 UTC

    #### ✓ all\_enabled

    fix · passed · 1 ms · 1970-01-01 00:00:00 UTC

    ### ✓ reactivated

    fix · 3 of 3 passed · 0 ms · 1970-01-01 00:00:00 UTC

    - ✓ company is active
    - ✓ subscription is active
    - ✓ no user is left inactive
    "#);
}

#[test]
fn an_undo_with_conflicts_is_told_in_markdown() {
    let kinds = vec![
        undo_of("7f3k", false),
        undo_started(),
        undone(put_back(), conflicts(), None),
        undoable(Outcome::Stopped, &["reactivation"]),
    ];
    assert_snapshot!(markdown::draw(&page(kinds, false)), @r#"
    # Undo of run 7f3k: Enable a suspended customer

    **Stopped with changes left in place after 2.4 s (2.3 s waiting for you).**

    Committed, and still there: reactivation.

    Look at what is in place before you run it again.

    | | |
    |---|---|
    | **Run** | 9xyz |
    | **Runbook** | enable-suspended-customer (SHA-256 0) |
    | **Risk** | medium |
    | **By** | anna |
    | **Database** | production/crm |
    | **Undo of** | 7f3k |
    | **Began** | 1970-01-01 00:00:00 UTC |
    | **Ended** | 1970-01-01 00:00:00 UTC (took 2.4 s, 2.3 s of them waiting for people) |

    ## Steps

    ### ! undo

    reactivation and note: 2 rows put back, 4 rows left as they are · 14 ms · 1970-01-01 00:00:00 UTC

    \`notify\` failed

    **users: 2 updated**

    | id |  | column | before | after |
    | --- | --- | --- | --- | --- |
    | 1, 2 | updated | is\_active | t | f |

    **Conflict: users id = 3 was changed since**

    | column | then | now | would become |
    | --- | --- | --- | --- |
    | is\_active | t | f | f |
    | name | Ann | *null* | Anna |

    **Conflict: users id = 3 was deleted since**

    | column | then | would become |
    | --- | --- | --- |
    | name | Ann | Anna |

    **Conflict: users (company, id) = (42, 3) was deleted, and is there again**

    | column | now | would become |
    | --- | --- | --- |
    | name | "" | Bo |

    **Conflict: users id = 3 was changed later by run 8abc (rename-user, bo) too**

    | column | then | now | would become |
    | --- | --- | --- | --- |
    | name | Ann | Ina | Anna |
    "#);
}

#[test]
fn a_run_is_told_as_far_as_it_came() {
    let kinds = || vec![begin(false), start(step("customer"))];
    assert_snapshot!(markdown::draw(&page(kinds(), false)), @"
    # Enable a suspended customer

    **It was cut short: this is how far it came.**

    Go on with: runbook resume 7f3k

    | | |
    |---|---|
    | **Run** | 7f3k |
    | **Runbook** | enable-suspended-customer (SHA-256 0) |
    | **Risk** | medium |
    | **By** | anna |
    | **Database** | production/crm |
    | **Began** | 1970-01-01 00:00:00 UTC |

    ## Parameters

    | | |
    |---|---|
    | **company** | 42 |

    ## Steps

    ### ! customer

    fix · did not come to its end · 1970-01-01 00:00:00 UTC
    ");
    let text = markdown::draw(&page(kinds(), true));
    assert!(text.contains("**It still runs: this is how far it has come.**"));
    assert!(!text.contains("runbook resume"));
}

/// Returns how many of a character stand for themselves in each line.
fn shape(text: &str, mark: char) -> Vec<usize> {
    let count = |line: &str| line.replace(&format!("\\{mark}"), "").matches(mark).count();
    text.lines().map(count).collect()
}

proptest! {
    #[test]
    fn no_text_changes_the_shape_of_markdown(text in "[|`*_<>&\\[\\]#~!$a\r\n\t\u{202e}\u{0}-]{0,12}") {
        let draw = |text: &str| markdown::draw(&page(everything(text), false));
        let (plain, hostile) = (draw("x"), draw(&format!("x{text}x")));
        prop_assert_eq!(plain.lines().count(), hostile.lines().count());
        for mark in ['|', '*', '#', '_', '`'] {
            prop_assert_eq!(shape(&plain, mark), shape(&hostile, mark));
        }
        let left = hostile.replace("<br>", "");
        prop_assert!(!left.contains('<'), "{left}");
        let acts = |next| matches!(next, '\u{202e}' | '\0');
        prop_assert_eq!(hostile.matches(acts).count(), 0);
    }
}
