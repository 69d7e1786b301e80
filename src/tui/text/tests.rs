//! Whatever the text, its rows fit, nothing of it is lost, and nothing of it does harm.

use proptest::prelude::*;

use super::*;

/// Letters, blanks, wide and combining characters, emoji, right-to-left scripts, and what means harm.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        6 => "[a-z]{1,8}",
        4 => Just(" ".to_owned()),
        1 => Just("\n".to_owned()),
        1 => Just("\t".to_owned()),
        2 => "[漢字かな]{1,4}",
        1 => Just("👩\u{200d}👩\u{200d}👧".to_owned()),
        1 => Just("🇳🇴".to_owned()),
        1 => Just("❤\u{fe0f}".to_owned()),
        2 => "[אבגד]{1,5}",
        1 => "[()<>«»{}]{1,3}",
        1 => "\u{301}{1,30}",
        1 => Just("\u{200b}".to_owned()),
        1 => "[\u{1100}-\u{1112}\u{1161}-\u{1175}]{1,20}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

proptest! {
    #[test]
    fn what_is_shown_does_no_harm_and_twice_is_once(text in any_text(), breaks: bool) {
        let once = harmless(&text, breaks);
        prop_assert!(!once.chars().any(|c| c.is_control() && c != '\n'), "{once:?}");
        prop_assert!(breaks || !once.contains('\n'));
        prop_assert!(cells(&once).all(|(cluster, width)| width > 0 || cluster == "\n"), "{once:?}");
        prop_assert!(once.graphemes(true).all(|cluster| cluster.len() <= MAX_CLUSTER_BYTES + 3), "{once:?}");
        prop_assert_eq!(harmless(&once, breaks), once);
    }

    #[test]
    fn rows_fit_and_hold_all_that_was_said(text in any_text(), width in 1..30usize) {
        let text = harmless(&text, true);
        let rows = wrap(&text, width);
        prop_assert!(rows.iter().all(|row| super::width(row) <= width), "{rows:?}");
        prop_assert!(rows.iter().all(|row| !row.ends_with(' ')), "{rows:?}");
        if cells(&text).all(|(_, cells)| cells <= width) {
            prop_assert_eq!(without_blanks(&rows.concat()), without_blanks(&text));
        }
    }

    #[test]
    fn a_row_in_its_order_has_the_same_clusters(text in any_text(), rtl: bool) {
        let row = harmless(&text, false);
        let seen = visual(&row, rtl);
        let sorted = |text: &str| {
            let mut clusters: Vec<String> = text.graphemes(true).map(mirrored_once).collect();
            clusters.sort();
            clusters.concat()
        };
        prop_assert_eq!(sorted(&seen).chars().count(), sorted(&row).chars().count());
        let mut written: Vec<usize> =
            in_order(&row, rtl).map_or_else(Vec::new, |order| order.iter().map(|seen| seen.written).collect());
        written.sort_unstable();
        prop_assert!(written.iter().enumerate().all(|(at, written)| at == *written));
    }

    #[test]
    fn what_is_fitted_fits(text in any_text(), width in 0..30usize) {
        let text = harmless(&text, false);
        prop_assert!(super::width(&fit(&text, width)) <= width);
        prop_assert_eq!(super::width(&pad(&text, width)), width);
        if super::width(&text) <= width {
            prop_assert_eq!(fit(&text, width), text);
        }
    }
}

/// One of each pair of brackets, so that both count as the same.
fn mirrored_once(cluster: &str) -> String {
    let other = mirrored(cluster);
    if other.as_str() < cluster { other } else { cluster.to_owned() }
}

#[test]
fn rows_end_where_a_reader_expects_it() {
    let cases: [(&str, usize, &[&str]); 13] = [
        ("", 5, &[""]),
        ("one two three", 7, &["one two", "three"]),
        ("one two three", 8, &["one two", "three"]),
        ("one  two", 4, &["one", "two"]),
        ("a\n\nb", 5, &["a", "", "b"]),
        ("  indented text", 10, &["  indented", "text"]),
        ("unbreakable", 4, &["unbr", "eaka", "ble"]),
        ("so unbreakable", 6, &["so", "unbrea", "kable"]),
        ("漢字漢字", 5, &["漢字", "漢字"]),
        ("ab漢字", 3, &["ab", "漢", "字"]),
        ("漢", 1, &["\u{25af}"]),
        ("abc", 0, &["a", "b", "c"]),
        ("end ", 3, &["end"]),
    ];
    for (text, width, rows) in cases {
        assert_eq!(wrap(text, width), rows, "{text:?} at {width}");
    }
}

#[test]
fn widths_are_those_of_terminals() {
    for (text, cells) in [
        ("abc", 3),
        ("漢字", 4),
        ("e\u{301}", 1),
        ("👩\u{200d}👩\u{200d}👧\u{200d}👦", 2),
        ("🇳🇴", 2),
        ("👍🏽", 2),
        ("❤\u{fe0f}", 2),
    ] {
        assert_eq!(width(text), cells, "{text}");
    }
}

#[test]
fn tones_are_left_out_without_a_change_of_width() {
    for (text, simple) in [("a👍🏽b", "a👍b"), ("👩🏽\u{200d}🚀", "👩\u{200d}🚀"), ("🏽", "🏽"), ("plain", "plain")]
    {
        assert_eq!(without_tones(text), simple);
        assert_eq!(width(simple), width(text));
    }
}

#[test]
fn what_piles_up_or_hides_is_cut_or_named() {
    let zalgo = format!("a{}b", "\u{301}".repeat(1000));
    let shown = harmless(&zalgo, false);
    assert!(shown.len() < 80 && shown.ends_with("\u{25af}b"), "{shown:?}");
    assert_eq!(harmless("\u{301}x", false), "\u{25cc}\u{301}x");
    assert_eq!(harmless("a\u{200b}b", false), "ab");
    assert_eq!(harmless("tab\there", true), "tab    here");
    assert_eq!(harmless("a\u{1b}[31m", false), "a\u{241b}[31m");
    // A single cluster of a whole message, and one of all joiners.
    assert!(harmless(&"\u{301}".repeat(8000), false).len() < 100);
    assert!(harmless(&"👨\u{200d}".repeat(2000), false).len() < 100);
}

#[test]
fn right_to_left_text_stands_in_the_order_in_which_it_is_read() {
    let cases = [
        ("plain", false, "plain"),
        ("שלום", true, "םולש"),
        ("שלום abc", true, "abc םולש"),
        ("abc שלום def", false, "abc םולש def"),
        ("שלום (abc)", true, "(abc) םולש"),
        ("(שלום)", true, "(םולש)"),
        ("שלום 123", true, "123 םולש"),
    ];
    for (row, rtl, seen) in cases {
        assert_eq!(visual(row, rtl), seen, "{row}");
        assert_eq!(is_rtl(row), rtl, "{row}");
    }
}
