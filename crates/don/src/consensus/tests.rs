//! The tables follow what Chainlink's own public tests of its consensus capability expect, case by case.

use cre::messages::Timestamp;

use super::*;

fn value(kind: Kind) -> Value {
    Value { value: Some(kind) }
}

fn int(number: i64) -> Value {
    value(Kind::Int64Value(number))
}

fn float(number: f64) -> Value {
    value(Kind::Float64Value(number))
}

fn text(text: &str) -> Value {
    value(Kind::StringValue(text.to_owned()))
}

fn list(items: &[&str]) -> Value {
    value(Kind::ListValue(List { fields: items.iter().map(|item| text(item)).collect() }))
}

fn map(fields: &[(&str, Value)]) -> Value {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    value(Kind::MapValue(Map { fields: fields.collect() }))
}

fn bigint(sign: i64, abs_val: &[u8]) -> Value {
    value(Kind::BigintValue(BigInt { abs_val: abs_val.to_vec(), sign }))
}

fn decimal(coefficient: i64, exponent: i32) -> Value {
    let coefficient = BigInt {
        abs_val: coefficient.unsigned_abs().to_be_bytes().to_vec(),
        sign: coefficient.signum(),
    };
    value(Kind::DecimalValue(Decimal { coefficient: Some(coefficient), exponent }))
}

fn time(seconds: i64, nanos: i32) -> Value {
    value(Kind::TimeValue(Timestamp { seconds, nanos }))
}

fn by(aggregation: AggregationType) -> ConsensusDescriptor {
    ConsensusDescriptor { descriptor: Some(Descriptor::Aggregation(aggregation as i32)) }
}

fn by_field(fields: &[(&str, ConsensusDescriptor)]) -> ConsensusDescriptor {
    let fields = fields.iter().map(|(name, by)| ((*name).to_owned(), by.clone())).collect();
    ConsensusDescriptor { descriptor: Some(Descriptor::FieldsMap(FieldsMap { fields })) }
}

/// Checks the outcome in the order given, reversed and rotated.
#[track_caller]
fn check(
    observations: &[Value],
    descriptor: &ConsensusDescriptor,
    default: Option<&Value>,
    f: usize,
    expect: Result<Value, &str>,
) {
    let forward: Vec<&Value> = observations.iter().collect();
    let reversed: Vec<&Value> = observations.iter().rev().collect();
    let mut rotated = forward.clone();
    if !rotated.is_empty() {
        rotated.rotate_left(1);
    }
    for observations in [forward, reversed, rotated] {
        let outcome = aggregate(&observations, descriptor, default, f);
        match &expect {
            Ok(value) => assert_eq!(outcome.as_ref(), Ok(value)),
            Err(reason) => {
                let error = outcome.expect_err("no outcome was expected").to_string();
                assert!(error.contains(reason), "{error}");
            }
        }
    }
}

#[track_caller]
fn check_median(observations: &[Value], f: usize, expect: Result<Value, &str>) {
    check(observations, &by(AggregationType::Median), None, f, expect);
}

#[test]
fn median_is_the_middle_and_of_an_even_number_the_lower_middle() {
    check_median(&[30, 40, 10, 20, 50].map(int), 2, Ok(int(30)));
    check_median(&[10, 20, 30, 40].map(int), 1, Ok(int(20)));
    let uint = |number| value(Kind::Uint64Value(number));
    check_median(&[u64::MAX, 0, 7, 9].map(uint), 1, Ok(uint(7)));
    check_median(&[10.5, 20.5, 30.5, 40.5].map(float), 1, Ok(float(20.5)));
    check_median(&[(30, 0), (10, 5), (10, 4)].map(|(s, n)| time(s, n)), 1, Ok(time(10, 5)));
    check_median(&[int(-5), int(3), int(-7)], 1, Ok(int(-5)));
    check_median(&[int(42)], 0, Ok(int(42)));
}

