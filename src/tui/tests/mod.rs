//! The screen without a terminal and without a server: what happens goes in, and what is drawn is compared as text.

mod evenings;
mod manual;
mod person;
mod returning;
mod screens;
mod sending;
mod untrusted;
mod visiting;

pub(crate) use person::Person;
