//! The report in words: the answer first, then a row for each thing that was looked at.

use std::fmt;

use super::Report;
use super::guests::{Guests, Kvm};
use super::host::Host;
use super::huge_pages::HugePages;
use super::instructions::{Finding, Verdict};
use super::io_uring::IoUring;
use super::namespaces::{Access, Namespaces};
use super::nodes::{Node, State};
use super::speed::rate;
use crate::cgroup::{Cgroups, Layout};

/// Where the text of a row begins, and where it should end.
const INDENT: usize = 16;
const WIDTH: usize = 80;

/// The report as text for humans.
pub struct Words<'a> {
    report: &'a Report,
    colour: bool,
}

impl<'a> Words<'a> {
    /// Words for `report`, with colour if the reader is a terminal.
    pub fn new(report: &'a Report, colour: bool) -> Self {
        Self { report, colour }
    }

    fn answer(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conclusion = &self.report.conclusion;
        let (on, off) = match (self.colour, conclusion.stock_kernel_boots) {
            (false, _) => ("", ""),
            (true, true) => ("\x1b[1;32m", "\x1b[0m"),
            (true, false) => ("\x1b[1;31m", "\x1b[0m"),
        };
        writeln!(f, "{on}{}{off}", conclusion.sentence)?;
        match &conclusion.remedy {
            Some(remedy) => writeln!(f, "What helps: {remedy}\n"),
            None => writeln!(f),
        }
    }
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report;
        self.answer(f)?;
        row(f, "host", &host(&report.host))?;
        row(f, "kvm", &kvm(&report.kvm, &report.host))?;
        if let Kvm::Usable(found) = &report.kvm {
            guests(f, found)?;
        }
        row(f, "io_uring", &io_uring(&report.io_uring))?;
        row(f, "huge pages", &huge_pages(&report.huge_pages))?;
        row(f, "cgroups", &cgroups(&report.cgroups))?;
        row(f, "namespaces", &namespaces(&report.namespaces))?;
        row(f, "devices", &nodes(&report.nodes))
    }
}

/// A name and a text that is broken between its words.
fn row(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    write!(f, "{name:<INDENT$}")?;
    let mut column = INDENT;
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count() + 1;
        if index > 0 && column + length > WIDTH {
            write!(f, "\n{:INDENT$}", "")?;
            column = INDENT;
        } else if index > 0 {
            write!(f, " ")?;
        }
        write!(f, "{word}")?;
        column += length;
    }
    writeln!(f)
}

fn host(host: &Host) -> String {
    let mut text = format!(
        "Linux {}, {} x {}",
        host.kernel, host.cpu.count, host.cpu.model
    );
    if let Some(outer) = &host.cpu.hypervisor {
        text += &format!(", itself a guest of {outer}");
    }
    if let Some(engine) = &host.container {
        text += &format!(", in a container ({engine})");
    }
    text
}

fn kvm(kvm: &Kvm, host: &Host) -> String {
    let backend = match &host.backend {
        None => "built in, or not loaded".to_owned(),
        Some(backend) => match backend.nested {
            None => backend.module.clone(),
            Some(true) => format!("{}, its guests may be hypervisors", backend.module),
            Some(false) => format!("{}, its guests may not be hypervisors", backend.module),
        },
    };
    match kvm {
        Kvm::Unusable(obstacle) => format!("{} ({backend})", obstacle.problem),
        Kvm::Usable(guests) => format!("usable: {backend}, up to {} vCPUs", guests.max_vcpus),
    }
}

fn guests(f: &mut fmt::Formatter<'_>, guests: &Guests) -> fmt::Result {
    let speed = guests.speed;
    let how = match speed.ring0_is_emulated() {
        true => ": KVM emulates it",
        false => "",
    };
    row(f, "  ring 0", &format!("{}{how}", rate(speed.ring0_kips)))?;
    row(f, "  ring 3", &rate(speed.ring3_kips))?;
    for (name, verdict) in [
        ("  works", Verdict::Works),
        ("  not emulated", Verdict::EmulationFailure),
        ("  faults", Verdict::Fault),
        ("  fails", Verdict::Fails),
        ("  not offered", Verdict::NotOffered),
    ] {
        let of_this: Vec<String> = guests
            .instructions
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .map(instruction)
            .collect();
        if !of_this.is_empty() {
            row(f, name, &of_this.join("; "))?;
        }
    }
    Ok(())
}

