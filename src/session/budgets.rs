//! How many values each user has looked up within the last minute, and how many statements within the last second, over
//! all sessions. Pure but for the instants that it is given.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dashmap::DashMap;

/// The budgets of all users.
pub struct Budgets {
    /// What a budget is for.
    window: Duration,
    spent: DashMap<String, VecDeque<(Instant, u64)>>,
}

/// Nothing was spent: there is room again after this time; `None`: there never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted(pub Option<Duration>);

impl Budgets {
    /// Budgets for so long.
    pub fn for_each(window: Duration) -> Budgets {
        Budgets { window, spent: DashMap::new() }
    }

    /// Spends `values` of a user's `limit` a minute, all or nothing.
    pub fn spend(
        &self,
        user: &str,
        values: u64,
        limit: u64,
        now: Instant,
    ) -> Result<(), Exhausted> {
        if values == 0 {
            return Ok(());
        }
        if values > limit {
            return Err(Exhausted(None));
        }
        let mut spent = self.spent.entry(user.to_owned()).or_default();
        let is_over = |at: Instant| now.saturating_duration_since(at) >= self.window;
        while spent.front().is_some_and(|(at, _)| is_over(*at)) {
            spent.pop_front();
        }
        let total = spent.iter().fold(0_u64, |total, (_, values)| total.saturating_add(*values));
        let mut missing = total.saturating_add(values).saturating_sub(limit);
        if missing == 0 {
            spent.push_back((now, values));
            return Ok(());
        }
        for (at, values) in spent.iter() {
            missing = missing.saturating_sub(*values);
            if missing == 0 {
                return Err(Exhausted(Some(
                    self.window.saturating_sub(now.saturating_duration_since(*at)),
                )));
            }
        }
        Err(Exhausted(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_minute_later_there_is_room_again() {
        let (budgets, start) = (Budgets::for_each(MINUTE), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(budgets.spend("kim", 2, 3, at(0)), Ok(()));
        assert_eq!(budgets.spend("kim", 1, 3, at(10)), Ok(()));
        assert_eq!(budgets.spend("kim", 0, 3, at(10)), Ok(()));
        let room_in = |seconds| Err(Exhausted(Some(Duration::from_secs(seconds))));
        assert_eq!(budgets.spend("kim", 1, 3, at(20)), room_in(40));
        assert_eq!(budgets.spend("kim", 3, 3, at(20)), room_in(50));
        assert_eq!(budgets.spend("lee", 3, 3, at(20)), Ok(()));
        assert_eq!(budgets.spend("kim", 2, 3, at(60)), Ok(()));
        assert_eq!(budgets.spend("kim", 1, 3, at(69)), room_in(1));
        assert_eq!(budgets.spend("kim", 1, 3, at(70)), Ok(()));
    }

    #[test]
    fn more_than_the_whole_budget_never_fits() {
        let budgets = Budgets::for_each(MINUTE);
        assert_eq!(budgets.spend("kim", 4, 3, Instant::now()), Err(Exhausted(None)));
        assert_eq!(budgets.spend("kim", 1, 0, Instant::now()), Err(Exhausted(None)));
        assert_eq!(budgets.spend("kim", u64::MAX, u64::MAX, Instant::now()), Ok(()));
    }
}
