//! `snakk host`: the server and the client in one program. Whoever runs it talks, and others come in for as long as it
//! runs.

#[cfg(feature = "server")]
mod embedded;
#[cfg(feature = "server")]
mod reach;

#[cfg(feature = "server")]
pub(crate) use embedded::run;

/// Without the server there is nothing to be.
#[cfg(not(feature = "server"))]
pub(crate) async fn run(_: crate::setup::Setup, _: crate::args::Host, _: bool) -> Result<(), crate::failure::Failure> {
    let what = "this snakk was built without the server, so it cannot be one";
    Err(crate::failure::Failure::new(crate::failure::Failure::USAGE, what))
}
