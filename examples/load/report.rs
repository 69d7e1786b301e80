//! Figures, and how they are shown: a table for people or one JSON object for programs.

use std::fmt;

use serde_json::{Value, json};

use crate::args::Target;
use crate::disk::Disk;

/// The value below which `percent` of the sorted `values` lie (nearest rank).
pub(crate) fn percentile(sorted: &[u64], percent: f64) -> f64 {
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(0) as f64
}

/// What snakk is to reach.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    OrMore(f64),
    OrLess(f64),
    /// So many times the figure of another server, or more.
    TimesOrMore(f64, Target),
    TimesOrLess(f64, Target),
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::OrMore(value) => write!(f, ">= {}", number(*value)),
            Goal::OrLess(value) => write!(f, "<= {}", number(*value)),
            Goal::TimesOrMore(factor, target) => write!(f, ">= {factor} x {}", target.name()),
            Goal::TimesOrLess(factor, target) => write!(f, "<= {factor} x {}", target.name()),
        }
    }
}

/// One measured value of one server.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    pub(crate) goal: Option<Goal>,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self { name: name.into(), unit, value, goal: None }
    }

    pub(crate) fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }
}

/// One line of the table.
struct Row {
    scenario: String,
    name: String,
    unit: &'static str,
    goal: Option<Goal>,
    /// All measured values of each server.
    values: Vec<(Target, f64)>,
}

impl Row {
    /// The median of what was measured.
    fn value(&self, target: Target) -> Option<f64> {
        let mut values: Vec<f64> =
            self.values.iter().filter(|(of, _)| *of == target).map(|&(_, value)| value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    fn ratio(&self, to: Target) -> Option<f64> {
        let (ours, theirs) = (self.value(Target::Snakk)?, self.value(to)?);
        (theirs != 0.0).then(|| ours / theirs)
    }

    fn reached(&self) -> Option<bool> {
        Some(match self.goal? {
            Goal::OrMore(value) => self.value(Target::Snakk)? >= value,
            Goal::OrLess(value) => self.value(Target::Snakk)? <= value,
            Goal::TimesOrMore(factor, target) => self.ratio(target)? >= factor,
            Goal::TimesOrLess(factor, target) => self.ratio(target)? <= factor,
        })
    }
}

/// Everything that was measured, in order, and what went wrong.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    pub(crate) failures: Vec<String>,
}

impl Report {
    pub(crate) fn add(&mut self, scenario: &str, target: Target, figures: Vec<Figure>) {
        for figure in figures {
            let known = self.rows.iter().position(|row| row.scenario == scenario && row.name == figure.name);
            let index = known.unwrap_or_else(|| {
                self.rows.push(Row {
                    scenario: scenario.to_owned(),
                    name: figure.name,
                    unit: figure.unit,
                    goal: figure.goal,
                    values: Vec::new(),
                });
                self.rows.len() - 1
            });
            self.rows[index].values.push((target, figure.value));
        }
    }

    pub(crate) fn print_table(&self, disk: &Disk) {
        println!(
            "data on {} ({}); fdatasync of a 4 KiB append there: p50 {:.2} ms, p99 {:.2} ms",
            disk.path, disk.file_system, disk.fdatasync_p50_ms, disk.fdatasync_p99_ms
        );
        let heading = ["", "unit", "snakk", "bare-epoll", "bare-tokio", "/epoll", "/tokio", "goal"];
        let mut table = vec![heading.map(str::to_owned)];
        let mut scenario = "";
        for row in &self.rows {
            if row.scenario != scenario {
                scenario = &row.scenario;
                table.push([scenario, "", "", "", "", "", "", ""].map(str::to_owned));
            }
            let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
            let ratio = |to| row.ratio(to).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            let goal = row.goal.map_or_else(String::new, |goal| match row.reached() {
                Some(true) => format!("{goal}: reached"),
                Some(false) => format!("{goal}: missed"),
                None => goal.to_string(),
            });
            table.push([
                format!("  {}", row.name),
                row.unit.to_owned(),
                cell(row.value(Target::Snakk)),
                cell(row.value(Target::BareEpoll)),
                cell(row.value(Target::BareTokio)),
                ratio(Target::BareEpoll),
                ratio(Target::BareTokio),
                goal,
            ]);
        }
        // The headings of scenarios may run over the columns behind them.
        let mut widths = [0; 8];
        for cells in table.iter().filter(|cells| cells[0].is_empty() || cells[0].starts_with(' ')) {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.len());
            }
        }
        for cells in &table {
            let mut line = String::new();
            for (column, (width, cell)) in widths.iter().zip(cells).enumerate() {
                let padding = " ".repeat(width.saturating_sub(cell.len()));
                let left = column < 2 || column == 7;
                line += &if left { format!("{cell}{padding}  ") } else { format!("{padding}{cell}  ") };
            }
            println!("{}", line.trim_end());
        }
        println!("every receiver was checked: {}", if self.failures.is_empty() { "all is well" } else { "FAILED" });
        for failure in &self.failures {
            println!("  {failure}");
        }
    }

    pub(crate) fn json(&self, disk: &Disk) -> Value {
        let figures: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "scenario": row.scenario,
                    "name": row.name,
                    "unit": row.unit,
                    "snakk": row.value(Target::Snakk),
                    "bare_epoll": row.value(Target::BareEpoll),
                    "bare_tokio": row.value(Target::BareTokio),
                    "to_epoll": row.ratio(Target::BareEpoll),
                    "to_tokio": row.ratio(Target::BareTokio),
                    "goal": row.goal.map(|goal| goal.to_string()),
                    "reached": row.reached(),
                })
            })
            .collect();
        json!({ "disk": disk, "figures": figures, "failures": self.failures })
    }
}

/// Three significant digits or more, with thousands kept apart.
fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1000.0 {
        let digits = format!("{value:.0}");
        let first = (digits.len() - 1) % 3 + 1;
        let mut text = digits[..first].to_owned();
        for group in digits.as_bytes()[first..].chunks(3) {
            text.push(',');
            text.extend(group.iter().map(|&digit| char::from(digit)));
        }
        return text;
    }
    match size {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ if size == size.trunc() => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<u64> = (1..=200).collect();
        for (percent, expected) in [(50.0, 100.0), (99.0, 198.0), (99.9, 200.0), (100.0, 200.0), (0.0, 1.0)] {
            assert_eq!(percentile(&values, percent), expected);
        }
        assert_eq!(percentile(&[], 50.0), 0.0);
    }

    #[test]
    fn numbers_are_readable() {
        for (value, text) in
            [(0.0, "0"), (0.514, "0.51"), (12.34, "12.3"), (999.0, "999"), (1000.0, "1,000"), (1234567.0, "1,234,567")]
        {
            assert_eq!(number(value), text);
        }
    }
}
