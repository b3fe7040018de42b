//! A receiver that speaks only HTTP/2 is named as such.

use std::fs;

use rcgen::CertificateParams;

use crate::support::tls::{TlsReceiver, issuer, signed};
use crate::support::{Hostile, code, standin_in, stdout};

/// The frame `SETTINGS` with which a server begins an HTTP/2 connection, and a `GOAWAY`.
const FRAMES: [&[u8]; 2] = [
    b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
    b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
];

const REASON: &str = "the receiver speaks only HTTP/2 on this port";

#[test]
fn a_receiver_without_http1_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let send = |url: &str, more: &[&str]| {
        let fixed = ["send", "ebbot", "chat.close", "--to", url];
        let output = standin_in(folder.path(), &[&fixed, more].concat());
        assert_eq!(code(&output), 1, "{}", stdout(&output));
        let told = stdout(&output);
        assert!(told.contains(REASON) && told.contains("help: enable HTTP/1.1"), "{told}");
    };
    let begins = Hostile::new(|connection| {
        connection.write(FRAMES[0]);
        connection.wait();
    });
    send(&begins.url("http"), &[]);
    let ends = Hostile::new(|connection| {
        connection.read_some().write(FRAMES[1]);
        connection.close();
    });
    send(&ends.url("http"), &[]);
    let own = issuer("own");
    fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
    let localhost = CertificateParams::new(vec!["localhost".into()]).unwrap();
    let (url, _) = TlsReceiver::new(signed(&localhost, &own)).protocol("h2").start();
    send(&url, &["--ca", "ca.pem"]);
}
