//! Where an instant stands on a time axis, and what is written along it.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Microseconds.
pub(super) const HOUR: i64 = 3_600_000_000;
/// Microseconds.
pub(super) const DAY: i64 = 24 * HOUR;
/// Hours that one drawn slot may take, finest first.
const SLOT_HOURS: [i64; 10] = [1, 2, 3, 4, 6, 8, 12, 24, 48, 168];
/// Ticks that fit on a wide screen.
const TICKS_MAX: usize = 9;
/// What is longer than this has ticks of years.
const YEARS_MAX: i16 = 9_000;

/// A time axis, cut into slots: what happens in one slot is drawn as one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// Where it begins.
    pub start: i64,
    /// Where it ends; after `as_of` if something is expected to come.
    pub end: i64,
    /// The instant of the report.
    pub as_of: i64,
    /// Microseconds.
    slot: i64,
    /// How many slots there are.
    pub slots: u32,
}

/// A label on the axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    /// Where it stands.
    pub time: i64,
    /// What it says.
    pub label: String,
    /// Whether it stays where there is little room.
    pub is_major: bool,
}

impl Scale {
    /// An axis from `start` to `as_of`, with room for those of `expected` that come soon after.
    ///
    /// `slots_max` bounds the detail, and with it the bytes of each lane.
    pub fn new(start: i64, as_of: i64, expected: &[i64], slots_max: u32) -> Self {
        let as_of = valid(as_of);
        let start = valid(start).min(as_of.saturating_sub(DAY));
        let span = as_of.saturating_sub(start);
        let soon = as_of.saturating_add(span / 4);
        let coming = expected.iter().filter(|it| (as_of..=soon).contains(it)).max();
        let end = coming.map_or(as_of, |it| it.saturating_add(span / 50));
        let whole = end.saturating_sub(start);
        let most = i64::from(slots_max.max(1));
        let is_enough = |it: &i64| whole / (it * HOUR) < most;
        let slot = SLOT_HOURS.into_iter().find(is_enough).map(|it| it * HOUR);
        let slot = slot.unwrap_or(whole / most + 1);
        let slots = u32::try_from(whole / slot + 1).unwrap_or(slots_max);
        Self { start, end, as_of, slot, slots }
    }

    /// The slot that an instant falls into; the first or last one for those beyond the ends.
    pub fn slot(&self, time: i64) -> u32 {
        let place = time.saturating_sub(self.start).max(0) / self.slot;
        u32::try_from(place).unwrap_or(u32::MAX).min(self.slots - 1)
    }

    /// Where an instant stands in slots, with one decimal.
    pub fn place(&self, time: i64) -> f64 {
        let place = time.saturating_sub(self.start).max(0) as f64 / self.slot as f64;
        (place.min(f64::from(self.slots)) * 10.0).round() / 10.0
    }

    /// The same in percent of the width.
    pub fn percent(&self, time: i64) -> f64 {
        let whole = self.slots as f64 * self.slot as f64;
        let part = time.saturating_sub(self.start).max(0) as f64 / whole;
        (part.min(1.0) * 10_000.0).round() / 100.0
    }

    /// Whether an instant is on the axis.
    pub fn shows(&self, time: i64) -> bool {
        (self.start..=self.end).contains(&time)
    }

    /// What one slot is called.
    pub fn slot_name(&self) -> String {
        match self.slot / HOUR {
            1 => "1 hour".to_owned(),
            24 => "1 day".to_owned(),
            it if it % 24 == 0 => format!("{} days", it / 24),
            it => format!("{it} hours"),
        }
    }

    /// Labels at round instants, few enough to be read.
    pub fn ticks(&self) -> Vec<Tick> {
        let times = self.round_times();
        let has_hours = times.windows(2).any(|it| it[1] - it[0] < DAY);
        let every = times.len().div_ceil(3).max(1);
        let mut year = None;
        let mut ticks = Vec::with_capacity(times.len());
        for (index, time) in times.into_iter().enumerate() {
            let Some(date) = date_time(time) else { continue };
            let form = match (has_hours, year == Some(date.year())) {
                (true, _) => "%-d %b %H:%M",
                (false, true) => "%-d %b",
                (false, false) => "%-d %b %Y",
            };
            year = Some(date.year());
            let label = date.strftime(form).to_string();
            ticks.push(Tick { time, label, is_major: index % every == 0 });
        }
        ticks
    }

