//! How the demo looks: headings, notes and tables.

use std::{io::IsTerminal, time::Duration};

use comfy_table::{LineStyle, Table, TableStyle};

/// A title over what follows.
pub(super) fn heading(text: &str) {
    println!("\n{}", bold(text));
}

/// A line of prose.
pub(super) fn note(text: &str) {
    println!("  {text}");
}

/// Text that stands out on a terminal.
pub(super) fn bold(text: &str) -> String {
    let plain = !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some();
    if plain { text.to_owned() } else { format!("\x1b[1m{text}\x1b[0m") }
}

/// A table with these columns, to be filled. Without columns there is no line either.
pub(super) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    if !columns.is_empty() {
        table.set_header(columns.iter().copied());
    }
    table
}

/// Prints a table, indented as everything under a heading is.
pub(super) fn print(table: &Table) {
    for line in table.lines() {
        // The cells bring a space of their own.
        println!(" {}", line.trim_end());
    }
}

/// A time as people read it.
pub(super) fn duration(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// A number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// So many of a thing.
pub(super) fn many(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_for_people() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(many(1, "grant"), "1 grant");
        assert_eq!(many(10_000, "grant"), "10,000 grants");
        assert_eq!(duration(Duration::from_micros(999)), "999 µs");
        assert_eq!(duration(Duration::from_micros(1_250)), "1.2 ms");
        assert_eq!(duration(Duration::from_millis(2_500)), "2.5 s");
    }
}
