//! `--account`: separate accounts for runs that share a receiver.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use serde_json::Value as Json;
use standin::diag::Problems;
use standin::platform::{Account, AccountName, Verifier};

use crate::support::{
    Background, ReceivedRequest, Receiver, Reply, accept, code, configured, standin, standin_in,
    stderr, stdout, vendors,
};

/// The account of a vendor with this name.
fn account(vendor: &str, name: &str) -> Account {
    let platform = vendors().into_iter().find(|platform| platform.id == vendor).unwrap();
    let name = AccountName::parse(name).unwrap();
    Account::configured(&platform, Some(&name), None, &mut Problems::new())
}

/// Whether a request is authentic for an account.
fn is_authentic(account: &Account, request: &ReceivedRequest) -> bool {
    Verifier::of(account).verify(&request.body, &|name| request.header(name)).passed()
}

/// The texts below keys that match.
fn text_values(json: &Json, is_key: &dyn Fn(&str) -> bool) -> Vec<String> {
    match json {
        Json::Object(table) => table
            .iter()
            .flat_map(|(key, value)| match value {
                Json::String(text) if is_key(key) => vec![text.clone()],
                value => text_values(value, is_key),
            })
            .collect(),
        Json::Array(items) => items.iter().flat_map(|item| text_values(item, is_key)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn ten_parallel_runs_share_a_receiver_and_do_not_meet() {
    let names: Vec<String> = (0..10).map(|number| format!("ci-{number}")).collect();
    let accounts: BTreeMap<String, Account> = names
        .iter()
        .map(|name| account("liveperson", name))
        .map(|account| (account.values["id"].as_str().unwrap().to_owned(), account))
        .collect();
    assert_eq!(accounts.len(), 10, "each has another id");
    // A receiver with several customers selects the secret by the account in the header.
    let known = accounts.clone();
    let receiver = Receiver::responding(move |_, request| {
        let account = known.get(&request.header("x-liveperson-account-id").unwrap()).unwrap();
        if is_authentic(account, request) {
            accept(request)
        } else {
            Reply::Status(401, String::new())
        }
    });
    let url = receiver.url();
    let run = |name: &str| {
        standin(&["run", "handover", "--vendor", "liveperson", "--to", &url, "--account", name])
    };
    thread::scope(|scope| {
        let runs: Vec<_> = names.iter().map(|name| scope.spawn(|| run(name))).collect();
        for run in runs {
            let output = run.join().unwrap();
            assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
        }
    });
    let mut conversations = BTreeMap::<String, BTreeSet<String>>::new();
    for request in receiver.requests() {
        let own = request.header("x-liveperson-account-id").unwrap();
        let others = accounts.iter().filter(|(id, _)| **id != own);
        assert!(others.into_iter().all(|(_, account)| !is_authentic(account, &request)));
        let ids = text_values(&request.json(), &|key| key.to_lowercase().contains("convid"));
        conversations.entry(own).or_default().extend(ids);
    }
    assert!(conversations.values().all(|ids| ids.len() == 1), "{conversations:?}");
    assert_eq!(conversations.len(), 10);
    let all: BTreeSet<&String> = conversations.values().flatten().collect();
    assert_eq!(all.len(), conversations.values().map(BTreeSet::len).sum::<usize>());
}

#[test]
fn an_account_is_the_same_in_every_command_and_refused_by_others() {
    let folder = configured("[vendor.wotnot]\nsecret.token = 'token-of-the-test-account'\n");
    let env = |arguments: &[&str]| {
        let output =
            standin_in(folder.path(), &[&["secrets", "wotnot", "--env"], arguments].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    let (own, again) = (env(&["--account", "a"]), env(&["--account", "a"]));
    assert_eq!(own, again);
    // The configured credentials belong to the test account.
    let token = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("WOTNOT_TOKEN="));
        line.map(str::to_owned)
    };
    assert!(token(&own).is_some() && token(&env(&[])).is_none(), "{own}");
    assert_ne!(own, env(&["--account", "b"]));

    let mut listening =
        Background::start(folder.path(), &["listen", "wotnot", "--port", "0", "--account", "a"]);
    let told = listening.read_stderr_until("Press Ctrl-C to stop");
    let url = told.split_whitespace().nth(1).unwrap();
    let run = |name: &str| {
        let arguments = ["run", "handover", "--vendor", "wotnot", "--to", url, "--account", name];
        standin_in(folder.path(), &arguments)
    };
    assert_eq!(code(&run("a")), 0);
    let other = run("b");
    assert_eq!(code(&other), 1);
    assert!(stdout(&other).contains("--account b"), "how to repeat it: {}", stdout(&other));
}

#[test]
fn a_name_that_is_not_plain_is_refused() {
    for name in ["", "a b", "ä", "a/b", &"x".repeat(65)] {
        let output = standin(&["secrets", "ebbot", &format!("--account={name}")]);
        assert_eq!(code(&output), 2, "{name}: {}", stderr(&output));
    }
}
