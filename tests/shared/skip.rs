//! Tests that mean nothing behind some wall: told as ignored, with the reason, and not as passed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use libtest_mimic::{Completion, Trial};

struct Skipped(&'static str);

/// Ends the test that calls it, since it means nothing here, as `why` says.
pub fn skip(why: &'static str) -> ! {
    resume_unwind(Box::new(Skipped(why)))
}

/// The test `name`, which may skip.
pub fn trial(name: String, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || {
        let Err(panic) = catch_unwind(AssertUnwindSafe(test)) else {
            return Ok(Completion::Completed);
        };
        match panic.downcast::<Skipped>() {
            Ok(skipped) => Ok(Completion::ignored_with(skipped.0)),
            Err(panic) => resume_unwind(panic),
        }
    })
}
