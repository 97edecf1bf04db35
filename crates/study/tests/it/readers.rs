//! Whatever a file holds, its reader answers: with what it read or with what is wrong, and never with a panic.

use std::sync::LazyLock;

use primitives::frames;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use study::data::{self, Fill};
use study::plan::Plan;
use study::spec::{DataSpec, Spec};
use study::summary::Summary;
use study::{chunk, report, study as run_study};
use tempfile::TempDir;

use super::damage::{damaged, damaged_text, damages};
use super::{SMALL, plan};

/// A small plan, and one of its chunks.
static CHUNK: LazyLock<(Plan, Vec<u8>)> = LazyLock::new(|| {
    let plan = plan(SMALL);
    let chunk = chunk::encode(&plan, 0, &vec![vec![0.5; 32]; 4]);
    (plan, chunk)
});

const SERIES: &str = "\u{feff}hour,\"low, $\",vwap\r\n2023-03-10T16:00:00Z,1,1.0\r\n2023-03-10 18:00:00+01:00,1,0.99\r\n1678471200,1,\"0.97\"\r\n";

fn series() -> DataSpec {
    DataSpec {
        path: "p.csv".into(),
        time: "hour".into(),
        price: "vwap".into(),
        step_s: 3_600,
        shock_at: "2023-03-10T17:00:00Z".into(),
        fill: Fill::Linear,
    }
}

/// What a spec may have beside what every one has.
const EXTRAS: &str = "[rare]\nevent = \"failed\"\ngap = \"9%\"\nreplications = 10\n[data]\npath = \"p.csv\"\ntime = \"hour\"\n\
                      price = \"vwap\"\nstep = \"1 h\"\nshock_at = 2023-03-10T17:00:00Z\nfill = \"last\"\n";

/// A spec with everything in it.
fn everything() -> String {
    format!("{SMALL}{EXTRAS}").replace("[scenario.shock]", "[scenario.shock]\nspread = 0.6")
}

fn checked(source: &str) -> Result<Plan, study::spec::Error> {
    let spec = Spec::parse(source, "s.toml")?;
    // Large sweeps are slow and not what is tried here.
    if spec.sweep.points() > 64 {
        return Ok(plan(SMALL));
    }
    Plan::new(spec, "s.toml", |_| Ok(SERIES.to_owned()))
}

fn summary() -> Value {
    let folder = TempDir::new().unwrap();
    let source = everything()
        .replace("replications = 230", "replications = 60")
        .replace("[4, 16]", "{ from = 4, to = 16 }")
        .replace("[sweep]", "[sweep]\ndesign = \"morris\"\npoints = 2");
    let plan = checked(&source).unwrap();
    let chunks = run_study::chunk_folder(folder.path());
    run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    serde_json::from_slice(&std::fs::read(folder.path().join("summary.json")).unwrap()).unwrap()
}

/// Puts `with` at some place of a tree, or takes the place away.
fn graft(tree: &mut Value, path: &[Index], with: Option<&Value>) {
    let Some((first, rest)) = path.split_first() else {
        if let Some(with) = with {
            tree.clone_from(with);
        }
        return;
    };
    match tree {
        Value::Array(items) if !items.is_empty() => {
            let at = first.index(items.len());
            match (rest, with) {
                ([], None) => drop(items.remove(at)),
                _ => graft(&mut items[at], rest, with),
            }
        }
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(first.index(map.len())).unwrap().clone();
            match (rest, with) {
                ([], None) => drop(map.remove(&key)),
                _ => graft(map.get_mut(&key).unwrap(), rest, with),
            }
        }
        _ => {
            if let Some(with) = with {
                tree.clone_from(with);
            }
        }
    }
}

fn scalar() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(None),
        Just(Some(Value::Null)),
        Just(Some(serde_json::json!([]))),
        Just(Some(serde_json::json!({}))),
        Just(Some(serde_json::json!(u64::MAX))),
        Just(Some(serde_json::json!(-1))),
        Just(Some(serde_json::json!(1e308))),
        Just(Some(serde_json::json!(-0.0))),
        Just(Some(serde_json::json!("<script>"))),
        Just(Some(serde_json::json!([0.5, null]))),
    ]
}

#[test]
fn a_spec_with_everything_is_read() {
    checked(&everything()).unwrap();
    let read = data::parse(SERIES, "p.csv", &series()).unwrap();
    assert_eq!(read.discounts.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spec_of_any_bytes_is_read_or_refused(damages in damages(1..6)) {
        let source = damaged_text(&everything(), &damages);
        if let Err(error) = checked(&source) {
            let words = error.to_string();
            prop_assert!(words.starts_with("s.toml:"), "{words}");
        }
    }

    #[test]
    fn a_series_of_any_bytes_is_read_or_refused(damages in damages(1..8)) {
        let source = damaged_text(SERIES, &damages);
        if let Ok(read) = data::parse(&source, "p.csv", &series()) {
            for (hour, discount) in read.discounts {
                prop_assert!(hour.is_finite() && (-4.0..1.0).contains(&discount), "{hour} {discount}");
            }
        }
    }

    #[test]
    fn a_time_of_any_letters_is_read_or_refused(text in "[0-9TZ:+. -]{0,30}", any in any::<String>()) {
        for text in [text, any] {
            let source = format!("hour,vwap\n\"{}\",1\n", text.replace('"', ""));
            let _ = data::parse(&source, "p.csv", &series());
        }
    }

    #[test]
    fn a_chunk_of_any_bytes_is_read_or_refused(
        damages in damages(1..6), is_framed in any::<bool>(),
    ) {
        let (plan, good) = &*CHUNK;
        let bytes = if is_framed {
            let mut writer = frames::Writer::new(&chunk::KIND);
            let mut bytes = chunk::KIND.magic.to_vec();
            for frame in frames::read(&chunk::KIND, good).0.frames {
                bytes.extend(writer.append(&damaged(frame.record, &damages)));
            }
            bytes
        } else {
            damaged(good, &damages)
        };
        let _ = chunk::parse(plan, 0, &bytes, "c".as_ref());
    }
}

#[test]
fn a_summary_of_any_values_makes_a_report_or_is_refused() {
    let good = summary();
    assert!(Summary::parse(good.to_string().as_bytes()).is_ok());
    let config =
        ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() };
    let grafts =
        prop::collection::vec((prop::collection::vec(any::<Index>(), 1..7), scalar()), 1..4);
    proptest!(config, |(grafts in grafts)| {
        let mut tree = good.clone();
        for (path, with) in &grafts {
            graft(&mut tree, path, with.as_ref());
        }
        if let Ok(read) = Summary::parse(tree.to_string().as_bytes()) {
            let studies = [read];
            prop_assert!(report::html(&studies).ends_with("</html>\n"));
            let _ = (report::json(&studies), report::svgs(&studies));
        }
    });
}

/// What a study writes is what a study reads, to the last bit.
#[test]
fn what_we_write_we_can_read() {
    let folder = TempDir::new().unwrap();
    let plan = plan(SMALL);
    let chunks = run_study::chunk_folder(folder.path());
    let written = run_study::run(&plan, folder.path(), &chunks, 2, &|_| {}).unwrap();
    let read = run_study::read(folder.path()).unwrap();
    assert_eq!(format!("{read:?}"), format!("{written:?}"));
}
