//! A workflow's HTTP requests: what is refused before it is sent, what is sent, what comes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::cell::RefCell;
use std::time::Duration;

use cre::messages::confidential_http::{self, ConfidentialHttpRequest, SecretIdentifier};
use cre::messages::http as wire;
use cre::messages::{Any, pack, unpack};
use don::http::{
    ConfidentialHttp, HttpAction, Loopback, Method, Request, Response, Transport, TransportError,
    is_public,
};
use don::{Call, Caller, Capability, CapabilityError, Code, Secrets};
use engine::Limits;
use prost::Name;

#[path = "http/node.rs"]
mod rpc;

const LIMITS: Limits = Limits::production();

#[test]
fn request_reaches_the_transport_with_all_its_headers_and_the_response_the_workflow() {
    let mut origin = Origin::answering(
        200,
        &[("content-type", "text/plain"), ("x-n", "1"), ("X-N", "2")],
        b"four",
    );
    let asked = wire::Request {
        method: "POST".into(),
        headers: [("Accept".to_owned(), "text/*".to_owned())].into(),
        multi_headers: [("X-Tag".to_owned(), values(&["a", "b"]))].into(),
        body: b"body".to_vec(),
        timeout: Some(milliseconds(1_500)),
        ..get("https://example.com/path?q=1")
    };
    let response = ask(&mut origin, &asked).unwrap();
    assert_eq!(response.status_code, 200);
    assert_eq!(response.body, b"four");
    assert_eq!(response.headers["X-N"], "1, 2");
    assert_eq!(response.multi_headers["X-N"].values, ["1", "2"]);
    assert_eq!(response.headers["Content-Type"], "text/plain");
    let sent = &origin.seen[0];
    assert_eq!((sent.method, sent.url.as_str()), (Method::Post, "https://example.com/path?q=1"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(sent.headers, [pair("Accept", "text/*"), pair("X-Tag", "a"), pair("X-Tag", "b")]);
    assert_eq!((sent.timeout, sent.response_len_max), (Duration::from_millis(1_500), 100_000));
}

#[test]
fn methods_are_the_five_that_chainlink_has() {
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
        let mut origin = Origin::answering(204, &[], b"");
        let asked = wire::Request { method: method.into(), ..get("https://example.com") };
        assert_eq!(ask(&mut origin, &asked).unwrap().status_code, 204);
        assert_eq!(origin.seen[0].method.name(), method);
    }
    for method in ["", "get", "HEAD", "CONNECT", "GET "] {
        let asked = wire::Request { method: method.into(), ..get("https://example.com") };
        refused(&asked, Code::InvalidArgument, "is none of GET, POST, PUT, DELETE and PATCH");
    }
}

#[test]
fn url_that_is_not_https_or_is_unclear_is_refused() {
    for (url, code, reason) in [
        ("http://example.com/", Code::PermissionDenied, "not https"),
        ("ftp://example.com/", Code::InvalidArgument, "neither https nor http"),
        ("example.com", Code::InvalidArgument, "not absolute"),
        ("https:///path", Code::InvalidArgument, "no host"),
        ("https://user@example.com/", Code::InvalidArgument, "names a user"),
        ("https://example.com\\@10.0.0.1/", Code::InvalidArgument, "percent-encoded"),
        ("https://example.com/a b", Code::InvalidArgument, "percent-encoded"),
        ("https://exämple.com/", Code::InvalidArgument, "percent-encoded"),
        ("https://example.com:0/", Code::InvalidArgument, "not 1 to 65535"),
        ("https://example.com:65536/", Code::InvalidArgument, "not 1 to 65535"),
        ("https://example.com:+1/", Code::InvalidArgument, "not a number"),
        ("https://[::1/", Code::InvalidArgument, "[ without ]"),
        ("https://[::g]/", Code::InvalidArgument, "not an IPv6 address"),
        ("https://[2600::1]x/", Code::InvalidArgument, "something else than a port"),
        ("https://127.9.9.9/", Code::PermissionDenied, "loopback"),
        ("https://LOCALHOST/", Code::PermissionDenied, "loopback"),
        ("http://[::1]:8545/", Code::PermissionDenied, "loopback"),
    ] {
        refused(&get(url), code, reason);
    }
}

#[test]
fn loopback_is_asked_in_the_clear_only_if_the_transport_was_told_to() {
    for url in ["http://localhost:8080/", "http://127.0.0.1/", "http://[::1]:1/"] {
        let mut origin = Origin { loopback: Loopback::Allowed, ..Origin::answering(200, &[], b"") };
        assert!(ask(&mut origin, &get(url)).is_ok(), "{url}");
        assert_eq!(ask(&mut origin, &get("http://example.com/")).unwrap_err().code, DENIED);
    }
}

#[test]
fn header_that_would_split_or_steer_the_message_is_refused() {
    for (name, value, reason) in [
        ("Host", "example.org", "not a workflow's to set"),
        ("transfer-encoding", "chunked", "not a workflow's to set"),
        ("X-A", "1\r\nX-B: 2", "control character"),
        ("X A", "1", "not the name of a header"),
        ("", "1", "not the name of a header"),
    ] {
        let headers = [(name.to_owned(), value.to_owned())].into();
        let asked = wire::Request { headers, ..get("https://example.com") };
        refused(&asked, Code::InvalidArgument, reason);
    }
    let asked = wire::Request {
        headers: [("x-tag".to_owned(), "a".to_owned())].into(),
        multi_headers: [("X-Tag".to_owned(), values(&["b"]))].into(),
        ..get("https://example.com")
    };
    refused(&asked, Code::InvalidArgument, "is in headers and in multi_headers");
}

#[test]
fn request_over_a_limit_is_refused_with_the_limit() {
    let asked = wire::Request { body: vec![0; 10_000], ..get("https://example.com") };
    refused(&asked, Code::LimitExceeded, "the limit is 10000");
    for (timeout, code, reason) in [
        (milliseconds(10_001), Code::LimitExceeded, "a timeout of 10001 ms, the limit is 10000"),
        (cre::messages::Duration { seconds: -1, nanos: 0 }, Code::InvalidArgument, "negative"),
    ] {
        let asked = wire::Request { timeout: Some(timeout), ..get("https://example.com") };
        refused(&asked, code, reason);
    }
    let mut origin = Origin::answering(200, &[], &[0; 100_001]);
    let error = ask(&mut origin, &get("https://example.com")).unwrap_err();
    assert_eq!(error.code, Code::LimitExceeded);
    assert_eq!(error.message, "a response of 100001 bytes, the limit is 100000");
    assert_eq!(origin.seen[0].timeout, Duration::from_secs(5), "the default");
}

#[test]
fn what_is_not_implemented_says_so() {
    let mtls = Some(wire::MtlsAuth::default());
    let asked = wire::Request { mtls, ..get("https://example.com") };
    refused(&asked, Code::Unimplemented, "mtls");
    let asked = get("https://example.com");
    let mut action = HttpAction::new(Origin::answering(200, &[], b""), LIMITS.http);
    let error = action.call(&Call { method: "Send", ..node(&pack(&asked)) }).unwrap_err();
    assert_eq!(error.code, Code::Unimplemented);
}

#[test]
fn response_that_was_stored_serves_the_nodes_that_take_one_of_its_age() {
    const S: u64 = 1_000_000_000;
    let cached = |store, age_s: i64, url: &str| {
        let max_age = Some(cre::messages::Duration { seconds: age_s, nanos: 0 });
        let cache_settings = Some(wire::CacheSettings { store, max_age });
        wire::Request { cache_settings, ..get(url) }
    };
    let (kept, other) = ("https://example.com/", "https://example.com/other");
    let origin = RefCell::new(Origin::answering(200, &[], b""));
    let mut action = HttpAction::new(Watched(&origin), LIMITS.http);
    // Request, time of asking, and how often the origin has been asked afterwards.
    for (asked, now_s, expected) in [
        (cached(true, 60, kept), 0, 1),
        (cached(true, 60, kept), 59, 1),
        (cached(false, 60, other), 59, 2),
        (cached(false, 60, other), 59, 3),
        (cached(false, 0, kept), 59, 4),
        (wire::Request { timeout: Some(milliseconds(70)), ..cached(true, 60, kept) }, 59, 4),
        (wire::Request { body: b"1".to_vec(), ..cached(true, 60, kept) }, 59, 5),
        (cached(true, 60, kept), 60, 6),
        // The first is kept as long as anybody may want it.
        (cached(true, 600, kept), 599, 6),
        (cached(true, 600, kept), 600, 7),
        (cached(true, 600, kept), 601, 7),
    ] {
        let payload = pack(&asked);
        action.call(&Call { now_ns: now_s * S, ..node(&payload) }).unwrap();
        assert_eq!(origin.borrow().seen.len(), expected, "{asked:?} at {now_s}");
    }
    refused(&cached(true, 601, kept), Code::LimitExceeded, "the limit is 600000");
    refused(&cached(true, -1, kept), Code::InvalidArgument, "negative");
    for (status, is_stored) in [(404, true), (500, false), (200, true)] {
        let mut origin = Origin::answering(status, &[], b"");
        let mut action = HttpAction::new(&mut origin, LIMITS.http);
        let payload = pack(&cached(true, 60, kept));
        assert_eq!(action.call(&node(&payload)), action.call(&node(&payload)), "{status}");
        assert_eq!(origin.seen.len(), if is_stored { 1 } else { 2 }, "{status}");
    }
}

#[test]
fn don_has_no_http_but_a_tee_has_to_port_443() {
    let input = pack(&get("https://example.com:8443/"));
    let mut action = HttpAction::new(Origin::answering(200, &[], b""), LIMITS.http);
    assert!(action.call(&node(&input)).is_ok());
    assert_eq!(action.call(&don(&input)).unwrap_err().code, Code::FailedPrecondition);
    let tee = |payload| Call { caller: Caller::Tee(&[0, 1, 2]), ..node(payload) };
    let error = action.call(&tee(&input)).unwrap_err();
    assert_eq!(error.message, "port 8443, a TEE's requests go to 443 only");
    assert!(action.call(&tee(&pack(&get("https://example.com/")))).is_ok());
}

#[test]
fn transport_failure_has_a_code_of_its_kind() {
    let timeout = Duration::from_secs(10);
    let address = "10.0.0.1".parse().unwrap();
    for (error, code) in [
        (TransportError::Timeout { timeout }, Code::DeadlineExceeded),
        (TransportError::Unreachable, Code::Unavailable),
        (TransportError::ForbiddenAddress { address }, DENIED),
        (TransportError::ResponseTooLong { len_max: 1 }, Code::LimitExceeded),
        (TransportError::Failed("reset".into()), Code::Unavailable),
    ] {
        let mut origin = Origin { answers: vec![Err(error)], ..Origin::default() };
        assert_eq!(ask(&mut origin, &get("https://example.com")).unwrap_err().code, code);
    }
}

#[test]
fn addresses_of_inner_networks_are_not_public() {
    for inner in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.0.1",
        "198.19.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::",
    ] {
        assert!(!is_public(inner.parse().unwrap()), "{inner}");
    }
    for public in
        ["1.1.1.1", "100.128.0.1", "172.32.0.1", "198.20.0.1", "::ffff:1.1.1.1", "2606:4700::1"]
    {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
}

#[test]
fn secrets_and_public_values_fill_headers_and_body_once() {
    let mut origin = Origin::answering(201, &[("set-cookie", "a"), ("set-cookie", "b")], b"ok");
    let response = ask_confidentially(&mut origin, &confidential(|_| ())).unwrap();
    assert_eq!((response.status_code, response.body.as_slice()), (201, &b"ok"[..]));
    assert_eq!(response.multi_headers["Set-Cookie"].values, ["a", "b"]);
    let sent = &origin.seen[0];
    assert_eq!(sent.headers, [("Authorization".to_owned(), "Bearer k1{{.user}}".to_owned())]);
    assert_eq!(sent.timeout, Duration::from_secs(10), "the limit, below the enclave's default");
    assert_eq!(sent.body, b"{\"user\":\"ann\",\"key\":\"k1{{.user}}\"}");
    assert!(!format!("{sent:?}").contains("k1"));
}

#[test]
fn bytes_are_sent_as_they_are() {
    let mut origin = Origin::answering(200, &[], b"");
    let raw = confidential_http::http_request::Body::BodyBytes(b"{{.key}}".to_vec());
    let asked = confidential(|request| request.request.as_mut().unwrap().body = Some(raw));
    ask_confidentially(&mut origin, &asked).unwrap();
    assert_eq!(origin.seen[0].body, b"{{.key}}");
}

#[test]
fn confidential_request_that_cannot_be_filled_or_carried_out_is_refused() {
    type Change = fn(&mut ConfidentialHttpRequest);
    let cases: [(Change, Code, &str); 15] = [
        (|all| all.request = None, Code::InvalidArgument, "no request"),
        (|all| all.vault_don_secrets[0].key = "other".into(), Code::NotFound, "secret \"other\""),
        (
            |all| all.vault_don_secrets[0].owner = Some("0xeve".into()),
            DENIED,
            "not of the workflow's owner",
        ),
        (
            |all| all.vault_don_secrets.push(all.vault_don_secrets[0].clone()),
            Code::InvalidArgument,
            "stands for two values",
        ),
        (|all| all.vault_don_secrets.clear(), Code::InvalidArgument, "neither a secret nor"),
        (|all| body(all, "{{.key"), Code::InvalidArgument, "{{ without }}"),
        (|all| body(all, "{{key}}"), Code::InvalidArgument, "not of the form {{.key}}"),
        (|all| url(all, "https://example.com/{{.key}}"), Code::InvalidArgument, "in the URL"),
        (|all| url(all, "http://example.com/"), DENIED, "not https"),
        (
            |all| all.request.as_mut().unwrap().encrypt_output = true,
            Code::InvalidArgument,
            "no AES-GCM key in secrets",
        ),
        (|all| encrypted(all, false, "aes"), Code::InvalidArgument, "encryption not requested"),
        (|all| encrypted(all, true, "short"), Code::InvalidArgument, "not 64 hexadecimal digits"),
        (
            |all| all.request.as_mut().unwrap().custom_root_ca_cert_pem = vec![1],
            Code::Unimplemented,
            "custom_root_ca_cert_pem",
        ),
        (
            |all| all.request.as_mut().unwrap().method = "TRACE".into(),
            Code::InvalidArgument,
            "none of GET",
        ),
        (
            // Short as asked, long as filled in.
            |all| {
                let request = all.request.as_mut().unwrap();
                request.template_public_values.insert("user".into(), "x".repeat(1_000));
                body(all, &"{{.user}}".repeat(10));
            },
            Code::LimitExceeded,
            "filled in, of 1",
        ),
    ];
    for (change, code, reason) in cases {
        let mut origin = Origin::answering(200, &[], b"");
        let error = ask_confidentially(&mut origin, &confidential(change)).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(reason), "{error}");
        assert!(!error.message.contains("k1"), "{error}");
        assert!(origin.seen.is_empty(), "{error}");
    }
    let mut http = ConfidentialHttp::new(Origin::default(), secrets(), LIMITS.confidential_http);
    let error = http.call(&node(&pack(&confidential(|_| ())))).unwrap_err();
    assert_eq!(error.code, Code::FailedPrecondition);
}

