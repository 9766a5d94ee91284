//! Huge pages: those that the kernel makes by itself, and those set aside.

use std::fs;
use std::path::Path;

use serde::Serialize;

/// What the host has of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HugePages {
    /// When the kernel makes them by itself: `always`, `madvise`, `never`; none where it cannot.
    pub transparent: Option<String>,
    /// Those set aside, by size.
    pub pools: Vec<Pool>,
}

/// Pages of one size that are set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pool {
    /// The size of each.
    pub page_kib: u64,
    /// How many there are.
    pub total: u64,
    /// How many are free.
    pub free: u64,
}

impl HugePages {
    /// Whether guest memory, which asks for them, gets them.
    pub fn are_given_on_request(&self) -> bool {
        matches!(self.transparent.as_deref(), Some("always" | "madvise"))
    }
}

/// Looks at this host.
pub fn examine() -> HugePages {
    in_directory(Path::new("/sys/kernel/mm"))
}

fn in_directory(mm: &Path) -> HugePages {
    let states = fs::read_to_string(mm.join("transparent_hugepage/enabled")).ok();
    let entries = fs::read_dir(mm.join("hugepages")).into_iter().flatten();
    let mut pools: Vec<Pool> = entries
        .filter_map(|entry| pool(&entry.ok()?.path()))
        .collect();
    pools.sort_by_key(|pool| pool.page_kib);
    HugePages {
        transparent: states.as_deref().and_then(chosen).map(str::to_owned),
        pools,
    }
}

/// The state in brackets: `always [madvise] never`.
fn chosen(states: &str) -> Option<&str> {
    let (_, rest) = states.split_once('[')?;
    rest.split_once(']').map(|(state, _)| state)
}

/// A directory `hugepages-2048kB`.
fn pool(directory: &Path) -> Option<Pool> {
    let name = directory.file_name()?.to_str()?;
    let size = name.strip_prefix("hugepages-")?.strip_suffix("kB")?;
    let number = |file: &str| {
        let text = fs::read_to_string(directory.join(file)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    };
    Some(Pool {
        page_kib: size.parse().ok()?,
        total: number("nr_hugepages"),
        free: number("free_hugepages"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_in_brackets_is_the_chosen_one() {
        assert_eq!(chosen("always [madvise] never\n"), Some("madvise"));
        assert_eq!(chosen("gibberish"), None);
    }

    #[test]
    fn a_pool_is_a_directory_with_its_size_in_the_name() {
        let mm = tempfile::tempdir().unwrap();
        let directory = mm.path().join("hugepages/hugepages-2048kB");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("nr_hugepages"), "8\n").unwrap();
        fs::write(directory.join("free_hugepages"), "5\n").unwrap();
        let found = in_directory(mm.path());
        let pool = Pool {
            page_kib: 2048,
            total: 8,
            free: 5,
        };
        assert_eq!((found.pools, found.transparent), (vec![pool], None));
    }
}