    fn round_times(&self) -> Vec<i64> {
        let room = self.end.saturating_sub(self.start) / TICKS_MAX as i64;
        for step in [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY] {
            if step >= room {
                // Weeks begin on Monday; 1970 began on a Thursday.
                let origin = if step >= 7 * DAY { 4 * DAY } else { 0 };
                let first = (self.start - origin).div_euclid(step) + 1;
                let times = (0..).map(|it| origin + (first + it) * step);
                return times.take_while(|it| *it <= self.end).collect();
            }
        }
        for months in [1, 2, 3, 6, 12, 24, 60, 120, 600, 1200] {
            if i64::from(months) * 30 * DAY >= room {
                return self.months(months);
            }
        }
        self.months(i32::from(YEARS_MAX))
    }

    /// The first of every `step`th month, counted from January.
    fn months(&self, step: i32) -> Vec<i64> {
        let Some(start) = date_time(self.start) else { return Vec::new() };
        let month = i32::from(start.month()) - 1;
        let aligned = if step >= 12 { 0 } else { month - month % step };
        let first = Date::new(start.year(), aligned as i8 + 1, 1);
        let mut times = Vec::new();
        let mut at = first.ok();
        while let Some(date) = at {
            let Some(time) = microseconds(date) else { break };
            if time > self.end {
                break;
            }
            if time >= self.start {
                times.push(time);
            }
            at = date.checked_add(step.months()).ok();
        }
        times
    }
}

fn microseconds(date: Date) -> Option<i64> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

/// The nearest instant that has a date.
fn valid(time: i64) -> i64 {
    time.clamp(Timestamp::MIN.as_microsecond() + DAY, Timestamp::MAX.as_microsecond() - DAY)
}

/// Date and time of an instant in UTC; none beyond the years that have four digits.
pub(super) fn date_time(time: i64) -> Option<DateTime> {
    Some(Timestamp::from_microsecond(time).ok()?.to_zoned(TimeZone::UTC).datetime())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn labels(start: &str, end: &str) -> Vec<String> {
        let scale = Scale::new(time(start), time(end), &[], 960);
        scale.ticks().into_iter().map(|it| it.label).collect()
    }

    #[test]
    fn ticks_stand_at_round_instants() {
        assert_eq!(
            labels("2026-10-30T22:00:00Z", "2026-11-01T04:00:00Z"),
            ["31 Oct 00:00", "31 Oct 06:00", "31 Oct 12:00", "31 Oct 18:00", "1 Nov 00:00"]
        );
        assert_eq!(
            labels("2026-12-20T10:00:00Z", "2027-01-25T00:00:00Z"),
            ["21 Dec 2026", "28 Dec", "4 Jan 2027", "11 Jan", "18 Jan", "25 Jan"]
        );
        assert_eq!(
            labels("2026-02-02T00:00:00Z", "2026-09-01T00:00:00Z"),
            ["1 Mar 2026", "1 Apr", "1 May", "1 Jun", "1 Jul", "1 Aug", "1 Sep"]
        );
    }

    #[test]
    fn detail_is_bounded_by_the_slots_asked_for() {
        let (start, end) = (time("2026-08-01T00:00:00Z"), time("2026-10-30T00:00:00Z"));
        let fine = Scale::new(start, end, &[], 960);
        assert_eq!((fine.slots, fine.slot_name().as_str()), (721, "3 hours"));
        let coarse = Scale::new(start, end, &[], 240);
        assert_eq!((coarse.slots, coarse.slot_name().as_str()), (181, "12 hours"));
        assert_eq!(coarse.slot(start), 0);
        assert_eq!(coarse.slot(start + 12 * HOUR), 1);
        assert_eq!(coarse.slot(i64::MIN), 0);
        assert_eq!(coarse.slot(i64::MAX), 180);
    }

    #[test]
    fn what_comes_soon_is_on_the_axis_and_what_comes_late_is_not() {
        let (start, as_of) = (time("2026-08-01T00:00:00Z"), time("2026-10-30T00:00:00Z"));
        let soon = as_of + 10 * DAY;
        let scale = Scale::new(start, as_of, &[start, soon, as_of + 300 * DAY], 960);
        assert!(scale.shows(soon) && !scale.shows(as_of + 20 * DAY));
    }

    #[test]
    fn no_instant_is_too_odd_for_an_axis() {
        for (start, as_of) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (0, 0), (5, 4)] {
            let scale = Scale::new(start, as_of, &[i64::MIN, i64::MAX], 240);
            assert!(scale.slots <= 241, "{}", scale.slots);
            assert!(scale.ticks().len() < 40);
            for it in [i64::MIN, start, 0, as_of, i64::MAX] {
                assert!(scale.slot(it) < scale.slots);
                assert!((0.0..=100.0).contains(&scale.percent(it)));
                scale.place(it);
            }
        }
    }
}