#[test]
fn response_is_encrypted_under_the_secret_that_is_named_for_it() {
    let mut asked = confidential(|all| encrypted(all, true, "aes"));
    let mut origin = Origin::answering(200, &[], b"the balance is 12");
    let response = ask_confidentially(&mut origin, &asked).unwrap();
    assert_eq!(opened(&response.body), b"the balance is 12");
    assert_eq!(response.body.len(), 12 + 17 + 16);
    let again = ask_confidentially(&mut origin, &asked).unwrap();
    assert_eq!(again.body, response.body, "an execution is a function of its inputs");
    let mut other = Origin::answering(200, &[], b"the balance is 13");
    let other = ask_confidentially(&mut other, &asked).unwrap();
    assert_ne!(other.body[..12], response.body[..12], "another text, another nonce");
    // Nor is the key there for templates.
    body(&mut asked, "{{.san_marino_aes_gcm_encryption_key}}");
    let error = ask_confidentially(&mut origin, &asked).unwrap_err();
    assert!(error.message.contains("neither a secret nor"), "{error}");
}

fn opened(sealed: &[u8]) -> Vec<u8> {
    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[0xab; 32]).unwrap());
    let (nonce, rest) = sealed.split_at(12);
    let mut rest = rest.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
    key.open_in_place(nonce, Aad::empty(), &mut rest).unwrap().to_vec()
}

