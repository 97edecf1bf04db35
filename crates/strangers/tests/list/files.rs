//! Text that people write and others may have written for them.

use primitives::Timestamp;
use protocol::workflow::Cron;
use recovery::guest::{Config, Recovery};
use recovery::{Deployment, DisclosureMode};
use strangers::Decoder;
use study::data;
use study::spec::{DataSpec, Spec};

use super::{is_same, source, text};

/// Trees with positions, keys and errors that quote them.
const PER_BYTE: usize = 1_024;

const DEPLOYMENT: &str = include_str!("../../../../deployments/embedded.toml");

pub(crate) const FILES: &[Decoder] = &[
    Decoder::new(
        "files/workflows",
        |bytes| text(bytes, |text| recovery::parse(text, "w.yaml").is_ok()),
        || vec![source(recovery::SEED)],
    )
    .per_byte(PER_BYTE)
    .bad(|| {
        let nested = |text: &str| source(&text.repeat(30_000));
        let indented: String = (0..300).map(|depth| " ".repeat(depth) + "a:\n").collect();
        let aliases = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n";
        vec![
            nested("["),
            nested("{"),
            nested("- "),
            nested("? "),
            source(&indented),
            source(aliases),
            Vec::new(),
        ]
    })
    .slow(20),
    Decoder::new(
        "files/deployments",
        |bytes| text(bytes, |text| Deployment::parse(text, "d.toml").is_ok()),
        || vec![source(DEPLOYMENT)],
    )
    .per_byte(PER_BYTE)
    .bad(deep_toml)
    .slow(20),
    Decoder::new(
        "files/configurations",
        |bytes| Recovery::parse(bytes).is_ok(),
        || {
            let address = |digits: &str| format!("0x{}", digits.repeat(20));
            let config = Config {
                workflow: recovery::SEED.to_owned(),
                deployment: DEPLOYMENT.to_owned(),
                disclosure: Some(DisclosureMode::Immediate),
                chain_selector: "7759470850252068959".to_owned(),
                started: 1_678_464_000,
                dark_pool: address("11"),
                confidential_por: address("22"),
                recovery_guard: address("33"),
                endpoint: Some("https://darkpool.example".to_owned()),
            };
            vec![config.encode()]
        },
    )
    .per_byte(PER_BYTE)
    .bad(|| vec![b"[".repeat(50_000), b"{\"workflow\":".repeat(5_000)])
    .slow(20),
    // What plays a scenario brings the images of measured programs, which a fuzzer's build has no use for.
    #[cfg(not(fuzzing))]
    Decoder::new(
        "files/scenarios",
        |bytes| text(bytes, |text| sim::Scenario::parse(text, "s.toml").is_ok()),
        || sim::shipped().into_values().map(source).collect(),
    )
    .per_byte(PER_BYTE)
    .bad(deep_toml)
    .slow(20),
    Decoder::new(
        "files/studies",
        |bytes| text(bytes, |text| Spec::parse(text, "study.toml").is_ok()),
        || {
            vec![
                source(include_str!("../../../../examples/premium.toml")),
                source(include_str!("../../../../examples/stack.toml")),
                source(DATA),
            ]
        },
    )
    .per_byte(PER_BYTE)
    .bad(deep_toml)
    .slow(20),
    Decoder::new(
        "files/series",
        |bytes| text(bytes, |text| data::parse(text, "p.csv", &spec()).is_ok()),
        || vec![source(SERIES)],
    )
    // An error quotes the first line; a row of commas is as many fields.
    .bad(|| {
        let commas = ",".repeat(100_000);
        vec![source(&commas), source(&format!("hour,vwap\n{commas}\n")), source("hour,vwap\n\"")]
    }),
    Decoder::new(
        "files/instants",
        |bytes| {
            text(bytes, |text| {
                text.parse::<Timestamp>()
                    .is_ok_and(|at| is_same(at.to_string().as_bytes(), text.as_bytes()))
            })
        },
        || vec![source("2023-03-11T03:10:00Z"), source("9999-12-31T23:59:59Z")],
    ),
    Decoder::new(
        "files/schedules",
        |bytes| {
            text(bytes, |text| {
                text.parse::<Cron>().is_ok_and(|cron| {
                    let _ = cron.next_after(Timestamp(u64::MAX));
                    cron.to_string().parse() == Ok(cron)
                })
            })
        },
        || vec![source("*/5 * * * *"), source("0-30/7,59 1,2 29 2 *"), source("0 0 * jan-mar mon")],
    )
    .slow(20),
];

fn deep_toml() -> Vec<Vec<u8>> {
    let dotted = format!("{}a = 1\n", "a.".repeat(5_000));
    let tables = format!("[{}a]\n", "a.".repeat(5_000));
    let arrays = format!("a = {}\n", "[".repeat(20_000));
    let inline = format!("a = {}\n", "{a=".repeat(10_000));
    [dotted, tables, arrays, inline, "\0".to_owned()].map(String::into_bytes).into()
}

const SERIES: &str = "hour,low,vwap\n2023-03-10T16:00:00Z,1,1.0\n2023-03-10T17:00:00Z,1,0.99\n";

const DATA: &str = r#"
[study]
name = "series"
replications = 10

[[policy]]
name = "silent"
mechanism = { kind = "cdpr-uniform" }

[data]
path = "p.csv"
time = "hour"
price = "vwap"
step = "1 h"
shock_at = "2023-03-10T17:00:00Z"
"#;

fn spec() -> DataSpec {
    DataSpec {
        path: "p.csv".into(),
        time: "hour".into(),
        price: "vwap".into(),
        step_s: 3_600,
        shock_at: "2023-03-10T17:00:00Z".into(),
        fill: data::Fill::No,
    }
}
