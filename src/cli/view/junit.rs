//! Results of tests as JUnit's XML, which CI systems read. The form is that of Terraform's `-junit-xml`.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use pipectl_core::{Diagnostic, DiagnosticKind, Diagnostics, Severity, SourceMap};

use super::diagnostic;
use crate::clock::rfc3339_seconds;
use crate::console::Paint;
use crate::testing::file::TestRun;
use crate::testing::session::{Outcome, Status};

/// A test file.
pub struct Suite {
    /// Its name.
    pub name: String,
    /// Its runs.
    pub cases: Vec<Case>,
}

/// A run.
pub struct Case {
    name: String,
    /// When it began and how long it took.
    time: Option<(SystemTime, Duration)>,
    result: CaseResult,
    /// What was found beside that.
    beside: String,
}

enum CaseResult {
    Passed,
    Failed { message: String, found: String },
    Errored { found: String },
    Skipped { message: &'static str, why: String },
}

impl Case {
    /// A run that was carried out.
    pub fn ran(run: &TestRun, time: (SystemTime, Duration), outcome: &Outcome, sources: &SourceMap) -> Self {
        let found = |is_meant: &dyn Fn(&Diagnostic) -> bool| -> String {
            let found: Diagnostics = outcome.diagnostics.iter().filter(|one| is_meant(one)).cloned().collect();
            if found.is_empty() { String::new() } else { diagnostic::render_all(&found, sources, Paint::PLAIN, false) }
        };
        let is_error = |one: &Diagnostic| one.severity == Severity::Error;
        let is_failure = |one: &Diagnostic| is_error(one) && one.kind == Some(DiagnosticKind::FailedAssertion);
        let (result, beside) = match outcome.status {
            Status::Pass => (CaseResult::Passed, found(&|_| true)),
            Status::Fail => {
                let failed: Vec<&Diagnostic> = outcome.diagnostics.iter().filter(|one| is_failure(one)).collect();
                let including = if failed.len() > 1 { ", including" } else { "" };
                let first = failed.first().map_or("", |first| first.detail.as_str());
                let (count, all) = (failed.len(), run.assertions.len());
                let message = format!("{count} of {all} assertions failed{including}: {first}");
                (CaseResult::Failed { message, found: found(&is_failure) }, found(&|one| !is_failure(one)))
            }
            Status::Error => (CaseResult::Errored { found: found(&is_error) }, found(&|one| !is_error(one))),
        };
        Self { name: run.name.clone(), time: Some(time), result, beside }
    }

    /// What was found when everything was to be removed at the end.
    pub fn not_torn_down(problems: &Diagnostics, sources: &SourceMap) -> Self {
        let found = diagnostic::render_all(problems, sources, Paint::PLAIN, false);
        let result = CaseResult::Errored { found };
        Self { name: "(removal of what the runs have made)".to_owned(), time: None, result, beside: String::new() }
    }

    /// A run that was not carried out, because one before it ended in an error.
    pub fn skipped_after(run: &TestRun, errored: &str) -> Self {
        let why = format!(
            "Previous testcase {errored:?} ended in error, which caused the remaining tests in the file to be skipped"
        );
        Self::skipped(run, "Testcase skipped due to a previous testcase error", why)
    }

    /// A run that was not carried out, because the program was told to stop.
    pub fn interrupted(run: &TestRun) -> Self {
        let why =
            "An interrupt was received, and everything was stopped. This caused all remaining testcases to be skipped";
        Self::skipped(run, "Testcase skipped due to an interrupt", why.to_owned())
    }

