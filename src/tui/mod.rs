//! The full-screen terminal client, on top of the typed [`Client`](crate::Client): what is shown is a pure function of a state, the
//! state a pure function of what happened, and every rule of the chat lives in the server.