#[test]
fn median_orders_big_integers_and_decimals_by_value() {
    let numbers = [
        bigint(1, &[1, 0]),
        bigint(1, &[0, 255]),
        bigint(-1, &[9]),
        bigint(0, &[]),
        bigint(1, &[2]),
    ];
    check_median(&numbers, 2, Ok(bigint(1, &[2])));
    check_median(
        &[bigint(-1, &[1, 0]), bigint(-1, &[2]), bigint(-1, &[3])],
        1,
        Ok(bigint(-1, &[3])),
    );
    // 0.5, 12.5, 1.25, -3, 12.49
    let numbers =
        [decimal(5, -1), decimal(125, -1), decimal(125, -2), decimal(-3, 0), decimal(1249, -2)];
    check_median(&numbers, 2, Ok(decimal(125, -2)));
    check_median(&[decimal(2, 3), decimal(1999, 0), decimal(2001, 0)], 1, Ok(decimal(2, 3)));
}

#[test]
fn floats_that_are_not_numbers_stand_outside_by_their_sign() {
    let low = f64::from_bits(0xFFF8_0000_0000_0001);
    let high = f64::from_bits(0x7FF8_0000_0000_0001);
    check_median(&[35.5, 40.5, low, 20.5, 10.5].map(float), 2, Ok(float(20.5)));
    check_median(&[30.5, 40.5, high, 20.5, 10.5].map(float), 2, Ok(float(30.5)));
}

#[test]
fn median_needs_2f_plus_1_of_one_kind() {
    let mixed = [int(10), int(20), int(30), text("malicious"), text("malicious")];
    check_median(&mixed, 2, Err("no single value type"));
    check_median(
        &[10, 20, 30, 40].map(int),
        2,
        Err("insufficient observations (4) to meet minimum (5)"),
    );
    let two_kinds = [int(1), int(2), int(3), float(1.0), float(2.0), float(3.0)];
    check_median(&two_kinds, 1, Err("more than one valid outcome"));
    check_median(&[], 2, Err("insufficient observations (0) to meet minimum (5)"));
    let empty = Value { value: None };
    check_median(&[int(1), int(2), int(3), int(4), empty], 2, Err("no single value type"));
    let words = ["foo", "bar", "baz"].map(text);
    check_median(&words, 1, Err("unsupported type for median aggregation: string"));
}

#[test]
fn malformed_numbers_take_no_part() {
    let none = value(Kind::DecimalValue(Decimal { coefficient: None, exponent: 0 }));
    check_median(&[none.clone(), none.clone(), none], 1, Err("insufficient observations (0)"));
    let extreme = decimal(1, i32::MAX);
    let numbers = [decimal(1, 0), decimal(2, 0), decimal(3, 0), extreme];
    check_median(&numbers, 1, Ok(decimal(2, 0)));
    let late = time(0, 2_000_000_000);
    check_median(&[time(1, 0), time(2, 0), late], 1, Err("insufficient observations (2)"));
}

#[test]
fn identical_is_what_f_plus_1_share_and_only_if_nothing_else_is() {
    let identical = by(AggregationType::Identical);
    let four = [int(42), int(42), int(42), int(42), int(50), text("malicious")];
    check(&four, &identical, None, 3, Ok(int(42)));
    check(&four, &identical, None, 4, Err("no value is shared by 5"));
    check(&[int(1), int(1), int(2), int(2)], &identical, None, 1, Err("more than one"));
    check(&[int(1), float(1.0)], &identical, None, 1, Err("no value is shared"));
    let empty = Value { value: None };
    check(&[empty.clone(), empty], &identical, None, 1, Err("no value is shared"));
}

#[test]
fn common_prefix_and_suffix_are_what_f_plus_1_lists_share() {
    let prefixes = [
        list(&["1", "2", "3", "4"]),
        list(&["1", "2", "3", "5"]),
        list(&["1", "2", "3", "6"]),
        list(&["1", "2", "3", "7"]),
        list(&[]),
        value(Kind::ListValue(List { fields: vec![int(42)] })),
    ];
    let by_prefix = by(AggregationType::CommonPrefix);
    check(&prefixes, &by_prefix, None, 3, Ok(list(&["1", "2", "3"])));
    check(&prefixes, &by_prefix, None, 4, Ok(list(&[])));
    check(&[int(1), int(1)], &by_prefix, None, 1, Err("insufficient observations (0)"));
    let split = [list(&["a", "b"]), list(&["a", "b"]), list(&["a", "c"]), list(&["a", "c"])];
    check(&split, &by_prefix, None, 1, Err("more than one"));
    let suffixes =
        [list(&["1", "8", "9"]), list(&["2", "8", "9"]), list(&["3", "8", "9"]), list(&["9", "9"])];
    check(&suffixes, &by(AggregationType::CommonSuffix), None, 2, Ok(list(&["8", "9"])));
}

