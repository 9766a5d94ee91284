//! An image's configuration and the user's options become the command that is launched.

use wire::{Launch, WindowSize};

use super::channel::ChannelName;
use crate::image::ImageConfig;

/// What the user said about the command; what is left out is the image's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Replaces the image's Cmd.
    pub command: Vec<String>,
    /// Replaces the image's Entrypoint, and its Cmd with it.
    pub entrypoint: Option<String>,
    /// Added to the image's Env; the last of a name counts.
    pub env: Vec<(String, String)>,
    /// Replaces the image's WorkingDir.
    pub workdir: Option<String>,
    /// Replaces the image's User.
    pub user: Option<String>,
    /// The command gets a terminal of this size.
    pub tty: Option<WindowSize>,
}

/// Neither the image nor the user names a command.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("image {0} names no command: add one, as in `vmm run {0} -- /bin/sh`")]
pub struct NoCommand(pub String);

/// Where commands are looked up if nobody says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The command that `wishes` make of the image `name`.
///
/// # Errors
/// There is none.
pub fn launch(name: &str, image: &ImageConfig, wishes: Wishes) -> Result<Launch, NoCommand> {
    let env = environment(image, &wishes);
    let argv = arguments(image, wishes.entrypoint, wishes.command);
    if argv.is_empty() {
        return Err(NoCommand(name.to_owned()));
    }
    Ok(Launch {
        argv,
        env,
        workdir: wishes.workdir.or_else(|| image.workdir.clone()),
        user: wishes.user.or_else(|| image.user.clone()),
        tty: wishes.tty,
    })
}

/// `launch` with the variables that say where its channels are.
pub fn with_channels(launch: Launch, channels: &[ChannelName]) -> Launch {
    let variables = channels.iter().map(|name| (name.variable(), name.path()));
    let variables: Vec<_> = variables.collect();
    Launch {
        env: with_variables(launch.env, &variables),
        ..launch
    }
}

/// Cmd are the arguments of Entrypoint (OCI image specification, Config).
fn arguments(image: &ImageConfig, entrypoint: Option<String>, command: Vec<String>) -> Vec<String> {
    let is_replaced = entrypoint.is_some();
    let mut argv = match entrypoint {
        Some(entrypoint) => vec![entrypoint],
        None => image.entrypoint.clone(),
    };
    match command {
        command if command.is_empty() && !is_replaced => argv.extend(image.cmd.iter().cloned()),
        command => argv.extend(command),
    }
    argv
}

fn environment(image: &ImageConfig, wishes: &Wishes) -> Vec<(String, String)> {
    let mut env = vec![("PATH".to_owned(), DEFAULT_PATH.to_owned())];
    if wishes.tty.is_some() {
        env.push(("TERM".to_owned(), "xterm".to_owned()));
    }
    with_variables(with_variables(env, &image.env), &wishes.env)
}

/// `env` with `added`; the last value of a name counts.
pub fn with_variables(
    mut env: Vec<(String, String)>,
    added: &[(String, String)],
) -> Vec<(String, String)> {
    for (name, value) in added {
        match env.iter_mut().find(|(known, _)| known == name) {
            Some(known) => value.clone_into(&mut known.1),
            None => env.push((name.clone(), value.clone())),
        }
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> ImageConfig {
        ImageConfig {
            entrypoint: vec!["python3".into()],
            cmd: vec!["-V".into()],
            env: vec![("LANG".into(), "C".into())],
            ..Default::default()
        }
    }

    fn argv(wishes: Wishes) -> Vec<String> {
        launch("i", &image(), wishes).unwrap().argv
    }

    #[test]
    fn a_command_follows_the_entrypoint_and_replaces_cmd() {
        assert_eq!(argv(Wishes::default()), ["python3", "-V"]);
        let wishes = Wishes {
            command: vec!["hw1.py".into()],
            ..Default::default()
        };
        assert_eq!(argv(wishes), ["python3", "hw1.py"]);
    }

    #[test]
    fn another_entrypoint_leaves_cmd_behind() {
        let wishes = Wishes {
            entrypoint: Some("sh".into()),
            ..Default::default()
        };
        assert_eq!(argv(wishes), ["sh"]);
    }

    #[test]
    fn the_last_value_of_a_name_counts() {
        let wishes = Wishes {
            env: vec![("LANG".into(), "de".into()), ("A".into(), "1".into())],
            ..Default::default()
        };
        let env = launch("i", &image(), wishes).unwrap().env;
        let lang: Vec<_> = env.iter().filter(|(name, _)| name == "LANG").collect();
        assert_eq!(lang, [&("LANG".to_owned(), "de".to_owned())]);
    }

    #[test]
    fn an_image_without_a_command_needs_one() {
        let error = launch("i", &ImageConfig::default(), Wishes::default()).unwrap_err();
        assert_eq!(error, NoCommand("i".into()));
    }
}
