//! What a bench has found, as it is read. It measures nothing and decides nothing: all that it
//! says stands in the [`Summary`](crate::bench::summary::Summary).

pub mod example;
pub mod progress;
pub mod text;
mod words;
