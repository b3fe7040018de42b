//! `standin snippet`: each receiver accepts the requests of its vendor and rejects those that are not
//! authentic, in every language that is installed. The others are listed as ignored.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use standin::platform::{Account, ReceiverGuide};

use crate::support::{bundled_vendors, code, standin, standin_in, stderr, stdout};

/// A story whose requests are preceded by two with invalid signatures.
const STORY: &str = "[verify]\nsignature = 'probe'\n[[step]]\nopen = {}\n\
                     [[step]]\nsay = { by = 'visitor', text = 'Gr\u{fc}\u{df}e' }\n";

/// The snippet for a vendor, and for options of it.
fn snippet(folder: &Path, vendor: &str, language: &str) -> String {
    let output = standin_in(folder, &["snippet", vendor, "--lang", language]);
    assert_eq!(code(&output), 0, "{vendor}: {}", stderr(&output));
    let text = stdout(&output);
    assert!(!text.contains("{{"), "{text}");
    text
}

/// A process that is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How to run the snippets of a language.
struct Language {
    name: &'static str,
    /// Name of the file.
    file: &'static str,
    /// The command that runs it in its folder; `PORT` stands for the port.
    command: &'static [&'static str],
    /// Files beside it.
    beside: &'static [(&'static str, &'static str)],
}

/// Options of vendors that change how requests are verified.
const OPTIONS: [&str; 3] = [
    "",
    "[vendor.liveperson.option]\nsignature = 'sha256'\nsignature_encoding = 'hex'\n\
     [vendor.wotnot.option]\nevent_token_in = 'bearer'\n",
    "[vendor.wotnot.option]\nhandshake_token_in = 'authorization'\n",
];

fn assert_verifies(language: &Language) {
    for (options, vendor) in OPTIONS.iter().flat_map(|options| {
        let vendors = bundled_vendors().into_iter();
        vendors.map(move |vendor| (*options, vendor))
    }) {
        if !options.is_empty() && !options.contains(&format!("vendor.{}.", vendor.id)) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("standin.toml"), options).unwrap();
        fs::write(folder.path().join("story.toml"), STORY).unwrap();
        let program = folder.path().join(language.file);
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        let text = snippet(folder.path(), &vendor.id, language.name);
        fs::write(program, text).unwrap();
        for (name, text) in language.beside {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let command: Vec<String> =
            language.command.iter().map(|word| word.replace("PORT", &port.to_string())).collect();
        let account = Account::test(&vendor);
        let secrets = account.secrets.iter().map(|(name, secret)| {
            let name = format!("{}_{name}", vendor.id).to_uppercase().replace('-', "_");
            (name, secret.expose().to_owned())
        });
        let child = Command::new(&command[0])
            .args(&command[1..])
            .current_dir(folder.path())
            .envs(secrets)
            .env("PORT", port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _running = Running(child);
        let url = format!("http://127.0.0.1:{port}/hooks");
        let run =
            ["run", "story.toml", "--vendor", &vendor.id, "--to", &url, "--wait-ready", "120s"];
        let output = standin_in(folder.path(), &run);
        let told = stdout(&output) + &stderr(&output);
        assert_eq!(code(&output), 0, "{} at {}: {told}", language.name, vendor.id);
    }
}

#[test]
#[cfg_attr(not(has_node), ignore = "node is not installed")]
fn receivers_in_node_verify() {
    let command = &["node", "receiver.js"];
    assert_verifies(&Language { name: "node", file: "receiver.js", command, beside: &[] });
}

#[test]
#[cfg_attr(not(has_python), ignore = "python3 is not installed")]
fn receivers_in_python_verify() {
    let command = &["python3", "receiver.py"];
    assert_verifies(&Language { name: "python", file: "receiver.py", command, beside: &[] });
}

#[test]
#[cfg_attr(not(has_java), ignore = "a JDK is not installed")]
fn receivers_in_java_verify() {
    let command = &["java", "Receiver.java"];
    assert_verifies(&Language { name: "java", file: "Receiver.java", command, beside: &[] });
}

#[test]
#[cfg_attr(not(has_go), ignore = "go is not installed")]
fn receivers_in_go_verify() {
    let command = &["go", "run", "receiver.go"];
    assert_verifies(&Language { name: "go", file: "receiver.go", command, beside: &[] });
}

#[test]
#[cfg_attr(not(has_php), ignore = "php is not installed")]
fn receivers_in_php_verify() {
    let command = &["php", "-S", "127.0.0.1:PORT", "receiver.php"];
    assert_verifies(&Language { name: "php", file: "receiver.php", command, beside: &[] });
}

/// Project file of the receiver in C#.
const CSPROJ: &str = "<Project Sdk=\"Microsoft.NET.Sdk.Web\"><PropertyGroup>\
                      <TargetFramework>net8.0</TargetFramework><Nullable>enable</Nullable>\
                      <ImplicitUsings>enable</ImplicitUsings></PropertyGroup></Project>";

#[test]
#[cfg_attr(not(has_csharp), ignore = "dotnet is not installed")]
fn receivers_in_csharp_verify() {
    let (command, beside) = (&["dotnet", "run"], &[("receiver.csproj", CSPROJ)]);
    assert_verifies(&Language { name: "csharp", file: "Program.cs", command, beside });
}

/// The crates that the snippets in Rust name.
const CARGO: &str = "[package]\nname = 'receiver'\nedition = '2024'\n[dependencies]\n\
                     serde_json = '1'\ntiny_http = '0.12'\nhmac = '0.12'\nbase64 = '0.22'\n\
                     hex = '0.4'\nsha1 = '0.10'\nsha2 = '0.10'\nsubtle = '2'\n";

#[test]
#[ignore = "downloads and builds crates of the registry"]
fn receivers_in_rust_verify() {
    // Of its own, and the same for all vendors: the crates are built once.
    const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/snippets");
    let command = &["cargo", "run", "--quiet", "--target-dir", TARGET];
    let beside = &[("Cargo.toml", CARGO)];
    assert_verifies(&Language { name: "rust", file: "src/main.rs", command, beside });
}

#[test]
fn every_vendor_and_language_has_a_snippet_with_the_name_of_its_credential() {
    let folder = tempfile::tempdir().unwrap();
    for language in ["node", "python", "go", "rust", "php", "csharp", "java"] {
        for vendor in &bundled_vendors() {
            let text = snippet(folder.path(), &vendor.id, language);
            let listed = stdout(&standin(&["secrets", &vendor.id, "--env"]));
            let names = listed.lines().filter_map(|line| line.split_once('=')).map(|line| line.0);
            let has_name = names.into_iter().any(|name| text.contains(name));
            let account = Account::test(vendor);
            let is_verified = ReceiverGuide::of(&account).verified_by() != "nothing";
            assert_eq!(has_name, is_verified, "{}: {text}", vendor.id);
        }
    }
}

#[test]
fn a_verification_that_no_snippet_covers_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let options = "[vendor.wotnot.option]\nevent_token_in = 'body'\n";
    fs::write(folder.path().join("standin.toml"), options).unwrap();
    let output = standin_in(folder.path(), &["snippet", "wotnot", "--lang", "go"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("standin secrets wotnot"), "{}", stderr(&output));
}
