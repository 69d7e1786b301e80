use super::*;
use crate::chat::room::change::Undo;
use crate::model::{Body, Epoch, RoomChange, RoomId, RoomName};
use crate::store::Seat;

const NOW: Time = Time(1_000_000);

fn name(user: i64) -> String {
    format!("user{user}")
}

/// Somebody who asks, by the number of the name.
fn asker(user: i64) -> Asker<'static> {
    let skeleton = Box::leak(skeleton_of(&name(user)).into_boxed_str());
    Asker { id: UserId(user), skeleton, look: skeleton, role: ServerRole::User, barred: false, now: NOW }
}

fn admin(user: i64) -> Asker<'static> {
    Asker { role: ServerRole::Admin, ..asker(user) }
}

/// Whom something is done to, by the number of the name.
fn upon(user: i64) -> Target<'static> {
    Target { id: UserId(user), name: Box::leak(name(user).into_boxed_str()), role: ServerRole::User }
}

fn room(kind: RoomKind, members: &[(i64, RoomRole)]) -> State {
    let seat = |(at, (user, role)): (usize, &(i64, RoomRole))| Seat {
        user: UserId(*user),
        role: *role,
        joined: Seq(at as u64 + 1),
    };
    State::new(&mut StoredRoom {
        id: RoomId(1),
        name: RoomName::trusted("a"),
        settings: Settings { kind, ..Settings::default() },
        epoch: Epoch("e".into()),
        first: Seq(1),
        head: Seq(9),
        heir: None,
        sides: None,
        members: members.iter().enumerate().map(seat).collect(),
        bans: Vec::new(),
        mutes: Vec::new(),
        invited: Vec::new(),
    })
}

fn body(user: i64, change: MemberChange, role: Option<RoomRole>, until: Option<Time>) -> Body {
    Body::Member { user: name(user).into(), user_id: UserId(user), change, role, reason: None, until }
}

fn change(state: &mut State, user: i64, change: MemberChange) -> Undo {
    let role = (change == Join).then_some(RoomRole::Member);
    state.apply(UserId(1), NOW, &body(user, change, role, None), true).unwrap()
}

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Option<Code> {
    result.err().map(|refusal| refusal.code)
}

use MemberChange::{Ban as Banning, Invite, Join, Kick, Leave, Mute, Role, Unban, Unmute};
use RoomRole::{Member as Plain, Moderator, Owner};

#[test]
fn only_members_speak() {
    let mut state = room(RoomKind::Public, &[]);
    assert_eq!(code(state.may_speak(asker(7))), Some(Code::NotAMember));
    change(&mut state, 7, Join);
    assert_eq!(code(state.may_speak(asker(7))), None);
    change(&mut state, 7, Leave);
    assert_eq!(code(state.may_speak(asker(7))), Some(Code::NotAMember));
}

#[test]
fn in_an_announce_room_moderators_speak_and_members_react() {
    let state = room(RoomKind::Announce, &[(1, Owner), (2, Moderator), (3, Plain)]);
    assert_eq!(code(state.may_speak(asker(1))), None);
    assert_eq!(code(state.may_speak(asker(2))), None);
    assert_eq!(code(state.may_speak(asker(3))), Some(Code::Forbidden));
    assert_eq!(code(state.may_react(asker(3))), None);
    assert_eq!(code(state.may_set_topic(asker(3))), Some(Code::Forbidden));
}

#[test]
fn a_private_room_is_nothing_to_who_is_not_asked_in() {
    let mut state = room(RoomKind::Private, &[(1, Owner)]);
    assert!(!state.sees(asker(2)) && state.sees(asker(1)) && state.sees(admin(9)));
    change(&mut state, 2, Invite);
    assert!(state.sees(asker(2)));
    assert_eq!(code(state.may_read(asker(2))), Some(Code::NotAMember), "asked in is not in");
    assert_eq!(code(state.may_read(admin(9))), Some(Code::NotAMember), "who reads has joined, for all to see");
    change(&mut state, 2, Join);
    assert_eq!(code(state.may_read(asker(2))), None);
    change(&mut state, 2, Banning);
    assert!(!state.sees(asker(2)));
    change(&mut state, 2, Unban);
    assert!(!state.sees(asker(2)), "the invitation was used up");
}

#[test]
fn a_ban_holds_until_its_end_and_against_look_alikes() {
    let mut state = room(RoomKind::Public, &[(1, Owner), (2, Plain)]);
    state.apply(UserId(1), NOW, &body(2, Banning, None, Some(Time(NOW.0 + 10))), true);
    assert_eq!(code(state.may_enter(asker(2))), Some(Code::Banned));
    let written = Asker { id: UserId(-6), skeleton: "another", ..asker(2) };
    assert_eq!(code(state.may_enter(written)), Some(Code::Banned), "it looks like it as it is written");
    let other = Asker { id: UserId(-5), ..asker(2) };
    assert_eq!(code(state.may_enter(other)), Some(Code::Banned), "the same name, another identity");
    assert_eq!(code(state.may_enter(Asker { now: Time(NOW.0 + 10), ..asker(2) })), None);
    assert_eq!(code(state.may_read(asker(2))), Some(Code::Banned));
}

