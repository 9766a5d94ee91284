//! Processors of the host, as `taskset -c` and the kernel name them: `0-3,8`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use rustix::thread::{CpuSet, sched_getaffinity};

/// Why a text names no processors.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpuListError {
    /// It is none.
    #[error("'{0}' is no list of CPUs: use numbers and ranges, as in 0-3,8")]
    NotAList(String),
    /// It names one that a set cannot hold.
    #[error("there is no CPU {0}: the last is {last}", last = CpuSet::MAX_CPU - 1)]
    TooLarge(usize),
}

/// Some processors, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuList(BTreeSet<usize>);

impl CpuList {
    /// Those that this thread may run on.
    pub fn of_this_thread() -> Self {
        let allowed = sched_getaffinity(None).unwrap_or_default();
        let cpus: BTreeSet<usize> = (0..CpuSet::MAX_CPU)
            .filter(|cpu| allowed.is_set(*cpu))
            .collect();
        match cpus.is_empty() {
            true => Self(BTreeSet::from([0])),
            false => Self(cpus),
        }
    }

    /// The first `count` of them, at least one.
    pub fn first(&self, count: usize) -> Self {
        Self(self.0.iter().copied().take(count.max(1)).collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Those that `other` has not.
    pub fn beyond(&self, other: &Self) -> Option<Self> {
        let beyond: BTreeSet<usize> = self.0.difference(&other.0).copied().collect();
        (!beyond.is_empty()).then_some(Self(beyond))
    }

    /// As the kernel takes them.
    pub fn set(&self) -> CpuSet {
        let mut set = CpuSet::new();
        self.0.iter().for_each(|cpu| set.set(*cpu));
        set
    }
}

impl FromStr for CpuList {
    type Err = CpuListError;

    fn from_str(text: &str) -> Result<Self, CpuListError> {
        let wrong = || CpuListError::NotAList(text.to_owned());
        let number = |text: &str| match text.parse() {
            Ok(cpu) if cpu < CpuSet::MAX_CPU => Ok(cpu),
            Ok(cpu) => Err(CpuListError::TooLarge(cpu)),
            Err(_) => Err(wrong()),
        };
        let mut cpus = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(wrong());
            }
            cpus.extend(first..=last);
        }
        Ok(Self(cpus))
    }
}

impl fmt::Display for CpuList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.iter().copied().peekable();
        let mut comma = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if_eq(&(last + 1)) {
                last = next;
            }
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> CpuList {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_is_written_as_the_kernel_writes_it() {
        for (typed, written) in [("0", "0"), ("0,1,2,8", "0-2,8"), ("3-4,0-1", "0-1,3-4")] {
            assert_eq!(list(typed).to_string(), written);
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", ",", "1-", "2-1", "a", "-1", "0x1"] {
            let error = text.parse::<CpuList>().unwrap_err();
            assert_eq!(error, CpuListError::NotAList(text.to_owned()));
        }
        let error = "0-99999999999".parse::<CpuList>().unwrap_err();
        assert_eq!(error, CpuListError::TooLarge(99_999_999_999));
    }

    #[test]
    fn a_part_of_a_list_is_one() {
        assert_eq!(list("2-5").first(2), list("2-3"));
        assert_eq!(list("2-5").beyond(&list("2,5")), Some(list("3-4")));
        assert_eq!(list("2").beyond(&list("2")), None);
    }

    #[test]
    fn this_thread_may_run_somewhere() {
        assert!(CpuList::of_this_thread().count() > 0);
    }
}
