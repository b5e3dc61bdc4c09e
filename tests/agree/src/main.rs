//! `agree passes 0 500`, `agree batch 0 40`, `agree hours 1`: random programs from a seed on.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use gradiron_agree::generate::generate;
use gradiron_agree::program::Program;
use gradiron_agree::shrink::shrink;
use gradiron_agree::{batch, known, mutants, passes};

const USAGE: &str = "agree passes FROM COUNT | agree batch FROM COUNT | agree hours HOURS [FROM] | \
    agree mutants FROM COUNT | agree accepted FROM COUNT | agree texts FOLDER";

/// How many programs a crate holds: rustc's memory and time grow with it.
const BATCH: u64 = 40;

fn main() -> ExitCode {
    // What panics is caught, and told with its program.
    std::panic::set_hook(Box::new(|_| {}));
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|text| text.parse::<f64>().ok());
    if let [command, folder] = &args[..]
        && command == "texts"
    {
        return texts(folder);
    }
    let failures = match (args.first().map(String::as_str), number(1), number(2)) {
        (Some("passes"), Some(from), Some(count)) => in_process(from as u64, count as u64),
        (Some("batch"), Some(from), Some(count)) => compiled(from as u64, count as u64),
        (Some("mutants"), Some(from), Some(count)) => damaged(from as u64, count as u64),
        (Some("accepted"), Some(from), Some(count)) => accepted(from as u64, count as u64),
        (Some("hours"), Some(hours), from) => for_hours(hours, from.unwrap_or(0.0) as u64),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    println!("{failures} programs do not agree");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn program(seed: u64) -> Program {
    generate(seed, &passes::is_fit)
}

/// Programs behind every pass: how many do not agree.
fn in_process(from: u64, count: u64) -> usize {
    let mut failures = 0;
    for seed in from..from + count {
        let program = program(seed);
        let Err(failure) = passes::check(&program) else { continue };
        failures += 1;
        let same =
            |smaller: &Program| passes::check(smaller).is_err_and(|other| other.is_like(&failure));
        let small = shrink(&program, &same);
        let failure = passes::check(&small).err().unwrap_or(failure);
        println!("== seed {seed}: {failure}\n{small}\n");
    }
    println!("behind every pass: seeds {from} to {}", from + count - 1);
    failures
}

/// Programs through rustc, in every build that makes other code of them: how many do not agree.
fn compiled(from: u64, count: u64) -> usize {
    // Those that were written by hand as well, the first time.
    let by_hand = if from == 0 { known::programs() } else { Vec::new() };
    let programs: Vec<Program> =
        by_hand.into_iter().chain((from..from + count).map(program)).collect();
    let mut failures = 0;
    for tiny in [false, true] {
        match batch::run(&programs, tiny) {
            Err(text) => {
                failures += 1;
                println!("== seeds {from} to {}: {text}\n", from + count - 1);
            }
            Ok(wrong) => {
                let mut known = None;
                for (at, text) in wrong {
                    println!("== m{at} {text}");
                    if known.replace(at) != Some(at) {
                        failures += 1;
                        println!("{}\n", programs[at]);
                    }
                }
            }
        }
    }
    println!("through rustc: seeds {from} to {}", from + count - 1);
    failures
}

/// Damaged texts in this process: how many the macro does not bear.
fn damaged(from: u64, count: u64) -> usize {
    let texts = mutants::texts(&batch::root());
    let (mut failures, mut accepted) = (0, 0);
    for seed in from..from + count {
        let mutant = mutants::mutant(&texts, seed);
        // The last number is that of a text that ends this process.
        if std::env::var_os("GRADIRON_MUTANTS_TOLD").is_some() {
            eprintln!("{seed}");
        }
        match mutants::expand(mutant.tokens.clone()) {
            Ok(outcome) => accepted += usize::from(outcome == mutants::Outcome::Accepted),
            Err(text) => {
                failures += 1;
                println!("== {} {seed}: {text}\n{}\n", mutant.text.file, mutant.tokens);
            }
        }
    }
    println!("mutants {from} to {}: {accepted} accepted", from + count - 1);
    failures
}

/// Writes the texts of all models into a folder, one a file: what a fuzzer starts from.
fn texts(folder: &str) -> ExitCode {
    let all = mutants::texts(&batch::root());
    let models = all.iter().flat_map(|text| &text.models);
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (at, model) in models.enumerate() {
            std::fs::write(format!("{folder}/{at}.txt"), model.to_string())?;
        }
        Ok(())
    };
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the macro accepts, through rustc: how many it should have refused.
fn accepted(from: u64, count: u64) -> usize {
    match mutants::compiled(from, count) {
        Ok((accepted, said)) => {
            for said in &said {
                let errors = said.errors.join("\n   ");
                println!("== {} {}:\n   {errors}\n{}\n", said.file, said.seed, said.model);
            }
            println!("mutants {from} to {}: {accepted} accepted", from + count - 1);
            said.len()
        }
        Err(text) => {
            println!("{text}");
            1
        }
    }
}

fn for_hours(hours: f64, mut from: u64) -> usize {
    let end = Instant::now() + Duration::from_secs_f64(hours * 3600.0);
    let mut failures = 0;
    while Instant::now() < end {
        failures += in_process(from, 5 * BATCH) + compiled(from, BATCH);
        from += 5 * BATCH;
    }
    failures
}
