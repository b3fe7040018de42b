//! A running `standin serve` and requests to it, over plain sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

use super::Background;

/// A conversation in which an agent speaks after a long pause.
pub(crate) const SLOW: &str = r#"
[cast.ada]
role = "visitor"
name = "Ada Test"
[cast.grace]
role = "agent"
[[step]]
open = { by = "ada" }
[[step]]
say = { by = "ada", text = "first" }
[[step]]
after = "10m"
assign = { to = "grace" }
[[step]]
after = "10m"
say = { by = "grace", text = "second" }
"#;

/// A server in the background.
pub(crate) struct Server {
    pub(crate) process: Background,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    pub(crate) token: String,
}

/// A response of the server.
pub(crate) struct ServerResponse {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl ServerResponse {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Server {
    /// Starts a server without a journal on a free port, with a random token.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(Path::new("/"), &[&["--no-journal"], arguments].concat())
    }

    /// Starts a server in this folder.
    pub(crate) fn start_in(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_with(folder, None, arguments)
    }

    /// Starts a server in this folder, through a shell script that gets the command as `$0` and `$@`.
    pub(crate) fn start_with(folder: &Path, script: Option<&str>, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--port", "0"], arguments].concat();
        let mut process = match script {
            Some(script) => Background::start_through(folder, script, &arguments),
            None => Background::start(folder, &arguments),
        };
        let page = loop {
            let line = process.line();
            assert!(!line.is_empty(), "the server did not start");
            if let Some(page) = line.trim().strip_prefix("page") {
                break page.trim().to_owned();
            }
        };
        let (origin, token) = page.split_once("/#token=").unwrap();
        let address = origin.strip_prefix("http://").unwrap().to_owned();
        Self { process, address, token: token.to_owned() }
    }

    /// Sends bytes and reads the whole response. The status is 0 if there is none.
    pub(crate) fn raw(&self, request: &str) -> ServerResponse {
        let (head, body) = (String::new(), String::new());
        let Ok(mut stream) = TcpStream::connect(&self.address) else {
            return ServerResponse { status: 0, head, body };
        };
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The server may have been killed.
        let _ = stream.write_all(request.as_bytes());
        let mut response = Vec::new();
        // The server may close before it has read everything.
        let _ = stream.read_to_end(&mut response);
        let text = String::from_utf8_lossy(&response).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.as_str(), ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if is_chunked { dechunked(body) } else { body.to_owned() };
        ServerResponse { status, head: head.to_owned(), body }
    }

    /// Sends a request with these header lines.
    pub(crate) fn request(&self, line: &str, headers: &str, body: &str) -> ServerResponse {
        let (address, length) = (&self.address, body.len());
        self.raw(&format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Sends a request with the token and a JSON body.
    pub(crate) fn call(&self, line: &str, body: &str) -> ServerResponse {
        let token = &self.token;
        let headers =
            format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
        self.request(line, &headers, body)
    }

    /// Gets a document that exists.
    pub(crate) fn get(&self, path: &str) -> Json {
        let response = self.call(&format!("GET {path}"), "");
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        response.json()
    }

    /// Starts a run and returns its number.
    pub(crate) fn run(&self, request: &Json) -> u64 {
        let response = self.call("POST /api/v1/runs", &request.to_string());
        assert_eq!(response.status, 201, "{}", response.body);
        response.json()["run"].as_u64().unwrap()
    }

    /// Waits for the end of a run, and returns it.
    pub(crate) fn ended(&self, run: u64) -> Json {
        let ended = self.get(&format!("/api/v1/runs/{run}?wait=20"));
        assert!(!ended["result"].is_null(), "{ended}");
        ended
    }

    /// Opens a stream of events after the record of this number.
    pub(crate) fn stream(&self, headers: &str, query: &str) -> EventStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (address, token) = (&self.address, &self.token);
        write!(
            stream,
            "GET /api/v1/records/stream{query} HTTP/1.1\r\nHost: {address}\r\n\
             Authorization: Bearer {token}\r\n{headers}\r\n"
        )
        .unwrap();
        EventStream(BufReader::new(stream))
    }
}

/// Removes the chunks of a body.
fn dechunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        text += rest.get(..size).unwrap_or(rest);
        body = rest.get(size + 2..).unwrap_or_default();
    }
    text
}

/// A stream of server-sent events.
pub(crate) struct EventStream(BufReader<TcpStream>);

impl EventStream {
    /// The next record, with its number.
    pub(crate) fn record(&mut self) -> (u64, Json) {
        let mut id = 0;
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream has ended");
            if let Some(number) = line.strip_prefix("id: ") {
                id = number.trim().parse().unwrap();
            }
            if let Some(data) = line.strip_prefix("data: {\"id\"") {
                let data = format!("{{\"id\"{data}");
                return (id, serde_json::from_str(&data).unwrap());
            }
        }
    }
}