#[test]
fn failure_of_a_confidential_request_is_a_gateways_response_and_quotes_nothing_of_it() {
    let timeout = Duration::from_secs(10);
    let address = "10.0.0.1".parse().unwrap();
    for (error, status) in [
        (TransportError::Timeout { timeout }, 504),
        (TransportError::Unreachable, 502),
        (TransportError::ForbiddenAddress { address }, 400),
    ] {
        let mut origin = Origin { answers: vec![Err(error)], ..Origin::default() };
        let response = ask_confidentially(&mut origin, &confidential(|_| ())).unwrap();
        let text = String::from_utf8(response.body).unwrap();
        assert_eq!(response.status_code, status, "{text}");
        assert!(text.starts_with("upstream") && !text.contains("10.0.0.1"), "{text}");
    }
    let answers = vec![Err(TransportError::Failed("no route to k1".into()))];
    let mut origin = Origin { answers, ..Origin::default() };
    let error = ask_confidentially(&mut origin, &confidential(|_| ())).unwrap_err();
    assert_eq!(error.message, "the exchange failed");
}

/// Over sockets, with the real transport.
mod over_sockets {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use cre::messages::sdk::{
        CapabilityRequest, ExecuteRequest, ExecutionResult, Trigger, TriggerSubscription,
        TriggerSubscriptionRequest, capability_response, execute_request, execution_result,
    };
    use cre::messages::values::{Value, value};
    use cre::messages::{cron, http};
    use don::http::Sockets;
    use don::triggers::{CRON_ID, Subscription};
    use don::{Don, Job, Registry, Workflow, WorkflowIdentity, subscribe};
    use engine::{Mode, World};
    use k256::ecdsa::SigningKey;
    use primitives::{Address, Timestamp};

