//! What was measured: a list of values, one a round, for each side and figure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sides::Side;

/// Values by side and by figure; a figure is called `case.what`, `send 4x64.p99_us` for example.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    values: BTreeMap<(Side, String), Vec<f64>>,
}

/// The middle of a figure's values, and its ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Samples {
    pub(crate) fn add(&mut self, side: Side, case: &str, what: &str, value: f64) {
        let name = format!("{case}.{what}");
        self.values.entry((side, name)).or_default().push(value);
    }

    /// `None` where nothing was measured.
    pub(crate) fn spread(&self, side: Side, case: &str, what: &str) -> Option<Spread> {
        let mut values = self.values.get(&(side, format!("{case}.{what}")))?.clone();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let median = if values.len() % 2 == 1 {
            upper
        } else {
            (values.get(middle.checked_sub(1)?)? + upper) / 2.0
        };
        Some(Spread {
            least: *values.first()?,
            median,
            most: *values.last()?,
        })
    }

    /// All values, `{side: {figure: [value, …]}}`.
    pub(crate) fn json(&self) -> Value {
        let mut sides: BTreeMap<String, BTreeMap<&str, &[f64]>> = BTreeMap::new();
        for ((side, name), values) in &self.values {
            sides
                .entry(side.to_string())
                .or_default()
                .insert(name, values);
        }
        json!(sides)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_two_is_between_them() {
        let mut samples = Samples::default();
        samples.add(Side::Ours, "send", "rate", 3.0);
        samples.add(Side::Ours, "send", "rate", 1.0);
        let spread = samples.spread(Side::Ours, "send", "rate");
        let expected = Spread {
            least: 1.0,
            median: 2.0,
            most: 3.0,
        };
        assert_eq!(spread, Some(expected));
        assert_eq!(samples.spread(Side::Java, "send", "rate"), None);
    }
}
