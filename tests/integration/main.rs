//! What snakk promises, tried from outside: real sockets, real files, the real programs.
//!
//! One binary, a module for each behaviour; `support` is the small language that they are written in.

mod client;
mod durability;
mod embed;
mod load;
mod plans;
mod slow_reader;
mod startup;
mod support;
