//! Typing.

use proptest::prelude::*;

use super::*;

fn editor(text: &str) -> Editor {
    let mut editor = Editor::new();
    editor.set(text);
    editor
}

/// The text with a bar where the cursor is.
fn state(editor: &Editor) -> String {
    let (before, behind) = editor.text().split_at(editor.cursor());
    format!("{before}|{behind}")
}

#[test]
fn keys_do_what_they_do_in_a_shell() {
    type Keys = &'static [fn(&mut Editor)];
    let cases: [(&str, Keys, &str); 16] = [
        ("one two", &[Editor::backspace], "one tw|"),
        ("one two", &[Editor::word_left, Editor::kill_word], "|two"),
        ("one two", &[Editor::kill_word, Editor::yank, Editor::yank], "one twotwo|"),
        ("one two", &[Editor::home, Editor::kill_word_forward], "| two"),
        ("one two", &[Editor::word_left, Editor::kill_to_start], "|two"),
        ("one two", &[Editor::word_left, Editor::kill_to_end], "one |"),
        ("one two", &[Editor::word_left, Editor::word_left, Editor::word_right], "one| two"),
        ("ab", &[Editor::transpose], "ba|"),
        ("abc", &[Editor::left, Editor::left, Editor::transpose], "ba|c"),
        ("a\nb", &[Editor::home, Editor::kill_to_start, Editor::backspace], "a|b"),
        ("a\nb", &[Editor::home, Editor::left, Editor::kill_to_end], "a|b"),
        ("e\u{301}x", &[Editor::left, Editor::backspace], "|x"),
        ("👩\u{200d}👧", &[Editor::backspace], "|"),
        ("", &[Editor::backspace, Editor::delete, Editor::left, Editor::right, Editor::transpose, Editor::undo], "|"),
        ("one two", &[Editor::kill_word, Editor::undo], "one two|"),
        ("one", &[Editor::newline, Editor::home, Editor::delete], "one\n|"),
    ];
    for (text, keys, expected) in cases {
        let mut editor = editor(text);
        keys.iter().for_each(|key| key(&mut editor));
        assert_eq!(state(&editor), expected, "{text:?}");
    }
}

#[test]
fn what_is_pasted_keeps_its_lines_and_loses_what_steers_terminals() {
    let mut editor = Editor::new();
    editor.paste("one\r\ntwo\rthree\u{1b}[31m\u{7}\u{202e}\ta\n");
    assert_eq!(editor.text(), "one\ntwo\nthree[31m    a");
    // More than any server takes is not taken here either.
    assert!(!editor.paste(&"x".repeat(MAX_BYTES)));
    assert_eq!(editor.text(), "one\ntwo\nthree[31m    a");
}

#[test]
fn lines_are_gone_through_by_their_columns() {
    let mut editor = editor("long line\nab\n漢字x");
    assert!(editor.up());
    assert_eq!(state(&editor), "long line\nab|\n漢字x");
    assert!(editor.up());
    assert_eq!(state(&editor), "lo|ng line\nab\n漢字x");
    assert!(!editor.up());
    editor.end();
    assert!(editor.down());
    assert!(editor.down());
    assert_eq!(state(&editor), "long line\nab\n漢|字x");
    assert!(!editor.down());
}

#[test]
fn a_word_is_undone_at_a_time() {
    let mut editor = Editor::new();
    "one two".chars().for_each(|c| editor.insert(c));
    editor.undo();
    assert_eq!(editor.text(), "one ");
    editor.undo();
    editor.undo();
    assert_eq!(editor.text(), "");
    editor.undo();
    assert_eq!(editor.text(), "");
}

#[test]
fn the_cursor_is_where_the_next_character_goes() {
    let cases = [
        ("", 5, 3, (&[""][..], 0, 0)),
        ("abc", 5, 3, (&["abc"], 0, 3)),
        ("abcde", 5, 3, (&["abcde", ""], 1, 0)),
        ("abcdefg", 5, 3, (&["abcde", "fg"], 1, 2)),
        ("abcdefghijklmnop", 5, 2, (&["klmno", "p"], 1, 1)),
        ("a\nb", 5, 3, (&["a", "b"], 1, 1)),
        ("漢字", 3, 3, (&["漢", "字"], 1, 2)),
        ("a ", 5, 3, (&["a "], 0, 2)),
        ("שלום", 9, 1, (&["םולש"], 0, 0)),
        ("ab שלום", 9, 1, (&["ab םולש"], 0, 7)),
    ];
    for (text, width, rows, expected) in cases {
        let view = editor(text).view(width, rows);
        let shown: Vec<&str> = view.rows.iter().map(String::as_str).collect();
        assert_eq!((&shown[..], view.cursor_row, view.cursor_column), expected, "{text:?} at {width}");
    }
    // In the middle of right-to-left text it stands on the character that it is in front of.
    let mut hebrew = editor("שלום");
    hebrew.left();
    assert_eq!(hebrew.view(9, 1).cursor_column, 0);
    hebrew.home();
    assert_eq!(hebrew.view(9, 1).cursor_column, 3);
}

proptest! {
    #[test]
    fn whatever_is_typed_the_cursor_is_on_the_screen(
        text in "(\\PC|\n|[אב]|漢|\u{301}|👩\u{200d}){0,40}",
        keys in prop::collection::vec(0..18usize, 0..30),
        width in 0..12usize,
        height in 1..5usize,
    ) {
        let deeds: [fn(&mut Editor); 18] = [
            Editor::left, Editor::right, Editor::home, Editor::end, Editor::word_left, Editor::word_right,
            Editor::backspace, Editor::delete, Editor::kill_word, Editor::kill_to_end, Editor::kill_to_start,
            Editor::kill_word_forward, Editor::yank, Editor::undo, Editor::transpose, Editor::newline,
            |editor| { editor.up(); }, |editor| { editor.down(); },
        ];
        let mut editor = editor(&text);
        for key in keys {
            deeds[key](&mut editor);
            prop_assert!(editor.text().is_char_boundary(editor.cursor()));
            let view = editor.view(width, height);
            prop_assert!(view.rows.len() <= height && view.cursor_row < view.rows.len(), "{view:?}");
            prop_assert!(view.cursor_column <= width.max(2), "{view:?}");
        }
    }
}
