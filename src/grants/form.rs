//! Grants as text, for people.

use std::fmt;

use jiff::Timestamp;

use super::{Grant, Wish};

/// Keys that are told in full; of more, how many there are.
const KEYS_TOLD: usize = 10;

/// A time as people and the audit read it.
pub fn time(milliseconds: i64) -> String {
    let time = Timestamp::from_millisecond(milliseconds);
    time.map_or_else(|_| "?".into(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

impl fmt::Display for Wish {
    /// `contact.phone=clear in public.customers where id = 42 (42)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masks: Vec<String> =
            self.masks.iter().map(|(tag, mask)| format!("{tag}={mask}")).collect();
        f.write_str(&masks.join(", "))?;
        if let Some(table) = &self.table {
            write!(f, " in {table}")?;
        }
        match &self.rows {
            None => f.write_str(", all rows")?,
            Some(rows) => {
                let keys: Vec<String> =
                    rows.keys.iter().take(KEYS_TOLD).map(|key| key.join(",")).collect();
                let more = rows.keys.len().saturating_sub(KEYS_TOLD);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                write!(
                    f,
                    " where {} ({} {}{more})",
                    rows.condition,
                    rows.key.join(","),
                    keys.join(" ")
                )?;
            }
        }
        if self.widens {
            f.write_str(", also rows that the role does not see")?;
        }
        Ok(())
    }
}

impl Grant {
    /// For programs.
    pub fn to_json(&self, now: i64) -> serde_json::Value {
        serde_json::json!({
            "number": self.number,
            "status": self.status(now),
            "wish": self.wish,
            "asked_by": self.asked_by,
            "asked_at": time(self.asked_at),
            "break_glass": self.break_glass,
            "decided_by": self.decided_by,
            "decided_at": self.decided_at.map(time),
            "until": self.until.map(time),
            "ended_by": self.ended_by,
            "ended_at": self.ended_at.map(time),
        })
    }

    /// All there is to say of it, over some lines.
    pub fn told(&self, now: i64) -> String {
        let Wish { user, role, database, because, columns, seconds, .. } = &self.wish;
        let kind = if self.break_glass { ", BREAK-GLASS" } else { "" };
        let mut text = format!("grant {}  {}{kind}\n", self.number, self.status(now));
        let mut line = |name: &str, value: String| {
            text.push_str(&format!("  {name:9} {value}\n"));
        };
        line("for", format!("{user} as {role} in {database}"));
        line("opens", self.wish.to_string());
        line("columns", columns.join(", "));
        line("because", because.clone());
        line("asked", format!("by {} at {}", self.asked_by, time(self.asked_at)));
        match (&self.decided_by, self.decided_at) {
            (Some(by), Some(at)) if self.until.is_some() => {
                line("agreed", format!("by {by} at {}", time(at)));
            }
            (Some(by), Some(at)) => line("rejected", format!("by {by} at {}", time(at))),
            _ => line("lasts", format!("{seconds} seconds from when it is agreed to")),
        }
        if let Some(until) = self.until {
            line("until", time(until));
        }
        if let (Some(by), Some(at)) = (&self.ended_by, self.ended_at) {
            line("revoked", format!("by {by} at {}", time(at)));
        }
        text.trim_end().to_owned()
    }
}
