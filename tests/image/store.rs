//! The store: names, what is removed, what is done once, and what an end in the middle leaves.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use vmm::image::{ImageError, Name, ResolveOptions, Store};

use crate::fixture::{Fixture, told};
use crate::tarball::{Layout, Tarball};

fn layout(fixture: &Fixture, name: &str, content: &[u8]) -> std::path::PathBuf {
    let layer = Tarball::default().file("file", content).bytes();
    Layout::new(fixture.path(name))
        .image("amd64", &[layer])
        .written()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// `vmm image` with the store at `store`.
fn vmm(store: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmm"));
    command.arg("image").args(arguments).env("VMM_STORE", store);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn a_name_leads_to_its_image_until_it_is_removed() {
    let fixture = Fixture::new();
    let image = fixture.import(&layout(&fixture, "a", b"a")).unwrap();
    fixture.store.tag(&image, &name("app:1"), false).unwrap();

    let found = fixture
        .store
        .resolve("app:1", &ResolveOptions::default())
        .unwrap();
    assert_eq!((found.digest, found.name.as_str()), (image.digest, "app:1"));
    let listed = fixture.store.list().unwrap();
    assert_eq!(
        listed.iter().map(|one| &one.name).collect::<Vec<_>>(),
        [&name("app:1")]
    );

    fixture.store.remove(&name("app:1")).unwrap();
    let gone = fixture.store.resolve("app:1", &ResolveOptions::default());
    assert!(matches!(gone, Err(ImageError::Unknown(_))));
    assert!(fixture.store.remove(&name("app:1")).is_err());
}

#[test]
fn a_name_that_is_taken_stays_unless_it_is_to_be_replaced() {
    let fixture = Fixture::new();
    let one = fixture.import(&layout(&fixture, "a", b"a")).unwrap();
    let other = fixture.import(&layout(&fixture, "b", b"b")).unwrap();
    fixture.store.tag(&one, &name("app"), false).unwrap();
    fixture.store.tag(&one, &name("app"), false).unwrap();

    let refused = fixture.store.tag(&other, &name("app"), false).unwrap_err();
    assert!(told(&refused).contains("the name 'app:latest' is taken"));

    fixture.store.tag(&other, &name("app"), true).unwrap();
    assert_eq!(
        fixture.store.named(&name("app")).unwrap().digest,
        other.digest
    );
}

#[test]
fn a_base_that_is_named_or_run_or_kept_is_not_collected() {
    let fixture = Fixture::new();
    let mut images = ["named", "run", "kept", "loose"].map(|word| {
        let layout = layout(&fixture, word, word.as_bytes());
        Some(fixture.import(&layout).unwrap())
    });
    let paths = images.clone().map(|image| image.unwrap().base.path);
    fixture
        .store
        .tag(images[0].as_ref().unwrap(), &name("named"), false)
        .unwrap();
    let running = images[1].as_ref().unwrap().base.lock_shared().unwrap();
    let keep = fixture.store.directory().join("keeps/mine");
    fs::create_dir_all(&keep).unwrap();
    fs::write(
        keep.join("base"),
        images[2].as_ref().unwrap().base.digest.to_string(),
    )
    .unwrap();
    images = [None, None, None, None];

    let collected = fixture.store.gc().unwrap();

    assert_eq!((collected.bases, collected.running), (1, 1));
    assert_eq!(
        paths.clone().map(|path| path.exists()),
        [true, true, true, false]
    );
    drop((running, images));
    assert_eq!(fixture.store.gc().unwrap().bases, 1);
    assert!(!paths[1].exists());
}

#[test]
fn what_was_imported_before_is_not_read_again() {
    let fixture = Fixture::new();
    let layout = layout(&fixture, "a", b"a");
    let first = fixture.import(&layout).unwrap();
    // Without its blobs nothing could be read of it.
    settle(&layout.join("index.json"));
    let again = fixture.import(&layout).unwrap();
    fs::remove_dir_all(layout.join("blobs")).unwrap();

    let last = fixture.import(&layout).unwrap();

    assert_eq!([first.digest, again.digest], [last.digest; 2]);
}

#[test]
fn a_directory_that_has_changed_is_another_image() {
    let fixture = Fixture::new();
    let root = fixture.path("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("file"), "1").unwrap();
    settle(&root.join("file"));
    let first = fixture.import(&root).unwrap();
    let again = fixture.import(&root).unwrap();
    fs::write(root.join("file"), "2").unwrap();

    let changed = fixture.import(&root).unwrap();

    assert_eq!(first.digest, again.digest);
    assert_ne!(first.digest, changed.digest);
}

/// Waits until a change of `path` would show in its time.
fn settle(path: &Path) {
    let changed = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.ctime(), metadata.ctime_nsec())
    };
    let probe = path.with_extension("probe");
    let deadline = Instant::now() + Duration::from_secs(10);
    let past = Duration::from_millis(50).as_nanos();
    let nanos =
        |(seconds, nanos): (i64, i64)| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    loop {
        fs::write(&probe, "").unwrap();
        let passed = nanos(changed(&probe)) - nanos(changed(path));
        fs::remove_file(&probe).unwrap();
        if u128::try_from(passed).is_ok_and(|passed| passed > past) {
            return;
        }
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

#[test]
fn two_imports_at_once_make_one_base() {
    let fixture = Fixture::new();
    let layout = layout(&fixture, "a", &vec![7; 8 << 20]);
    let path = layout.display().to_string();
    let store = fixture.store.directory();
    let both = ["one", "two"].map(|name| vmm(store, &["import", &path, name]).spawn().unwrap());

    assert!(
        both.map(|mut child| child.wait().unwrap().success())
            .iter()
            .all(|done| *done)
    );

    assert_eq!(fs::read_dir(store.join("bases")).unwrap().count(), 1);
    assert_eq!(fixture.store.list().unwrap().len(), 2);
}

#[test]
fn an_import_that_is_killed_leaves_nothing_that_stays() {
    let fixture = Fixture::new();
    let root = fixture.path("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("large"), vec![7; 64 << 20]).unwrap();
    let store = fixture.store.directory().to_owned();
    let path = root.display().to_string();
    for size in [1, 1 << 20, 32 << 20] {
        let mut child = vmm(&store, &["import", &path, "app"]).spawn().unwrap();
        wait_for_staging(&store, size, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();

        let again = Store::open(&store).unwrap();

        assert_eq!(again.list().unwrap().len(), 0);
        assert_eq!(fixture.leftovers(), [""; 0]);
    }
    assert!(
        vmm(&store, &["import", &path, "app"])
            .status()
            .unwrap()
            .success()
    );
}

/// Waits until more than `size` bytes are being written to the store.
fn wait_for_staging(store: &Path, size: u64, child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let entries = fs::read_dir(store.join("staging")).unwrap();
        let sizes = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
        if sizes.sum::<u64>() >= size {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_done() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root may mount a small file system");
        return;
    }
    let fixture = Fixture::new();
    let small = fixture.path("small");
    fs::create_dir(&small).unwrap();
    let at = small.display().to_string();
    crate::fixture::run("mount", &["-t", "tmpfs", "-o", "size=4M", "none", &at]);
    let _mounted = crate::fixture::Mounted::at(&small);
    let root = fixture.path("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("large"), vec![7; 16 << 20]).unwrap();
    let store = small.join("store");

    let output = vmm(&store, &["import", &root.display().to_string(), "app"])
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("No space left on device"), "{said}");
    let left = |name: &str| fs::read_dir(store.join(name)).unwrap().count();
    assert_eq!(
        ["bases", "images", "names", "seen", "staging"].map(left),
        [0; 5]
    );
}
