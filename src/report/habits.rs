//! What is unusual for a user: days with far more than on the others, and hours at which nothing happens else.
//!
//! Volume. A day is compared with the median of the user's own active days, in units of the median absolute deviation
//! (MAD) times 1.4826, which is the standard deviation where days are spread evenly around the middle; above 3.5 it is
//! unusual (Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993). Mean and standard deviation would not do: the
//! very day that is looked for lifts both, and hides itself among few days. Days without a statement are left out, since
//! people have weekends. A spread under a tenth of the median counts as one, or a user who reads the same number each day
//! would be unusual with one row more; and what is little stays unsaid however seldom it is.
//!
//! Hours. Hours of a day go in a circle and have no middle (lunch, shifts), so days are counted: an hour is unusual when on
//! fewer than a twentieth of the user's other active days anything happened in it, or in the hour before or after.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

/// With fewer active days nobody has habits.
pub const DAYS_MIN: usize = 7;
/// Iglewicz and Hoaglin.
const SCORE_MAX: f64 = 3.5;
/// Of the median absolute deviation to the standard deviation of a normal distribution.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Of the median.
const SPREAD_MIN: f64 = 0.1;

/// What a user did on a day.
#[derive(Debug, Clone, Copy, Default)]
pub struct Day {
    /// Rows given.
    pub rows: u64,
    /// Statements, refused ones among them.
    pub statements: u64,
    /// Refused.
    pub refused: u64,
    /// Values looked up.
    pub lookups: u64,
    /// A bit for each hour of the day.
    pub hours: u32,
}

/// A day with far more than the user's others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UnusualVolume {
    /// Who.
    pub user: String,
    /// The day.
    pub day: String,
    /// Of what: `rows`, `statements`, `refused`, `lookups`.
    pub of: &'static str,
    /// How many.
    pub count: u64,
    /// The median of the user's active days.
    pub usual: f64,
    /// By how many deviations it is over that.
    pub score: f64,
    /// How many active days there are.
    pub days: usize,
}

/// Hours of a day at which the user does nothing on others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnusualHours {
    /// Who.
    pub user: String,
    /// The day.
    pub day: String,
    /// Hours from 0 to 23.
    pub hours: Vec<u8>,
    /// How many other active days there are.
    pub other_days: usize,
}

/// What is counted, and from how many over the usual on it is told.
type Measure = (&'static str, fn(&Day) -> u64, u64);

const MEASURES: [Measure; 4] = [
    ("rows", |day| day.rows, 100),
    ("statements", |day| day.statements, 50),
    ("refused", |day| day.refused, 10),
    ("lookups", |day| day.lookups, 10),
];

/// Unusual volume on those of a user's days that are asked for; the others say what is usual.
pub fn volume(
    user: &str,
    days: &BTreeMap<Date, Day>,
    is_asked: impl Fn(&Date) -> bool,
) -> Vec<UnusualVolume> {
    let mut found = Vec::new();
    if days.len() < DAYS_MIN {
        return found;
    }
    for (of, count, least) in MEASURES {
        let counts: Vec<f64> = days.values().map(|day| as_float(count(day))).collect();
        let usual = median(counts.clone());
        let deviations = counts.iter().map(|count| (count - usual).abs()).collect();
        let spread = (MAD_TO_DEVIATION * median(deviations)).max(SPREAD_MIN * usual).max(1.0);
        for (date, day) in days.iter().filter(|(date, _)| is_asked(date)) {
            let count = count(day);
            let over = as_float(count) - usual;
            let score = over / spread;
            if score > SCORE_MAX && over >= as_float(least) {
                found.push(UnusualVolume {
                    user: user.to_owned(),
                    day: date.to_string(),
                    of,
                    count,
                    usual,
                    score: (score * 10.0).round() / 10.0,
                    days: days.len(),
                });
            }
        }
    }
    found
}

/// Unusual hours on those of a user's days that are asked for.
pub fn hours(
    user: &str,
    days: &BTreeMap<Date, Day>,
    is_asked: impl Fn(&Date) -> bool,
) -> Vec<UnusualHours> {
    let mut found = Vec::new();
    if days.len() < DAYS_MIN {
        return found;
    }
    let other_days = days.len().saturating_sub(1);
    for (date, day) in days.iter().filter(|(date, _)| is_asked(date)) {
        let is_unusual = |hour: &u8| {
            let around = around(*hour);
            let others = days.iter().filter(|(other, _)| *other != date);
            let active = others.filter(|(_, other)| other.hours & around != 0).count();
            day.hours & bit(*hour) != 0 && active.saturating_mul(20) < other_days
        };
        let hours: Vec<u8> = (0..24).filter(is_unusual).collect();
        if !hours.is_empty() {
            let (user, day) = (user.to_owned(), date.to_string());
            found.push(UnusualHours { user, day, hours, other_days });
        }
    }
    found
}

/// The bit of an hour.
pub fn bit(hour: u8) -> u32 {
    1_u32.checked_shl(u32::from(hour % 24)).unwrap_or_default()
}

/// The hour, the one before and the one after.
fn around(hour: u8) -> u32 {
    bit(hour) | bit(hour.saturating_add(1)) | bit(hour.saturating_add(23))
}

/// Of an even number of values, the middle between the two in the middle; of none, 0.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    match values.len() % 2 {
        1 => at(half),
        _ => (at(half.saturating_sub(1)) + at(half)) / 2.0,
    }
}

