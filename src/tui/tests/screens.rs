//! The screen as it is drawn, as text.

use super::Person;

#[test]
fn placeholder() {
    Person::new(0);
}
