//! Which part of the screen is for what. What there is no room for is left out, the least important first.

use super::state::State;
use super::text;

/// From this width on there is a list of rooms, from that on one of the members too.
const ROOMS_FROM: u16 = 70;
pub(crate) const MEMBERS_FROM: u16 = 90;
/// Below this height there is no topic.
const TOPIC_FROM: u16 = 8;

/// A part of the screen, in cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) width: u16,
    pub(crate) height: u16,
}

/// The parts of the screen. One without width or height is not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Areas {
    pub(crate) rooms: Area,
    pub(crate) topic: Area,
    pub(crate) messages: Area,
    /// What is below the edge of the messages, while one looks into the past.
    pub(crate) below: Area,
    pub(crate) members: Area,
    pub(crate) status: Area,
    pub(crate) input: Area,
}

impl Areas {
    /// The parts of the screen as it is now.
    pub(crate) fn of(state: &State) -> Areas {
        let (width, height) = state.size;
        let rooms_width = match width {
            ROOMS_FROM.. => {
                let longest = state.rooms.iter().map(|room| text::width(&room.name).min(40)).max().unwrap_or(0);
                u16::try_from(longest + 8).unwrap_or(u16::MAX).clamp(14, (width / 5).max(14))
            }
            _ => 0,
        };
        let has_members = !state.room().is_direct() && !state.rooms.is_empty();
        let members_width = match width {
            MEMBERS_FROM.. if state.show_members && has_members => (width / 6).clamp(14, 24),
            _ => 0,
        };
        let status = u16::from(height >= 2);
        let topic = u16::from(height >= TOPIC_FROM);
        let prompt = prompt(state, width);
        let columns = width.saturating_sub(u16::try_from(text::width(&prompt)).unwrap_or(0)).max(1);
        let most = (height / 3).max(1);
        let rows = state.room().editor.view(usize::from(columns), usize::from(most)).rows.len();
        let input = u16::try_from(rows).unwrap_or(most).clamp(1, most);
        let middle = height.saturating_sub(status + topic + input);
        let left = if rooms_width > 0 { rooms_width + 1 } else { 0 };
        let right = if members_width > 0 { members_width + 1 } else { 0 };
        let y = topic;
        let below = u16::from(middle >= 3 && !state.room().at_end());
        let columns = width.saturating_sub(left + right);
        Areas {
            rooms: Area { x: 0, y, width: rooms_width, height: middle },
            topic: Area { x: 0, y: 0, width, height: topic },
            messages: Area { x: left, y, width: columns, height: middle - below },
            below: Area { x: left, y: y + middle - below, width: columns, height: below },
            members: Area { x: width.saturating_sub(members_width), y, width: members_width, height: middle },
            status: Area { x: 0, y: y + middle, width, height: status },
            input: Area { x: 0, y: y + middle + status, width, height: input },
        }
    }
}

/// What stands in front of the input line: where it goes to.
pub(crate) fn prompt(state: &State, width: u16) -> String {
    use super::state::room::Compose;
    let room = state.room();
    let name = text::fit(&text::harmless(&room.name, false), 16);
    let words = match room.compose {
        Compose::Plain => name,
        Compose::Reply(seq) => {
            let to = room.shown().log.get(seq).map(|message| text::fit(&text::harmless(&message.from, false), 12));
            format!("reply {}", to.unwrap_or_default())
        }
        Compose::Edit(_) => "edit".to_owned(),
        Compose::React(_) => "react".to_owned(),
    };
    let prompt = format!("{}> ", words.trim_end());
    if text::width(&prompt) * 3 > usize::from(width) { "> ".to_owned() } else { prompt }
}
