//! `vmm diff`, `vmm commit` and `vmm keep`, as a user types them.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;
use vmm::image::{ImageConfig, ResolveOptions, Store};
use vmm::root::namespace::unshare_mounts;
use vmm::root::{DEFAULT_SIZE, Keeps, Lower, Record, Root, Upper, Workbench};

use super::holder::Holder;
use super::host::{Stage, plant};
use super::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    the_changes_of_a_keep_are_printed_as_lines_and_as_json,
    a_committed_keep_is_an_image_with_its_changes_and_the_configuration_below,
    keeps_are_listed_with_their_image_and_removed_by_name,
    what_is_no_name_of_a_keep_is_refused_before_anything_is_done,
    a_keep_that_is_in_use_is_refused_with_its_process,
];

fn the_changes_of_a_keep_are_printed_as_lines_and_as_json() {
    let shop = Shop::open();
    assert_eq!(text(&shop.vmm(&["diff", "work"])), "A /note\nD /old\n");
    let json: serde_json::Value =
        serde_json::from_slice(&shop.vmm(&["diff", "work", "--json"]).stdout).unwrap();
    assert_eq!(json[1]["kind"], "deleted");
    assert_eq!(json[1]["path"], "/old");
}

fn a_committed_keep_is_an_image_with_its_changes_and_the_configuration_below() {
    let shop = Shop::open();
    let output = shop.vmm(&["commit", "work", "tools:2"]);
    assert!(output.status.success(), "{output:?}");
    let image = shop.store.named(&"tools:2".parse().unwrap()).unwrap();
    assert_eq!(image.config.cmd, ["/usr/bin/tool"]);
    let workbench = shop.workbench();
    let lower = Lower::mount(&workbench, &image.base).unwrap();
    assert_eq!(
        fs::read_to_string(lower.path().join("note")).unwrap(),
        "kept\n"
    );
    assert!(!lower.path().join("old").exists());
    assert!(lower.path().join("etc/hostname").exists());
}

fn keeps_are_listed_with_their_image_and_removed_by_name() {
    let shop = Shop::open();
    let listed = text(&shop.vmm(&["keep", "list"]));
    assert!(
        listed.contains("work ") && listed.contains(" shop:1\n"),
        "{listed}"
    );
    assert!(shop.vmm(&["keep", "remove", "work"]).status.success());
    let output = shop.vmm(&["diff", "work"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said,
        "vmm: there is no keep 'work': `vmm keep list` names all\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

fn what_is_no_name_of_a_keep_is_refused_before_anything_is_done() {
    let shop = Shop::open();
    for name in ["../work", "a/b", "..", ""] {
        assert_eq!(
            shop.vmm(&["keep", "remove", name]).status.code(),
            Some(2),
            "{name}"
        );
    }
}

fn a_keep_that_is_in_use_is_refused_with_its_process() {
    let stage = Stage::set(vmm::image::Format::Erofs);
    let holder = Holder::with_keep(&stage, "work");
    let output = Command::new(env!("CARGO_BIN_EXE_vmm"))
        .args(["keep", "remove", "work"])
        .env("VMM_STORE", stage.store.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted = format!(
        "vmm: keep 'work' is in use by process {}: stop it first\n",
        holder.id()
    );
    assert_eq!(said, wanted);
}

/// A store with an image, and the keep `work` in which one file is new and a directory gone.
struct Shop {
    folder: TempDir,
    store: Store,
}

impl Shop {
    fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let tree = folder.path().join("tree");
        plant(&tree);
        let store = Store::open(&folder.path().join("store")).unwrap();
        let config = ImageConfig {
            cmd: vec!["/usr/bin/tool".to_owned()],
            ..ImageConfig::of_host()
        };
        let image = store
            .import_tree(&tree, config, &ResolveOptions::default())
            .unwrap();
        let shop = Self { folder, store };
        shop.run(Record {
            image: "shop:1".to_owned(),
            config: image.config.clone(),
            base: image.base.clone(),
            size: DEFAULT_SIZE,
        });
        shop
    }

    fn run(&self, record: Record) {
        let workbench = self.workbench();
        let lower = Lower::mount(&workbench, &record.base).unwrap();
        let keeps = Keeps::of_store(self.store.directory());
        let keep = keeps.open(&"work".parse().unwrap(), record).unwrap();
        let upper = Upper::keep(&workbench, keep).unwrap();
        let root = Root::mount(&workbench, lower, upper).unwrap();
        fs::write(root.path().join("note"), "kept\n").unwrap();
        fs::remove_dir_all(root.path().join("old")).unwrap();
    }

    fn workbench(&self) -> Workbench {
        Workbench::set_up(&unshare_mounts().unwrap(), self.store.directory()).unwrap()
    }

    fn vmm(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_vmm"))
            .args(arguments)
            .env("VMM_STORE", self.store.directory())
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }
}

fn text(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