#[test]
fn the_muted_take_back_but_do_not_speak() {
    let mut state = room(RoomKind::Public, &[(1, Owner), (2, Plain)]);
    change(&mut state, 2, Mute);
    for refused in [state.may_speak(asker(2)), state.may_react(asker(2)), state.may_set_topic(asker(2))] {
        assert_eq!(code(refused), Some(Code::Muted));
    }
    assert_eq!(state.may_delete(asker(2)), Ok(false));
    change(&mut state, 2, Unmute);
    assert_eq!(code(state.may_speak(asker(2))), None);
}

#[test]
fn everybody_acts_upon_those_who_stand_below() {
    let all = [(1, Owner), (2, Owner), (3, Moderator), (4, Moderator), (5, Plain), (6, Plain)];
    let state = room(RoomKind::Public, &all);
    let may = |asker, what, target: i64| code(state.may_moderate(asker, what, None, upon(target)));
    for what in [Kick, Banning, Mute] {
        assert_eq!(may(asker(1), what, 3), None);
        assert_eq!(may(asker(1), what, 2), Some(Code::Forbidden));
        assert_eq!(may(asker(3), what, 5), None);
        assert_eq!(may(asker(3), what, 4), Some(Code::Forbidden));
        assert_eq!(may(asker(3), what, 1), Some(Code::Forbidden));
        assert_eq!(may(asker(5), what, 6), Some(Code::Forbidden));
        assert_eq!(may(asker(1), what, 1), Some(Code::Forbidden), "not upon oneself");
        assert_eq!(may(asker(9), what, 5), Some(Code::NotAMember));
        assert_eq!(may(admin(9), what, 1), None);
        let admin_among_them = Target { role: ServerRole::Admin, ..upon(5) };
        for one in [asker(1), asker(3), admin(9)] {
            assert_eq!(code(state.may_moderate(one, what, None, admin_among_them)), Some(Code::Forbidden));
        }
    }
    assert_eq!(may(asker(3), Kick, 7), Some(Code::NoSuchUser));
    assert_eq!(may(asker(3), Unban, 7), Some(Code::NoSuchUser));
    assert_eq!(may(asker(3), Unmute, 7), Some(Code::NoSuchUser));
}

#[test]
fn a_room_never_loses_its_last_owner_by_accident() {
    let mut state = room(RoomKind::Public, &[(1, Owner), (2, Plain), (3, Moderator), (4, Moderator)]);
    let role =
        |state: &State, asker, target: i64, role| code(state.may_moderate(asker, Role, Some(role), upon(target)));
    assert_eq!(role(&state, asker(1), 1, Plain), Some(Code::Forbidden));
    assert_eq!(role(&state, admin(9), 1, Plain), Some(Code::Forbidden));
    assert_eq!(state.successor(UserId(1)), Some(UserId(3)), "the moderator who is longest in it");
    assert_eq!(state.successor(UserId(3)), None);
    assert_eq!(role(&state, asker(1), 2, Owner), None);
    state.apply(UserId(1), NOW, &body(2, Role, Some(Owner), None), true);
    assert_eq!(role(&state, asker(1), 1, Moderator), None, "one may step back where another stays");
    assert_eq!(role(&state, asker(1), 2, Plain), Some(Code::Forbidden));
    assert_eq!(state.successor(UserId(1)), None);
}

#[test]
fn an_abandoned_room_waits_for_its_owner() {
    let mut state = room(RoomKind::Public, &[(1, Owner)]);
    change(&mut state, 1, Leave);
    assert_eq!((state.role_on_entry(UserId(1)), state.role_on_entry(UserId(2))), (Owner, Plain));
    state.apply(UserId(1), NOW, &body(1, Join, Some(Owner), None), true);
    assert_eq!(state.heir, None);
}

#[test]
fn who_keeps_order_reaches_all_that_was_said_and_members_what_they_see() {
    let mut state = room(RoomKind::Private, &[(1, Owner), (2, Plain)]);
    state.first = Seq(3);
    let reach = |state: &State, user, others| state.reach_of(UserId(user), others);
    assert_eq!(
        (reach(&state, 2, false), reach(&state, 9, true), reach(&state, 9, false).0),
        (Seq(3), Seq(3), u64::MAX)
    );
    let joined = RoomChange { history: Some(Visibility::Joined), ..RoomChange::default() };
    state.apply(UserId(1), NOW, &Body::Room(joined), true);
    change(&mut state, 3, Join);
    state.joined(UserId(3), Seq(8));
    assert_eq!((reach(&state, 3, true), reach(&state, 9, true)), (Seq(8), Seq(3)));
}

#[test]
fn a_guest_may_be_asked_into_a_private_room() {
    let mut state = room(RoomKind::Private, &[(1, Owner)]);
    let guest = Asker { id: UserId(-7), ..asker(7) };
    assert!(!state.sees(guest));
    assert_eq!(code(state.may_moderate(asker(1), Invite, None, upon(-7))), None);
    change(&mut state, -7, Invite);
    assert!(state.sees(guest));
    assert!(!state.sees(Asker { id: UserId(-8), ..guest }), "a guest is not its name");
    state.add_guest(UserId(-7), name(7).into(), Seq(9));
    change(&mut state, -7, Kick);
    assert!(!state.sees(guest), "whoever was put out has to be asked again");
}

