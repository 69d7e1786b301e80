//! Text on a grid of cells: how wide it is, where it is cut into rows, in which order its characters stand, and what of it
//! can be shown at all. Pure; linear in the length of the text, whatever the text is.

use std::borrow::Cow;

use unicode_bidi::{BidiInfo, Direction, Level, get_base_direction};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::model::text::safe;

/// The longest grapheme cluster that is shown whole. A family of four with skin tones has 11 code points and 41 bytes; what
/// is longer piles up marks ("zalgo"), and would cover the lines around it.
const MAX_CLUSTER_CHARS: usize = 16;
const MAX_CLUSTER_BYTES: usize = 64;
/// What stands for something that cannot be shown. Not U+FFFD, which some terminals leave out, and all that follows is then a
/// column off.
const MARK: &str = "\u{25af}";
/// What a mark without a letter stands on (Unicode, chapter 7.9).
const DOTTED_CIRCLE: char = '\u{25cc}';
/// How many blanks a tab is: columns do not survive what stands in front of a message.
const TAB: &str = "    ";

/// The grapheme clusters of a text, each with its width in cells.
pub(crate) fn cells(text: &str) -> impl DoubleEndedIterator<Item = (&str, usize)> {
    text.graphemes(true).map(|cluster| (cluster, cluster.width()))
}

/// How many cells a text takes.
pub(crate) fn width(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => cells(text).map(|(_, width)| width).sum(),
    }
}

/// The text as it may be put on a grid of cells: nothing in it moves the cursor or reorders what is around it, no cluster is
/// without end, each takes at least a cell. `breaks` lets newlines pass.
pub(crate) fn harmless(text: &str, breaks: bool) -> String {
    let mut shown = safe(text, breaks).replace('\t', TAB).replace('\u{fffd}', MARK);
    // What is dropped may bring together what was apart; that is settled soon.
    for _ in 0..4 {
        let next = clusters_that_show(&shown);
        if next == shown {
            break;
        }
        shown = next;
    }
    shown
}

fn clusters_that_show(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for cluster in text.graphemes(true) {
        let is_long = cluster.len() > MAX_CLUSTER_BYTES || cluster.chars().nth(MAX_CLUSTER_CHARS).is_some();
        if is_long {
            let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= MAX_CLUSTER_BYTES / 2;
            let start = cluster.char_indices().take(MAX_CLUSTER_CHARS / 2).take_while(fits);
            let start: String = start.map(|(_, c)| c).collect();
            shown.push_str(&start);
            shown.push_str(MARK);
        } else if cluster == "\n" || cluster.width() > 0 {
            shown.push_str(cluster);
        } else if is_letter_or_mark(cluster) {
            let based = format!("{DOTTED_CIRCLE}{cluster}");
            // A mark stands on the circle; half of a Korean syllable does not.
            shown.push_str(if based.graphemes(true).count() == 1 { &based } else { MARK });
        }
        // What is left has no width and no shape, such as a zero-width space: it is only there to deceive or to allow a
        // break, and neither is needed.
    }
    shown
}

/// Whether there is something to see in a cluster that has no width of its own: all but a few invisible characters.
fn is_letter_or_mark(cluster: &str) -> bool {
    !cluster.chars().all(|c| {
        matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0100}'..='\u{e01ef}')
    })
}

/// The rows of a text, each of at most so many cells. Rows end at newlines, else behind blanks or beside ideographs, else
/// between two clusters. Blanks at the end of a row are dropped, those at the beginning of a line are kept.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut rows = Vec::new();
    for line in text.split('\n') {
        wrap_line(line, width, &mut rows);
    }
    rows
}

fn wrap_line(line: &str, width: usize, rows: &mut Vec<String>) {
    let mut row = String::new();
    let mut used = 0;
    // Behind which byte the row may be broken, and how many cells are in front of that.
    let mut last_break: Option<(usize, usize)> = None;
    // Blanks that had no room at the end of a row are gone; this is the beginning of another one.
    let mut is_continued = false;
    for (cluster, cells) in cells(line) {
        let (cluster, cells) = if cells > width { (MARK, 1) } else { (cluster, cells) };
        if cluster == " " {
            if is_continued && row.is_empty() {
                continue;
            }
            if used + 1 > width {
                end_row(&mut row, rows);
                (used, last_break, is_continued) = (0, None, true);
                continue;
            }
        } else if cells == 2 && used > 0 {
            last_break = Some((row.len(), used));
        }
        if used + cells > width {
            match last_break.filter(|(at, _)| !row.get(..*at).unwrap_or_default().trim_end().is_empty()) {
                Some((at, before)) => {
                    let rest = row.split_off(at);
                    end_row(&mut row, rows);
                    row = rest;
                    used -= before;
                }
                None => {
                    end_row(&mut row, rows);
                    used = 0;
                }
            }
            (last_break, is_continued) = (None, true);
        }
        // What was carried over may still be too long for this one: then it is a row of its own.
        if used + cells > width {
            end_row(&mut row, rows);
            used = 0;
        }
        row.push_str(cluster);
        used += cells;
        if cluster == " " || cells == 2 {
            last_break = Some((row.len(), used));
        }
    }
    if !is_continued || !row.is_empty() {
        end_row(&mut row, rows);
    }
}

