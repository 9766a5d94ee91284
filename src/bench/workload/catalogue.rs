//! What can be measured without bringing anything: each named, explained and weighed.
//!
//! Counts are for some 20 ms behind no wall, on an ordinary machine. The probe has the same names
//! (`guest/probe/src/work`), and docs/workloads.md the same table.

use super::{Kind, Suite, Unit, Workload};

/// The way of a VMM to its guest's init (`--suite boot`).
pub const BOOT: Workload = Workload {
    name: "boot",
    isolates: "from the start of a VMM to its guest's init",
    why: "each builds another machine, loads the kernel another way and asks it for other drivers",
    kind: Kind::Guest,
    unit: Unit::Nanoseconds,
    suite: Suite::Full,
};

/// The second disk of a VMM's guest (`--suite disk`).
pub const DISK: Workload = Workload {
    name: "disk",
    isolates: "fio in the guest, past every cache",
    why: "each request goes by the guest's driver, a ring of virtio and the VMM's own queue",
    kind: Kind::Guest,
    unit: Unit::Nanoseconds,
    suite: Suite::Full,
};

/// The user's own command, which is in no suite.
pub const COMMAND: Workload = Workload {
    name: "command",
    isolates: "the given command, from the request to its end",
    why: "a wall is put up before it, stands around it and is taken down after it",
    kind: Kind::Command,
    unit: Unit::Nanoseconds,
    suite: Suite::Full,
};