    use super::*;

    #[test]
    fn every_method_gets_its_headers_and_body_across() {
        for (method, body) in [
            ("GET", ""),
            ("POST", "one"),
            ("POST", ""),
            ("PUT", "two"),
            ("PATCH", "three"),
            ("DELETE", ""),
            ("DELETE", "four"),
        ] {
            let reply = "HTTP/1.1 418 Teapot\r\nX-N: 1\r\nX-N: 2\r\nContent-Length: 5\r\n\r\nhello";
            let (url, server) = serve(1, reply);
            let asked = wire::Request {
                method: method.into(),
                body: body.as_bytes().to_vec(),
                multi_headers: [("X-Tag".to_owned(), values(&["a", "b"]))].into(),
                ..get(&url)
            };
            let response = ask(&mut Sockets::new(Loopback::Allowed), &asked).unwrap();
            assert_eq!((response.status_code, response.body.as_slice()), (418, &b"hello"[..]));
            assert_eq!(response.multi_headers["X-N"].values, ["1", "2"]);
            let seen = &server.join().unwrap()[0];
            assert!(seen.head.starts_with(&format!("{method} /path HTTP/1.1\r\n")), "{seen:?}");
            let head = seen.head.to_lowercase();
            assert!(head.contains("x-tag: a\r\n") && head.contains("x-tag: b\r\n"), "{seen:?}");
            assert_eq!(seen.body, body.as_bytes());
        }
    }

