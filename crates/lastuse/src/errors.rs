//! How an error looks: what, why, and what to do.

use std::io::Write;
use std::process::ExitCode;

use lastuse_model::redact::Redactor;

use crate::workspace::passing_key;

/// An error with a hint on what to do about it.
#[derive(Debug)]
pub struct Hinted {
    message: String,
    hint: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl std::fmt::Display for Hinted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|it| &**it as _)
    }
}

/// An error with a hint.
pub fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted { message: message.into(), hint: hint.into(), source: None })
}

/// A library's error with a hint; its own causes stay below it.
pub fn hinted_by(
    error: impl std::error::Error + Send + Sync + 'static,
    hint: impl Into<String>,
) -> anyhow::Error {
    let message = error.to_string();
    anyhow::Error::new(Hinted { message, hint: hint.into(), source: Some(Box::new(error)) })
}

/// Prints the error of a command, if it failed, and gives its exit code.
pub fn finish(result: anyhow::Result<u8>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::from(1)
        }
    }
}

/// Whoever read the output had enough, as `head` does: not a failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|it| {
        it.downcast_ref::<std::io::Error>()
            .is_some_and(|it| it.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Prints an error, its causes and its hint, with what looks like a secret taken out.
pub fn print_error(error: &anyhow::Error) {
    let clean = redaction();
    let mut out = std::io::stderr().lock();
    let mut last = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let text = indented(&clean(&cause.to_string()));
        // Some libraries say their cause in their own message too, and so does what hints.
        if depth > 0 && last.contains(&text) {
            continue;
        }
        let label = if depth == 0 { "error" } else { "  caused by" };
        let _ = writeln!(out, "{label}: {text}");
        last = text;
    }
    if let Some(hinted) = error.chain().find_map(|it| it.downcast_ref::<Hinted>()) {
        let _ = writeln!(out, "hint: {}", indented(&clean(&hinted.hint)));
    }
}

/// Takes out what looks like a secret: whoever writes one in the place of a
/// name finds the mistake without finding the secret in a terminal's history.
fn redaction() -> impl Fn(&str) -> String {
    let redactor = passing_key().map(|it| Redactor::new((*it).clone(), []));
    move |text| match &redactor {
        Ok(redactor) => redactor.redact(text).into_owned(),
        Err(_) => "(not shown: there are no random bytes to mark secrets with)".to_owned(),
    }
}

/// A message of several lines stays apart from the next one.
fn indented(text: &str) -> String {
    printable(text.trim_end()).replace('\n', "\n    ")
}

/// Control characters never reach a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() && it != '\n' { '\u{fffd}' } else { it }).collect()
}
