//! Kernels that are made up: nothing here boots.

use super::*;

struct Fixture {
    folder: tempfile::TempDir,
    kernels: Kernels,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kernels = Kernels::of_store(&folder.path().join("store"));
        Self { folder, kernels }
    }

    fn small(&self, release: &str) -> Kernel {
        let path = self.folder.path().join(format!("vmlinux-{release}"));
        fs::write(&path, format!("\x7fELFLinux version {release} (x)")).unwrap();
        Kernel::at(&path).unwrap()
    }

    fn stock(&self) -> Kernel {
        let path = self.folder.path().join("stock");
        let modules = path.join("lib/modules/6.1-cloud");
        fs::create_dir_all(modules.join("kernel")).unwrap();
        fs::write(modules.join("modules.dep"), "kernel/a.ko:\n").unwrap();
        fs::write(modules.join("kernel/a.ko"), "module").unwrap();
        fs::write(path.join("vmlinux"), "\x7fELF").unwrap();
        Kernel::at(&path).unwrap()
    }

    fn names(&self) -> Vec<(String, bool)> {
        let listed = self.kernels.list().unwrap();
        let pair = |one: Listed| (one.name.to_string(), one.is_default);
        listed.into_iter().map(pair).collect()
    }
}

fn name(text: &str) -> KernelName {
    text.parse().unwrap()
}

#[test]
fn the_first_is_the_default_until_another_is_chosen() {
    let fixture = Fixture::new();
    for release in ["6.1", "6.2"] {
        let kernel = fixture.small(release);
        fixture.kernels.add(&name(release), &kernel, false).unwrap();
    }
    let pair = |name: &str, is_default| (name.to_owned(), is_default);
    assert_eq!(fixture.names(), [pair("6.1", true), pair("6.2", false)]);
    fixture.kernels.set_default(&name("6.2")).unwrap();
    assert_eq!(fixture.names(), [pair("6.1", false), pair("6.2", true)]);
    let image = fixture.kernels.default_kernel().unwrap().image;
    assert!(fs::read_to_string(image).unwrap().contains("version 6.2"));
}

#[test]
fn a_kernel_brings_its_modules_along() {
    let fixture = Fixture::new();
    let kernel = fixture.stock();
    let record = fixture
        .kernels
        .add(&name("debian"), &kernel, false)
        .unwrap();
    assert_eq!(
        (record.release.as_deref(), record.has_modules),
        (Some("6.1-cloud"), true)
    );
    fs::remove_dir_all(fixture.folder.path().join("stock")).unwrap();
    let modules = fixture.kernels.default_kernel().unwrap().modules.unwrap();
    assert!(modules.ends_with("lib/modules/6.1-cloud"));
    assert_eq!(fs::read(modules.join("kernel/a.ko")).unwrap(), b"module");
}

#[test]
fn a_name_is_taken_unless_it_is_to_be_replaced() {
    let fixture = Fixture::new();
    let (old, new) = (fixture.stock(), fixture.small("6.2"));
    let kernels = &fixture.kernels;
    kernels.add(&name("a"), &old, false).unwrap();
    let refused = kernels.add(&name("a"), &new, false);
    assert!(matches!(refused, Err(KernelError::Taken(_))), "{refused:?}");
    kernels.add(&name("a"), &new, true).unwrap();
    assert_eq!(kernels.default_kernel().unwrap().modules, None);
    assert_eq!(
        kernels.list().unwrap()[0].record.release.as_deref(),
        Some("6.2")
    );
}

#[test]
fn a_default_that_was_removed_is_missed() {
    let fixture = Fixture::new();
    let kernels = &fixture.kernels;
    assert!(matches!(
        kernels.default_kernel(),
        Err(KernelError::NoDefault)
    ));
    kernels
        .add(&name("a"), &fixture.small("6.1"), false)
        .unwrap();
    kernels.remove(&name("a")).unwrap();
    assert!(matches!(
        kernels.default_kernel(),
        Err(KernelError::NoDefault)
    ));
    let again = kernels.remove(&name("a"));
    assert!(matches!(again, Err(KernelError::Missing(_))), "{again:?}");
    assert!(fixture.names().is_empty());
}

#[test]
fn what_is_no_kernel_leaves_nothing() {
    let fixture = Fixture::new();
    let path = fixture.folder.path().join("initrd");
    fs::write(&path, "cpio").unwrap();
    let kernel = Kernel::at(&path).unwrap();
    assert!(fixture.kernels.add(&name("a"), &kernel, false).is_err());
    let without_list = Kernel {
        modules: Some(fixture.folder.path().to_owned()),
        ..fixture.small("6.1")
    };
    let refused = fixture.kernels.add(&name("a"), &without_list, false);
    assert!(
        matches!(refused, Err(KernelError::NoModules(_))),
        "{refused:?}"
    );
    assert!(fixture.names().is_empty());
}

#[test]
fn what_a_killed_process_left_is_in_nobody_s_way() {
    let fixture = Fixture::new();
    let partial = fixture.folder.path().join("store/kernels/.partial");
    fs::create_dir_all(partial.join("lib")).unwrap();
    let kernel = fixture.small("6.1");
    fixture.kernels.add(&name("a"), &kernel, false).unwrap();
    assert_eq!(fixture.names().len(), 1);
    assert!(!partial.exists());
}

#[test]
fn a_wish_is_a_name_of_the_store_or_else_a_path() {
    let fixture = Fixture::new();
    let kernel = fixture.small("6.1");
    fixture.kernels.add(&name("a"), &kernel, false).unwrap();
    let found = |wish: &Path| fixture.kernels.find(Some(wish));
    let stored = found(Path::new("a")).unwrap().image;
    assert!(stored.ends_with("kernels/a/vmlinux"));
    assert_eq!(found(&kernel.image).unwrap(), kernel);
    assert!(matches!(
        found(Path::new("b")),
        Err(KernelError::Missing(_))
    ));
}
