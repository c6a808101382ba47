//! The results of tests as XML in JUnit's format.

use std::fmt::Write as _;

use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::verdict::Played;

/// Returns the results as XML: a suite for each runbook.
///
/// # Errors
/// They cannot be written as XML.
pub fn junit(played: &[Played]) -> Result<String, SerializeError> {
    let mut report = Report::new("runbook");
    let mut suites: Vec<TestSuite> = Vec::new();
    for case in played {
        let test = test(case);
        match suites
            .iter_mut()
            .find(|suite| suite.name.as_str() == case.runbook)
        {
            Some(suite) => {
                suite.add_test_case(test);
            }
            None => {
                let mut suite = TestSuite::new(case.runbook.as_str());
                suite.add_test_case(test);
                suites.push(suite);
            }
        }
    }
    report.add_test_suites(suites);
    report.to_string()
}

fn test(case: &Played) -> TestCase {
    let status = if case.passed() {
        TestCaseStatus::success()
    } else {
        let keys: Vec<&str> = case.differences.iter().map(|found| found.key).collect();
        let mut status = TestCaseStatus::non_success(if case.came.trouble.is_some() {
            NonSuccessKind::Error
        } else {
            NonSuccessKind::Failure
        });
        status.set_message(format!("not as expected: {}", keys.join(", ")));
        let mut text = format!("{}:{}\n", case.file, case.line);
        for found in &case.differences {
            let _ = writeln!(text, "{}\n  {}", found.key, found.lines.join("\n  "));
        }
        status.set_description(text);
        status
    };
    let mut test = TestCase::new(case.case.as_str(), status);
    test.set_classname(case.runbook.as_str());
    test.set_time(case.came.took);
    if !case.passed() {
        test.set_system_out(case.came.said.as_str());
    }
    test
}