    #[test]
    fn redirect_is_a_failure_and_not_followed() {
        let reply =
            "HTTP/1.1 302 Found\r\nLocation: https://10.0.0.1/\r\nContent-Length: 0\r\n\r\n";
        let (url, server) = serve(1, reply);
        let error = ask(&mut Sockets::new(Loopback::Allowed), &get(&url)).unwrap_err();
        assert_eq!(error.message, "the origin redirects (302), which is not followed");
        server.join().unwrap();
    }

    #[test]
    fn body_may_be_as_long_as_the_limit_and_no_longer() {
        for (len, fits) in [(100_000, true), (100_001, false)] {
            // Without a length, so that it must be read to be known.
            let reply = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(len));
            let (url, server) = serve(1, reply);
            let answer = ask(&mut Sockets::new(Loopback::Allowed), &get(&url));
            match answer {
                Ok(response) => assert!(fits && response.body.len() == len),
                Err(error) => assert!(!fits && error.code == Code::LimitExceeded, "{error}"),
            }
            server.join().unwrap();
        }
    }

    #[test]
    fn origin_that_says_nothing_is_given_up() {
        // It accepts, by the kernel's hand, and never answers.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let asked = wire::Request {
            timeout: Some(milliseconds(50)),
            ..get(&format!("http://{}/", listener.local_addr().unwrap()))
        };
        let error = ask(&mut Sockets::new(Loopback::Allowed), &asked).unwrap_err();
        assert_eq!(error.to_string(), "Public:System:DeadlineExceeded:no response within 50 ms");
    }

    #[test]
    fn origin_that_is_not_there_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let error = ask(&mut Sockets::new(Loopback::Allowed), &get(&url)).unwrap_err();
        assert_eq!(error.to_string(), "Public:System:Unavailable:the host cannot be reached");
    }

    #[test]
    fn inner_address_is_refused_after_resolution_however_it_is_written() {
        for (url, address) in [
            ("https://10.0.0.1/", "10.0.0.1"),
            ("https://169.254.169.254/latest/meta-data", "169.254.169.254"),
            ("https://[fd00::1]/", "fd00::1"),
            ("https://[::ffff:192.168.0.1]/", "::ffff:192.168.0.1"),
            // The system's resolver reads this number as 127.0.0.1; the URL's check does not.
            ("https://2130706433/", "127.0.0.1"),
        ] {
            for loopback in [Loopback::Refused, Loopback::Allowed] {
                let error = ask(&mut Sockets::new(loopback), &get(url)).unwrap_err();
                assert_eq!(error.code, DENIED, "{url}: {error}");
                let text = format!("the host is at {address}, which is not a public address");
                assert_eq!(error.message, text, "{url}");
            }
        }
    }

    #[test]
    fn origin_that_does_not_speak_tls_is_a_failure() {
        let (url, server) = serve(1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let asked = get(&url.replace("http://", "https://"));
        let error = ask(&mut Sockets::new(Loopback::Allowed), &asked).unwrap_err();
        assert_eq!(error.code, Code::Unavailable, "{error}");
        drop(server);
    }

    #[test]
    fn scheduled_workflow_asks_an_origin_once_per_node_and_a_secret_one_once() {
        let (url, server) = serve(4, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1.25");
        let (secret_url, secret_server) =
            serve(1, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
        let program = |request: &ExecuteRequest, world: &mut dyn World| {
            Ok(ExecutionResult {
                result: Some(match request.request.as_ref().unwrap() {
                    execute_request::Request::Subscribe(()) => {
                        execution_result::Result::TriggerSubscriptions(scheduled("0 */5 * * * *"))
                    }
                    execute_request::Request::Trigger(trigger) => {
                        let fired: cron::Payload =
                            unpack(trigger.payload.as_ref().unwrap()).unwrap();
                        let due = fired.scheduled_execution_time.unwrap().seconds;
                        let price: http::Response =
                            call(world, Mode::Node, request_of(don::http::ID, -1, &get(&url)));
                        let mut secret = confidential(|_| ());
                        let request = secret.request.as_mut().unwrap();
                        request.url.clone_from(&secret_url);
                        let told: confidential_http::HttpResponse = call(
                            world,
                            Mode::Don,
                            request_of(don::http::CONFIDENTIAL_ID, 1, &secret),
                        );
                        let text = [price.body, told.body].map(|b| String::from_utf8(b).unwrap());
                        let text = format!("{due}: {}", text.join(" "));
                        let value = Some(value::Value::StringValue(text));
                        execution_result::Result::Value(Value { value })
                    }
                    other => panic!("{other:?}"),
                }),
            })
        };
        let workflow = Workflow::new(&program);
        let mut sockets = [Loopback::Allowed; 2].map(Sockets::new);
        let [plain, confidential] = &mut sockets;
        let mut registry = Registry::default();
        registry.register(don::http::ID, HttpAction::new(plain, LIMITS.http));
        registry.register(
            don::http::CONFIDENTIAL_ID,
            ConfidentialHttp::new(confidential, secrets(), LIMITS.confidential_http),
        );
        let signers = (1..=4).map(|i| SigningKey::from_slice(&[i; 32]).unwrap()).collect();
        let identity = WorkflowIdentity::new(Address([7; 20]), "name", b"binary", b"config");
        let don = Don::new(signers, 1, 1, 1, identity);
        let job = Job::default();

        let subscribed = subscribe(&don, &workflow, &job, &mut registry, &[]).unwrap();
        let subscription = Subscription::parse(&subscribed.triggers[0], &workflow.limits).unwrap();
        let Subscription::Cron(schedule) = subscription else { panic!("{subscription:?}") };
        let due = schedule.next_after(Timestamp(1_700_000_000)).unwrap();
        let payload = Some(don::triggers::Schedule::payload(due));
        let trigger = Trigger { id: 0, payload };
        let execution =
            subscribed.fire(&don, &workflow, trigger, &job, &mut registry, &[]).unwrap();

        let agreed = execution.agreed.unwrap();
        assert_eq!(agreed.voters, [0, 1, 2, 3]);
        let text = "1700000100: 1.25 done".to_owned();
        let value = Some(value::Value::StringValue(text));
        let expected = execution_result::Result::Value(Value { value });
        assert_eq!(agreed.value.result, Some(expected));
        let askers: Vec<Option<usize>> = execution.calls.iter().map(|call| call.node).collect();
        assert_eq!(askers, [Some(0), Some(1), Some(2), Some(3), None]);
        assert_eq!(server.join().unwrap().len(), 4);
        let seen = &secret_server.join().unwrap()[0];
        assert!(seen.head.to_lowercase().contains("authorization: bearer k1"), "{seen:?}");
    }

    fn scheduled(schedule: &str) -> TriggerSubscriptionRequest {
        let config = cron::Config { schedule: schedule.to_owned() };
        TriggerSubscriptionRequest {
            subscriptions: vec![TriggerSubscription {
                id: CRON_ID.to_owned(),
                payload: Some(pack(&config)),
                method: "Trigger".to_owned(),
                requirements: None,
                pre_hook: false,
            }],
        }
    }

    fn request_of<M: prost::Message + Name>(
        id: &str,
        callback_id: i32,
        input: &M,
    ) -> CapabilityRequest {
        CapabilityRequest {
            id: id.to_owned(),
            payload: Some(pack(input)),
            method: "SendRequest".to_owned(),
            callback_id,
        }
    }

    fn call<M: prost::Message + Name + Default>(
        world: &mut dyn World,
        mode: Mode,
        request: CapabilityRequest,
    ) -> M {
        let callback_id = request.callback_id;
        world.call(mode, request).unwrap();
        match world.answer(callback_id).unwrap().response.unwrap() {
            capability_response::Response::Payload(any) => unpack(&any).unwrap(),
            capability_response::Response::Error(reason) => panic!("{reason}"),
        }
    }

    #[derive(Debug)]
    struct Seen {
        head: String,
        body: Vec<u8>,
    }

    /// An origin on this machine, which answers so many requests and ends.
    fn serve(n_requests: usize, reply: impl Into<String>) -> (String, JoinHandle<Vec<Seen>>) {
        let reply = reply.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/path", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let mut seen = Vec::new();
            for _ in 0..n_requests {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut head, mut body_len) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    // What is no text is no HTTP either: the TLS test ends here.
                    if !matches!(reader.read_line(&mut line), Ok(1..)) || line == "\r\n" {
                        break;
                    }
                    if let Some(len) = line.to_lowercase().strip_prefix("content-length:") {
                        body_len = len.trim().parse().unwrap();
                    }
                    head.push_str(&line);
                }
                let mut body = vec![0; body_len];
                reader.read_exact(&mut body).unwrap();
                // Whoever refuses a body that is too long hangs up.
                let _ = stream.write_all(reply.as_bytes());
                seen.push(Seen { head, body });
            }
            seen
        });
        (url, server)
    }
}

