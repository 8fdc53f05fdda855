//! The server's own configuration: 318 changes it, 319 lists it, both as `.properties` text.
//!
//! What names a path, an address or a port cannot be changed by a request, and the file that is written was fixed at
//! the start: CVE-2023-37582 was a file written anywhere through `configStorePath`. A request with such a key changes
//! nothing at all.
//!
//! Java 4.7.0 `DefaultRequestProcessor`, `common/Configuration.java`; 4.9.8 for the refusal.

use std::fs;
use std::io;
use std::sync::Arc;

use remoting::code::response;
use remoting::java::config_file;
use remoting::{Answer, Command, Peer, Refusal};
use tracing::{info, warn};

use super::{Reply, saved};
use crate::NameServer;
use crate::config::Forbidden;

pub(super) fn get(server: &Arc<NameServer>) -> Reply {
    let text = config_file::write(server.config.read().listed());
    Ok(Command::success().with_body(text.into_bytes()))
}

pub(super) fn update(server: &Arc<NameServer>, peer: &Peer, request: Command) -> Answer {
    let body = request.body.into_bytes();
    if body.is_empty() {
        return Command::success().into();
    }
    let Ok(changes) = config_file::read(&body) else {
        return Answer::Now(Err(Refusal::system_error("string2Properties error")));
    };
    let updated = server.config.write().update(&changes);
    match updated {
        Err(Forbidden::Key(key)) => {
            warn!(key, remote = %peer.remote(), "refuse change of configuration");
            let text = "Can not update config in black list.";
            return Answer::Now(Err(Refusal::new(response::NO_PERMISSION, text)));
        }
        Ok(notices) => {
            for notice in notices {
                warn!(remote = %peer.remote(), %notice, "change of configuration");
            }
        }
    }
    server.config_changed();
    info!(keys = ?changes.iter().map(|(key, _)| key).collect::<Vec<_>>(), remote = %peer.remote(), "configuration changed");
    let server = Arc::clone(server);
    saved(move || write_back(&server, &changes))
}

fn write_back(server: &NameServer, changes: &[(String, String)]) -> io::Result<()> {
    let mut file = server.config_file.lock();
    let old = match fs::read(file.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    let new = server.config.read().written_back(&old, changes);
    file.replace(&new.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?)
}
