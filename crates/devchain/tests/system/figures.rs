//! What the second pool costs, measured on the real contracts with real proofs, all in: whole transactions with their
//! calldata, by today's rules and by the announced next ones. `snapshots/costs.json` has the figures, and the book shows
//! them.

use circuits::second::account::Kind as Move;
use pool::Fr;
use pool::second::account::Account;
use serde_json::{Value, json};

use super::stage::{
    ANYONE, Held, Leaving, Pool, Stage, UNIT, Venue, WINDOW, element, prove, provers,
};
use super::*;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots/costs.json");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../book/src/circuits/costs.md");

/// Goals by today's rules.
const GOALS: &[(&str, u64)] = &[
    ("deposit", 120_000),
    ("absorb of 16", 16 * 20_000),
    ("exit of all, to a recipient without a balance", 400_000),
    ("exit with change", 400_000),
    ("exit with change, through a relayer without a balance", 400_000),
    ("release, to a wallet without a balance", 350_000),
    ("settlement of 0, direct", 580_000),
    ("settlement of 1, direct", 580_000),
    ("settlement of 4, direct", 580_000),
    ("settlement of 8, direct", 580_000),
    ("settlement of 0, through the forwarder", 660_000),
    ("settlement of 1, through the forwarder", 660_000),
    ("settlement of 4, through the forwarder", 660_000),
    ("settlement of 8, through the forwarder", 660_000),
];

/// A byte of calldata that happens to be zero costs 12 gas less, and which are depends on every address and secret:
/// some seven of the 1,856 of a settlement are, give or take five.
const ZERO_BYTES: u64 = 250;

#[tokio::test]
async fn what_everything_costs_is_committed() {
    let mut stage = Stage::set().await;

    // Sixteen batches of sixteen: a lap of the queue. Ten lines, the rest is cover.
    for number in 0..256_u128 {
        let what = match number {
            0 => "deposit, the first of all",
            1 => "deposit, first lap of the queue",
            _ => "",
        };
        stage.deposit(what, (100 + number) * UNIT, number < 10);
        if number % 16 == 15 {
            // All within a minute but for the first, so that its root is written over: as in every later lap of
            // the roots, and as much work.
            let what = match number {
                15 => "absorb of 16, first lap of the roots",
                31 => "absorb of 16",
                _ => "",
            };
            stage.absorb(what);
        }
    }
    stage.deposit("deposit", 400 * UNIT, false);
    stage.open_request(86_400);

    // Eight roots of the venue's tree, one a closing; the eighth settlement writes over the first of them.
    stage.settle("settlement, the first of a venue", 0);
    for n_fills in [0, 1, 4, 8] {
        stage.settle(&format!("settlement of {n_fills}, first lap of the roots"), n_fills);
    }
    stage.settle("", 0);
    stage.settle("", 0);
    for n_fills in [0, 1, 4, 8] {
        stage.settle(&format!("settlement of {n_fills}"), n_fills);
    }

    // The issuer's.
    let wallet_of_reserves = Address::repeat_byte(0xf1);
    let register = Venue::registerReserveWalletCall { wallet: wallet_of_reserves };
    stage.transact(1, stage.venue, register.abi_encode());
    let account = stage.account;
    let after =
        Account { consideration: account.consideration + UNIT, salt: Fr::from(5), ..account };
    stage.move_account("fund", Move::Fund, UNIT, Address::ZERO, after);
    let after = Account { position: after.position - UNIT, ..after };
    let what = "release, to a wallet without a balance";
    stage.move_account(what, Move::Release, UNIT, wallet_of_reserves, after);
    let after = Account { salt: Fr::from(6), ..after };
    stage.move_account("a new salt", Move::Resalt, 0, Address::ZERO, after);

    // A maker's: payouts, then a line.
    let claim = element(stage.system.at.claim);
    let payouts: Vec<_> =
        stage.held.iter().copied().filter(|held| held.note.asset == claim).collect();
    let recipient = Address::repeat_byte(0xee);
    let all = |held: &Held| Leaving {
        inputs: vec![*held],
        announce: false,
        amount: held.note.amount,
        recipient,
        relayer: Address::ZERO,
        fee: 0,
        change: 0,
    };
    stage.spend("exit of all, to a recipient without a balance", &all(&payouts[0]));
    let part = payouts[1].note.amount / 3;
    let with_change =
        |held: &Held| Leaving { amount: part, change: held.note.amount - part, ..all(held) };
    stage.spend("exit with change", &with_change(&payouts[1]));
    let through_relayer =
        Leaving { relayer: Address::repeat_byte(0xed), fee: 7, ..with_change(&payouts[2]) };
    stage.spend("exit with change, through a relayer without a balance", &through_relayer);
    let line = stage.lines()[0];
    let announcement =
        Leaving { announce: true, amount: 0, recipient: Address::ZERO, ..all(&line) };
    stage.spend("announce a line", &announcement);
    stage.wait_until(stage.now() + WINDOW + 1);
    stage.spend("exit of an announced line, with change", &with_change(&line));

    stage.check_conservation();
    stage.check_goals();
    stage.check_snapshot();
}

