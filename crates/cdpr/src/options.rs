//! What a command does not use, it refuses. Here is every option of every command, so that a new one has to say which of the
//! three it is.

use std::collections::BTreeSet;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, Parser as _};

use crate::Cli;

enum Use {
    /// There is no way to give it in vain.
    Always,
    /// Refused with what leaves it without use, before anything is read.
    Refused(&'static [&'static str]),
    /// Refused once it is known what the file is: `tests/inputs.rs` has them.
    Later,
}
use Use::{Always, Later, Refused};

const OPTIONS: &[(&str, &str, Use)] = &[
    ("run", "workflow", Always),
    ("run", "scenario", Always),
    ("run", "deployment", Always),
    ("run", "disclosure", Always),
    ("run", "seed", Always),
    ("run", "json", Always),
    ("run", "journal", Always),
    ("run", "crash_at", Always),
    ("simulate", "spec", Refused(&["simulate s.toml --explain", "simulate s.toml --spec t.toml"])),
    ("simulate", "named", Refused(&["simulate --spec s.toml --explain"])),
    (
        "simulate",
        "out",
        Refused(&["simulate s.toml --dry-run --out o", "simulate --explain --out o"]),
    ),
    (
        "simulate",
        "chunks",
        Refused(&["simulate s.toml --dry-run --chunks c", "simulate --explain --chunks c"]),
    ),
    (
        "simulate",
        "level",
        Refused(&[
            "simulate s.toml --level stack --workers temporal://h:1",
            "simulate --explain --level model",
        ]),
    ),
    (
        "simulate",
        "runs",
        Refused(&[
            "simulate s.toml --runs 1 --workers temporal://h:1",
            "simulate --explain --runs 1",
        ]),
    ),
    ("simulate", "jobs", Refused(&["simulate --explain --jobs 1"])),
    (
        "simulate",
        "workers",
        Refused(&[
            "simulate s.toml --dry-run --workers temporal://h:1",
            "simulate --explain --workers temporal://h:1",
        ]),
    ),
    ("simulate", "dry_run", Refused(&["simulate --explain --dry-run"])),
    ("simulate", "explain", Refused(&["simulate --explain cost --json"])),
    ("simulate", "json", Refused(&["simulate --explain --json"])),
    ("simulate chunk", "spec", Refused(&["simulate chunk s.toml --spec t.toml --index 0 --out o"])),
    ("simulate chunk", "named", Always),
    ("simulate chunk", "index", Always),
    ("simulate chunk", "out", Refused(&["simulate --out o chunk s.toml --index 0 --out o"])),
    ("simulate worker", "workers", Always),
    ("simulate worker", "jobs", Always),
    ("report", "studies", Always),
    ("report", "out", Always),
    ("report", "format", Always),
    ("verify journal", "journal", Always),
    ("verify journal", "reveal", Always),
    ("verify journal", "json", Always),
    ("verify attestation", "document", Always),
    ("verify attestation", "at", Always),
    ("verify attestation", "pcr0", Always),
    ("verify attestation", "json", Always),
    ("dev", "port", Always),
    ("dev", "addresses", Always),
    ("dev", "state", Always),
    ("dev", "speed", Always),
    ("dev", "json", Always),
    ("maker init", "folder", Always),
    ("maker init", "addresses", Always),
    ("maker init", "words", Always),
    ("maker init", "birthday", Refused(&["maker init d --addresses a --birthday 1"])),
    ("maker init", "rpc", Always),
    ("maker deposit", "folder", Always),
    ("maker deposit", "amount", Always),
    ("maker deposit", "premium_min", Always),
    ("maker deposit", "fill_min", Refused(&["maker deposit d 1 --fill-min 1"])),
    ("maker deposit", "gap_max", Refused(&["maker deposit d 1 --gap-max 1"])),
    ("maker deposit", "account", Always),
    ("maker deposit", "rpc", Always),
    ("maker deposit", "json", Always),
    ("maker balance", "folder", Always),
    ("maker balance", "rpc", Always),
    ("maker balance", "json", Always),
    ("maker announce", "folder", Always),
    ("maker announce", "account", Always),
    ("maker announce", "rpc", Always),
    ("maker announce", "json", Always),
    ("maker exit", "folder", Always),
    ("maker exit", "amount", Always),
    ("maker exit", "to", Always),
    ("maker exit", "asset", Always),
    ("maker exit", "account", Always),
    ("maker exit", "rpc", Always),
    ("maker exit", "json", Always),
    ("issuer init", "folder", Always),
    ("issuer init", "addresses", Always),
    ("issuer init", "words", Always),
    ("issuer init", "amount_max", Always),
    ("issuer init", "premium_max", Always),
    ("issuer init", "epoch_days", Always),
    ("issuer init", "lot", Always),
    ("issuer init", "slot_min", Always),
    ("issuer init", "rpc", Always),
    ("issuer open", "folder", Always),
    ("issuer open", "account", Always),
    ("issuer open", "rpc", Always),
    ("issuer open", "json", Always),
    ("issuer fund", "folder", Always),
    ("issuer fund", "amount", Always),
    ("issuer fund", "account", Always),
    ("issuer fund", "rpc", Always),
    ("issuer fund", "json", Always),
    ("issuer take-back", "folder", Always),
    ("issuer take-back", "amount", Always),
    ("issuer take-back", "account", Always),
    ("issuer take-back", "rpc", Always),
    ("issuer take-back", "json", Always),
    ("issuer release", "folder", Always),
    ("issuer release", "amount", Always),
    ("issuer release", "to", Always),
    ("issuer release", "account", Always),
    ("issuer release", "rpc", Always),
    ("issuer release", "json", Always),
    ("issuer mandate", "folder", Always),
    ("issuer mandate", "account", Always),
    ("issuer mandate", "rpc", Always),
    ("issuer mandate", "json", Always),
    ("issuer position", "folder", Always),
    ("issuer position", "rpc", Always),
    ("issuer position", "json", Always),
    ("status", "addresses", Always),
    ("status", "rpc", Always),
    ("status", "json", Always),
    ("workflow init", "folder", Always),
    ("workflow init", "cre", Always),
    ("workflow build", "folder", Always),
    ("workflow build", "profile", Always),
    ("workflow build", "deploy", Always),
    ("workflow simulate", "path", Always),
    ("workflow simulate", "project_root", Always),
    ("workflow simulate", "env", Always),
    ("workflow simulate", "secrets", Always),
    ("workflow simulate", "verbose", Always),
    ("workflow simulate", "default_config", Always),
    ("workflow simulate", "skip_type_checks", Always),
    ("workflow simulate", "target", Later),
    ("workflow simulate", "config", Refused(&["workflow simulate . --config c --no-config"])),
    ("workflow simulate", "no_config", Always),
    ("workflow simulate", "wasm", Later),
    ("workflow simulate", "limits", Always),
    ("workflow simulate", "engine_logs", Refused(&["workflow simulate . -g --json"])),
    ("workflow simulate", "broadcast", Later),
    ("workflow simulate", "rpc_timeout", Later),
    ("workflow simulate", "scenario", Later),
    ("workflow simulate", "nodes", Always),
    ("workflow simulate", "faults", Always),
    ("workflow simulate", "json", Always),
    ("workflow simulate", "trigger_index", Always),
    ("workflow simulate", "non_interactive", Always),
    ("workflow simulate", "http_payload", Later),
    ("workflow simulate", "evm_tx_hash", Later),
    ("workflow simulate", "evm_event_index", Later),
    ("workflow simulate", "fill", Later),
    ("workflow simulate", "now", Later),
    ("workflow run", "path", Always),
    ("workflow run", "project_root", Always),
    ("workflow run", "env", Always),
    ("workflow run", "secrets", Always),
    ("workflow run", "verbose", Always),
    ("workflow run", "default_config", Always),
    ("workflow run", "skip_type_checks", Always),
    ("workflow run", "target", Later),
    ("workflow run", "config", Refused(&["workflow run . --config c --no-config"])),
    ("workflow run", "no_config", Always),
    ("workflow run", "wasm", Later),
    ("workflow run", "limits", Always),
    ("workflow run", "engine_logs", Refused(&["workflow run . -g --json"])),
    ("workflow run", "broadcast", Later),
    ("workflow run", "rpc_timeout", Later),
    ("workflow run", "scenario", Later),
    ("workflow run", "nodes", Always),
    ("workflow run", "faults", Always),
    ("workflow run", "json", Always),
    ("workflow run", "trigger_index", Always),
    ("workflow run", "count", Always),
    ("workflow limits", "json", Refused(&["workflow limits --json export f"])),
    ("workflow limits export", "file", Always),
    ("workflow limits export", "profile", Always),
    ("workflow limits export", "format", Always),
    ("completions", "shell", Always),
    ("man", "command", Refused(&["man run --out d"])),
    ("man", "out", Always),
];

