//! The settings of a host by which an ordinary user has no user namespace, or one that he can do
//! nothing in; and what to do about each.

use std::fs;

/// A setting below `/proc/sys`, the value of it that is in the way, and the remedy. Debian's and
/// AppArmor's are on their kernels only.
type Setting = (&'static str, &'static str, &'static str);

const SETTINGS: [Setting; 3] = [
    (
        "user/max_user_namespaces",
        "0",
        "allow some by sysctl user.max_user_namespaces=10000",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "allow them by sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "have AppArmor allow them, by a profile of this program with `userns,` or by sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
];

/// What to do about the setting that is in the way here, if one is.
pub fn remedy() -> Option<&'static str> {
    remedy_where(|name| fs::read_to_string(format!("/proc/sys/{name}")).ok())
}

fn remedy_where(setting: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    let is_in_the_way =
        |(name, value, _): &Setting| setting(name).is_some_and(|text| text.trim() == *value);
    let (_, _, remedy) = SETTINGS.into_iter().find(is_in_the_way)?;
    Some(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_is_in_the_way_has_its_remedy() {
        let host = |wanted: &'static str, value: &'static str| {
            remedy_where(move |name| (name == wanted).then(|| format!("{value}\n")))
        };
        for (name, value, remedy) in SETTINGS {
            assert_eq!(host(name, value), Some(remedy));
        }
        assert_eq!(host("user/max_user_namespaces", "96365"), None);
        assert_eq!(
            host("kernel/apparmor_restrict_unprivileged_userns", "0"),
            None
        );
    }
}
