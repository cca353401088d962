//! One result: a number, the number it is compared with, and whether the goal holds, computed from the two.

use serde_json::json;

/// What was aimed at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// Value divided by reference is at least this.
    RatioAtLeast(f64),
    /// Value divided by reference is at most this.
    RatioAtMost(f64),
    /// The value is at least this, whatever the reference.
    AtLeast(f64),
    /// The value is at most this, whatever the reference.
    AtMost(f64),
}

/// One line of the results.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    /// The same quantity of the reference, in the same unit.
    pub reference: Option<f64>,
    /// Absent where a number is shown for its own sake.
    pub goal: Option<Goal>,
}

/// The head of the table that [`Line::row`] makes.
pub const HEAD: &str =
    "name                                  value  unit            reference    ratio  goal               holds";

impl Line {
    /// Value divided by reference.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        self.reference.map(|reference| self.value / reference)
    }

    /// Whether the goal is reached, if there is one.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        // A ratio that is missing or not a number reaches no goal.
        let ratio = self.ratio().unwrap_or(f64::NAN);
        self.goal.map(|goal| match goal {
            Goal::RatioAtLeast(least) => ratio >= least,
            Goal::RatioAtMost(most) => ratio <= most,
            Goal::AtLeast(least) => self.value >= least,
            Goal::AtMost(most) => self.value <= most,
        })
    }

    fn goal_text(&self) -> Option<String> {
        self.goal.map(|goal| match goal {
            Goal::RatioAtLeast(least) => format!("ratio >= {least}"),
            Goal::RatioAtMost(most) => format!("ratio <= {most}"),
            Goal::AtLeast(least) => format!("value >= {least}"),
            Goal::AtMost(most) => format!("value <= {most}"),
        })
    }

    /// The line as one JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        json!({
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "reference": self.reference.map(rounded),
            "ratio": self.ratio().map(rounded),
            "goal": self.goal_text(),
            "holds": self.holds(),
        })
        .to_string()
    }

    /// The line as a row of the table.
    #[must_use]
    pub fn row(&self) -> String {
        let number = |number: Option<f64>, places: usize| number.map_or("-".to_owned(), |n| format!("{n:.places$}"));
        format!(
            "{:<30} {:>12}  {:<12} {:>12} {:>8}  {:<18} {}",
            self.name,
            number(Some(self.value), 2),
            self.unit,
            number(self.reference, 2),
            number(self.ratio(), 3),
            self.goal_text().as_deref().unwrap_or("-"),
            self.holds().map_or("-", |holds| if holds { "yes" } else { "NO" }),
        )
    }
}

/// Three places behind the point are more than any of these measurements repeats.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// The middle of some numbers; of an even count, the upper one of the middle two.
#[must_use]
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: f64, reference: Option<f64>, goal: Goal) -> Line {
        Line { name: "x", value, unit: "1/s", reference, goal: Some(goal) }
    }

    #[test]
    fn whether_a_goal_holds_follows_from_the_numbers() {
        assert_eq!(line(7.0, Some(10.0), Goal::RatioAtLeast(0.7)).holds(), Some(true));
        assert_eq!(line(6.9, Some(10.0), Goal::RatioAtLeast(0.7)).holds(), Some(false));
        assert_eq!(line(12.0, Some(10.0), Goal::RatioAtMost(1.2)).holds(), Some(true));
        assert_eq!(line(12.1, Some(10.0), Goal::RatioAtMost(1.2)).holds(), Some(false));
        assert_eq!(line(41.0, None, Goal::AtMost(40.0)).holds(), Some(false));
        assert_eq!(line(16.0, None, Goal::AtLeast(16.0)).holds(), Some(true));
        assert_eq!(line(1.0, None, Goal::RatioAtMost(2.0)).holds(), Some(false));
        assert_eq!(line(f64::NAN, Some(1.0), Goal::RatioAtMost(2.0)).holds(), Some(false));
    }

    #[test]
    fn the_json_form_has_the_seven_members() {
        let shown: serde_json::Value = serde_json::from_str(&line(3.0, Some(2.0), Goal::AtMost(4.0)).json()).unwrap();
        let members: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["goal", "holds", "name", "ratio", "reference", "unit", "value"]);
        assert_eq!((shown["ratio"].as_f64(), shown["holds"].as_bool()), (Some(1.5), Some(true)));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }
}
