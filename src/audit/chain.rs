//! The hash chain: each line carries the SHA-256 of the line before.

use std::io::BufRead;

use jiff::Timestamp;
use ring::digest;
use serde::Serialize;

use super::record::Record;

/// What the first line carries.
pub(super) const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ChainFault {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Checks a whole trail and gives the number of its records.
///
/// # Errors
/// The first line that does not follow from the one before.
pub fn verify_chain(reader: impl BufRead) -> Result<usize, ChainFault> {
    let mut previous = FIRST.to_owned();
    let mut count = 0_usize;
    for (line, number) in reader.split(b'\n').zip(1..) {
        let fault = |what| ChainFault { line: number, what };
        let line = line.map_err(|_| fault("cannot be read"))?;
        let value: serde_json::Value =
            serde_json::from_slice(&line).map_err(|_| fault("is no JSON object"))?;
        if value.get("previous").and_then(|hash| hash.as_str()) != Some(previous.as_str()) {
            return Err(fault("does not carry the hash of the line before"));
        }
        previous = hash(&line);
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// Where the chain goes on.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) previous: String,
    pub(super) sequence: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    sequence: u64,
    previous: &'a str,
    #[serde(flatten)]
    record: &'a Record,
}

impl Link {
    /// The link after a line.
    pub(super) fn after(line: &[u8]) -> Link {
        let value: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        let sequence = value
            .as_ref()
            .and_then(|value| value.get("sequence"))
            .and_then(serde_json::Value::as_u64)
            .unwrap_or_default();
        Link { previous: hash(line), sequence }
    }

    /// Adds a record's line to `out` and moves on.
    pub(super) fn append(&mut self, record: &Record, out: &mut Vec<u8>) {
        self.sequence = self.sequence.saturating_add(1);
        let time = format!("{:.6}", Timestamp::now());
        let line = Line { time, sequence: self.sequence, previous: &self.previous, record };
        // Names, numbers and texts always have a JSON form; if not, the line says so and the chain holds.
        let line = serde_json::to_vec(&line).unwrap_or_else(|_| {
            format!(
                "{{\"sequence\":{},\"previous\":\"{}\",\"event\":\"unwritable\"}}",
                self.sequence, self.previous
            )
            .into_bytes()
        });
        self.previous = hash(&line);
        out.extend_from_slice(&line);
        out.push(b'\n');
    }
}

fn hash(line: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, line);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
