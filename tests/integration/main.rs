//! What snakk promises, tried from outside: real sockets, real files, the real programs.
//!
//! One binary, a module for each behaviour; `support` is the small language that they are written in.

mod durability;
mod load;
mod startup;
mod support;
