//! KVM's own counters of a machine, also while it runs.

use crate::hypervisor::{Statistic, StatisticsFile, Vcpu, Vm};

/// The counters of a machine and of its vCPUs.
pub struct Counters(Vec<StatisticsFile>);

impl Counters {
    /// Those of `vm` and `vcpus`; none where the host's KVM has no such file.
    pub fn of(vm: &Vm, vcpus: &[Vcpu]) -> Self {
        let files = vcpus.iter().map(Vcpu::statistics).chain([vm.statistics()]);
        Self(files.filter_map(Result::ok).collect())
    }

    /// As they stand, those of the vCPUs added up.
    pub fn read(&self) -> Vec<Statistic> {
        let mut sums: Vec<Statistic> = Vec::new();
        for statistic in self.0.iter().filter_map(|file| file.read().ok()).flatten() {
            match sums.iter_mut().find(|sum| sum.name == statistic.name) {
                Some(sum) => sum.value += statistic.value,
                None => sums.push(statistic),
            }
        }
        sums
    }
}
