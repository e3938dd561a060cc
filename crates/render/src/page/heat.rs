//! When the old version is used: a day per column, an hour per row.

use std::io::{self, Write};

use super::model::Kind;
use super::scale::{DAY, HOUR};
use super::view::View;
use super::words::{LABEL, instant, number, shown, times};

/// Shades of the map.
const LEVELS: u64 = 4;
/// Days that are drawn: more would be too narrow to be seen.
const DAYS_MAX: i64 = 366;
const NAMES: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Uses per hour, from midnight of the first day on.
struct Hours {
    /// Days since 1970.
    first_day: i64,
    counts: Vec<u64>,
    /// Uses of which only a longer span is known, or a time off the map.
    left_out: u64,
}

impl Hours {
    fn of(view: &View<'_>, version: usize) -> Self {
        let last_day = view.scale.as_of.div_euclid(DAY);
        let first_day = view.scale.start.div_euclid(DAY).max(last_day - DAYS_MAX + 1);
        let days = usize::try_from(last_day - first_day + 1).unwrap_or(0);
        let mut hours = Self { first_day, counts: vec![0; days * 24], left_out: 0 };
        for it in view.secret.consumers.iter().flat_map(|it| &it.activity) {
            if it.version != version || !matches!(it.kind, Kind::Used | Kind::Derived) {
                continue;
            }
            let place = it.start_time.div_euclid(HOUR) - first_day * 24;
            let is_hour = it.end_time.saturating_sub(it.start_time) <= HOUR;
            let place = usize::try_from(place).ok().filter(|_| is_hour);
            match place.and_then(|it| hours.counts.get_mut(it)) {
                Some(count) => *count = count.saturating_add(it.count),
                None => hours.left_out = hours.left_out.saturating_add(it.count),
            }
        }
        hours
    }

    /// The shade of an hour: on a logarithmic scale, so that one use is seen beside thousands.
    fn level(count: u64, most: u64) -> u64 {
        if count == 0 {
            return 0;
        }
        let part = (count as f64).ln_1p() / (most as f64).ln_1p();
        ((part * LEVELS as f64).ceil() as u64).clamp(1, LEVELS)
    }

    /// One path of boxes per shade; hours of one day that follow each other are one box.
    fn paths(&self, most: u64) -> Vec<(u64, String)> {
        let mut all: Vec<(u64, String)> = (1..=LEVELS).map(|it| (it, String::new())).collect();
        for (day, hours) in self.counts.chunks(24).enumerate() {
            let mut hour = 0;
            while hour < hours.len() {
                let level = Self::level(hours[hour], most);
                let same = hours[hour..].iter().take_while(|it| Self::level(**it, most) == level);
                let length = same.count();
                if level > 0 {
                    let d = &mut all[level as usize - 1].1;
                    d.push_str(&format!("M{day} {hour}h1v{length}h-1z"));
                }
                hour += length;
            }
        }
        all.retain(|it| !it.1.is_empty());
        all
    }

    /// What the map shows, in words.
    fn sentence(&self, version: &str) -> String {
        let by = |part: fn(i64) -> usize, parts: usize| {
            let mut sums = vec![0u64; parts];
            for (place, count) in self.counts.iter().enumerate() {
                let it = &mut sums[part(place as i64 + self.first_day * 24)];
                *it = it.saturating_add(*count);
            }
            sums
        };
        let hours = by(|it| it.rem_euclid(24) as usize, 24);
        // 1970 began on a Thursday.
        let weekdays = by(|it| (it.div_euclid(24) + 3).rem_euclid(7) as usize, 7);
        let top = |sums: &[u64]| (0..sums.len()).max_by_key(|it| (sums[*it], usize::MAX - it));
        let (hour, weekday) = (top(&hours).unwrap_or(0), top(&weekdays).unwrap_or(0));
        let days = self.counts.chunks(24);
        let active = days.clone().filter(|it| it.iter().any(|it| *it > 0)).count();
        let last = self.counts.iter().rposition(|it| *it > 0).unwrap_or(0);
        let total = self.counts.iter().fold(0u64, |sum, it| sum.saturating_add(*it));
        format!(
            "Version {version}: {} on {active} of {} days; most at {hour:02}:00 to {:02}:00 UTC \
            ({}) and on {}s; last in the hour from {}.",
            times(total, "use"),
            days.len(),
            hour + 1,
            number(hours[hour]),
            NAMES[weekday],
            instant((self.first_day * 24 + last as i64) * HOUR)
        )
    }
}

/// Writes the map of the version asked about; nothing where no hour of use is known.
pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Some(asked) = view.asked else { return Ok(()) };
    let hours = Hours::of(view, asked);
    let Some(most) = hours.counts.iter().copied().max().filter(|it| *it > 0) else {
        return Ok(());
    };
    let version = shown(&view.secret.versions[asked].version, LABEL);
    let sentence = hours.sentence(&version);
    let days = hours.counts.len() / 24;
    write!(
        out,
        "<details class=\"heat\"><summary><h3>Hour by hour: when version {version} is used</h3>\
        </summary>\n<p>{sentence}</p>\n<div class=\"map\"><div class=\"hours\" aria-hidden=\"true\">\
        <span>00</span><span>06</span><span>12</span><span>18 UTC</span></div>\
        <svg height=\"144\" viewBox=\"0 0 {days} 24\" preserveAspectRatio=\"none\" role=\"img\">\
        <title>{sentence}</title><path class=\"q0\" d=\"M0 0h{days}v24H0z\"/>"
    )?;
    for (level, d) in hours.paths(most) {
        write!(out, "<path class=\"q{level}\" d=\"{d}\"/>")?;
    }
    let day = |it: i64| instant(it * DAY).chars().take(10).collect::<String>();
    write!(
        out,
        "</svg></div>\n<p class=\"ends\"><span>{}</span><span>{}</span></p>\n\
        <p class=\"note\">A column is a day, a row an hour; the darker, the more uses (logarithmic, \
        up to {} in an hour).{}</p></details>\n",
        day(hours.first_day),
        day(hours.first_day + days as i64 - 1),
        number(most),
        match hours.left_out {
            0 => String::new(),
            it => format!(
                " {} are not on this map: off its days, or of no known hour.",
                times(it, "use")
            ),
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_use_is_seen_beside_thousands() {
        let levels = [0, 1, 9, 99, 10_000].map(|it| Hours::level(it, 10_000));
        assert_eq!(levels, [0, 1, 1, 2, 4]);
        assert_eq!(Hours::level(1, 1), 4);
    }

    #[test]
    fn hours_that_follow_each_other_are_one_box() {
        let mut counts = vec![0; 48];
        counts[3] = 5;
        counts[4] = 5;
        counts[24] = 5;
        let hours = Hours { first_day: 0, counts, left_out: 0 };
        assert_eq!(hours.paths(5), [(4, "M0 3h1v2h-1zM1 0h1v1h-1z".to_owned())]);
        assert_eq!(
            hours.sentence("1"),
            "Version 1: 15 uses on 2 of 2 days; most at 00:00 to 01:00 UTC (5) and on Thursdays; \
            last in the hour from 1970-01-02T00:00:00Z."
        );
    }
}
