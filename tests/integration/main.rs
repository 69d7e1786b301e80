//! What snakk promises, tried from outside: real sockets, real files, the real programs.
//!
//! One binary, a module for each behaviour; `support` is the small language that they are written in.

mod abuse;
mod accounts;
mod backup;
mod course;
mod deletion;
mod direct;
mod disclosure;
mod docs;
mod durability;
mod edges;
mod embed;
mod erasure;
mod export;
mod fixtures;
mod framing;
mod hints;
mod layers;
mod levels;
mod limits;
mod load;
mod native;
mod plans;
mod posting;
mod reading;
mod removal;
mod retention;
mod rights;
mod rooms;
mod rules;
mod searching;
mod secrets;
mod slow_reader;
mod startup;
mod support;
mod suspensions;
mod talking;
mod terminal;
mod text;
mod tokens;
mod transcripts;
mod users;