#[test]
fn frequency_list_counts_most_frequent_first_then_by_encoding() {
    let counted = |value: Value, n: i64| map(&[("value", value), ("count", int(n))]);
    let observations = [int(42), int(42), int(42), int(50), text("malicious")];
    let expect = vec![counted(int(42), 3), counted(text("malicious"), 1), counted(int(50), 1)];
    let expect = value(Kind::ListValue(List { fields: expect }));
    let by_count = by(AggregationType::FrequencyList);
    check(&observations, &by_count, None, 2, Ok(expect));
    check(&[int(1), int(2)], &by_count, None, 2, Err("insufficient observations"));
}

#[test]
fn fields_go_by_their_own_rules_and_defaults() {
    let rules = by_field(&[
        ("Price", by(AggregationType::Median)),
        ("Source", by(AggregationType::Identical)),
    ]);
    let seen = |price, source| {
        map(&[("Price", int(price)), ("Source", text(source)), ("Unnamed", int(0))])
    };
    let agreed = [seen(42, "A"), seen(43, "A"), seen(44, "A")];
    check(&agreed, &rules, None, 1, Ok(map(&[("Price", int(43)), ("Source", text("A"))])));
    let parted = [seen(42, "A"), seen(43, "B"), seen(44, "C")];
    check(&parted, &rules, None, 1, Err("aggregation for field failed 'Source'"));
    let default = map(&[("Source", text("Z"))]);
    let expect = map(&[("Price", int(43)), ("Source", text("Z"))]);
    check(&parted, &rules, Some(&default), 1, Ok(expect));
    let empty = [map(&[]), map(&[]), map(&[])];
    check(&empty, &rules, None, 1, Err("insufficient observations (0) to meet minimum (3)"));
    let nested = by_field(&[("Inner", rules)]);
    let outer = |inner: &Value| map(&[("Inner", inner.clone())]);
    let observations: Vec<Value> = agreed.iter().map(outer).collect();
    let expect = outer(&map(&[("Price", int(43)), ("Source", text("A"))]));
    check(&observations, &nested, None, 1, Ok(expect));
}

#[test]
fn unknown_aggregation_is_refused() {
    check(&[int(1)], &by(AggregationType::Unspecified), None, 0, Err("unknown aggregation type"));
    let nothing = ConsensusDescriptor { descriptor: None };
    check(&[int(1)], &nothing, None, 0, Err("unknown aggregation type"));
}

fn inputs(observation: Observation, default: Option<Value>) -> SimpleConsensusInputs {
    SimpleConsensusInputs {
        observation: Some(observation),
        descriptors: Some(by(AggregationType::Median)),
        default,
    }
}

#[test]
fn failures_of_more_than_f_nodes_are_the_outcome_unless_there_is_a_default() {
    let failed = |reason: &str, default| inputs(Observation::Error(reason.to_owned()), default);
    let saw = |number, default| inputs(Observation::Value(int(number)), default);
    let one_failed = [failed("down", None), saw(1, None), saw(2, None), saw(3, None)];
    assert_eq!(simple(&one_failed, 1), Ok(int(2)));
    let two_failed = [failed("slow", None), failed("down", None), saw(2, None), saw(3, None)];
    assert_eq!(simple(&two_failed, 1).unwrap_err().to_string(), "Public:User:ConsensusFailed:down");
    let default = Some(int(123));
    let two_failed =
        [failed("slow", default.clone()), failed("down", default.clone()), saw(2, default.clone())];
    assert_eq!(simple(&two_failed, 1), Ok(int(123)));
    let few = [saw(1, None), saw(2, None)];
    assert_eq!(
        simple(&few, 1).unwrap_err().to_string(),
        "Public:User:InsufficientObservations:insufficient observations (2) to meet minimum (3)"
    );
    assert!(simple(&[], 1).is_err());
}
