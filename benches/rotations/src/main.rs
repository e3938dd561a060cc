//! `lastuse-rotations [generate|answer|score]`: see README.md.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write, stdout};
use std::process::ExitCode;

use lastuse_rotations::rotation::{Answer, Rotation};
use lastuse_rotations::{generate, methods, run, score};

const USAGE: &str = "\
lastuse-rotations [--rotations N] [--seed S]             generate, answer, score: prints the table
lastuse-rotations generate [--rotations N] [--seed S]    rotations with their labels, one a line
lastuse-rotations answer ROTATIONS                       what each method says of them, one a line
lastuse-rotations score ROTATIONS ANSWERS                the table of these answers
lastuse-rotations wrong [--rotations N] [--seed S]       what lastuse got wrong, one a line";

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match command(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command(words: &[String]) -> Outcome {
    let number = |name: &str, usual: u64| -> Result<u64, Box<dyn Error>> {
        match words.iter().position(|it| it == name) {
            Some(place) => Ok(words.get(place + 1).ok_or(USAGE)?.parse()?),
            None => Ok(usual),
        }
    };
    let (count, seed) = (number("--rotations", 10_000)?, number("--seed", 1)?);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["generate", ..] => write((0..count).map(|it| Ok(generate::rotation(seed, it)))),
        ["answer", rotations] => {
            for it in lines::<Rotation>(rotations)? {
                write(methods::answers(&it?).into_iter().map(Ok))?;
            }
            Ok(())
        }
        ["score", rotations, answers] => score_files(rotations, answers),
        ["wrong", ..] => write_wrong(&run(seed, count)),
        [] | ["--rotations" | "--seed", ..] => {
            Ok(writeln!(stdout(), "{}", score::table(&run(seed, count)))?)
        }
        _ => Err(USAGE.into()),
    }
}

fn write<T: serde::Serialize>(all: impl Iterator<Item = Result<T, Box<dyn Error>>>) -> Outcome {
    let mut out = BufWriter::new(stdout().lock());
    for it in all {
        serde_json::to_writer(&mut out, &it?)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn lines<T: serde::de::DeserializeOwned>(
    path: &str,
) -> Result<impl Iterator<Item = Result<T, Box<dyn Error>>>, Box<dyn Error>> {
    let file = File::open(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
    Ok(BufReader::new(file).lines().map(|it| Ok(serde_json::from_str(&it?)?)))
}

fn score_files(rotations: &str, answers: &str) -> Outcome {
    let mut said: HashMap<u64, Vec<Answer>> = HashMap::new();
    for it in lines::<Answer>(answers)? {
        let it = it?;
        said.entry(it.id).or_default().push(it);
    }
    let mut all = Vec::new();
    for it in lines::<Rotation>(rotations)? {
        let it = it?;
        all.push(score::mark(&it, said.get(&it.id).map_or(&[], Vec::as_slice)));
    }
    Ok(writeln!(stdout(), "{}", score::table(&all))?)
}

/// For those who look into a mistake.
fn write_wrong(lines: &[score::Line]) -> Outcome {
    let mut out = BufWriter::new(stdout().lock());
    for line in lines.iter().filter(|it| it.unknowable.is_none()) {
        let Some(marks) = line.said.get(methods::OURS) else { continue };
        if marks.is_false {
            writeln!(out, "{} says not_used and is wrong", line.id)?;
        }
        for (time, consumer, scripted, said) in &marks.states {
            if Some(scripted) != said.as_ref() {
                let said = said.as_deref().unwrap_or("-");
                writeln!(
                    out,
                    "{} consumer {consumer} at {time}: {scripted}, said {said}",
                    line.id
                )?;
            }
        }
    }
    Ok(out.flush()?)
}