#[test]
fn slow_mode_makes_members_wait_and_moderators_not() {
    let mut state = room(RoomKind::Public, &[(1, Moderator), (2, Plain)]);
    state.apply(UserId(1), NOW, &Body::Room(RoomChange { slow_mode_s: Some(10), ..RoomChange::default() }), true);
    let said = Body::Message(crate::model::Message::new(crate::model::Text::trusted("x")));
    for user in [1, 2] {
        assert_eq!(code(state.may_speak_again(asker(user))), None);
        state.apply(UserId(user), NOW, &said, true);
    }
    assert_eq!(code(state.may_speak_again(asker(1))), None);
    let later = |ms| Asker { now: Time(NOW.0 + ms), ..asker(2) };
    assert_eq!(state.may_speak_again(later(4000)).unwrap_err().retry_after, Some(Duration::from_secs(6)));
    assert_eq!(code(state.may_speak_again(later(10_000))), None);
    assert_eq!(state.may_speak_again(later(-50_000)).unwrap_err().retry_after, Some(Duration::from_secs(10)));
}

#[test]
fn who_joined_sees_from_there_on_where_that_is_the_rule() {
    let mut state = room(RoomKind::Public, &[(1, Owner), (2, Plain)]);
    assert_eq!(state.may_read(asker(2)), Ok(Seq(1)));
    assert_eq!(state.may_read(asker(9)), Ok(Seq(1)));
    let joined = RoomChange { history: Some(Visibility::Joined), ..RoomChange::default() };
    state.apply(UserId(1), NOW, &Body::Room(joined), true);
    assert_eq!(state.may_read(asker(2)), Ok(Seq(2)));
    assert_eq!(code(state.may_read(asker(9))), Some(Code::NotAMember));
    change(&mut state, 9, Join);
    assert_eq!(state.may_read(asker(9)), Ok(Seq(u64::MAX)), "nothing, until it is committed");
    state.joined(UserId(9), Seq(7));
    assert_eq!(state.may_read(asker(9)), Ok(Seq(7)));
    assert!(state.add_guest(UserId(-1), "g".into(), Seq(8)));
    assert_eq!(state.first_of(UserId(-1)), Seq(8));
}

#[test]
fn what_was_taken_back_was_never_there() {
    let mut state = room(RoomKind::Private, &[(1, Owner), (2, Plain)]);
    change(&mut state, 5, Invite);
    change(&mut state, 6, Mute);
    let before = format!("{:?}", (sorted(&state), &state.settings, state.online));
    let settings = RoomChange { kind: Some(RoomKind::Public), slow_mode_s: Some(3), ..RoomChange::default() };
    let topic = Body::Topic { topic: Line::trusted("t") };
    let mut undos = vec![
        change(&mut state, 1, Leave),
        change(&mut state, 2, Banning),
        change(&mut state, 5, Join),
        change(&mut state, 6, Unmute),
        change(&mut state, 6, Mute),
        change(&mut state, 7, Invite),
        change(&mut state, 7, Invite),
        change(&mut state, 2, Unban),
        change(&mut state, 1, Join),
        state.apply(UserId(1), NOW, &body(1, Role, Some(Owner), None), true).unwrap(),
    ];
    undos.extend(state.apply(UserId(1), NOW, &Body::Room(settings), true));
    undos.extend(state.apply(UserId(1), NOW, &topic, true));
    for undo in undos.into_iter().rev() {
        state.undo(undo);
    }
    assert_eq!(format!("{:?}", (sorted(&state), &state.settings, state.online)), before);
}

/// Everything that a change may touch, in an order that does not depend on chance.
fn sorted(state: &State) -> String {
    let mut members: Vec<_> = state.members.iter().collect();
    members.sort_by_key(|(user, _)| **user);
    let mut invited: Vec<_> = state.invited.iter().collect();
    invited.sort();
    let mut barriers: Vec<_> = state.bans.iter().chain(&state.mutes).collect();
    barriers.sort_by_key(|(skeleton, _)| (*skeleton).clone());
    format!("{members:?} {invited:?} {barriers:?} {:?}", state.heir)
}

#[test]
fn the_count_of_those_online_is_true() {
    let mut state = room(RoomKind::Public, &[]);
    assert!(state.add_guest(UserId(-1), "g".into(), Seq(1)));
    assert!(!state.add_guest(UserId(-1), "g".into(), Seq(1)));
    change(&mut state, 1, Join);
    assert_eq!(state.online(), 2);
    assert!(state.set_online(UserId(1), false));
    assert!(!state.set_online(UserId(1), false));
    assert_eq!(state.online(), 1);
    assert!(state.remove_guest(UserId(-1)));
    assert!(!state.remove_guest(UserId(-1)));
    assert_eq!((state.online(), state.members()), (0, 1));
}