impl Stage {
    /// Settles a round of so many fills, directly, and prices it through the forwarder too.
    fn settle(&mut self, what: &str, n_fills: usize) {
        let closed_at = self.close();
        let lines: Vec<_> = self.lines().into_iter().take(n_fills).collect();
        assert_eq!(lines.len(), n_fills);
        let witness = self.round(closed_at, &lines);
        let call = self.settlement(&prove(&provers().clear, &witness));
        if what.is_empty() {
            self.transact(ANYONE, self.venue, call);
        } else if self.rounds == 0 {
            // A report's first writes of its own are behind then.
            let (forwarder, report) = (self.system.at.forwarder, self.report(call));
            self.measure(&format!("{what}, through the forwarder"), ANYONE, forwarder, report);
        } else {
            let (forwarder, report) = (self.system.at.forwarder, self.report(call.clone()));
            self.price(&format!("{what}, through the forwarder"), ANYONE, forwarder, &report);
            self.measure(&format!("{what}, direct"), ANYONE, self.venue, call);
        }
        self.settled(&witness, &lines);
    }

    /// Whoever knows every secret can count: what the pool records of each asset is what all notes and the account
    /// hold of it, and it has as much.
    fn check_conservation(&self) {
        for (token, of_account) in [
            (self.system.at.cash, self.account.position),
            (self.system.at.claim, self.account.consideration),
        ] {
            let notes = self.held.iter().chain(&self.waiting);
            let of_notes: u128 = notes
                .filter(|held| held.note.asset == element(token))
                .map(|held| held.note.amount)
                .sum();
            let recorded = self.ask(self.pool, &Pool::assetCall { asset_: token }).recorded;
            assert_eq!(recorded.to::<u128>(), of_notes + of_account);
            let balance = self.ask(token, &abi::CashToken::balanceOfCall { account: self.pool });
            assert_eq!(balance.to::<u128>(), of_notes + of_account);
        }
    }

    fn figure(&self, what: &str) -> [u64; 2] {
        let found = self.figures.iter().find(|(name, _)| name == what);
        found.unwrap_or_else(|| panic!("{what} was not measured")).1
    }

    fn check_goals(&self) {
        let missed: Vec<_> = GOALS
            .iter()
            .map(|(what, goal)| (what, self.figure(what)[0], goal))
            .filter(|(_, used, goal)| used > goal)
            .collect();
        assert!(missed.is_empty(), "{missed:?}");
        let line = self.figure("announce a line")[0]
            + self.figure("exit of an announced line, with change")[0];
        assert!(line <= 650_000, "a line leaves for {line}");
        // Whatever happened inside, a settlement costs the same, under either rules.
        for lap in [", first lap of the roots", ""] {
            for path in ["direct", "through the forwarder"] {
                for rules in [0, 1] {
                    let of = |n| self.figure(&format!("settlement of {n}{lap}, {path}"))[rules];
                    let costs = [0, 1, 4, 8].map(of);
                    let (least, most) = (costs.iter().min().unwrap(), costs.iter().max().unwrap());
                    assert!((most - least) * 100 < *least, "{lap}, {path}: {costs:?}");
                }
            }
        }
    }