fn end_row(row: &mut String, rows: &mut Vec<String>) {
    row.truncate(row.trim_end_matches(' ').len());
    rows.push(std::mem::take(row));
}

/// Whether a paragraph is written from the right to the left: its first strong character says so (UAX 9, P2 and P3).
pub(crate) fn is_rtl(paragraph: &str) -> bool {
    may_be_rtl(paragraph) && get_base_direction(paragraph) == Direction::Rtl
}

/// One row in the order in which it is seen from the left to the right (UAX 9), for terminals that do not reorder; `rtl` is
/// the direction of its paragraph. Clusters stay whole, and brackets are mirrored where they have to be.
pub(crate) fn visual(row: &str, rtl: bool) -> String {
    in_order(row, rtl).map_or_else(|| row.to_owned(), |order| order.into_iter().map(|seen| seen.shown).collect())
}

/// A cluster in its place.
pub(crate) struct Seen {
    /// As it is shown.
    pub(crate) shown: String,
    /// Where it stands in the row as it was written, counted in clusters.
    pub(crate) written: usize,
}

/// The clusters of a row in the order in which they are seen; `None` where that is the order in which they are written.
pub(crate) fn in_order(row: &str, rtl: bool) -> Option<Vec<Seen>> {
    if !may_be_rtl(row) && !rtl {
        return None;
    }
    let level = if rtl { Level::rtl() } else { Level::ltr() };
    let info = BidiInfo::new(row, Some(level));
    let paragraph = info.paragraphs.first()?;
    let levels = info.reordered_levels(paragraph, paragraph.range.clone());
    let clusters: Vec<(usize, &str)> = row.grapheme_indices(true).collect();
    let of_clusters: Vec<Level> = clusters.iter().map(|(at, _)| levels.get(*at).copied().unwrap_or(level)).collect();
    let order = BidiInfo::reorder_visual(&of_clusters);
    let seen = order.into_iter().filter_map(|written| {
        let (_, cluster) = clusters.get(written)?;
        let is_turned = of_clusters.get(written).is_some_and(Level::is_rtl);
        let shown = if is_turned { mirrored(cluster) } else { (*cluster).to_owned() };
        Some(Seen { shown, written })
    });
    Some(seen.collect())
}

/// Whether there may be something from the right to the left in it: such scripts begin with Hebrew, and most texts are done
/// with at once.
fn may_be_rtl(text: &str) -> bool {
    text.chars().any(|c| c >= '\u{590}')
}

/// The brackets that people type, as seen in a mirror (UAX 9, L4; the whole list is BidiMirroring.txt).
fn mirrored(cluster: &str) -> String {
    let pairs = ["()", "[]", "{}", "<>", "«»", "‹›", "≤≥"];
    for pair in pairs {
        let mut both = pair.chars();
        let (Some(one), Some(other)) = (both.next(), both.next()) else { continue };
        let mut chars = cluster.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c == one => return other.to_string(),
            (Some(c), None) if c == other => return one.to_string(),
            _ => {}
        }
    }
    cluster.to_owned()
}

/// The text without the skin tones of its emoji (UTS 51, ED-11), for terminals that show them apart. It takes as many cells
/// as before.
pub(crate) fn without_tones(text: &str) -> Cow<'_, str> {
    let is_tone = |c: char| matches!(c, '\u{1f3fb}'..='\u{1f3ff}');
    if !text.contains(is_tone) {
        return Cow::Borrowed(text);
    }
    let whole = |cluster: &str| cluster.chars().next().is_some_and(is_tone);
    let clusters = text.graphemes(true);
    clusters.map(|cluster| if whole(cluster) { cluster.to_owned() } else { cluster.replace(is_tone, "") }).collect()
}

/// The text in at most so many cells, with an ellipsis where something is left out.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let mut used = 0;
    // Where the text is cut if it turns out to be too long: there is room for the ellipsis behind it.
    let mut cut = 0;
    let mut end = 0;
    for (cluster, cells) in cells(text) {
        used += cells;
        if used > width {
            let start = text.get(..cut).unwrap_or_default();
            return if width == 0 { String::new() } else { format!("{start}…") };
        }
        end += cluster.len();
        if used < width {
            cut = end;
        }
    }
    text.to_owned()
}

/// The text in exactly so many cells: cut, or filled up with blanks.
pub(crate) fn pad(text: &str, width: usize) -> String {
    let mut fitted = fit(text, width);
    let blank = width.saturating_sub(self::width(&fitted));
    fitted.extend(std::iter::repeat_n(' ', blank));
    fitted
}

#[cfg(test)]
mod tests;
