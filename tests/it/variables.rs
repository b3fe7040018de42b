//! Variables of scenarios: defaults, values from outside, environment variables and tables.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Receiver, standin_in, stderr, stdout};

const ORDERS: &str = r#"
name = "Orders"

[vars]
order = 44295
paid = true
city = "Lund"

[cast.ada]
role = "visitor"
name = "Ada ${vars.city}"

[[step]]
open = {}

[[step]]
say = { by = "visitor", text = "Where is order ${vars.order} to ${vars.city}?" }

[[step]]
set = { by = "bot", variables = { order = "${vars.order}", paid = "${vars.paid}" } }
"#;

/// Runs the scenario with these arguments and environment. Returns the output and the bodies.
fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> (Output, Vec<String>) {
    let receiver = Receiver::accepting();
    let output = Command::new(env!("CARGO_BIN_EXE_standin"))
        .current_dir(folder)
        .args(["run", "orders.toml", "--vendor", "ebbot", "--to", &receiver.url()])
        .args(arguments)
        .envs(environment.iter().copied())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    (output, receiver.requests().into_iter().map(|request| request.body).collect())
}

fn folder(scenario: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("orders.toml"), scenario).unwrap();
    folder
}

#[test]
fn texts_data_and_the_cast_use_variables_with_their_types() {
    let folder = folder(ORDERS);
    let (output, bodies) = run(folder.path(), &[], &[]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let all = bodies.concat();
    assert!(all.contains("Where is order 44295 to Lund?"), "{all}");
    assert!(all.contains("44295,") || all.contains("44295}"), "the number stays a number: {all}");
    assert!(all.contains("Ada"), "{all}");
    assert!(!all.contains("${"), "{all}");
}

#[test]
fn values_from_outside_replace_defaults_and_keep_their_types() {
    let folder = folder(ORDERS);
    let environment = [("STANDIN_VAR_order", "7"), ("STANDIN_VAR_city", "Ystad")];
    let (_, bodies) = run(folder.path(), &["--set", "order=8"], &environment);
    assert!(bodies.concat().contains("Where is order 8 to Ystad?"), "{}", bodies.concat());
    // Empty counts as not set, and a variable that the scenario does not have is for another one.
    let environment = [("STANDIN_VAR_order", ""), ("STANDIN_VAR_other", "x")];
    let (output, bodies) = run(folder.path(), &[], &environment);
    assert!(output.status.success());
    assert!(bodies.concat().contains("Where is order 44295 to Lund?"));

    for (argument, message) in [
        ("order=many", "`--set order` must be an integer, found `many`"),
        ("paid=perhaps", "`--set paid` must be `true` or `false`, found `perhaps`"),
        ("ordre=1", "`--set ordre`: no scenario has this variable"),
    ] {
        let (output, bodies) = run(folder.path(), &["--set", argument], &[]);
        assert_eq!(output.status.code(), Some(2), "{argument}");
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
        assert!(bodies.is_empty());
    }
}

#[cfg(unix)]
#[test]
fn an_environment_variable_that_is_not_text_is_ignored() {
    use std::os::unix::ffi::OsStrExt as _;

    let folder = folder(ORDERS);
    let output = Command::new(env!("CARGO_BIN_EXE_standin"))
        .current_dir(folder.path())
        .args(["check", "orders.toml"])
        .env("OTHER", std::ffi::OsStr::from_bytes(b"\xff"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_value_that_would_be_ignored_is_an_error() {
    let rows = "\n[[row]]\norder = 1\n";
    let with_rows =
        |rows: &str| folder(&ORDERS.replace("[[step]]\nopen", &format!("{rows}\n[[step]]\nopen")));
    let (output, bodies) = run(with_rows(rows).path(), &["--set", "order=5"], &[]);
    assert_eq!((output.status.code(), bodies.len()), (Some(2), 0));
    assert!(stderr(&output).contains("`--set order`"), "{}", stderr(&output));
    // The environment may set a variable for other scenarios.
    let (output, _) = run(with_rows(rows).path(), &[], &[("STANDIN_VAR_order", "5")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let rows = "\n[[row]]\ncity = \"${env.HOME}\"\n";
    let (output, bodies) = run(with_rows(rows).path(), &["--allow-env", "HOME"], &[]);
    assert_eq!((output.status.code(), bodies.len()), (Some(2), 0));
    assert!(stderr(&output).contains("`${env.HOME}` is not replaced here"), "{}", stderr(&output));
}

#[test]
fn a_variable_of_one_scenario_of_a_folder_can_be_set_for_all() {
    let folder = folder(ORDERS);
    fs::write(folder.path().join("other.toml"), "[[step]]\nopen = {}\n").unwrap();
    for command in [&["check", "."][..], &["run", ".", "--vendor", "ebbot", "--dry-run"]] {
        let to = ["--to", "http://127.0.0.1:9/"];
        let to = if command[0] == "run" { &to[..] } else { &[] };
        let output = standin_in(folder.path(), &[command, to, &["--set", "order=5"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let output = standin_in(folder.path(), &["check", ".", "--set", "ordre=5"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output).matches("no scenario has this variable").count(), 1);
}

#[test]
fn environment_variables_are_read_only_if_allowed_and_are_never_shown() {
    let text = ORDERS.replace("city = \"Lund\"", "city = \"${env.SHOP_CITY}\"");
    let folder = folder(&text);
    let environment = [("SHOP_CITY", "Trelleborg")];
    let (output, bodies) = run(folder.path(), &[], &environment);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--allow-env SHOP_CITY"), "{}", stderr(&output));
    assert!(bodies.is_empty());

    let arguments = ["--allow-env", "SHOP_CITY", "--json", "--journal", "runs.db"];
    let (output, bodies) = run(folder.path(), &arguments, &environment);
    assert!(bodies.concat().contains("to Trelleborg?"), "{}", stderr(&output));
    let shown = stdout(&output) + &stderr(&output);
    assert!(!shown.contains("Trelleborg") && shown.contains("${env.SHOP_CITY}"), "{shown}");
    let journal =
        String::from_utf8_lossy(&fs::read(folder.path().join("runs.db")).unwrap()).into_owned();
    assert!(!journal.contains("Trelleborg"));

    fs::write(folder.path().join("standin.toml"), "allow_env = [\"SHOP_CITY\"]\n").unwrap();
    let (output, bodies) = run(folder.path(), &[], &environment);
    assert!(bodies.concat().contains("to Trelleborg?"), "{}", stderr(&output));
    let (output, _) = run(folder.path(), &[], &[]);
    assert!(stderr(&output).contains("`SHOP_CITY` is not set"), "{}", stderr(&output));
}

#[test]
fn a_scenario_runs_once_for_each_row() {
    let rows = "\n[[row]]\norder = 1\ncity = \"Malmö\"\n\n[[row]]\norder = 2\n";
    let folder = folder(&ORDERS.replace("[[step]]\nopen", &format!("{rows}\n[[step]]\nopen")));
    let (output, bodies) = run(folder.path(), &[], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let all = bodies.concat();
    for text in ["Where is order 1 to Malmö?", "Where is order 2 to Lund?"] {
        assert!(all.contains(text), "{text}: {all}");
    }
    let shown = stdout(&output);
    assert!(shown.contains("Orders, row 1: 1") && shown.contains("Orders, row 2: 2"), "{shown}");

    let (_, bodies) = run(folder.path(), &["--filter", "row 2"], &[]);
    assert!(!bodies.concat().contains("Where is order 1 "), "{}", bodies.concat());
    assert!(bodies.concat().contains("Where is order 2 "));
}

#[test]
fn the_command_that_repeats_a_run_names_its_row() {
    let rows = "\n[[row]]\norder = 1\n\n[[row]]\norder = 2\n";
    let story = ORDERS.replace("[[step]]\nopen", &format!("{rows}\n[[step]]\nopen"));
    let folder = folder(&format!("verify = {{ status = [\"410\"] }}\n{story}"));
    let (output, _) = run(folder.path(), &[], &[]);
    let shown = stdout(&output);
    for row in ["row 1:", "row 2:"] {
        assert!(shown.contains(&format!("--filter '{row}'")), "{shown}");
    }
    let (_, bodies) = run(folder.path(), &["--filter", "row 2:"], &[]);
    assert!(!bodies.concat().contains("Where is order 1 "), "{}", bodies.concat());
}

#[test]
fn rows_come_from_a_csv_file_below_the_folder_of_the_scenario() {
    let folder = folder(&format!("rows = \"data/orders.csv\"\n{ORDERS}"));
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let table = data.join("orders.csv");
    fs::write(&table, "order,city\n11,\"Lund, old town\"\n12,Kivik\n").unwrap();
    let (output, bodies) = run(folder.path(), &[], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(bodies.concat().contains("Where is order 11 to Lund, old town?"));
    assert!(bodies.concat().contains("Where is order 12 to Kivik?"));

    // A value that does not fit is reported at its line; nothing is sent for the other rows.
    fs::write(&table, "order,city\n11,Lund\ntwelve,Kivik\n").unwrap();
    let (output, bodies) = run(folder.path(), &[], &[]);
    assert_eq!((output.status.code(), bodies.len()), (Some(2), 0));
    assert!(stderr(&output).contains("orders.csv:3:1"), "{}", stderr(&output));
    assert!(stderr(&output).contains("expected an integer, found `twelve`"));

    for (table_text, message) in [
        ("", "the table has no columns"),
        ("order\n", "the table has no rows"),
        ("order,city\n1\n", "the row has 1 value, and the table has 2 columns"),
        ("order;city\n1;Lund\n", "separate columns with commas"),
        ("order\tcity\n1\tLund\n", "separate columns with commas"),
        ("order,city,order\n1,Lund,2\n", "two columns are named `order`"),
        // An open quotation mark would take all later rows into one value.
        ("order,city\n1,a\n2,\"b\n3,c\n4,d\n", "orders.csv:3:1"),
        ("order,\"city\n1,a\n", "orders.csv:1:1"),
    ] {
        fs::write(&table, table_text).unwrap();
        let output = standin_in(folder.path(), &["check", "orders.toml"]);
        assert_eq!(output.status.code(), Some(2), "{table_text}");
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    }
}

#[cfg(unix)]
#[test]
fn a_table_outside_of_the_folder_is_not_read() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.csv");
    fs::write(&secret, "order\n424242\n").unwrap();
    let absolute = secret.to_str().unwrap().to_owned();
    for rows in [absolute.as_str(), "../secret.csv", "link.csv"] {
        let folder = folder(&format!("rows = \"{rows}\"\n{ORDERS}"));
        std::os::unix::fs::symlink(&secret, folder.path().join("link.csv")).unwrap();
        let (output, bodies) = run(folder.path(), &[], &[]);
        assert_eq!((output.status.code(), bodies.len()), (Some(2), 0), "{rows}");
        assert!(!stderr(&output).contains("424242"), "{}", stderr(&output));
    }
}

#[test]
fn seed_and_start_can_be_set_in_the_file_and_flags_win() {
    let set = "seed = 7\nstart = \"2031-02-03T04:05:06Z\"\n";
    let folder = folder(&format!("{set}{ORDERS}"));
    let dry_run = |flags: &[&str]| {
        let run = ["run", "orders.toml", "--vendor", "ebbot", "--to", "http://127.0.0.1:9/"];
        stdout(&standin_in(folder.path(), &[&run, ["--dry-run", "-v"].as_slice(), flags].concat()))
    };
    let own = dry_run(&[]);
    fs::write(folder.path().join("orders.toml"), ORDERS).unwrap();
    assert_eq!(own, dry_run(&["--seed", "7", "--start", "2031-02-03T04:05:06Z"]));
    assert_ne!(own, dry_run(&[]));
}
