//! `log:` of scrim.yaml.

use crate::text::reader::Reader;
use crate::text::yaml::Node;

pub(super) const KEYS: [&str; 2] = ["format", "level"];

/// How the log looks, and how much is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogOptions {
    /// How it looks.
    pub format: LogFormat,
    /// What is in it.
    pub level: LogLevel,
}

/// `format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// `level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// What keeps Scrim from its work, and alarms.
    Error,
    /// What somebody should look at.
    Warn,
    /// What happens to the process.
    #[default]
    Info,
    /// What happens to sessions.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

impl LogOptions {
    /// Reads the value of `log`.
    pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> LogOptions {
        let mut options = LogOptions::default();
        for entry in reader.mapping(node) {
            match entry.key.as_str() {
                "format" => {
                    let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
                    options.format = reader.word(&entry.value, &words).unwrap_or_default();
                }
                "level" => {
                    let levels = [
                        LogLevel::Error,
                        LogLevel::Warn,
                        LogLevel::Info,
                        LogLevel::Debug,
                        LogLevel::Trace,
                    ];
                    let words = levels.map(|level| (level.word(), level));
                    options.level = reader.word(&entry.value, &words).unwrap_or_default();
                }
                _ => reader.unknown_key(entry, &KEYS),
            }
        }
        options
    }
}
