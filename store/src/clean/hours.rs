//! `deleteWhen`: the hours of the day at which old files go.
//!
//! Read as Java reads it, `04` or `02;14`, but part by part: one that is no number is left out (in
//! Java it ends every round before anything is looked at, a full disk included).
//! Java 4.7.0 `UtilAll.isItTimeToDo`.

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hours(Vec<i32>);

impl Hours {
    /// The hours of `text`, and the parts of it that are none.
    pub(super) fn parse(text: &str) -> (Hours, Vec<&str>) {
        let (mut hours, mut others) = (Vec::new(), Vec::new());
        // Java's `split` leaves out empty parts at the end.
        for part in text.trim_end_matches(';').split(';') {
            match part.parse::<i32>() {
                Ok(hour) if (0..24).contains(&hour) => hours.push(hour),
                _ => others.push(part),
            }
        }
        (Hours(hours), others)
    }

    /// Whether `hour` of the day, 0 to 23, is one of them.
    pub(super) fn contain(&self, hour: u32) -> bool {
        self.0.iter().any(|one| one.unsigned_abs() == hour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Vec<u32> {
        let (hours, _) = Hours::parse(text);
        (0..24).filter(|hour| hours.contain(*hour)).collect()
    }

    #[test]
    fn hours_are_read_as_java_reads_them() {
        assert_eq!(hours("04"), [4]);
        assert_eq!(hours("4"), [4]);
        assert_eq!(hours("00;4;23;"), [0, 4, 23]);
        assert!(Hours::parse("04;;").1.is_empty());
    }

    #[test]
    fn what_is_no_hour_is_told_and_costs_only_itself() {
        assert_eq!(hours("02;noon;24; 5;14"), [2, 14]);
        assert_eq!(Hours::parse("02;noon;24; 5").1, ["noon", "24", " 5"]);
        assert_eq!(Hours::parse("").1, [""]);
    }
}
