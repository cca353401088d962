//! Plots, made here as SVG: the pages run no script that could.

use super::words::{Moment, thousands};

/// One bar.
pub(super) struct Bar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) height: String,
    /// What it stands for, and how many.
    pub(super) title: String,
}

/// A plot of bars on a ground of [`Chart::WIDTH`] by [`Chart::HEIGHT`].
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    pub(super) bar_width: String,
    pub(super) most: String,
    pub(super) total: String,
    pub(super) first: String,
    pub(super) last: String,
}

impl Chart {
    pub(super) const WIDTH: u32 = 600;
    pub(super) const HEIGHT: u32 = 140;

    /// Bars for these counts, each with a name.
    pub(super) fn of(counts: &[(String, u64)]) -> Self {
        let most = counts.iter().map(|(_, count)| *count).max().unwrap_or_default();
        let slots = u32::try_from(counts.len()).unwrap_or(u32::MAX).max(1);
        let step = f64::from(Self::WIDTH) / f64::from(slots);
        let bars = counts.iter().zip(0_u32..).map(|((name, count), place)| {
            // At least a sliver for what is there, and nothing for what is not.
            let share = if most == 0 { 0 } else { (count * u64::from(Self::HEIGHT - 4)).div_ceil(most) };
            let height = u32::try_from(share).unwrap_or(Self::HEIGHT).max(if *count > 0 { 2 } else { 0 });
            Bar {
                x: format!("{:.1}", f64::from(place) * step + step * 0.1),
                y: (Self::HEIGHT - height).to_string(),
                height: height.to_string(),
                title: format!("{name}: {}", thousands(*count)),
            }
        });
        let end = |found: Option<&(String, u64)>| found.map(|(name, _)| name.clone()).unwrap_or_default();
        Self {
            bars: bars.collect(),
            bar_width: format!("{:.1}", step * 0.8),
            most: thousands(most),
            total: thousands(counts.iter().map(|(_, count)| count).sum()),
            first: end(counts.first()),
            last: end(counts.last()),
        }
    }
}

/// When a bar begins, in few words.
pub(super) fn begin(at: rescind_ledger::Timestamp, is_hour: bool) -> String {
    let moment = Moment::seen(at, at);
    let (date, time) = moment.date().split_once(", ").unwrap_or((moment.date(), ""));
    if is_hour {
        time.get(..5).unwrap_or(time).to_owned()
    } else {
        date.rsplit_once(' ').map_or(date, |(day, _)| day).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_fills_the_plot_and_the_smallest_is_seen() {
        let chart = Chart::of(&[("a".into(), 1_000_000), ("b".into(), 1), ("c".into(), 0)]);
        let heights: Vec<&str> = chart.bars.iter().map(|bar| bar.height.as_str()).collect();
        assert_eq!(heights, ["136", "2", "0"]);
        assert_eq!((chart.most.as_str(), chart.total.as_str()), ("1,000,000", "1,000,001"));
        assert!(Chart::of(&[]).bars.is_empty());
    }

    #[test]
    fn a_bar_is_named_by_its_day_or_hour() {
        let at = rescind_ledger::Timestamp::from_secs(1_700_000_000);
        assert_eq!((begin(at, true).as_str(), begin(at, false).as_str()), ("22:13", "14 Nov"));
    }
}