const DENIED: Code = Code::PermissionDenied;

/// A transport that answers from a list, for what must be seen of a request as it is sent, or not sent.
#[derive(Default)]
struct Origin {
    answers: Vec<Result<Response, TransportError>>,
    seen: Vec<Request>,
    loopback: Loopback,
}

impl Origin {
    fn answering(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let response = Response { status, headers, body: body.to_vec() };
        Self { answers: vec![Ok(response)], ..Self::default() }
    }
}

impl Transport for Origin {
    fn send(&mut self, request: &Request) -> Result<Response, TransportError> {
        self.seen.push(Request {
            method: request.method,
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            timeout: request.timeout,
            response_len_max: request.response_len_max,
        });
        match &self.answers[0] {
            Ok(response) => Ok(response.clone()),
            Err(_) => self.answers.remove(0),
        }
    }

    fn loopback(&self) -> Loopback {
        self.loopback
    }
}

/// An origin that is looked at while a capability has it.
struct Watched<'a>(&'a RefCell<Origin>);

impl Transport for Watched<'_> {
    fn send(&mut self, request: &Request) -> Result<Response, TransportError> {
        self.0.borrow_mut().send(request)
    }
}

fn ask(
    transport: &mut impl Transport,
    asked: &wire::Request,
) -> Result<wire::Response, CapabilityError> {
    let answer = HttpAction::new(transport, LIMITS.http).call(&node(&pack(asked)))?;
    Ok(unpack(&answer).unwrap())
}