fn given(prefix: &str, command: &Command, found: &mut BTreeSet<(String, String)>) {
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        if !["help", "version"].contains(&id) {
            found.insert((prefix.to_owned(), id.to_owned()));
        }
    }
    for inner in command.get_subcommands() {
        let name = format!("{prefix} {}", inner.get_name());
        given(name.trim_start(), inner, found);
    }
}

#[test]
fn every_option_of_every_command_stands_here() {
    let mut found = BTreeSet::new();
    given("", &Cli::command(), &mut found);
    let listed = OPTIONS.iter().map(|(command, id, _)| ((*command).to_owned(), (*id).to_owned()));
    let listed: BTreeSet<_> = listed.collect();
    assert_eq!(found, listed);
}

#[test]
fn what_a_command_has_no_use_for_is_refused_before_anything_is_read() {
    for (command, id, how) in OPTIONS {
        let lines = match how {
            Refused(lines) => *lines,
            Always | Later => &[],
        };
        for line in lines {
            assert!(
                line.starts_with(command) || line.contains(command.rsplit(' ').next().unwrap())
            );
            let words = std::iter::once("cdpr").chain(line.split_whitespace());
            let error = Cli::try_parse_from(words).map(drop).expect_err(line);
            let is_refused = matches!(
                error.kind(),
                ErrorKind::ArgumentConflict | ErrorKind::MissingRequiredArgument
            );
            assert!(is_refused, "{id}: {line}: {error}");
        }
    }
}
