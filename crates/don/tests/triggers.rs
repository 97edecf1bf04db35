//! What a workflow may subscribe to, and when that fires.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::time::Duration;

use cre::messages::evm::{ConfidenceLevel, FilterLogTriggerRequest, Log, TopicValues};
use cre::messages::http::{AuthorizedKey, Config as HttpConfig};
use cre::messages::sdk::TriggerSubscription;
use cre::messages::{cron, darkpool, pack, unpack};
use don::triggers::{
    CRON_ID, HTTP_ID, HttpTrigger, LogTrigger, Schedule, Subscription, TriggerError,
};
use engine::Limits;
use primitives::Timestamp;

/// 2023-11-14 22:13:20 UTC, a Tuesday.
const NOW: u64 = 1_700_000_000;

const LIMITS: Limits = Limits::production();

const ALICE: &str = "0x00000000000000000000000000000000000000aA";

#[test]
fn schedule_fires_at_its_seconds() {
    for (text, expected) in [
        ("* * * * *", [40, 100]),
        ("*/5 * * * *", [100, 400]),
        ("0 */5 * * * *", [100, 400]),
        ("30 * * * * *", [10, 70]),
        ("*/30 * * * * *", [10, 40]),
        ("20 * * * * *", [60, 120]),
        ("0,30 14 22 * * *", [40, 70]),
        ("TZ=UTC 0 23 * * TUE", [2_800, 2_800 + 7 * 86_400]),
        ("CRON_TZ=UTC 15 0 0 1 JAN *", [4_067_215, 4_067_215 + 366 * 86_400]),
    ] {
        let schedule = scheduled(text).unwrap();
        let first = schedule.next_after(Timestamp(NOW)).unwrap();
        let second = schedule.next_after(first).unwrap();
        assert_eq!([first.0 - NOW, second.0 - NOW], expected, "{text}");
        assert!(schedule.next_after(Timestamp(first.0 - 1)) == Some(first), "{text}");
    }
}

#[test]
fn schedule_fires_with_the_time_it_was_due() {
    let fired: cron::Payload = unpack(&Schedule::payload(Timestamp(NOW))).unwrap();
    let due = fired.scheduled_execution_time.unwrap();
    assert_eq!((due.seconds, due.nanos), (1_700_000_000, 0));
}

#[test]
fn schedule_that_does_not_parse_is_refused() {
    for text in ["", "* * * *", "* * * * * * *", "@daily"] {
        assert!(matches!(scheduled(text), Err(TriggerError::FieldCount { .. })), "{text}");
    }
    for text in ["60 * * * *", "* * * * nil", "0 0 30 2 *", "0 * 24 * * *"] {
        assert!(matches!(scheduled(text), Err(TriggerError::Schedule(_))), "{text}");
    }
    for text in ["60 * * * * *", "x * * * * *", "30-0 * * * * *"] {
        assert!(matches!(scheduled(text), Err(TriggerError::Seconds { .. })), "{text}");
    }
    for zone in ["Europe/Bielefeld", "europe/berlin", "Local", "", "+01:00", "Etc/Unknown"] {
        assert_eq!(
            scheduled(&format!("TZ={zone} 0 9 * * *")),
            Err(TriggerError::TimeZone { zone: zone.to_owned() })
        );
    }
}

/// Firings of a schedule from an instant on, as far as wanted; instants in RFC 3339.
fn firings(text: &str, from: &str, n: usize) -> Vec<String> {
    let schedule = scheduled(text).unwrap();
    let mut at = from.parse::<jiff::Timestamp>().unwrap();
    (0..n)
        .map(|_| {
            let after = Timestamp(at.as_second().try_into().unwrap());
            let next = schedule.next_after(after).unwrap();
            at = jiff::Timestamp::from_second(next.0.try_into().unwrap()).unwrap();
            assert_eq!(schedule.next_after(Timestamp(next.0 - 1)), Some(next), "{text}");
            at.to_string()
        })
        .collect()
}

