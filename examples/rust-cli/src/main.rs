//! tally TEXT…: counts the words of all arguments together.

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let texts: Vec<String> = std::env::args().skip(1).collect();
    if texts.is_empty() {
        eprintln!("usage: tally TEXT...");
        return ExitCode::from(2);
    }
    match print(&tally::tally(texts.iter().map(String::as_str))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tally: cannot write: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(table: &[(String, usize)]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (word, count) in table {
        writeln!(out, "{count:5}  {word}")?;
    }
    out.flush()
}
