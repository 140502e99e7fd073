//! Where to listen: the addresses of the configuration, or what the service manager has opened.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use crate::config::ListenAddress;
use crate::session::Listener;

/// A Unix socket is for Scrim's own user and group; whoever else shall connect is put into the group.
const SOCKET_MODE: u32 = 0o660;

/// The sockets.
pub(super) struct Sockets {
    /// For clients.
    pub(super) clients: Vec<Listener>,
    /// Where those are, for people.
    pub(super) addresses: Vec<String>,
    /// Removed when dropped.
    pub(super) files: Vec<SocketFile>,
    /// For health and figures.
    pub(super) admin: Option<TcpListener>,
}

/// A Unix socket in the file system.
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: another process may have put its own there meanwhile.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            // What cannot be removed now is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Sockets {
    /// Of the sockets that come with the process (`LISTEN_FDS`) the first is for clients, the second is the admin
    /// address. Others are opened.
    pub(super) async fn open(
        listen: &[ListenAddress],
        admin: Option<SocketAddr>,
    ) -> Result<Sockets, String> {
        let mut given = ListenFd::from_env();
        let (mut clients, mut addresses, mut files) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(listener) = take(&mut given, 0)? {
            addresses.push(told(&listener)?);
            clients.push(Listener::Tcp(listener));
        } else {
            for address in listen {
                match address {
                    ListenAddress::Tcp(address) => {
                        let listener = bind(*address).await?;
                        addresses.push(told(&listener)?);
                        clients.push(Listener::Tcp(listener));
                    }
                    ListenAddress::Unix(path) => {
                        let (listener, file) = bind_file(path).map_err(|error| {
                            format!("error: cannot listen on {}: {error}", path.display())
                        })?;
                        addresses.push(path.display().to_string());
                        clients.push(Listener::Unix(listener));
                        files.push(file);
                    }
                }
            }
        }
        let admin = match (take(&mut given, 1)?, admin) {
            (Some(listener), _) => Some(listener),
            (None, Some(address)) => Some(bind(address).await?),
            (None, None) => None,
        };
        Ok(Sockets { clients, addresses, files, admin })
    }
}

fn told(listener: &TcpListener) -> Result<String, String> {
    let address = listener.local_addr().map_err(|error| format!("error: {error}"))?;
    Ok(address.to_string())
}

fn take(given: &mut ListenFd, place: usize) -> Result<Option<TcpListener>, String> {
    if place >= given.len() {
        return Ok(None);
    }
    let unusable = |error: io::Error| {
        let number = place.saturating_add(1);
        format!("error: socket {number} of the service manager is no TCP listener: {error}")
    };
    let Some(listener) = given.take_tcp_listener(place).map_err(unusable)? else {
        return Ok(None);
    };
    listener.set_nonblocking(true).map_err(unusable)?;
    TcpListener::from_std(listener).map(Some).map_err(unusable)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| format!("error: cannot listen on {address}: {error}"))
}

/// Opens a Unix socket in a folder that nobody else can enter, and moves it to its place when its permissions are right:
/// there is no moment at which others could connect. What an earlier process has left there is replaced.
fn bind_file(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    refuse_taken(path)?;
    // Short, since a socket's path may not be long.
    let private = path.with_file_name(format!(".{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&private)?;
    let bound = bind_within(&private.join("s"), path);
    // It is empty, or it holds what could not be moved.
    let _ = fs::remove_file(private.join("s"));
    let _ = fs::remove_dir(&private);
    bound
}

fn bind_within(first: &Path, path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = UnixListener::bind(first)?;
    fs::set_permissions(first, Permissions::from_mode(SOCKET_MODE))?;
    let file = SocketFile { path: path.to_owned(), identity: identity(first)? };
    fs::rename(first, path)?;
    Ok((listener, file))
}

/// Nothing may be there but a socket on which nobody listens.
fn refuse_taken(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("something else than a socket is there"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::other("another process listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;

    use super::bind_file;

    #[tokio::test]
    async fn a_socket_is_there_while_somebody_listens_and_replaces_only_what_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".s.PGSQL.6432");
        let (listener, file) = bind_file(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        assert!(UnixStream::connect(&path).is_ok());
        let taken = bind_file(&path).map(drop).unwrap_err().to_string();
        assert_eq!(taken, "another process listens there");
        // As after a kill: the file stays, and nobody listens.
        drop(listener);
        let (_listener, newer) = bind_file(&path).unwrap();
        drop(file);
        assert!(UnixStream::connect(&path).is_ok(), "the older one's end took the newer away");
        drop(newer);
        assert!(!path.exists());
        std::fs::write(&path, "a file").unwrap();
        let taken = bind_file(&path).map(drop).unwrap_err().to_string();
        assert_eq!(taken, "something else than a socket is there");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(bind_file(&path).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
