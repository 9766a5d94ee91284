//! Images through a registry: Debian's docker-registry on this host.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::fixture::{Fixture, has, run};
use crate::tarball::{Layout, Tarball};

/// A registry, until this goes.
struct Registry {
    process: Child,
    address: String,
    data: PathBuf,
}

impl Registry {
    /// Starts one; `None` where it is not installed.
    fn start(fixture: &Fixture) -> Option<Self> {
        if !has("docker-registry") || !has("skopeo") {
            return None;
        }
        let data = fixture.path("registry");
        let config = fixture.path("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nhttp: {{addr: \"127.0.0.1:0\"}}\n\
             storage: {{filesystem: {{rootdirectory: \"{}\"}}}}\n",
            data.display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("timeout");
        command
            .args(["120", "docker-registry", "serve"])
            .arg(&config);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(
                said.read_line(&mut line).unwrap() > 0,
                "the registry has ended"
            );
            if let Some((_, behind)) = line.split_once("listening on ") {
                break behind.split('"').next().unwrap().to_owned();
            }
        };
        // Whoever writes to a pipe that nobody reads is ended by it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let registry = Self {
            process,
            address,
            data,
        };
        Some(registry)
    }

    fn push(&self, layout: &Path, name: &str) {
        let from = format!("oci:{}", layout.display());
        let to = format!("docker://{}/{name}", self.address);
        run(
            "skopeo",
            &["copy", "-q", "--dest-tls-verify=false", &from, &to],
        );
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.process),
            rustix::process::Signal::TERM,
        );
        let _ = self.process.wait();
    }
}

fn layout(fixture: &Fixture) -> PathBuf {
    let layer = Tarball::default().file("file", &[7; 300_000]).bytes();
    Layout::new(fixture.path("layout"))
        .image("amd64", &[layer])
        .written()
}

#[test]
fn an_image_that_went_through_a_registry_is_the_same_base() {
    let fixture = Fixture::new();
    let Some(registry) = Registry::start(&fixture) else {
        return;
    };
    let layout = layout(&fixture);
    registry.push(&layout, "team/app:1");

    let from = format!("docker://{}/team/app:1", registry.address);
    let to = format!("oci:{}:1", fixture.path("fetched").display());
    run(
        "skopeo",
        &["copy", "-q", "--src-tls-verify=false", &from, &to],
    );

    let fetched = fixture.import(&fixture.path("fetched")).unwrap();
    let image = fixture.import(&layout).unwrap();
    assert_eq!(fetched.base.digest, image.base.digest);
    assert!(registry.data.exists());
}

#[cfg(not(feature = "registry"))]
#[test]
fn a_build_without_registries_says_what_to_do() {
    let fixture = Fixture::new();
    let error = fixture
        .store
        .pull("debian:12", &Default::default())
        .unwrap_err();
    let error = crate::fixture::told(&error);
    assert!(error.contains("skopeo copy docker://debian:12"), "{error}");
}

#[cfg(feature = "registry")]
mod pull {
    use super::*;
    use crate::fixture::told;

    #[test]
    fn an_image_is_pulled_and_then_known() {
        let fixture = Fixture::new();
        let Some(registry) = Registry::start(&fixture) else {
            return;
        };
        let layout = layout(&fixture);
        registry.push(&layout, "team/app:1");
        let reference = format!("{}/team/app:1", registry.address);

        let image = fixture.store.pull(&reference, &Default::default()).unwrap();

        let base = fixture.import(&layout).unwrap().base;
        assert_eq!(image.base, base);
        // Without blobs nothing could be downloaded again.
        let blobs = run(
            "find",
            &[&registry.data.display().to_string(), "-size", "+100c"],
        );
        assert!(!blobs.is_empty());
        let again = fixture.store.pull(&reference, &Default::default()).unwrap();
        assert_eq!(again.digest, image.digest);
    }

    #[test]
    fn what_was_downloaded_before_is_not_downloaded_again() {
        let fixture = Fixture::new();
        let Some(registry) = Registry::start(&fixture) else {
            return;
        };
        registry.push(&layout(&fixture), "app:1");
        let reference = format!("{}/app:1", registry.address);
        let whole = large_blob(&registry.data);
        let bytes = fs::read(&whole).unwrap();
        // The registry loses the end: it comes to an error after what is there.
        fs::write(&whole, &bytes[..bytes.len() / 2]).unwrap();
        let broken = fixture.store.pull(&reference, &Default::default());
        assert!(broken.is_err());
        // It loses the beginning: only who has that already can go on.
        let half = bytes.len() / 2;
        fs::write(&whole, [&vec![0; half], &bytes[half..]].concat()).unwrap();

        let image = fixture.store.pull(&reference, &Default::default());

        image.unwrap();
    }

    /// The only blob of more than some bytes.
    fn large_blob(data: &Path) -> PathBuf {
        let found = run(
            "find",
            &[
                &data.display().to_string(),
                "-name",
                "data",
                "-printf",
                "%s %p\n",
            ],
        );
        let sizes = found.lines().filter_map(|line| line.split_once(' '));
        let largest = sizes.max_by_key(|(size, _)| size.parse::<u64>().unwrap());
        largest.unwrap().1.into()
    }

    #[test]
    fn what_a_registry_has_not_is_told() {
        let fixture = Fixture::new();
        let Some(registry) = Registry::start(&fixture) else {
            return;
        };
        let reference = format!("{}/none:1", registry.address);
        let error = fixture
            .store
            .pull(&reference, &Default::default())
            .unwrap_err();
        assert!(told(&error).contains("cannot pull"), "{}", told(&error));
    }
}
