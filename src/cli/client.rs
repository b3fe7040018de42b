//! Requests of commands to a running server.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::Value as Json;
use url::Url;

use super::exit::CommandError;
use crate::base::limits::SERVER_PORT;
use crate::diag::{Code, Problem, code};

/// The server that a command talks to.
#[derive(Debug, Args)]
pub(super) struct ClientArgs {
    /// URL of the server, as `standin serve` prints it, with `#token=` unless the variable
    /// `STANDIN_TOKEN` is set [default: port 7878 of this machine]
    // It may contain the token, so that `--help` must not print the variable.
    #[arg(long, value_name = "URL", env = "STANDIN_SERVER", hide_env_values = true)]
    server: Option<String>,
}

/// Access to a server.
#[derive(Debug)]
pub(super) struct Client {
    address: String,
    token: String,
}

/// Time for each part of an exchange.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a response that are read.
const MAX_RESPONSE: u64 = 64 * 1024 * 1024;

impl ClientArgs {
    /// Access to the server at this URL.
    pub(super) fn of(url: &str) -> Self {
        Self { server: Some(url.to_owned()) }
    }

    /// Returns access to the server.
    pub(super) fn client(&self) -> Result<Client, CommandError> {
        let default = format!("http://127.0.0.1:{SERVER_PORT}/");
        let text = self.server.as_ref().unwrap_or(&default);
        let url = Url::parse(text).ok().filter(|url| url.scheme() == "http");
        let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host_str()?))) else {
            let problem = Problem::anywhere(code::INVALID_URL, "`--server` must be an http URL");
            return Err(problem.help("example: http://127.0.0.1:7878/").into());
        };
        let port = url.port_or_known_default().unwrap_or(SERVER_PORT);
        let own = url.fragment().and_then(|fragment| fragment.strip_prefix("token="));
        let token = own.map(str::to_owned).or_else(|| std::env::var("STANDIN_TOKEN").ok());
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            let message = "the token of the server is missing";
            let problem = Problem::anywhere(code::SECRET_MISSING, message);
            let help = "set STANDIN_TOKEN, or pass the whole URL of the page with `--server`";
            return Err(problem.help(help).into());
        };
        // A line break would end the header that carries the token.
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = "the token of the server must consist of visible ASCII characters";
            return Err(Problem::anywhere(code::SECRET_MISSING, message).into());
        }
        Ok(Client { address: format!("{host}:{port}"), token })
    }
}

impl Client {
    /// Returns a document of the control API.
    pub(super) fn get(&self, path: &str) -> Result<Json, CommandError> {
        self.call("GET", path, "")
    }

    /// Posts a JSON document to the control API.
    pub(super) fn post(&self, path: &str, body: &str) -> Result<Json, CommandError> {
        self.call("POST", path, body)
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Result<Json, CommandError> {
        let response = self.exchange(method, path, body).with_context(|| {
            format!("no server responds on {}; start one with `standin serve`", self.address)
        })?;
        let invalid = || anyhow::anyhow!("{} is not a standin server", self.address);
        let (head, body) = response.split_once("\r\n\r\n").ok_or_else(invalid)?;
        let status = head.split_whitespace().nth(1).ok_or_else(invalid)?;
        let json: Json = serde_json::from_str(body).map_err(|_| invalid())?;
        if status.starts_with('2') {
            return Ok(json);
        }
        Err(refusal(&json["error"]).into())
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> std::io::Result<String> {
        let Self { address, token } = self;
        let mut stream = connect(address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        write!(
            stream,
            "{method} /api/v1{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut response = Vec::new();
        stream.take(MAX_RESPONSE).read_to_end(&mut response)?;
        Ok(String::from_utf8_lossy(&response).into_owned())
    }
}

/// Connects to the first address of a name that responds: `localhost` has two.
fn connect(address: &str) -> std::io::Result<TcpStream> {
    let mut failure = std::io::ErrorKind::AddrNotAvailable.into();
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Converts an error of the control API into a problem.
fn refusal(error: &Json) -> Problem {
    let text = |key: &str| error[key].as_str().filter(|text| !text.is_empty());
    let place = text("pointer").map(|pointer| format!(" at `{pointer}`")).unwrap_or_default();
    let message = text("message").unwrap_or("the server refused the request");
    // Problems of actions have the codes of scenarios.
    let own = error["problems"][0]["code"].as_str().and_then(Code::parse);
    let impossible = error["code"] == "conflict";
    let general = if impossible { code::INVALID_ORDER } else { code::UNKNOWN_VALUE };
    let problem = Problem::anywhere(own.unwrap_or(general), format!("{message}{place}"));
    match text("hint") {
        Some(hint) => problem.help(hint),
        None => problem,
    }
}