/// Everything else, in the order of tables.
pub const BUILT_IN: &[Workload] = &[
    Workload {
        name: "start",
        isolates: "a wall put up around a program that does nothing, and taken down",
        why: "a process is mounts and a fork; a container, namespaces and cgroups besides; a vm \
            boots a kernel",
        kind: Kind::Start,
        unit: Unit::Nanoseconds,
        suite: Suite::Quick,
    },
    // The kernel asked for something small.
    session("getpid", 150_000)
        .of("the way into the kernel and back")
        .why(
            "a container's seccomp filter stands before each call, if only as a bitmap; a guest's \
             kernel answers without its host",
        )
        .quick(),
    session("read-1", 80_000)
        .of("read of 1 byte of /dev/zero")
        .why(
            "the same filter, the same guest kernel, and some work: what the tax comes to when a \
             call does something",
        ),
    session("futex-wake", 100_000)
        .of("wake of a futex that nobody waits for")
        .why(
            "locks are made of it: it has a filter to pass in a container, and no exit to make in \
             a vm",
        ),
    session("open-close", 15_000)
        .of("open and close of a file that exists")
        .why(
            "an overlay looks through its layers and opens the file below once more; a guest walks \
             a tree of its own",
        ),
    // Turns on one CPU.
    session("pipe-switch", 5_000)
        .of("byte through a pipe to another process and back, on one CPU")
        .why(
            "address spaces change: nested paging leaves that to the guest, shadow paging makes an \
             exit of it",
        )
        .quick(),
    session("futex-switch", 6_000)
        .of("word to another thread and back, on one CPU")
        .why(
            "the scheduler alone, which a container shares with its host and a guest has of its \
             own",
        ),
    // Processes and threads that do nothing.
    session("fork-wait", 200)
        .of("fork of a small process, its exit and the wait")
        .why(
            "page tables are copied and written to: plain memory under nested paging, traps under \
             shadow paging",
        ),
    session("exec-wait", 40)
        .of("fork, exec of a small static program, its exit and the wait")
        .why(
            "to fork come the file, which each wall shows by another file system, and a new \
             address space full of faults",
        )
        .quick(),
    session("thread", 1_000)
        .of("start of a thread and the wait for it")
        .why(
            "a stack is mapped and a page of it touched; clone and futex pass the filter of a \
             container",
        ),
    // Pages.
    session("fault-4k", 65_536)
        .of("first touch of a page of 4 KiB")
        .why(
            "a cgroup charges each page; a guest's page that its host has not backed yet faults \
             again, in the nested tables",
        )
        .quick(),
    session("fault-thp", 65_536)
        .of("first touch of 4 KiB where pages are of 2 MiB")
        .why(
            "one fault for 512 touches, and zeroes for all: a second one below it only where the \
             host has not backed the memory",
        ),
    session("mmap-munmap", 20_000)
        .of("mapping made, touched once and removed")
        .why(
            "entries are flushed from the TLB: without an exit under nested paging, with one under \
             shadow paging",
        ),
    // Memory bandwidth.
    session("stream-copy", 96)
        .of("STREAM copy of arrays of 64 MiB in one thread")
        .why(BANDWIDTH)
        .bytes(),
    session("stream-scale", 96)
        .of("STREAM scale of arrays of 64 MiB in one thread")
        .why(BANDWIDTH)
        .bytes(),
    session("stream-add", 64)
        .of("STREAM add of arrays of 64 MiB in one thread")
        .why(BANDWIDTH)
        .bytes(),
    session("stream-triad", 64)
        .of("STREAM triad of arrays of 64 MiB in one thread")
        .why(BANDWIDTH)
        .bytes()
        .quick(),
    // Memory latency.
    session("latency-4k", 10_000_000)
        .of("dependent load from 4 KiB")
        .why(IN_CACHE),
    session("latency-32k", 10_000_000)
        .of("dependent load from 32 KiB")
        .why(IN_CACHE),
    session("latency-256k", 5_000_000)
        .of("dependent load from 256 KiB")
        .why(IN_CACHE),
    session("latency-2m", 1_500_000)
        .of("dependent load from 2 MiB in pages of 4 KiB")
        .why(
            "the first TLB misses, the second mostly hits: it holds what both tables together come \
             to, so a vm pays nothing",
        ),
    session("latency-16m", 800_000)
        .of("dependent load from 16 MiB in pages of 4 KiB")
        .why(BEYOND_TLB)
        .quick(),
    session("latency-128m", 200_000)
        .of("dependent load from 128 MiB in pages of 4 KiB")
        .why(BEYOND_TLB),
    session("latency-1g", 150_000)
        .of("dependent load from 1 GiB in pages of 4 KiB")
        .why(BEYOND_TLB),
    // Arithmetic.
    session("cpu-integer", 10_000)
        .of("1000 dependent integer steps")
        .why(
            "none does: guests run on the processor itself; what differs is a quota, a neighbour, \
             or emulation",
        )
        .quick(),
    session("cpu-float", 8_000)
        .of("1000 dependent floating-point steps")
        .why("none does: an exit to KVM leaves these registers alone"),
    // Clocks, and CPUs that interrupt each other.
    session("timer", 200)
        .of("sleep of 50 µs; the percentiles are how late it ends")
        .why(
            "a guest's timer is set by an exit, runs out on its host, wakes a vCPU that had \
             halted, and is injected",
        )
        .quick(),
    session("clock", 600_000)
        .of("read of the monotonic clock")
        .why(
            "no system call where the vDSO may read the TSC: in a guest, where that is stable or \
             kvm-clock is there",
        ),
    session("ipi", 15_000)
        .of("interrupt of another CPU, and its answer (membarrier)")
        .why(
            "a guest's is an exit to send and another to take, unless the hardware posts it \
             (APICv, AVIC)",
        ),
    // Files.
    session("file-metadata", 2_500)
        .of("file made, looked at and removed, one of a directory of thousands")
        .why(
            "an overlay does it in its upper layer and asks the lower ones for the name; a guest \
             has a journal of its own",
        )
        .quick(),
    session("file-write-buffered", 4_096)
        .of("write of 4 KiB into the page cache")
        .why(
            "the cache of a container is its host's and charged to its cgroup; that of a guest is \
             the guest's own memory",
        ),
    session("file-read-buffered", 16_384)
        .of("read of 4 KiB from the page cache")
        .why("no disk and no exit: an overlay passes it on to the file below"),
    session("file-write-buffered-random", 4_096)
        .of("write of 4 KiB anywhere in 16 MiB of the page cache")
        .why("as one after the other, without help from what was written before"),
    session("file-read-buffered-random", 16_384)
        .of("read of 4 KiB anywhere in 16 MiB of the page cache")
        .why(
            "pages of the cache lie anywhere: a guest's misses of the TLB walk two tables, and no \
             wall is asked",
        ),
    session("file-fsync", 20)
        .of("4 KiB appended, and on the disk before the next (fdatasync)")
        .why(
            "a guest's flush is a request to its host, which flushes a file in turn: a journal on \
             a journal",
        )
        .quick(),
    session("file-read-direct-4k", 250)
        .of("read of 4 KiB anywhere in 64 MiB, past the page cache (O_DIRECT)")
        .why(REQUEST)
        .quick(),
    session("file-write-direct-4k", 250)
        .of("write of 4 KiB anywhere in 64 MiB, past the page cache (O_DIRECT)")
        .why(REQUEST),
    session("file-read-direct-1m", 32)
        .of("reads of 1 MiB one after the other, past the page cache (O_DIRECT)")
        .why(LARGE_REQUEST)
        .bytes(),
    session("file-write-direct-1m", 32)
        .of("writes of 1 MiB one after the other, past the page cache (O_DIRECT)")
        .why(LARGE_REQUEST)
        .bytes(),
    // A network without a wire.
    session("loopback-rtt", 2_500)
        .of("byte over TCP to another thread and back, on one CPU")
        .why(
            "the stack is the same code behind every wall, and no packet leaves it: what is added \
             is the filter of a container",
        )
        .quick(),
    session("loopback-throughput", 500)
        .of("64 KiB after 64 KiB over TCP to another thread, which may run on another CPU")
        .why(
            "bytes are copied within one kernel; a guest pays where one vCPU wakes another that \
             has halted",
        )
        .bytes(),
    // Another instance of the same image, behind the same wall.
    session("channel-rtt", 1_000)
        .of("byte by a channel to another instance and back")
        .why(
            "vmm joins the two: behind vm a byte goes out by a port of one machine and in by one \
             of the other",
        )
        .to_a_peer(),
    session("channel-throughput", 200)
        .of("64 KiB after 64 KiB by a channel to another instance")
        .why("each is copied by who joins the two, and behind vm by the ports of both machines")
        .to_a_peer()
        .bytes(),
    // The field's own tools, where the image has them.
    tool("fio")
        .of("fio's random reads of 4 KiB, one after the other, past the page cache")
        .why(REQUEST),
    tool("sysbench-cpu")
        .of("sysbench's prime numbers up to 10,000")
        .why("none does: as `cpu-integer`"),
    tool("sysbench-memory")
        .of("sysbench's writes to memory, 1 MiB each")
        .why(BANDWIDTH)
        .bytes(),
    tool("iperf3")
        .of("iperf3's stream of TCP over loopback, its server behind the same wall")
        .why("as `loopback-throughput`, between two processes")
        .bytes(),
];

