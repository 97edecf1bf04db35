use super::{SMALL, try_plan};

fn error(source: &str) -> String {
    try_plan(source).unwrap_err().to_string()
}

#[test]
fn every_slip_is_named_explained_and_given_a_way_out() {
    let cases = [
        (
            "6:1",
            "gap = \"3%\"",
            "gpa = \"3%\"",
            "key \"scenario.shock.gpa\": no such key\n  hint: did you mean \"scenario.shock.gap\"?",
        ),
        ("6:1", "gap = \"3%\"", "gap = 3", "has no unit"),
        ("6:1", "gap = \"3%\"", "gap = \"3 h\"", "is not a unit of a share"),
        ("6:1", "gap = \"3%\"", "probability = \"130%\"", "outside 0 to 1"),
        ("11:15", "kind = \"cdpr-clock\"", "kind = \"cdpr-clok\"", "did you mean \"cdpr-clock\"?"),
        (
            "11:36",
            "kind = \"cdpr-clock\"",
            "kind = \"cdpr-clock\", instrument = \"secured-repo\"",
            "secured-repo cannot cure a solvency gap",
        ),
        ("8:1", "invited = 12", "invited = 0", "outside 1 to 1000"),
        (
            "8:1",
            "invited = 12",
            "invited = 60",
            "makers.invited is 60, but makers.population is 40",
        ),
        ("12:1", "disclosure = \"none\"", "disclosure = \"nothing\"", "nothing"),
        (
            "4:11",
            "replications = 10",
            "until = { metric = \"recoverd\", half_width = 0.1 }",
            "did you mean \"recovered\"?",
        ),
        (
            "9:2",
            "[[policy]]",
            "[data]\npath = \"p.csv\"\ntime = \"t\"\nprice = \"p\"\nstep = \"1 h\"\nshock_at = \"2023-03-10T16:00:00Z\"\n[[policy]]",
            "p.csv is not there",
        ),
        (
            "9:2",
            "[[policy]]",
            "[rare]\ngap = \"9%\"\n[[policy]]",
            "the size of the hole does not vary",
        ),
        (
            "10:1",
            "[[policy]]",
            "[rare]\nevent = \"cost_bp\"\ngap = \"9%\"\n[[policy]]",
            "\"cost_bp\" is not one of deficit, drill, recovered",
        ),
        (
            "9:1",
            "gap = \"3%\"",
            "gap = \"3%\"\nspread = 0.5\n[rare]\ngap = \"0%\"",
            "0% is outside above 0% to 100%",
        ),
    ];
    let good = r#"
[study]
name = "a"
replications = 10
[scenario.shock]
gap = "3%"
[scenario.makers]
invited = 12
[[policy]]
name = "clock"
mechanism = { kind = "cdpr-clock" }
disclosure = "none"
"#;
    try_plan(good).unwrap();
    for (place, right, wrong, expected) in cases {
        let source = good.replacen(right, wrong, 1);
        assert_ne!(source, good, "{wrong}");
        let message = error(&source);
        let begins = format!("s.toml:{place}: key \"");
        assert!(message.starts_with(&begins), "{message}\nexpected {begins}");
        assert!(message.contains(expected), "{wrong}:\n{message}\nexpected {expected}");
    }
}

#[test]
fn a_point_of_a_sweep_that_the_model_refuses_is_named_with_its_values() {
    let message = error(&SMALL.replace("[4, 16]", "[4, 400]"));
    assert!(message.contains("(at makers.invited = 400)"), "{message}");
    let message =
        error(&SMALL.replace("\"makers.invited\" = [4, 16]", "\"makers.invted\" = [4, 16]"));
    assert!(message.contains("did you mean \"scenario.makers.invited\"?"), "{message}");
}

#[test]
fn the_benchmark_takes_no_world() {
    let bench = "[study]\nname = \"b\"\nmodel = \"bench-1\"\nreplications = 10\n";
    try_plan(bench).unwrap();
    for (place, more) in [
        ("5:2: key \"scenario\"", "[scenario.shock]\ngap = \"3%\"\n"),
        ("5:3: key \"policy\"", "[[policy]]\nname = \"halt\"\nmechanism = { kind = \"halt\" }\n"),
        ("5:2: key \"sweep\"", "[sweep]\n\"makers.invited\" = [4, 16]\n"),
        ("5:2: key \"paths\"", "[paths]\nreplications = 3\n"),
        ("5:2: key \"rare\"", "[rare]\nevent = \"failed\"\ngap = \"9%\"\nreplications = 10\n"),
    ] {
        let message = error(&format!("{bench}{more}"));
        assert!(
            message.starts_with(&format!("s.toml:{place}: the benchmark has one world")),
            "{message}"
        );
        assert!(message.contains("hint: leave it out"), "{message}");
    }
}
