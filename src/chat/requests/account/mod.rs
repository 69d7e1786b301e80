//! Who somebody is: guests, accounts, what proves it, and what a user decides about itself.

mod attempt;
mod hello;
mod identity;
mod leave;
mod login;
mod newcomer;
mod own;
mod register;
mod tokens;

use attempt::Attempt;
pub(super) use hello::{hello, whoami};
pub(in crate::chat) use leave::{delete_account, user_of};
pub(super) use login::{enter, login, logout};
pub(in crate::chat) use newcomer::claim;
pub(super) use own::{block, delete, password, sessions, unblock};
pub(super) use register::register;
pub(super) use tokens::token;
