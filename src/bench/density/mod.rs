//! How much memory instances of one image have, side by side: 1, 2, 4 … of them, each a probe
//! that does nothing.
//!
//! Each page is counted once. `vmm run` and whatever else stands outside of a wall has its
//! proportional share (PSS); so has a machine, whose guest's memory, the guest's page cache in
//! it, is memory of `vmm run`. What stands behind a wall of the host's kernel has what its
//! control group is charged, the kernel's memory and caches of files included. The page cache of
//! the image itself is one part for all.
//!
//! Not counted: memory of the kernel that is charged to no group of ours, as KVM's page tables.
//!
//! - [`count`]: the pages of one instance
//! - [`resident`]: the pages of a file

mod count;
mod resident;

use std::fs;
use std::path::Path;
use std::rc::Rc;

use super::behind::launcher::Launcher;
use super::behind::run::Failure;
use super::behind::session::Session;
use super::behind::{Choice, Shared};
use super::record::Density;
use count::Parts;

/// How far it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most instances.
    pub instances: u32,
    /// So many bytes of the host's memory stay available.
    pub floor: u64,
}

impl Bounds {
    /// At most so many `instances`, and never more than what leaves a quarter of what is
    /// available now.
    pub fn of_this_host(instances: u32) -> Self {
        Self {
            instances,
            floor: available() / 4,
        }
    }
}

/// A name in the list of workloads.
pub const NAME: &str = "density";
/// What it isolates.
pub const ISOLATES: &str = "memory for each of N idle instances";
/// Why a wall would change it.
pub const WHY: &str = "each wall has helpers, and a machine a kernel and caches of its own";

/// Counts for the target `name`; `each` gets what was found and says whether to go on.
///
/// # Errors
/// An instance cannot be had; what was found before stands.
pub fn measure(
    (name, choice): (&str, Choice),
    base: &Path,
    shared: &Rc<Shared>,
    bounds: Bounds,
    mut each: impl FnMut(Density) -> bool,
) -> Result<(), Failure> {
    let launcher = Launcher::new(name, choice, Rc::clone(shared));
    let mut instances = Vec::new();
    for count in counts(bounds.instances) {
        while (instances.len() as u64) < u64::from(count) {
            if available() < bounds.floor {
                return Ok(());
            }
            instances.push(Idle::start(&launcher, instances.len())?);
        }
        if !each(density(name, count, &instances, base)) {
            return Ok(());
        }
    }
    Ok(())
}

/// 1, 2, 4 … up to `most`.
fn counts(most: u32) -> impl Iterator<Item = u32> {
    let double = |count: &u32| count.checked_mul(2);
    std::iter::successors(Some(1), double).take_while(move |count| *count <= most)
}

/// An instance that does nothing; dropped, it ends.
struct Idle {
    name: String,
    session: Session,
}

impl Idle {
    fn start(launcher: &Launcher, number: usize) -> Result<Self, Failure> {
        let name = format!("{}-{number}", launcher.instance());
        let session = Session::start(launcher.idle(&name), &name, launcher.shared())?;
        Ok(Self { name, session })
    }
}

fn density(target: &str, instances: u32, all: &[Idle], base: &Path) -> Density {
    let each = all.iter();
    let counted = each.map(|idle| Parts::of(&idle.name, idle.session.process()));
    let sum = counted.fold(Parts::default(), Parts::plus);
    let mut parts = vec![
        ("vmm, its helpers, a machine".to_owned(), sum.outside),
        (
            "behind the wall, its kernel memory apart".to_owned(),
            sum.behind,
        ),
        ("kernel memory behind the wall".to_owned(), sum.kernel),
    ];
    let cached = resident::of(base).ok();
    parts.extend(cached.map(|bytes| ("page cache of the image, once".to_owned(), bytes)));
    Density {
        target: target.to_owned(),
        instances,
        bytes: parts.iter().map(|(_, bytes)| bytes).sum(),
        parts,
    }
}

/// What the host can still give, as its kernel estimates.
fn available() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    count::kibibytes(&meminfo, "MemAvailable").unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_double_up_to_the_most() {
        assert_eq!(counts(16).collect::<Vec<_>>(), [1, 2, 4, 8, 16]);
        assert_eq!(counts(3).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(counts(0).count(), 0);
        assert_eq!(counts(u32::MAX).count(), 32);
    }

    #[test]
    fn a_host_keeps_a_quarter_of_what_it_has() {
        let bounds = Bounds::of_this_host(16);
        assert!(bounds.floor > 0 && bounds.floor < available());
    }
}
