//! Every decoder that a stranger reaches, over its inputs and what changes make of them.

mod list;

use std::collections::BTreeSet;
use std::path::Path;

use strangers::{Decoder, replay};

fn stands(family: &[Decoder]) {
    replay(family, Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus")));
}

#[test]
fn what_crosses_the_sockets_of_measured_programs() {
    stands(list::SOCKETS);
}

#[test]
fn what_crosses_the_enclaves_socket_in_the_second_pool() {
    stands(list::SECOND);
}

#[test]
fn evidence_of_measured_programs() {
    stands(list::EVIDENCE);
}

#[test]
fn what_is_sealed() {
    stands(list::SEALED);
}

#[test]
fn what_chains_and_transactions_say() {
    stands(list::CHAIN);
}

#[test]
fn logs_and_keys_on_disk() {
    stands(list::DISK);
}

#[test]
fn messages_of_workflows_and_nodes() {
    stands(list::MESSAGES);
}

#[test]
fn bodies_that_servers_and_clients_read() {
    stands(list::BODIES);
}

#[test]
fn files_that_people_write() {
    stands(list::FILES);
}

#[test]
fn a_row_is_named_once_and_its_corpus_is_its_own() {
    let rows = list::FAMILIES.iter().flat_map(|(_, family)| family.iter());
    let mut names = BTreeSet::new();
    rows.for_each(|row| assert!(names.insert(row.name()), "{} stands twice", row.name()));
    for (family, rows) in list::FAMILIES {
        let is_of = |row: &Decoder| row.name().starts_with(&format!("{family}/"));
        assert!(rows.iter().all(is_of), "{family}");
    }
}