#[test]
fn schedule_reads_the_clock_of_its_zone_in_summer_and_in_winter() {
    // 2026-03-08 is the day when New York's clocks go forward.
    assert_eq!(
        firings("TZ=America/New_York 0 9 * * *", "2026-03-06T20:00:00Z", 3),
        ["2026-03-07T14:00:00Z", "2026-03-08T13:00:00Z", "2026-03-09T13:00:00Z"]
    );
    assert_eq!(
        firings("CRON_TZ=Asia/Kathmandu 30 0 0 1 * *", "2026-01-01T00:00:00Z", 2),
        ["2026-01-31T18:15:30Z", "2026-02-28T18:15:30Z"],
        "5:45 ahead, so that a month begins on another day"
    );
    assert_eq!(
        firings("TZ=Europe/London 0 9 * * 1-5", "2026-03-27T10:00:00Z", 2),
        ["2026-03-30T08:00:00Z", "2026-03-31T08:00:00Z"]
    );
    let rare = firings("TZ=America/New_York 0 0 29 2 *", "2026-01-01T00:00:00Z", 2);
    assert_eq!(rare, ["2028-02-29T05:00:00Z", "2032-02-29T05:00:00Z"], "across many changes");
}

#[test]
fn time_that_daylight_saving_skips_is_not_due_and_one_that_it_repeats_is_due_twice() {
    // What robfig/cron's own tests expect, of other years: 2:30 on 11 March 2012 is skipped, 1:30 on 4 November comes twice.
    assert_eq!(
        firings("TZ=America/New_York 30 2 * * *", "2012-03-10T08:00:00Z", 2),
        ["2012-03-12T06:30:00Z", "2012-03-13T06:30:00Z"]
    );
    assert_eq!(
        firings("TZ=America/New_York 0 30 2 11 3 *", "2012-03-11T05:00:00Z", 1),
        ["2013-03-11T06:30:00Z"]
    );
    assert_eq!(
        firings("TZ=America/New_York 30 1 * * *", "2012-11-03T12:00:00Z", 3),
        ["2012-11-04T05:30:00Z", "2012-11-04T06:30:00Z", "2012-11-05T06:30:00Z"]
    );
    assert_eq!(
        firings("TZ=America/New_York 0 * * * *", "2012-11-04T04:30:00Z", 4),
        [
            "2012-11-04T05:00:00Z",
            "2012-11-04T06:00:00Z",
            "2012-11-04T07:00:00Z",
            "2012-11-04T08:00:00Z"
        ]
    );
    assert_eq!(
        firings("TZ=America/New_York 0 * * * *", "2012-03-11T06:30:00Z", 2),
        ["2012-03-11T07:00:00Z", "2012-03-11T08:00:00Z"],
        "no hour is left out, though 2:00 is"
    );
    // Half an hour on Lord Howe, and a midnight that is skipped in Beirut.
    assert_eq!(
        firings("TZ=Australia/Lord_Howe 45 1 * * *", "2026-04-03T20:00:00Z", 3),
        ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-05T15:15:00Z"]
    );
    assert_eq!(
        firings("TZ=Asia/Beirut 0 0 * * *", "2026-03-27T23:00:00Z", 2),
        ["2026-03-29T21:00:00Z", "2026-03-30T21:00:00Z"]
    );
}

#[test]
fn times_that_a_change_of_the_clock_brings_together_are_held_to_the_limit() {
    // 1:59:59 and 3:00:00 are an hour apart, and on one night of the year a second.
    let at_night = "0,59 0,59 1,3 * * *";
    assert_eq!(
        scheduled(&format!("TZ=America/New_York {at_night}")),
        Err(TriggerError::TooFast { period_s: 1, period_min_s: 30 })
    );
    assert_eq!(scheduled(at_night).map(drop), Ok(()));
    assert_eq!(scheduled(&format!("TZ=Asia/Tokyo {at_night}")).map(drop), Ok(()), "never changed");
}

