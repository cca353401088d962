//! What the crate promises, seen from outside.
#![expect(clippy::expect_used, reason = "fixtures outside the test functions may fail the test")]

mod assertions;
mod mint;
mod properties;
mod sealing;
mod tokens;
