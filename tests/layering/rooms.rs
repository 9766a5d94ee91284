//! The rooms of a module, which are the modules right below it, and which of them each uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A room, and those that it uses.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

/// What the rooms of `module` use of each other; their tests may use whatever they like.
pub fn uses(module: &str) -> Uses {
    let root = Path::new("src").join(module);
    let mut uses = Uses::new();
    for path in super::sources(&root) {
        let here = place(&path);
        let Some(room) = here.get(1).filter(|room| *room != "tests") else {
            continue;
        };
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let used = statements(code).flat_map(|statement| used_rooms(&here, statement));
        let others = used.filter(|other| other != room);
        uses.entry(room.clone()).or_default().extend(others);
    }
    let rooms: BTreeSet<String> = uses.keys().cloned().collect();
    uses.values_mut()
        .for_each(|used| used.retain(|one| rooms.contains(one)));
    uses
}

/// All rooms that `room` uses, and that they use.
pub fn below(uses: &Uses, room: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![room.to_owned()];
    while let Some(next) = waiting.pop() {
        let new = uses[&next]
            .iter()
            .filter(|one| found.insert((*one).clone()));
        waiting.extend(new.cloned().collect::<Vec<_>>());
    }
    found
}

/// The names of the module that the file at `path` is.
fn place(path: &Path) -> Vec<String> {
    let inside = path.strip_prefix("src").unwrap().with_extension("");
    let names = inside.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name != "mod").collect()
}

/// What follows each `use`, in one line.
fn statements(code: &str) -> impl Iterator<Item = &str> {
    let parts = code.split("use ").skip(1);
    parts.filter_map(|part| Some(part.split_once(';')?.0))
}

/// The rooms that a `use` in the module `here` names.
fn used_rooms(here: &[String], statement: &str) -> Vec<String> {
    let (mut base, mut rest) = match statement.strip_prefix("crate::") {
        Some(rest) => (Vec::new(), rest),
        None if statement.starts_with("super::") => (here.to_vec(), statement),
        None => return Vec::new(),
    };
    while let Some(above) = rest.strip_prefix("super::") {
        base.pop();
        rest = above;
    }
    // Up to the names beside each other, all is one path.
    let (path, names) = rest.split_once('{').unwrap_or(("", rest));
    base.extend(
        path.split("::")
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
    );
    let first = |name: &str| {
        name.trim_matches(|c: char| c.is_whitespace() || c == '}')
            .split("::")
            .next()
            .unwrap()
            .to_owned()
    };
    match (base.first() == here.first(), base.len()) {
        (true, 1) => names.split(',').map(first).collect(),
        (true, _) => vec![base.swap_remove(1)],
        (false, 0) if first(names) == here[0] => {
            names.split("::").nth(1).map(first).into_iter().collect()
        }
        (false, _) => Vec::new(),
    }
}

#[test]
fn rooms_are_found_however_they_are_named() {
    let here = ["bench", "rounds", "pace"].map(str::to_owned);
    let of = |statement| used_rooms(&here, statement).join(" ");
    assert_eq!(of("crate::bench::sample::Sample"), "sample");
    assert_eq!(
        of("crate::bench::{sample::Sample, target}"),
        "sample target"
    );
    assert_eq!(of("crate::bench::record::{Begin, End}"), "record");
    assert_eq!(of("super::super::record::End"), "record");
    assert_eq!(of("super::Plan"), "rounds");
    assert_eq!(of("crate::run::Wall"), "");
}
