//! How long a container takes from nothing to nothing: `cargo test --test container -- speed`.

use std::time::{Duration, Instant};

use rustix::process::geteuid;

use super::fixture::{self, Fixture, stdio};

const ROUNDS: usize = 40;

/// One run of each in turn, [`ROUNDS`] times; the median of each.
pub fn measure() {
    assert!(geteuid().is_root(), "only root can measure this");
    let fixtures: Vec<(&str, Fixture)> = fixture::runtimes()
        .into_iter()
        .filter(|(_, runtime)| fixture::is_there(runtime))
        .map(|(name, runtime)| (name, Fixture::new(name, "speed", runtime)))
        .collect();
    let mut samples = vec![Vec::new(); fixtures.len()];
    for _ in 0..ROUNDS {
        for ((_, fixture), samples) in fixtures.iter().zip(&mut samples) {
            samples.push(one(fixture));
        }
    }
    for ((name, _), samples) in fixtures.iter().zip(samples) {
        let (wall, cpu): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        println!("{name}: wall {}, CPU {}", summary(wall), summary(cpu));
    }
}

fn summary(mut times: Vec<Duration>) -> String {
    times.sort();
    format!("{:.1?} (least {:.1?})", times[times.len() / 2], times[0])
}

fn one(fixture: &Fixture) -> (Duration, Duration) {
    let (begun, cpu) = (Instant::now(), cpu());
    let (_output, stdio) = stdio();
    let mut container = fixture.create(&fixture.spec("exit 0"), stdio).unwrap();
    container.start().unwrap();
    container.wait().unwrap();
    container.delete().unwrap();
    (begun.elapsed(), self::cpu() - cpu)
}

/// What we and all that we have waited for have used.
fn cpu() -> Duration {
    let clock = |who| {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: it is a `rusage`, for the kernel to fill.
        unsafe { libc::getrusage(who, usage.as_mut_ptr()) };
        // SAFETY: every bit pattern is a `rusage`, and this one was zeroed.
        let usage = unsafe { usage.assume_init() };
        [usage.ru_utime, usage.ru_stime].map(|time| {
            Duration::from_micros(u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap())
        })
    };
    [clock(libc::RUSAGE_SELF), clock(libc::RUSAGE_CHILDREN)]
        .concat()
        .into_iter()
        .sum()
}
