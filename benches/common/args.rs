//! The command line: `[--threads N] [--json] [NAME…]`.

pub struct Args {
    pub threads: usize,
    pub json: bool,
    /// The names, or parts of names, that were asked for; empty for all.
    pub only: Vec<String>,
}

impl Args {
    pub fn parse() -> Self {
        let mut parsed = Self { threads: 2, json: false, only: Vec::new() };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--threads" => match args.next().and_then(|n| n.parse().ok()) {
                    Some(threads) => parsed.threads = threads,
                    None => fail("--threads needs a number"),
                },
                "--json" => parsed.json = true,
                "--bench" => {} // cargo adds it
                flag if flag.starts_with('-') => {
                    fail(&format!("unknown flag {flag}: [--threads N] [--json] [NAME…]"))
                }
                name => parsed.only.push(name.to_string()),
            }
        }
        parsed
    }
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(2);
}
