//! What a run has changed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use vmm::image::Format;
use vmm::root::{Root, diff};

use super::host::Stage;
use super::{Promise, promises};

pub const PROMISES: &[Promise] = promises![
    a_run_that_writes_nothing_changes_nothing,
    what_is_new_changed_and_deleted_is_told_apart,
    a_directory_that_was_deleted_is_one_change,
    a_directory_made_anew_tells_what_it_no_longer_has,
    a_link_is_a_change_and_is_not_followed,
    a_directory_in_place_of_a_link_is_not_compared_with_where_that_led,
    a_name_that_would_move_the_cursor_is_escaped,
];

fn a_run_that_writes_nothing_changes_nothing() {
    assert_eq!(changes(|_| {}), [""; 0]);
}

fn what_is_new_changed_and_deleted_is_told_apart() {
    let changes = changes(|root| {
        fs::write(root.join("etc/new"), "").unwrap();
        fs::write(root.join("etc/hostname"), "other\n").unwrap();
        fs::remove_file(root.join("usr/bin/tool")).unwrap();
        fs::set_permissions(root.join("var/lib"), fs::Permissions::from_mode(0o700)).unwrap();
    });
    let told = [
        "C /etc",
        "C /etc/hostname",
        "A /etc/new",
        "C /usr",
        "C /usr/bin",
        "D /usr/bin/tool",
        "C /var",
        "C /var/lib",
    ];
    assert_eq!(changes, told);
}

fn a_directory_that_was_deleted_is_one_change() {
    let changes = changes(|root| fs::remove_dir_all(root.join("old")).unwrap());
    assert_eq!(changes, ["D /old"]);
}

fn a_directory_made_anew_tells_what_it_no_longer_has() {
    let changes = changes(|root| {
        fs::remove_dir_all(root.join("old")).unwrap();
        fs::create_dir(root.join("old")).unwrap();
        fs::write(root.join("old/two"), "2, again\n").unwrap();
        fs::write(root.join("old/three"), "3\n").unwrap();
    });
    assert_eq!(
        changes,
        ["C /old", "D /old/one", "A /old/three", "C /old/two"]
    );
}

fn a_link_is_a_change_and_is_not_followed() {
    let changes = changes(|root| symlink("/etc", root.join("etc/link")).unwrap());
    assert_eq!(changes, ["C /etc", "A /etc/link"]);
}

fn a_directory_in_place_of_a_link_is_not_compared_with_where_that_led() {
    let changes = changes(|root| {
        fs::remove_file(root.join("link")).unwrap();
        fs::create_dir(root.join("link")).unwrap();
        fs::write(root.join("link/hostname"), "").unwrap();
    });
    assert_eq!(changes, ["C /link", "A /link/hostname"]);
}

fn a_name_that_would_move_the_cursor_is_escaped() {
    let changes = changes(|root| fs::write(root.join("a\x1b[2Jb\nc"), "").unwrap());
    assert_eq!(changes, [r"A /a\u{1b}[2Jb\nc"]);
}

/// What is told of a run that did this.
fn changes(run: impl FnOnce(&Path)) -> Vec<String> {
    let stage = Stage::set(Format::Erofs);
    let workbench = stage.workbench();
    let root: Root = stage.root(&workbench);
    run(root.path());
    let changes = diff(root.lower(), root.upper()).unwrap();
    changes.iter().map(ToString::to_string).collect()
}