    fn skipped(run: &TestRun, message: &'static str, why: String) -> Self {
        let result = CaseResult::Skipped { message, why };
        Self { name: run.name.clone(), time: None, result, beside: String::new() }
    }
}

/// Writing to a string does not fail.
const WRITTEN: &str = "a string takes everything";

/// The whole document.
pub fn document(suites: &[Suite]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><testsuites>".to_owned();
    for Suite { name, cases } in suites {
        let count = |is_meant: fn(&CaseResult) -> bool| cases.iter().filter(|case| is_meant(&case.result)).count();
        write!(
            text,
            "\n  <testsuite name=\"{}\" tests=\"{}\" skipped=\"{}\" failures=\"{}\" errors=\"{}\">",
            attribute(name),
            cases.len(),
            count(|result| matches!(result, CaseResult::Skipped { .. })),
            count(|result| matches!(result, CaseResult::Failed { .. })),
            count(|result| matches!(result, CaseResult::Errored { .. })),
        )
        .expect(WRITTEN);
        cases.iter().for_each(|one| text.push_str(&case(name, one)));
        text.push_str("\n  </testsuite>");
    }
    text.push_str("\n</testsuites>");
    text
}

fn case(suite: &str, case: &Case) -> String {
    let (name, suite) = (attribute(&case.name), attribute(suite));
    let time = case.time.map_or_else(String::new, |(start, took)| {
        format!(" time=\"{}\" timestamp=\"{}\"", took.as_secs_f64(), rfc3339_seconds(start))
    });
    let element = |name: &str, message: &str, found: &str| {
        let message = if message.is_empty() { String::new() } else { format!(" message=\"{}\"", attribute(message)) };
        format!("\n      <{name}{message}>{}</{name}>", section(found))
    };
    let mut inside = match &case.result {
        CaseResult::Passed => String::new(),
        CaseResult::Failed { message, found } => element("failure", message, &format!("\n{found}")),
        CaseResult::Errored { found } => element("error", "Encountered an error", &format!("\n{found}")),
        CaseResult::Skipped { message, why } => element("skipped", message, why),
    };
    if !case.beside.is_empty() {
        inside.push_str(&element("system-err", "", &format!("\n{}", case.beside)));
    }
    let end = if inside.is_empty() { "" } else { "\n    " };
    format!("\n    <testcase name=\"{name}\" classname=\"{suite}\"{time}>{inside}{end}</testcase>")
}

/// A text inside quotes.
fn attribute(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().filter(|c| is_allowed(*c)) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\t' => escaped.push_str("&#x9;"),
            '\n' => escaped.push_str("&#xA;"),
            '\r' => escaped.push_str("&#xD;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A text that stands as it is.
fn section(text: &str) -> String {
    let text: String = text.chars().filter(|c| is_allowed(*c)).collect();
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

/// XML has no place for other control characters and for two that are none, however they are written.
fn is_allowed(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}') || matches!(c, '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cases() {
        let time = Some((SystemTime::UNIX_EPOCH, Duration::from_millis(500)));
        let case = |name: &str, time, result, beside: &str| Case {
            name: name.to_owned(),
            time,
            result,
            beside: beside.to_owned(),
        };
        let failed = CaseResult::Failed {
            message: "1 of 1 assertions failed: x <\ty\u{1b}\u{fffe}".to_owned(),
            found: "error: a ]]> b\n".to_owned(),
        };
        let errored = CaseResult::Errored { found: "error: c\n".to_owned() };
        let skipped = CaseResult::Skipped { message: "skipped", why: "because".to_owned() };
        let cases = vec![
            case("good", time, CaseResult::Passed, ""),
            case("bad \"one\"", time, failed, ""),
            case("worse", time, errored, "warning: d\n"),
            case("last", None, skipped, ""),
        ];
        let text = document(&[Suite { name: "a&b.tftest.hcl".to_owned(), cases }]);
        let took = "time=\"0.5\" timestamp=\"1970-01-01T00:00:00Z\"";
        assert_eq!(
            text,
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><testsuites>\n  \
                 <testsuite name=\"a&amp;b.tftest.hcl\" tests=\"4\" skipped=\"1\" failures=\"1\" errors=\"1\">\n    \
                 <testcase name=\"good\" classname=\"a&amp;b.tftest.hcl\" {took}></testcase>\n    \
                 <testcase name=\"bad &#34;one&#34;\" classname=\"a&amp;b.tftest.hcl\" {took}>\n      \
                 <failure message=\"1 of 1 assertions failed: x &lt;&#x9;y\"><![CDATA[\nerror: a ]]]]><![CDATA[> b\n]]></failure>\n    </testcase>\n    \
                 <testcase name=\"worse\" classname=\"a&amp;b.tftest.hcl\" {took}>\n      \
                 <error message=\"Encountered an error\"><![CDATA[\nerror: c\n]]></error>\n      \
                 <system-err><![CDATA[\nwarning: d\n]]></system-err>\n    </testcase>\n    \
                 <testcase name=\"last\" classname=\"a&amp;b.tftest.hcl\">\n      \
                 <skipped message=\"skipped\"><![CDATA[because]]></skipped>\n    </testcase>\n  \
                 </testsuite>\n</testsuites>"
            )
        );
    }
}
