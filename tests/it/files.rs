//! The sample attachments: they can be fetched during a run, and the run reports them.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value as Json;
use standin::config::{FilesAddress, FilesHost};
use standin::record::FilesSummary;
use standin::server::serve_files;

use crate::support::{
    LiveApi, ReceivedRequest, Receiver, Reply, fetch, play, request, standin, standin_in, stderr,
    stdout,
};

/// Collects every string in a JSON document.
fn texts<'a>(json: &'a Json, found: &mut Vec<&'a str>) {
    match json {
        Json::String(text) => found.push(text),
        Json::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Json::Object(table) => table.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// The attachment URLs in a request.
fn links(received: &ReceivedRequest) -> Vec<String> {
    let (json, mut found) = (received.json(), Vec::new());
    texts(&json, &mut found);
    let links = found.into_iter().filter(|text| text.contains("/files/"));
    links.map(str::to_owned).collect()
}

/// Serves files while a function runs.
fn while_serving<T>(
    does: impl FnOnce(u16, &std::sync::Arc<standin::base::file_store::FileStore>) -> T,
) -> T {
    let (serving, file_store) =
        serve_files(&FilesAddress { host: FilesHost::parse("127.0.0.1").unwrap(), port: 0 });
    let serving = serving.unwrap();
    let done = does(serving.address.port(), &file_store);
    tokio::runtime::Runtime::new().unwrap().block_on(serving.stop());
    done
}

#[test]
fn each_sample_file_has_a_content_type_and_length() {
    while_serving(|port, _| {
        let expected: [(&str, &str, &[u8]); 4] = [
            ("png", "image/png", b"\x89PNG"),
            ("pdf", "application/pdf", b"%PDF-1.4"),
            ("mp3", "audio/mpeg", b"\xff\xf3"),
            ("mp4", "video/mp4", b"\0\0\0\x20ftyp"),
        ];
        for (ending, media_type, magic) in expected {
            let url = format!("http://127.0.0.1:{port}/files/0123456789abcdef.{ending}");
            let (head, body) = fetch("GET", &url);
            assert!(head.starts_with("http/1.1 200"), "{head}");
            assert!(head.contains(&format!("content-type: {media_type}")), "{head}");
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
            assert!(body.starts_with(magic) && body.len() < 2_000, "{ending}: {body:x?}");
            let (only_head, nothing) = fetch("HEAD", &url);
            assert!(only_head.contains(&format!("content-length: {}", body.len())), "{only_head}");
            assert!(nothing.is_empty());
        }
        for wrong in ["files/0123456789abcdef.exe", "files/a.png", "files/", "files/a/b.png", ""] {
            let (head, _) = fetch("GET", &format!("http://127.0.0.1:{port}/{wrong}"));
            assert!(head.starts_with("http/1.1 404"), "{wrong}: {head}");
        }
    });
}

#[test]
fn every_attachment_can_be_fetched_and_is_counted() {
    for vendor in ["wotnot", "ebbot", "erxes"] {
        let (told, links) = while_serving(|port, file_store| {
            let receiver = Receiver::responding_to_events(|_, received| {
                let lost = links(received)
                    .iter()
                    .any(|link| !fetch("GET", link).0.starts_with("http/1.1 200"));
                if lost { Reply::Status(500, String::new()) } else { Reply::good() }
            });
            let played = play("attachments").at(vendor).with_files(port, file_store).to(&receiver);
            let links: BTreeSet<String> = receiver.events().iter().flat_map(links).collect();
            assert_eq!(played.finished.verdict.as_str(), "passed", "{vendor}");
            (played.finished.files, links.len())
        });
        assert!(links >= 5, "{vendor}: {links}");
        assert_eq!(
            told,
            Some(FilesSummary { links, fetched: links, unavailable: None }),
            "{vendor}"
        );
    }
}

#[test]
fn the_size_in_a_message_is_the_size_of_the_file() {
    let sizes = while_serving(|port, file_store| {
        let receiver = Receiver::accepting();
        play("attachments").at("ebbot").with_files(port, file_store).to(&receiver);
        let values =
            receiver.events().into_iter().map(|received| received.json()["data"]["value"].clone());
        let files: Vec<Json> = values.filter(|value| value["size"].is_u64()).collect();
        for file in &files {
            let (_, body) = fetch("GET", file["url"].as_str().unwrap());
            assert_eq!(file["size"], body.len(), "{file}");
        }
        files.iter().map(|file| file["size"].to_string()).collect::<BTreeSet<_>>()
    });
    assert_eq!(sizes.len(), 4, "one size for each kind of file: {sizes:?}");
}

#[test]
fn a_files_port_in_use_is_reported_and_not_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let receiver = Receiver::accepting();
    let to = receiver.url();
    let run = |scenario: &str| {
        let output =
            standin(&["run", scenario, "--vendor", "wotnot", "--to", &to, "--files-port", &port]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let told = run("attachments");
    assert!(told.contains(&format!("attachment URLs cannot be fetched: port {port}: ")), "{told}");
    let sent = receiver.events().iter().flat_map(links).all(|link| link.contains(&port));
    assert!(sent, "the links are what they would be");
    assert!(!run("handover").contains("cannot be fetched"), "there is no link in it");
}

#[cfg(target_os = "linux")] // only there, every address of 127.0.0.0/8 is this machine
#[test]
fn the_host_of_the_links_can_be_one_that_a_container_reaches() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = format!("http://host.docker.internal:{free}/");
    let sent = host.clone();
    let receiver = Receiver::responding(move |_, received| {
        for link in received.body.split('"').filter(|text| text.starts_with(&sent)) {
            // An address to which the port of the loopback address alone would not respond.
            let (head, _) = fetch("GET", &link.replace("host.docker.internal", "127.0.0.2"));
            assert!(head.starts_with("http/1.1 200"), "{head}");
        }
        crate::support::accept(received)
    });
    let (to, port) = (receiver.url(), free.to_string());
    let run = ["run", "attachments", "--vendor", "erxes", "--to", &to, "--files-port", &port];
    let told = stdout(&standin(&[&run[..], &["--files-host", "host.docker.internal"]].concat()));
    assert!(told.contains("passed") && !told.contains(" 0 files fetched"), "{told}");
    assert!(receiver.requests().iter().any(|received| received.body.contains(&host)), "{told}");
    for invalid in ["http://x", "x:80"] {
        let output = standin(&[&run[..], &["--files-host", invalid]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    }
}

/// A scenario whose visitor sends a file of its own folder twice, once with another name.
const OWN_FILE: &str = r#"
[[step]]
open = {}
[[step]]
say = { by = "visitor", kind = "document", text = "Here it is", file = "./own/receipt.pdf" }
[[step]]
say = { by = "visitor", kind = "document", file = "own/receipt.pdf", file_name = "copy.pdf" }
"#;

#[test]
fn a_scenario_can_send_files_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("own")).unwrap();
    std::fs::write(folder.path().join("story.toml"), OWN_FILE).unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    std::fs::write(folder.path().join("own/receipt.pdf"), &bytes).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let receiver = Receiver::responding_to_events(move |_, received| {
        for link in links(received) {
            let (head, body) = fetch("GET", &link);
            assert!(head.contains("content-type: application/pdf"), "{head}");
            assert_eq!(body, bytes);
        }
        Reply::good()
    });
    let to = receiver.url();
    let run = ["run", "story.toml", "--vendor", "ebbot", "--to", &to, "--files-port", &port];
    let output = standin_in(folder.path(), &run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let values: Vec<Json> =
        receiver.events().iter().map(|event| event.json()["data"]["value"].clone()).collect();
    let sent: Vec<&Json> = values.iter().filter(|value| value["size"].is_u64()).collect();
    assert_eq!(sent.len(), 2, "{values:?}");
    for (value, name) in sent.iter().zip(["receipt.pdf", "copy.pdf"]) {
        assert_eq!(value["size"], 70_000);
        assert_eq!(value["mimetype"], "application/pdf");
        assert_eq!(value["filename"], name, "{value}");
    }
    // A changed file has another URL, so that no cache returns the old one.
    let before = sent[0]["url"].as_str().unwrap().to_owned();
    std::fs::write(folder.path().join("own/receipt.pdf"), "changed").unwrap();
    let dry = ["run", "story.toml", "--vendor", "ebbot", "--dry-run", "-v", "--files-port", &port];
    let dry = stdout(&standin_in(folder.path(), &dry));
    assert!(dry.contains("\"size\":7,") && !dry.contains(&before), "{dry}");
}

#[test]
fn the_files_of_a_scenario_have_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("own")).unwrap();
    std::fs::write(folder.path().join("story.toml"), OWN_FILE).unwrap();
    let file = std::fs::File::create(folder.path().join("own/receipt.pdf")).unwrap();
    file.set_len(9 * 1024 * 1024).unwrap();
    let output = standin_in(folder.path(), &["check", "story.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("larger than 8192 KiB"), "{}", stderr(&output));
}

#[test]
fn files_are_transferred_with_links_that_expire() {
    let receiver = Receiver::accepting();
    let api = LiveApi::start("parlour", &receiver);
    let house = api.account.values["house"].as_str().unwrap().to_owned();
    let door = api.secret("door");
    let frame = || {
        let head = format!("POST /{house}/frames HTTP/1.1\r\nX-Door: {door}");
        request(&api.address, &head, "").json()
    };
    let text = |json: &Json, key: &str| json[key].as_str().unwrap().to_owned();
    let (one, other) = (frame(), frame());
    assert_ne!((&one["path"], &one["mark"]), (&other["path"], &other["mark"]));
    let (path, mark) = (text(&one, "path"), text(&one, "mark"));
    let put = |path: &str, mark: &str, headers: &str, body: &str| {
        request(&api.address, &format!("PUT {path}?mark={mark} HTTP/1.1{headers}"), body)
    };
    let look = |path: &str| request(&api.address, &format!("GET {path} HTTP/1.1"), "");
    assert_eq!(look(&path).json()["error"], "unknown.picture");
    assert_eq!(put(&path, &text(&other, "mark"), "", "x").json()["error"], "unknown.file");
    assert_eq!(put(&path, "", "", "x").status, 403);
    assert_eq!(put(&path, &mark, "\r\nContent-Type: image/png", "pixels").status, 204);
    let seen = look(&path);
    assert_eq!((seen.status, seen.body.as_str()), (200, "pixels"));
    let head = seen.head.to_lowercase();
    assert!(head.contains("content-type: image/png") && head.contains("x-size: 6"), "{head}");

    // A multipart form, larger than other bodies.
    let large = "p".repeat(1024 * 1024 + 1);
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.gif\"\r\nContent-Type: image/gif\r\n\r\n{large}\r\n--b--\r\n"
    );
    let media_type = "\r\nContent-Type: multipart/form-data; boundary=b";
    assert_eq!(put(&path, &mark, media_type, &form).status, 204);
    assert_eq!(look(&path).body, large);
    assert_eq!(put(&path, &mark, media_type, "--b--").status, 422);
    std::thread::sleep(Duration::from_millis(2_100));
    assert_eq!(put(&path, &mark, "", "late").json()["error"], "unknown.file");
    let calls = format!("{:?}", api.calls(10));
    assert!(!calls.contains(&mark), "{calls}");
}
