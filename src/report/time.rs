//! Times as people write them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Its beginning: of a day, midnight.
///
/// # Errors
/// It is no time; ready to be shown.
pub fn beginning(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, String> {
    match day(text) {
        Some(day) => midnight(text, day, zone),
        None => moment(text, zone, now),
    }
}

/// Its end, which is not in it any more: of a day, the midnight after.
///
/// # Errors
/// It is no time; ready to be shown.
pub fn end(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, String> {
    match day(text) {
        Some(day) => midnight(text, day.tomorrow().map_err(|_| wrong(text))?, zone),
        None => moment(text, zone, now),
    }
}

fn day(text: &str) -> Option<Date> {
    (text.len() == "2026-11-28".len()).then(|| text.parse().ok()).flatten()
}

fn midnight(text: &str, day: Date, zone: &TimeZone) -> Result<Timestamp, String> {
    let start = day.to_zoned_datetime(zone.clone()).and_then(|time| time.start_of_day());
    start.map(|time| time.timestamp()).map_err(|_| wrong(text))
}

fn moment(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return zone.to_timestamp(time).map_err(|_| wrong(text));
    }
    let span: Span = text.parse().map_err(|_| wrong(text))?;
    let before =
        now.to_zoned_datetime(zone.clone()).checked_sub(span.abs()).map_err(|_| wrong(text))?;
    Ok(before.timestamp())
}

fn wrong(text: &str) -> String {
    format!(
        "error: `{}` is no time\n  such as 2026-11-28, 2026-11-28T18:00, 2026-11-28T09:00:00Z, or \
         7d and 12h (so long ago)",
        super::shown(text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_zone() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let seoul = TimeZone::fixed(jiff::tz::offset(9));
        for (text, begins, ends) in [
            ("2026-11-28", "2026-11-27T15:00:00Z", "2026-11-28T15:00:00Z"),
            ("2026-11-28T18:00", "2026-11-28T09:00:00Z", "2026-11-28T09:00:00Z"),
            ("2026-11-28T09:00:00Z", "2026-11-28T09:00:00Z", "2026-11-28T09:00:00Z"),
            ("2026-11-28T09:00:00+02:00", "2026-11-28T07:00:00Z", "2026-11-28T07:00:00Z"),
            ("7d", "2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z"),
            ("12h", "2026-11-28T00:00:00Z", "2026-11-28T00:00:00Z"),
        ] {
            assert_eq!(beginning(text, &seoul, now).unwrap().to_string(), begins, "{text}");
            assert_eq!(end(text, &seoul, now).unwrap().to_string(), ends, "{text}");
        }
        for text in ["yesterday", "2026-13-01", "28.11.2026", "2026-02-30", "7", "d", "99999999y"] {
            assert!(beginning(text, &seoul, now).is_err(), "{text}");
        }
    }
}