const BANDWIDTH: &str = "memory moves bytes for whoever asks: what differs is the size of pages \
    on both levels, or a neighbour";
const IN_CACHE: &str = "none does: caches and the TLB hold it, whoever asks";
const BEYOND_TLB: &str = "a miss of the TLB walks a guest's tables, and for each step its host's: \
    up to 24 loads instead of 4";
const REQUEST: &str = "a guest's request is a kick out of it, one of its host and an interrupt \
    back; a container's is its host's";
const LARGE_REQUEST: &str = "the same way as for 4 KiB, for 256 times the bytes: what is left is \
    the storage, and copies if any are made";

const fn session(name: &'static str, operations: u64) -> Workload {
    Workload {
        name,
        isolates: "",
        why: "",
        kind: Kind::Session {
            operations,
            peer: false,
        },
        unit: Unit::Nanoseconds,
        suite: Suite::Full,
    }
}

const fn tool(name: &'static str) -> Workload {
    Workload {
        kind: Kind::Tool,
        ..session(name, 1)
    }
}

impl Workload {
    const fn of(mut self, isolates: &'static str) -> Self {
        self.isolates = isolates;
        self
    }

    const fn why(mut self, why: &'static str) -> Self {
        self.why = why;
        self
    }

    const fn to_a_peer(mut self) -> Self {
        if let Kind::Session { operations, .. } = self.kind {
            self.kind = Kind::Session {
                operations,
                peer: true,
            };
        }
        self
    }

    const fn bytes(mut self) -> Self {
        self.unit = Unit::NanosecondsPerByte;
        self
    }

    const fn quick(mut self) -> Self {
        self.suite = Suite::Quick;
        self
    }
}