/// Counts are far below 2^53.
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(rows: &[u64]) -> BTreeMap<Date, Day> {
        let first = Date::constant(2026, 11, 1);
        let day = |(index, rows): (usize, &u64)| {
            let date = first.checked_add(jiff::Span::new().days(index as i64)).unwrap();
            (date, Day { rows: *rows, hours: bit(9) | bit(10), ..Day::default() })
        };
        rows.iter().enumerate().map(day).collect()
    }

    fn found(rows: &[u64]) -> Vec<(String, u64, f64)> {
        let found = volume("kim", &days(rows), |_| true);
        found.into_iter().map(|day| (day.day, day.count, day.usual)).collect()
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0]), 3.0);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 100.0]), 3.5);
    }

    #[test]
    fn a_day_far_above_the_others_is_found() {
        let usual = [120, 90, 150, 110, 0, 130, 100, 95, 140];
        assert_eq!(found(&usual), []);
        let mut with = usual.to_vec();
        with.push(31_000);
        assert_eq!(found(&with), [("2026-11-10".to_owned(), 31_000, 115.0)]);
        // Two such days do not hide each other, as they would in a standard deviation: 3.5 of those are never reached by
        // one of ten.
        with.push(29_000);
        assert_eq!(found(&with).len(), 2);
    }

    #[test]
    fn what_is_little_or_little_more_is_not() {
        // The same each day: one row more is no news, nor are 10 % and less than a hundred.
        assert_eq!(found(&[1000, 1000, 1000, 1000, 1000, 1000, 1001]), []);
        assert_eq!(found(&[1000, 1000, 1000, 1000, 1000, 1000, 1300]), []);
        assert_eq!(found(&[0, 0, 0, 0, 0, 0, 99]), []);
        assert_eq!(found(&[0, 0, 0, 0, 0, 0, 100]).len(), 1);
        assert_eq!(found(&[1000, 1000, 1000, 1000, 1000, 1000, 1351]).len(), 1);
    }

    #[test]
    fn few_days_are_no_habit_and_only_what_is_asked_is_told() {
        assert_eq!(found(&[1, 1, 1, 1, 1, 100_000]), []);
        let days = days(&[1, 1, 1, 1, 1, 1, 100_000]);
        assert_eq!(volume("kim", &days, |date| date.day() < 7), []);
        assert_eq!(volume("kim", &days, |date| date.day() == 7).len(), 1);
    }

    #[test]
    fn an_hour_of_no_other_day_is_found() {
        let mut days = days(&[1; 8]);
        assert_eq!(hours("kim", &days, |_| true), []);
        let last = *days.keys().last().unwrap();
        // 8 and 11 are next to what is usual; 3 and 4 are not, and 23 is not next to 3.
        days.get_mut(&last).unwrap().hours |= bit(8) | bit(11) | bit(3) | bit(4) | bit(23);
        let found = hours("kim", &days, |_| true);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].hours.as_slice(), found[0].other_days), (&[3, 4, 23][..], 7));
        // Midnight is between 23 and 1.
        let first = *days.keys().next().unwrap();
        days.get_mut(&first).unwrap().hours |= bit(0);
        let found = hours("kim", &days, |date| *date == last);
        assert_eq!(found[0].hours, [3, 4]);
    }

    #[test]
    fn night_shifts_are_habits_too() {
        let mut days = days(&[1; 10]);
        for day in days.values_mut().take(2) {
            day.hours |= bit(2);
        }
        assert_eq!(hours("kim", &days, |_| true), []);
    }
}
