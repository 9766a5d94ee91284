//! Who a command runs as: an image's words, looked up in the root's passwd and group.
//!
//! The files are the image's, hence anybody's: a line that makes no sense is skipped, and
//! only the beginning of a file that is too long is read.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The most that is read of each file.
const MAX_FILE: u64 = 4 << 20;

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// Its main group.
    pub gid: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
    /// Where it is at home.
    pub home: String,
}

/// Why a user cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// There is no such name.
    #[error("no user '{0}' in the image's /etc/passwd: give its number, or UID:GID")]
    User(String),
    /// There is no such group.
    #[error("no group '{0}' in the image's /etc/group: give its number")]
    Group(String),
}

/// The users and groups of a root.
#[derive(Default)]
pub struct Database {
    passwd: String,
    group: String,
}

impl Database {
    /// Reads those of the root at `root`; what is missing is empty.
    pub fn read(root: &Path) -> Self {
        Self {
            passwd: read(&root.join("etc/passwd")),
            group: read(&root.join("etc/group")),
        }
    }

    /// Whom `words` name: `USER`, `UID`, `USER:GROUP`, `UID:GID`. An empty user is root.
    ///
    /// # Errors
    /// A name is in no file.
    pub fn find(&self, words: &str) -> Result<Identity, UserError> {
        let (user, group) = words.split_once(':').unwrap_or((words, ""));
        let found = self.user(user)?;
        let chosen = (!group.is_empty()).then(|| self.group(group)).transpose()?;
        let groups = match (chosen, found.name) {
            // Whoever names a group wants that one alone.
            (Some(_), _) | (_, None) => Vec::new(),
            (None, Some(name)) => self.groups_of(name),
        };
        Ok(Identity {
            uid: found.uid,
            gid: chosen.unwrap_or(found.gid),
            groups,
            home: found.home.to_owned(),
        })
    }

    /// Where the user with this number is at home.
    pub fn home_of(&self, uid: u32) -> &str {
        let user = self.users().find(|user| user.uid == uid);
        user.map_or("/", |user| user.home)
    }

    fn user<'a>(&'a self, word: &str) -> Result<User<'a>, UserError> {
        let word = if word.is_empty() { "0" } else { word };
        let number = word.parse().ok();
        let by_name = self.users().find(|user| user.name == Some(word));
        let by_number = || self.users().find(|user| Some(user.uid) == number);
        // A number needs no line: it is the user's own business who that is.
        let unknown = || number.map(User::unknown);
        by_name
            .or_else(by_number)
            .or_else(unknown)
            .ok_or_else(|| UserError::User(word.to_owned()))
    }

    fn group(&self, word: &str) -> Result<u32, UserError> {
        let by_name = lines(&self.group).find(|fields| fields.first() == Some(&word));
        by_name
            .and_then(|fields| fields.get(2)?.parse().ok())
            .or_else(|| word.parse().ok())
            .ok_or_else(|| UserError::Group(word.to_owned()))
    }

    /// The groups that list `name` as a member.
    fn groups_of(&self, name: &str) -> Vec<u32> {
        let has_member = |fields: &Vec<&str>| {
            let members = fields.get(3).copied().unwrap_or_default();
            members.split(',').any(|member| member == name)
        };
        let groups = lines(&self.group).filter(has_member);
        groups
            .filter_map(|fields| fields.get(2)?.parse().ok())
            .collect()
    }

    fn users(&self) -> impl Iterator<Item = User<'_>> {
        lines(&self.passwd).filter_map(|fields| User::parse(&fields))
    }
}

/// A line of passwd, as far as it matters.
struct User<'a> {
    name: Option<&'a str>,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl<'a> User<'a> {
    /// `name:password:uid:gid:comment:home:shell`
    fn parse(fields: &[&'a str]) -> Option<Self> {
        let home = fields.get(5).copied().unwrap_or_default();
        Some(Self {
            name: fields.first().copied(),
            uid: fields.get(2)?.parse().ok()?,
            gid: fields.get(3)?.parse().ok()?,
            home: if home.is_empty() { "/" } else { home },
        })
    }

    fn unknown(uid: u32) -> Self {
        let (name, gid, home) = (None, 0, "/");
        Self {
            name,
            uid,
            gid,
            home,
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        // What has been read before an error is as good as any.
        let _ = file.take(MAX_FILE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Database {
        Database {
            passwd:
                "root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:100::/home/ann:\nbob:x:1001:101:::\n"
                    .into(),
            group: "users:x:100:\naudio:x:29:bob,ann\nvideo:x:44:ann\nodd:x:x:ann\n".into(),
        }
    }

    fn identity(words: &str) -> (u32, u32, Vec<u32>) {
        let found = database().find(words).unwrap();
        (found.uid, found.gid, found.groups)
    }

    #[test]
    fn a_name_brings_its_groups_and_home() {
        assert_eq!(identity("ann"), (1000, 100, vec![29, 44]));
        assert_eq!(database().find("ann").unwrap().home, "/home/ann");
        assert_eq!(database().find("bob").unwrap().home, "/");
    }

    #[test]
    fn a_known_number_is_the_user_with_its_name() {
        assert_eq!(identity("1000"), (1000, 100, vec![29, 44]));
    }

    #[test]
    fn a_number_that_nobody_has_is_taken_as_it_is() {
        assert_eq!(identity("4242"), (4242, 0, vec![]));
        assert_eq!(identity("4242:17"), (4242, 17, vec![]));
    }

    #[test]
    fn a_group_that_is_named_is_the_only_one() {
        assert_eq!(identity("ann:video"), (1000, 44, vec![]));
    }

    #[test]
    fn nobody_given_is_root() {
        assert_eq!(identity(""), (0, 0, vec![]));
        assert_eq!(identity(":users"), (0, 100, vec![]));
    }

    #[test]
    fn unknown_names_are_told() {
        let error = |words| database().find(words).unwrap_err();
        assert_eq!(error("eve"), UserError::User("eve".into()));
        assert_eq!(error("ann:eve"), UserError::Group("eve".into()));
        assert_eq!(error("-1"), UserError::User("-1".into()));
    }

    #[test]
    fn a_root_without_files_has_root() {
        let found = Database::default().find("0").unwrap();
        assert_eq!((found.uid, found.home.as_str()), (0, "/"));
    }
}