#[test]
fn schedule_that_fires_too_often_is_refused_with_the_limit() {
    for (text, period_s) in [
        ("* * * * * *", 1),
        ("*/29 * * * * *", 2),
        ("0,29 * * * * *", 29),
        ("0,31 * * * * *", 29),
        // One second apart, but only across an hour, a midnight, a month's end.
        ("0,59 0,59 * * * *", 1),
        ("0,59 0,59 0,23 * * *", 1),
        ("0,59 0,59 0,23 1,31 JAN,FEB *", 1),
        ("0,59 */2 * * * *", 59),
    ] {
        let expected = TriggerError::TooFast { period_s, period_min_s: 30 };
        if period_s < 30 {
            assert_eq!(scheduled(text), Err(expected), "{text}");
        } else {
            assert!(scheduled(text).is_ok(), "{text}");
        }
    }
    assert!(scheduled("0,59 0,59 0,23 1 JAN *").is_ok());
    assert_eq!(
        scheduled("*/10 * * * * *").unwrap_err().to_string(),
        "a schedule that fires after 10 s, the limit is once in 30 s"
    );
    let slow = Limits { cron_interval_min: Duration::from_hours(1), ..LIMITS };
    let parse = |text: &str| Schedule::parse(&cron::Config { schedule: text.into() }, &slow);
    let expected = TriggerError::TooFast { period_s: 1_800, period_min_s: 3_600 };
    assert_eq!(parse("*/30 * * * *"), Err(expected));
    assert!(parse("7 * * * *").is_ok());
}

#[test]
fn http_trigger_fires_with_its_input_and_the_key_that_asked() {
    let trigger = HttpTrigger::parse(keys(&[ALICE])).unwrap();
    let input = b"{ \"order\" : [1, 2.50] }";
    let payload = trigger.payload(input, Some(&ALICE.to_lowercase())).unwrap();
    assert_eq!(payload.input, input);
    assert_eq!(payload.key.as_ref(), Some(&trigger.keys()[0]));
    let open = HttpTrigger::parse(keys(&[])).unwrap();
    assert_eq!(open.payload(b"null", None).unwrap().key, None);
}

#[test]
fn http_trigger_refuses_strangers_and_what_is_not_json() {
    let trigger = HttpTrigger::parse(keys(&[ALICE])).unwrap();
    let bob = "0x00000000000000000000000000000000000000bb";
    assert_eq!(
        trigger.payload(b"{}", Some(bob)).unwrap_err().to_string(),
        format!("key {bob} is not among the 1 that may trigger the workflow")
    );
    let error = trigger.payload(b"{}", None).unwrap_err();
    assert!(matches!(error, TriggerError::Unauthorized { .. }));
    for input in [&b""[..], b"{", b"{} {}", b"\xff"] {
        let error = trigger.payload(input, Some(ALICE)).unwrap_err();
        assert!(matches!(error, TriggerError::NotJson { .. }), "{input:?}");
    }
    let error = HttpTrigger::parse(keys(&[ALICE, "0x12"])).unwrap_err();
    assert_eq!(error, TriggerError::Key { idx: 1 });
    let not_hex = ALICE.replace("aA", "zz");
    assert_eq!(HttpTrigger::parse(keys(&[&not_hex])).unwrap_err(), TriggerError::Key { idx: 0 });
    let mut odd = keys(&[ALICE]);
    odd.authorized_keys[0].r#type = 0;
    assert_eq!(HttpTrigger::parse(odd).unwrap_err(), TriggerError::KeyType { idx: 0, kind: 0 });
}

#[test]
fn log_fires_where_address_and_every_named_topic_match() {
    let filter = FilterLogTriggerRequest {
        topics: vec![topic(&[1, 2]), topic(&[]), topic(&[3])],
        confidence: ConfidenceLevel::Finalized as i32,
        ..watching(2)
    };
    let trigger = LogTrigger::parse(&filter, &LIMITS).unwrap();
    assert_eq!(trigger.confidence(), ConfidenceLevel::Finalized);
    let matches = |log: &Log| trigger.matches(log).unwrap();
    assert!(matches(&log(1, &[2, 9, 3])));
    assert!(matches(&log(0, &[1, 8, 3, 7])));
    assert!(!matches(&log(2, &[2, 9, 3])), "another contract's");
    assert!(!matches(&log(1, &[3, 9, 3])), "another event");
    assert!(!matches(&log(1, &[2, 3, 9])), "the topic in another place");
    assert!(!matches(&log(1, &[2, 9])), "a topic too few");
    assert!(!matches(&Log { removed: true, ..log(1, &[2, 9, 3]) }), "no longer in the chain");
    let any = LogTrigger::parse(&watching(1), &LIMITS).unwrap();
    assert!(any.matches(&log(0, &[])).unwrap(), "no topics named, none needed");
}

