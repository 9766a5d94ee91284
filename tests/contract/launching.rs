//! What runs: arguments, environment, directory, user, host name.

use crate::Promise;
use crate::wall::{Wall, finish};

pub const PROMISES: &[Promise] = &[
    (1, "arguments_arrive_as_they_were_given", arguments),
    (
        1,
        "an_entrypoint_gets_the_command_as_its_arguments",
        entrypoint,
    ),
    (2, "the_environment_is_what_was_asked_for", environment),
    (2, "nothing_of_the_caller_s_environment_leaks", no_leak),
    (3, "the_working_directory_is_made", workdir),
    (4, "a_user_is_looked_up_in_the_image", user),
    (4, "a_user_may_be_numbers", user_by_number),
    (4, "an_unknown_user_is_our_failure", unknown_user),
    (5, "the_host_has_the_name_that_was_asked_for", hostname),
];

fn arguments(wall: &Wall) {
    let mut command = wall.run(&[]);
    command.args([
        "sh",
        "-c",
        "for a; do echo \"<$a>\"; done",
        "sh",
        "a b",
        "",
        "ü'\"$x\\",
        "-v",
    ]);
    let ended = finish(command, b"");
    assert_eq!(ended.text(), "<a b>\n<>\n<ü'\"$x\\>\n<-v>\n", "{ended:?}");
}

fn entrypoint(wall: &Wall) {
    let mut command = wall.run(&["--entrypoint", "echo"]);
    command.args(["a", "b"]);
    assert_eq!(finish(command, b"").text(), "a b\n");
}

fn environment(wall: &Wall) {
    let options = ["--env", "A=1=2", "--env", "B=", "--env", "A=3"];
    assert_eq!(
        wall.prints(&options, "echo \"$A,${B-unset},$HOME\""),
        "3,,/root"
    );
}

fn no_leak(wall: &Wall) {
    let mut command = wall.run(&["--env", "GIVEN"]);
    command.env("SECRET", "1").env("GIVEN", "2").arg("env");
    let text = finish(command, b"").text();
    assert!(
        !text.contains("SECRET") && !text.contains("VMM_") && text.contains("GIVEN=2"),
        "{text}"
    );
}

fn workdir(wall: &Wall) {
    assert_eq!(
        wall.prints(&["--workdir", "/srv/made/here"], "pwd"),
        "/srv/made/here"
    );
    assert_eq!(wall.prints(&[], "pwd"), "/");
}

/// Whether another user is refused, as he is where none is lent to an ordinary user.
fn is_refused(wall: &Wall, user: &str) -> bool {
    if !wall.has_users() {
        let ended = wall.shell(&["--user", user], "true");
        let is_said = ended.errors.contains("/etc/subuid");
        assert!(ended.status == 125 && is_said, "{ended:?}");
    }
    !wall.has_users()
}

fn user(wall: &Wall) {
    if is_refused(wall, "app") {
        return;
    }
    let ids = "echo $(id -u) $(id -g) $(id -G) $HOME";
    assert_eq!(
        wall.prints(&["--user", "app"], ids),
        "1000 1001 1001 29 /home/app"
    );
    assert_eq!(
        wall.prints(&["--user", "app:audio"], "echo $(id -u) $(id -g)"),
        "1000 29"
    );
}

fn user_by_number(wall: &Wall) {
    if is_refused(wall, "7:9") {
        return;
    }
    assert_eq!(
        wall.prints(&["--user", "7:9"], "echo $(id -u) $(id -g)"),
        "7 9"
    );
}

fn unknown_user(wall: &Wall) {
    let ended = wall.shell(&["--user", "nobody-here"], "true");
    assert_eq!(ended.status, 125, "{ended:?}");
    assert!(ended.errors.contains("nobody-here"), "{ended:?}");
}

fn hostname(wall: &Wall) {
    if wall.is("process") {
        let ended = wall.shell(&["--hostname", "other"], "true");
        assert_eq!(ended.status, 125);
        assert!(ended.errors.contains("--hostname"), "{ended:?}");
        return;
    }
    assert_eq!(wall.prints(&["--hostname", "other"], "hostname"), "other");
    let name = format!("named-{}", wall.column());
    assert_eq!(wall.prints(&["--name", &name], "hostname"), name);
}