fn instruction(finding: &Finding) -> String {
    match &finding.detail {
        None => finding.name.to_owned(),
        Some(detail) => format!("{} ({detail})", finding.name),
    }
}

fn io_uring(io_uring: &IoUring) -> String {
    match &io_uring.problem {
        None => "usable".to_owned(),
        Some(problem) => format!("not usable: {problem}"),
    }
}

fn huge_pages(huge_pages: &HugePages) -> String {
    let transparent = match &huge_pages.transparent {
        None => "none made by the kernel".to_owned(),
        Some(state) if huge_pages.are_given_on_request() => {
            format!("given to guest memory ({state})")
        }
        Some(state) => format!("not given to guest memory ({state})"),
    };
    let pools: Vec<String> = huge_pages
        .pools
        .iter()
        .filter(|pool| pool.total > 0)
        .map(|pool| {
            format!(
                "{} of {} of {} KiB free",
                pool.free, pool.total, pool.page_kib
            )
        })
        .collect();
    match pools.as_slice() {
        [] => format!("{transparent}; none set aside"),
        pools => format!("{transparent}; set aside: {}", pools.join(", ")),
    }
}

fn cgroups(cgroups: &Cgroups) -> String {
    let layout = match cgroups.layout {
        Layout::None => return "none mounted".to_owned(),
        Layout::V1 => "v1",
        Layout::Hybrid => "hybrid",
        Layout::V2 => "v2",
    };
    let parts = [(1, true), (1, false), (2, true), (2, false)].map(|(version, writable)| {
        let controllers = cgroups.controllers.iter();
        let of_this = controllers.filter(|one| (one.version, one.writable) == (version, writable));
        let names: Vec<&str> = of_this.map(|one| one.name.as_str()).collect();
        let access = if writable { "" } else { " (read-only)" };
        match names.is_empty() {
            true => String::new(),
            false => format!("; v{version}{access}: {}", names.join(" ")),
        }
    });
    format!("{layout}{}", parts.concat())
}

fn namespaces(namespaces: &Namespaces) -> String {
    let parts = [
        (Access::Direct, ""),
        (Access::InUserNamespace, "in a user namespace: "),
        (Access::Refused, "refused: "),
    ];
    let mut texts: Vec<String> = parts
        .into_iter()
        .filter_map(|(access, prefix)| {
            let kinds = namespaces.kinds.iter().filter(|one| one.access == access);
            let names: Vec<&str> = kinds.map(|one| one.name).collect();
            (!names.is_empty()).then(|| format!("{prefix}{}", names.join(" ")))
        })
        .collect();
    texts.push(match (namespaces.unprivileged, namespaces.remedy) {
        (true, _) => "users without privileges may make them too".to_owned(),
        (false, Some(remedy)) => format!("users without privileges may not: {remedy}"),
        (false, None) => "users without privileges may not".to_owned(),
    });
    texts.join("; ")
}

fn nodes(nodes: &[Node]) -> String {
    let describe = |node: &Node| match node.state {
        State::Usable => node.path.to_owned(),
        State::Forbidden => format!("{} (no permission)", node.path),
        State::Absent => format!("{} (absent)", node.path),
    };
    let texts: Vec<String> = nodes.iter().map(describe).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Controller;

    struct Row(&'static str);

    impl fmt::Display for Row {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            row(f, "name", self.0)
        }
    }

    #[test]
    fn a_long_row_is_broken_between_words_and_indented() {
        const LONG: &str = "aaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbb cccccccccccccccccccc dddddd";
        let text = Row(LONG).to_string();
        assert!(text.ends_with("cccc\n                dddddd\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH));
    }

    #[test]
    fn controllers_are_told_by_hierarchy_and_access() {
        let controller = |name: &str, version, writable| Controller {
            name: name.to_owned(),
            version,
            writable,
        };
        let found = Cgroups {
            layout: Layout::Hybrid,
            controllers: vec![controller("cpu", 1, true), controller("hugetlb", 2, false)],
        };
        assert_eq!(cgroups(&found), "hybrid; v1: cpu; v2 (read-only): hugetlb");
    }
}