#[test]
fn log_over_its_limit_is_refused_if_it_would_fire() {
    let trigger = LogTrigger::parse(&watching(1), &LIMITS).unwrap();
    // An address and its tag take 22 bytes, the data's tag and length 3.
    let fits = Log { data: vec![0; 4_975], ..log(0, &[]) };
    assert!(trigger.matches(&fits).unwrap());
    let long = Log { data: vec![0; 4_976], ..log(0, &[]) };
    assert_eq!(
        trigger.matches(&long).unwrap_err().to_string(),
        "a log of 5001 bytes, the limit is 5000"
    );
    assert!(!trigger.matches(&Log { address: vec![9; 20], ..long }).unwrap());
}

#[test]
fn log_filter_over_its_limits_or_malformed_is_refused() {
    let error = |filter: &FilterLogTriggerRequest| LogTrigger::parse(filter, &LIMITS).unwrap_err();
    assert!(LogTrigger::parse(&watching(5), &LIMITS).is_ok());
    for found in [0, 6] {
        assert_eq!(
            error(&watching(found)).to_string(),
            format!("a log trigger of {found} addresses, it has at least 1 and the limit is 5")
        );
    }
    let ten = FilterLogTriggerRequest { topics: vec![topic(&[7; 10])], ..watching(1) };
    assert!(LogTrigger::parse(&ten, &LIMITS).is_ok());
    let eleven =
        FilterLogTriggerRequest { topics: vec![topic(&[]), topic(&[7; 11])], ..watching(1) };
    assert_eq!(
        error(&eleven).to_string(),
        "topic 1 of a log trigger has 11 values, the limit is 10"
    );
    let five = FilterLogTriggerRequest { topics: vec![topic(&[]); 5], ..watching(1) };
    assert_eq!(error(&five), TriggerError::Topics { found: 5 });
    let short = FilterLogTriggerRequest { addresses: vec![vec![0; 19]], ..watching(1) };
    assert_eq!(error(&short).to_string(), "an address of 19 bytes, it has 20");
    let long = TopicValues { values: vec![vec![0; 33]] };
    let long = FilterLogTriggerRequest { topics: vec![long], ..watching(1) };
    assert_eq!(error(&long).to_string(), "a topic of 33 bytes, it has 32");
    // What comes of an address that is not in base64, in a configuration that is read as if it were.
    let hex = "0x15fC6ae953E024d975e77382eEeC56A9101f9F88";
    for (given, what) in [
        (unbase64(hex), format!("an address is \"{}\", which is hexadecimal: 20 bytes are due, in base64 where the configuration is JSON", "0x15fC6ae953E024d975e77382eEeC56A9101f9F8w")),
        (hex.as_bytes().to_vec(), format!("an address is {hex:?}, which is hexadecimal: 20 bytes are due, in base64 where the configuration is JSON")),
        (unbase64(&hex[2..]), format!("an address is {:?}, which is hexadecimal: 20 bytes are due, in base64 where the configuration is JSON", &hex[2..])),
        (unbase64("YOUR_CONTRACT_ADDRESSES_"), "an address is \"YOUR_CONTRACT_ADDRESSES_\": 20 bytes are due, in base64 where the configuration is JSON".to_owned()),
    ] {
        let asked = FilterLogTriggerRequest { addresses: vec![given], ..watching(1) };
        assert_eq!(error(&asked).to_string(), what);
    }
    let odd = FilterLogTriggerRequest { confidence: 3, ..watching(1) };
    assert_eq!(error(&odd), TriggerError::Confidence { found: 3 });
}

