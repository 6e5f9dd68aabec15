//! Runs every bench and writes `docs/performance.md`: the figures, the machine, and the commands.
//!
//! `cargo bench --bench report [-- NAME…]`. With names only those are run anew; what the page says of the others stays.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use git_orch::sys::clock::Clock;
use git_orch::sys::env::Env;
use git_orch::sys::fs::{self, Durability};
use git_orch::sys::process::Cmd;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The benches, in the order of the page, with what each is about.
const BENCHES: [(&str, &str); 6] = [
    ("store", "Changes of the state"),
    ("index", "The index as the queue grows"),
    ("clones", "Claims from several clones"),
    ("history", "A long history"),
    ("peers", "Other task queues"),
    ("floors", "Commands and hooks against the least that they could take"),
];

const HEAD: &str = "# Performance

Written by `cargo bench --locked --bench report`, which runs every bench. Figures of one machine, as ratios where there is
something to compare with in the same run: take the ratios, not the milliseconds. A target that is missed is shown, and
fails nothing.
";

fn main() -> ExitCode {
    match report(&std::env::args().skip(1).filter(|arg| arg != "--bench").collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn report(names: &[String]) -> Outcome<()> {
    if let Some(unknown) = names.iter().find(|name| !BENCHES.iter().any(|(known, _)| known == name)) {
        return Err(format!("there is no bench `{unknown}`").into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = root.join("docs/performance.md");
    let old = fs::read_optional(&page)?.unwrap_or_default();
    let mut text = format!("{HEAD}\n{}", machine(root)?);
    for (name, about) in BENCHES {
        write!(text, "\n## {about}\n\n")?;
        let again = names.is_empty() || names.iter().any(|wanted| wanted == name);
        match (again, section(&old, name)) {
            (true, _) => text.push_str(&run(root, name)?),
            (false, Some(kept)) => text.push_str(&kept),
            (false, None) => {
                writeln!(text, "Not measured yet: `cargo bench --locked --bench report -- {name}`.")?;
            }
        }
    }
    Ok(fs::write_atomic(&page, text.as_bytes(), 0o644, Durability::None)?)
}

fn marks(name: &str) -> (String, String) {
    (format!("<!-- bench {name} -->\n"), format!("<!-- end {name} -->\n"))
}

/// What the page says of a bench already.
fn section(page: &str, name: &str) -> Option<String> {
    let (begin, end) = marks(name);
    let from = page.find(&begin)?;
    let to = page[from..].find(&end)? + from + end.len();
    Some(page[from..to].to_owned())
}

fn run(root: &Path, name: &str) -> Outcome<String> {
    let line = format!("cargo bench --locked --bench {name}");
    let output = Cmd::shell(&line, root, &Env::capture()).run()?.checked()?;
    let shown = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    let (begin, end) = marks(name);
    Ok(format!("{begin}```console\n$ {line}\n{shown}\n```\n{end}"))
}

/// What the figures were measured on.
fn machine(root: &Path) -> Outcome<String> {
    let ask = |line: &str| -> Outcome<String> {
        Ok(Cmd::shell(line, root, &Env::capture()).run()?.text().trim().to_owned())
    };
    let cpu = fs::read_optional(&PathBuf::from("/proc/cpuinfo"))?.unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism()?;
    let rows = [
        ("commit", ask("git rev-parse --short HEAD")?),
        ("when", Clock.now().to_string()[..10].to_owned()),
        ("processor", format!("{} x{cores}", model.trim_start_matches([' ', '\t', ':']))),
        ("system", ask("uname -srm")?),
        ("file system", ask("stat -f -c %T .")?),
        ("git", ask("git --version")?),
        ("rustc", ask("rustc --version")?),
    ];
    let mut text = "| | |\n|---|---|\n".to_owned();
    for (what, value) in rows {
        writeln!(text, "| {what} | {value} |")?;
    }
    Ok(text)
}