    /// As committed, but for zero bytes; with `BLESS` set it is committed.
    fn check_snapshot(&self) {
        let text = std::fs::read_to_string(SNAPSHOT).unwrap();
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(SNAPSHOT, with_gas(&text, &self.figures)).unwrap();
            return;
        }
        let committed: Value = serde_json::from_str(&text).unwrap();
        let gas = committed["gas"].as_object().expect("gas was measured");
        let hint = "if that is meant: BLESS=1 cargo test -p devchain --test system figures, and say why in the commit";
        assert_eq!(gas.len(), self.figures.len(), "other figures than committed; {hint}");
        for (what, [osaka, amsterdam]) in &self.figures {
            for (rules, found) in [("osaka", osaka), ("amsterdam", amsterdam)] {
                let committed = gas[what][rules].as_u64().unwrap();
                assert!(
                    found.abs_diff(committed) <= ZERO_BYTES,
                    "{what}, {rules}: {found} gas, committed are {committed}; {hint}"
                );
            }
        }
    }
}

/// The file with these figures in place of those it has. What is before them is `circuits`' own.
fn with_gas(text: &str, figures: &[(String, [u64; 2])]) -> String {
    let head = text.split(",\n  \"gas\"").next().unwrap();
    let head = head.trim_end().strip_suffix("\n}").map_or(head, str::trim_end);
    let row = |(what, [osaka, amsterdam]): &(String, [u64; 2])| {
        format!("    {}: {{ \"osaka\": {osaka}, \"amsterdam\": {amsterdam} }}", json!(what))
    };
    let rows: Vec<_> = figures.iter().map(row).collect();
    format!("{head},\n  \"gas\": {{\n{}\n  }}\n}}\n", rows.join(",\n"))
}

#[test]
fn figures_replace_what_was_there_and_nothing_else() {
    let circuits = "{\n  \"circuits\": {\n    \"a\": 1\n  }\n}\n";
    let once = with_gas(circuits, &[("b".into(), [1, 2])]);
    let expect = "{\n  \"circuits\": {\n    \"a\": 1\n  },\n  \"gas\": {\n    \"b\": { \"osaka\": 1, \"amsterdam\": 2 }\n  }\n}\n";
    assert_eq!(once, expect);
    assert_eq!(with_gas(&once, &[("b".into(), [1, 2])]), once);
}

/// Every figure has a row of the book's page, `| what | today | next | …`, and every row with numbers is a figure.
#[test]
fn the_book_shows_the_figures_that_are_committed() {
    let committed = std::fs::read_to_string(SNAPSHOT).unwrap();
    let committed: Value = serde_json::from_str(&committed).unwrap();
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut shown = std::collections::BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let number = |cell: &str| cell.replace(',', "").parse::<u64>().ok();
        if let ["", what, first, second, ..] = cells[..]
            && let Some(first) = number(first)
        {
            let known = shown.insert(what.trim_matches('`').to_owned(), (first, number(second)));
            assert_eq!(known, None, "{what} has two rows");
        }
    }
    for (what, gas) in committed["gas"].as_object().expect("gas was measured") {
        let expect = (gas["osaka"].as_u64().unwrap(), gas["amsterdam"].as_u64());
        assert_eq!(shown.remove(what), Some(expect), "the row of {what}");
    }
    for (name, circuit) in committed["circuits"].as_object().unwrap() {
        let expect = (circuit["constraints"].as_u64().unwrap(), circuit["public_inputs"].as_u64());
        assert_eq!(shown.remove(name), Some(expect), "the row of {name}");
    }
    assert!(shown.is_empty(), "rows of nothing that is committed: {shown:?}");
}