#[test]
fn subscription_is_known_by_id_and_method() {
    let schedule = cron::Config { schedule: "*/5 * * * *".into() };
    let parse = |id: &str, method: &str, payload| {
        let subscription = TriggerSubscription {
            id: id.into(),
            payload,
            method: method.into(),
            requirements: None,
            pre_hook: false,
        };
        Subscription::parse(&subscription, &LIMITS)
    };
    let cron = parse(CRON_ID, "Trigger", Some(pack(&schedule)));
    assert!(matches!(cron, Ok(Subscription::Cron(_))));
    let http = parse(HTTP_ID, "Trigger", Some(pack(&keys(&[ALICE]))));
    assert!(matches!(http, Ok(Subscription::Http(_))));
    let id = don::chain::id(5_009_297_550_715_157_269);
    match parse(&id, "LogTrigger", Some(pack(&watching(1)))).unwrap() {
        Subscription::Log { chain_selector, .. } => {
            assert_eq!(chain_selector, 5_009_297_550_715_157_269);
        }
        other @ (Subscription::Cron(_) | Subscription::Http(_) | Subscription::Fill { .. }) => {
            panic!("{other:?}")
        }
    }
    let fill = |dark_pool: &[u8]| {
        let config = darkpool::FillTriggerConfig { dark_pool: dark_pool.to_vec() };
        parse(darkpool::ID, darkpool::FILL, Some(pack(&config)))
    };
    assert_eq!(fill(&[5; 20]), Ok(Subscription::Fill { dark_pool: [5; 20] }));
    let what = "a dark pool's address";
    let short = TriggerError::Length { what, found: 19, expected: 20 };
    assert_eq!(fill(&[5; 19]), Err(short));
    for (id, method) in
        [("cron-trigger@2.0.0", "Trigger"), (CRON_ID, "LegacyTrigger"), (id.as_str(), "Trigger")]
    {
        let error = parse(id, method, Some(pack(&schedule))).unwrap_err();
        assert_eq!(error, TriggerError::Unknown { id: id.into(), method: method.into() });
    }
    for payload in [None, Some(pack(&keys(&[])))] {
        let error = parse(CRON_ID, "Trigger", payload).unwrap_err();
        assert!(matches!(error, TriggerError::Config { .. }), "{error}");
    }
}

/// What a reader of base64 makes of text, the bits of a last half byte dropped.
fn unbase64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut n_bits, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text.bytes() {
        let digit = DIGITS.iter().position(|known| *known == digit).unwrap();
        bits = bits << 6 | u32::try_from(digit).unwrap();
        n_bits += 6;
        if n_bits >= 8 {
            n_bits -= 8;
            bytes.push(u8::try_from(bits >> n_bits & 0xff).unwrap());
        }
    }
    bytes
}

fn scheduled(text: &str) -> Result<Schedule, TriggerError> {
    Schedule::parse(&cron::Config { schedule: text.to_owned() }, &LIMITS)
}

fn keys(addresses: &[&str]) -> HttpConfig {
    let key = |address: &&str| AuthorizedKey { r#type: 1, public_key: (*address).to_owned() };
    HttpConfig { authorized_keys: addresses.iter().map(key).collect() }
}

/// Contracts 0, 1, …
fn watching(n_addresses: u8) -> FilterLogTriggerRequest {
    FilterLogTriggerRequest {
        addresses: (0..n_addresses).map(|address| vec![address; 20]).collect(),
        topics: Vec::new(),
        confidence: ConfidenceLevel::Safe as i32,
    }
}

fn topic(values: &[u8]) -> TopicValues {
    TopicValues { values: values.iter().map(|value| vec![*value; 32]).collect() }
}

fn log(address: u8, topics: &[u8]) -> Log {
    Log {
        address: vec![address; 20],
        topics: topics.iter().map(|topic| vec![*topic; 32]).collect(),
        ..Log::default()
    }
}
