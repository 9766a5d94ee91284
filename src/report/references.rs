//! What others have measured, for orientation: other machines, other years, other questions. None
//! of it can be compared with what was measured here.

/// A figure from published work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What was measured.
    pub what: &'static str,
    /// What came of it.
    pub figure: &'static str,
    /// Where it stands.
    pub paper: &'static Paper,
    /// The place in the paper.
    pub place: &'static str,
}

/// A publication.
#[derive(Debug, PartialEq, Eq)]
pub struct Paper {
    /// Authors, title, venue and year.
    pub citation: &'static str,
    /// Where it is to be had.
    pub address: &'static str,
    /// How its figures came here.
    pub source: Source,
}

/// How a figure came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was read in the paper itself.
    ReadFirstHand,
    /// It was read where others quote the paper.
    Quoted,
}

impl Source {
    /// Its mark.
    pub fn mark(self) -> &'static str {
        match self {
            Self::ReadFirstHand => "read first-hand",
            Self::Quoted => "quoted",
        }
    }
}

/// What precedes the rows, wherever they are shown.
pub const CAVEAT: &str = "Measured by others, on other machines, in other years, with other questions: \
    for orientation, and not to be compared with the figures above.";

static FELTER: Paper = Paper {
    citation: "Felter, Ferreira, Rajamony, Rubio: An Updated Performance Comparison of Virtual Machines \
        and Linux Containers, ISPASS 2015 (first IBM RC25482, 2014)",
    address: "https://doi.org/10.1109/ISPASS.2015.7095802",
    source: Source::Quoted,
};
static LIGHTVM: Paper = Paper {
    citation: "Manco et al.: My VM is Lighter (and Safer) than your Container, SOSP 2017",
    address: "https://doi.org/10.1145/3132747.3132763",
    source: Source::ReadFirstHand,
};
static GVISOR: Paper = Paper {
    citation: "Young, Zhu, Caraza-Harter, Arpaci-Dusseau, Arpaci-Dusseau: The True Cost of Containing: \
        A gVisor Case Study, HotCloud 2019",
    address: "https://www.usenix.org/conference/hotcloud19/presentation/young",
    source: Source::ReadFirstHand,
};
static FIRECRACKER: Paper = Paper {
    citation: "Agache et al.: Firecracker: Lightweight Virtualization for Serverless Applications, NSDI 2020",
    address: "https://www.usenix.org/conference/nsdi20/presentation/agache",
    source: Source::Quoted,
};
static BLENDING: Paper = Paper {
    citation: "Anjali, Caraza-Harter, Swift: Blending Containers and Virtual Machines: A Study of \
        Firecracker and gVisor, VEE 2020",
    address: "https://doi.org/10.1145/3381052.3381315",
    source: Source::ReadFirstHand,
};
static FRESH_LOOK: Paper = Paper {
    citation: "van Rijn, Rellermeyer: A Fresh Look at the Architecture and Performance of Contemporary \
        Isolation Platforms, Middleware 2021",
    address: "https://arxiv.org/abs/2110.11462",
    source: Source::Quoted,
};

/// All of them, by year.
pub const REFERENCES: [Reference; 10] = [
    Reference {
        what: "MySQL (SysBench oltp), loss against native",
        figure: "Docker near 2 % at high concurrency, KVM above 40 % in all cases",
        paper: &FELTER,
        place: "§II.A",
    },
    Reference {
        what: "least time until a VM has booted",
        figure: "2.3 ms for a unikernel without devices on Xen; fork and exec on Linux 1 ms",
        paper: &LIGHTVM,
        place: "abstract and §6.1",
    },
    Reference {
        what: "start of a Docker container",
        figure: "150 ms for the first; it grows with their number",
        paper: &LIGHTVM,
        place: "§6.1",
    },
    Reference {
        what: "a simple system call, against native",
        figure: "runc 1.32 times; gVisor on KVM, where its Sentry alone answers, 2.8 times",
        paper: &GVISOR,
        place: "figure 3",
    },
    Reference {
        what: "opening and closing a file on an external tmpfs, against runc",
        figure: "gVisor 216 times; 12 times on its internal tmpfs",
        paper: &GVISOR,
        place: "figure 6",
    },
    Reference {
        what: "Firecracker with a minimal guest kernel",
        figure: "boots to application code in less than 125 ms, less than 5 MB of overhead",
        paper: &FIRECRACKER,
        place: "§1",
    },
    Reference {
        what: "4 kB reads from NVMe behind Firecracker",
        figure: "49 µs slower than native; 13,000 a second of the 340,000 that the hardware can",
        paper: &FIRECRACKER,
        place: "§5.3",
    },
    Reference {
        what: "round trip of a ping",
        figure: "Linux 146 µs, LXC 149 µs, gVisor 319 µs, Firecracker 371 µs",
        paper: &BLENDING,
        place: "table 3",
    },
    Reference {
        what: "lines of the host's kernel that all workloads together execute",
        figure: "Linux 63,163, Firecracker 77,392, LXC 90,595, gVisor 91,161",
        paper: &BLENDING,
        place: "table 2",
    },
    Reference {
        what: "start of a container",
        figure: "Docker about 100 ms, gVisor 190 ms, Kata 600 ms, LXC 800 ms",
        paper: &FRESH_LOOK,
        place: "§3.5",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_place_and_an_address() {
        for reference in REFERENCES {
            assert!(
                reference.figure.contains(|c: char| c.is_ascii_digit()),
                "{reference:?}"
            );
            assert!(!reference.place.is_empty() && reference.paper.address.starts_with("https://"));
        }
    }

    #[test]
    fn they_are_said_not_to_be_comparable() {
        assert!(CAVEAT.contains("not to be compared"));
    }
}