#[track_caller]
fn refused(asked: &wire::Request, code: Code, reason: &str) {
    let mut origin = Origin::answering(200, &[], b"");
    let error = ask(&mut origin, asked).unwrap_err();
    assert_eq!(error.code, code, "{}: {error}", asked.url);
    assert!(error.message.contains(reason), "{}: {error}", asked.url);
    assert!(origin.seen.is_empty());
}

fn ask_confidentially(
    transport: &mut impl Transport,
    asked: &ConfidentialHttpRequest,
) -> Result<confidential_http::HttpResponse, CapabilityError> {
    let mut http = ConfidentialHttp::new(transport, secrets(), LIMITS.confidential_http);
    let answer = http.call(&don(&pack(asked)))?;
    Ok(unpack(&answer).unwrap())
}

/// A value that looks like a key must not be filled in turn.
fn secrets() -> Secrets {
    let mut secrets = Secrets::new("0xOwner");
    secrets.insert("", "key", "k1{{.user}}");
    secrets.insert("aes", AES, "ab".repeat(32));
    secrets.insert("short", AES, "ab");
    secrets
}

fn confidential(change: impl FnOnce(&mut ConfidentialHttpRequest)) -> ConfidentialHttpRequest {
    let body = "{\"user\":\"{{ .user }}\",\"key\":\"{{.key}}\"}".to_owned();
    let headers = confidential_http::HeaderValues { values: vec!["Bearer {{.key}}".to_owned()] };
    let mut request = ConfidentialHttpRequest {
        vault_don_secrets: vec![SecretIdentifier {
            key: "key".into(),
            namespace: "main".into(),
            owner: Some("0xowner".into()),
        }],
        request: Some(confidential_http::HttpRequest {
            url: "https://example.com/".into(),
            method: "POST".into(),
            body: Some(confidential_http::http_request::Body::BodyString(body)),
            multi_headers: [("Authorization".to_owned(), headers)].into(),
            template_public_values: [("user".to_owned(), "ann".to_owned())].into(),
            ..confidential_http::HttpRequest::default()
        }),
    };
    change(&mut request);
    request
}

