//! What snakk promises, tried from outside: real sockets, real files, the real programs.
//!
//! One binary, a module for each behaviour; `support` is the small language that they are written in.

mod accounts;
mod course;
mod docs;
mod durability;
mod edges;
mod embed;
mod framing;
mod layers;
mod limits;
mod load;
mod native;
mod plans;
mod posting;
mod rights;
mod rooms;
mod rules;
mod slow_reader;
mod startup;
mod support;
mod talking;
mod terminal;
mod transcripts;
