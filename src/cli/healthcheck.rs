//! `standin healthcheck`: asks a running server whether it accepts runs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::exit::{CommandError, ExitStatus};
use super::terminal::note;
use crate::base::limits::SERVER_PORT;

/// Exit with 0 if a server accepts runs, for containers
#[derive(Debug, Args)]
pub(super) struct HealthcheckArgs {
    /// Address of the server
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from(([127, 0, 0, 1], SERVER_PORT)))]
    address: SocketAddr,
}

/// Time for each part of the exchange. A server that needs longer is not healthy.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of the response that are read: the status is in the first line.
const MAX_RESPONSE: u64 = 1024;

pub(super) fn healthcheck(args: &HealthcheckArgs) -> Result<ExitStatus, CommandError> {
    let response = ask(args.address).with_context(|| {
        format!("no server responds on {}; start one with `standin serve`", args.address)
    })?;
    let status = response.split_whitespace().nth(1).unwrap_or("an invalid response");
    if status == "200" {
        return Ok(ExitStatus::Passed);
    }
    note(format_args!("the server is not ready: status {status}, expected 200"));
    Ok(ExitStatus::Failed)
}

// Plain sockets: a container calls this every few seconds, so that it must be cheap.
fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut response = Vec::new();
    stream.take(MAX_RESPONSE).read_to_end(&mut response)?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}