const AES: &str = "san_marino_aes_gcm_encryption_key";

fn encrypted(all: &mut ConfidentialHttpRequest, encrypt_output: bool, namespace: &str) {
    let (key, namespace) = (AES.to_owned(), namespace.to_owned());
    all.vault_don_secrets.push(SecretIdentifier { key, namespace, owner: None });
    all.request.as_mut().unwrap().encrypt_output = encrypt_output;
}

fn body(all: &mut ConfidentialHttpRequest, text: &str) {
    let text = confidential_http::http_request::Body::BodyString(text.to_owned());
    all.request.as_mut().unwrap().body = Some(text);
}

fn url(all: &mut ConfidentialHttpRequest, url: &str) {
    all.request.as_mut().unwrap().url = url.to_owned();
}

fn get(url: &str) -> wire::Request {
    wire::Request { url: url.to_owned(), method: "GET".into(), ..wire::Request::default() }
}

fn values(values: &[&str]) -> wire::HeaderValues {
    wire::HeaderValues { values: values.iter().map(|value| (*value).to_owned()).collect() }
}

fn milliseconds(ms: i32) -> cre::messages::Duration {
    cre::messages::Duration { seconds: (ms / 1_000).into(), nanos: ms % 1_000 * 1_000_000 }
}

fn node(payload: &Any) -> Call<'_> {
    Call {
        id: don::http::ID,
        method: "SendRequest",
        payload,
        caller: Caller::Node(0),
        execution_id: &[0; 32],
        now_ns: 0,
    }
}

fn don(payload: &Any) -> Call<'_> {
    Call { id: don::http::CONFIDENTIAL_ID, caller: Caller::Don(&[0, 1, 2]), ..node(payload) }
}
