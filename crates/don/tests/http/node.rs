//! The way to a chain's node, where the node stalls or refuses: loopback, deadlines of milliseconds.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use don::http::connect_within;
use don::words;
use evm::Patience;
use evm::alloy::providers::Provider as _;

const SHORT: Patience =
    Patience { in_all: Duration::from_millis(200), pause: Duration::from_millis(1) };
const LONG: Patience =
    Patience { in_all: Duration::from_secs(60), pause: Duration::from_millis(1) };

const ANSWER: &str = r#"{"jsonrpc":"2.0","id":0,"result":"0x7a69"}"#;

/// What becomes of `eth_chainId` at a node that answers in turn with these; and how often it was asked.
fn ask(replies: &[String], patience: Patience) -> (Result<u64, String>, usize) {
    let (url, asked) = serve(replies);
    let answered = chain_id(&url, patience);
    (answered, asked.try_iter().count())
}

fn chain_id(url: &str, patience: Patience) -> Result<u64, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let provider = connect_within(url, patience);
    runtime.block_on(async { provider.get_chain_id().await }).map_err(|error| words(&error))
}

/// A node that gives each of these once, a connection each, and then listens without a word.
fn serve(replies: &[String]) -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v3/secret-key", listener.local_addr().unwrap());
    let (hears, asked) = channel();
    let replies = replies.to_vec();
    thread::spawn(move || {
        for reply in replies {
            let (mut stream, _) = listener.accept().unwrap();
            read(&stream);
            hears.send(()).unwrap();
            stream.write_all(reply.as_bytes()).unwrap();
        }
        // Taken by the kernel, and answered by nobody.
        thread::sleep(Duration::from_secs(600));
    });
    (url, asked)
}

fn read(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut len = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; len]).unwrap();
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    let len = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {len}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[test]
fn node_that_takes_the_connection_and_says_nothing_is_given_up() {
    let (answered, _) = ask(&[], SHORT);
    assert_eq!(answered.unwrap_err(), "the node did not answer within 200 ms");
}

#[test]
fn node_that_begins_an_answer_and_stops_is_given_up() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"jsonrpc\":".to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let held = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read(&stream);
        stream.write_all(half.as_bytes()).unwrap();
        stream
    });
    let said = chain_id(&url, SHORT).unwrap_err();
    assert_eq!(said, "the node did not answer within 200 ms");
    drop(held.join().unwrap());
}

#[test]
fn busy_node_is_asked_again_when_it_says() {
    let busy = reply("429 Too Many Requests", "Retry-After: 1\r\n", "");
    let (answered, n_asked) = ask(&[busy, reply("200 OK", "", ANSWER)], LONG);
    assert_eq!((answered, n_asked), (Ok(31_337), 2));
}

#[test]
fn node_that_says_no_time_is_asked_again_soon() {
    let down = |status: &str| reply(status, "", "<html>down</html>");
    let replies = [
        down("503 Service Unavailable"),
        down("504 Gateway Timeout"),
        reply("429 Too Many Requests", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", ""),
        reply("200 OK", "", ANSWER),
    ];
    assert_eq!(ask(&replies, LONG), (Ok(31_337), 4));
}

#[test]
fn node_that_stays_busy_is_named_with_its_status() {
    let down = reply("502 Bad Gateway", "Content-Type: text/html\r\n", "<html>down</html>");
    let replies: [String; 9] = std::array::from_fn(|_| down.clone());
    let (answered, n_asked) = ask(&replies, LONG);
    assert_eq!(answered.unwrap_err(), "the node answers HTTP 502 Bad Gateway to each of 4 tries");
    assert_eq!(n_asked, 4);
}

#[test]
fn node_that_asks_for_longer_than_there_is_time_is_not_waited_for() {
    for (asks, patience, left) in [
        (3_600, LONG, "3600 s, a request has 60 s in all"),
        // A second is a second, and not the client's own pause of a millisecond.
        (1, SHORT, "1 s, a request has 0.2 s in all"),
    ] {
        let busy = reply("429 Too Many Requests", &format!("Retry-After: {asks}\r\n"), "");
        let (answered, n_asked) = ask(&[busy], patience);
        assert_eq!(
            answered.unwrap_err(),
            format!(
                "the node answers HTTP 429 Too Many Requests and wants to be left alone for {left}"
            )
        );
        assert_eq!(n_asked, 1);
    }
}

#[test]
fn redirect_is_told_with_its_host_and_without_its_key() {
    let elsewhere = "Location: https://rpc.example/v3/secret-key?token=1\r\n";
    let (answered, _) = ask(&[reply("301 Moved Permanently", elsewhere, "")], LONG);
    assert_eq!(
        answered.unwrap_err(),
        "the node redirects (HTTP 301 Moved Permanently) to https://rpc.example, which is not followed: give the URL of \
         the node itself"
    );
}

#[test]
fn refusal_has_its_status_and_its_words_and_an_answer_by_status_is_an_answer() {
    let denied = reply("401 Unauthorized", "", "invalid project id\x1b[2J\n");
    let (answered, n_asked) = ask(&[denied], LONG);
    let said = answered.unwrap_err();
    assert_eq!(said, "the node answers HTTP 401 Unauthorized: invalid project id [2J");
    assert_eq!(n_asked, 1, "another try has the same answer");

    let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no such method"}}"#;
    let (answered, _) = ask(&[reply("405 Method Not Allowed", "", error)], LONG);
    assert!(answered.unwrap_err().contains("no such method"));
}

#[test]
fn page_in_place_of_an_answer_is_told_by_its_beginning() {
    let page = format!("<!DOCTYPE html>{}", "x".repeat(10_000));
    let (answered, _) = ask(&[reply("200 OK", "", &page)], LONG);
    let said = answered.unwrap_err();
    assert!(said.contains("10015 bytes is no JSON-RPC, it begins \"<!DOCTYPE html>"), "{said}");
    assert!(said.len() < 300, "{said}");
}

#[test]
fn node_that_is_not_there_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(chain_id(&url, LONG).unwrap_err(), "the node cannot be reached");
}
