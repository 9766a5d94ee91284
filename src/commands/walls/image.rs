//! `vmm image …`: what is in the store.

use std::process::ExitCode;

use serde::Serialize;

use super::Failure;
use crate::cli::walls::image::ImageCommand;
use crate::image::{Image, ImageError, Listed, Name, ResolveOptions, Store};
use crate::output::{self, say};
use crate::root::namespace::unshare_mounts;

/// Does what `command` asks for.
pub(super) fn run(command: ImageCommand) -> Result<ExitCode, Failure> {
    let store = Store::open_default()?;
    match command {
        ImageCommand::Import {
            path,
            name,
            replace,
            options,
        } => import(&store, &path, &name, replace, &options.into())?,
        ImageCommand::Pull {
            reference,
            name,
            replace,
            options,
        } => {
            let name = name.map_or_else(|| reference.parse(), Ok)?;
            pull(&store, &reference, &name, replace, &options.into())?;
        }
        ImageCommand::List { json } => list(&store.list()?, json)?,
        ImageCommand::Inspect { image, json } => inspect(&find(&store, &image)?, json)?,
        ImageCommand::Remove { names } => names.iter().try_for_each(|name| store.remove(name))?,
        ImageCommand::Export { image, file } => {
            let image = find(&store, &image)?;
            store.export(&image, &file)?;
        }
        ImageCommand::Gc { json } => gc(&store, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn import(
    store: &Store,
    path: &std::path::Path,
    name: &Name,
    replace: bool,
    options: &ResolveOptions,
) -> Result<(), Failure> {
    store.check_free(name, replace)?;
    let image = store.import(path, options)?;
    store.tag(&image, name, replace)?;
    Ok(output::print(format_args!("{name}  {}\n", image.digest))?)
}

fn pull(
    store: &Store,
    reference: &str,
    name: &Name,
    replace: bool,
    options: &ResolveOptions,
) -> Result<(), Failure> {
    let image = store.pull(reference, options)?;
    store.tag(&image, name, replace)?;
    Ok(output::print(format_args!("{name}  {}\n", image.digest))?)
}

/// An image of the store alone: nothing is imported.
fn find(store: &Store, image: &str) -> Result<Image, ImageError> {
    store.named(&image.parse()?)
}

fn list(images: &[Listed], json: bool) -> Result<(), Failure> {
    if json {
        return print_json(images);
    }
    let widest = images.iter().map(|one| one.name.to_string().len()).max();
    let width = widest.unwrap_or(0).max("NAME".len());
    let mut text = format!("{:width$}  DIGEST        ARCH   FORMAT    MIB\n", "NAME");
    for Listed {
        name,
        digest,
        format,
        size,
        architecture,
        ..
    } in images
    {
        let (name, digest) = (name.to_string(), digest.hex());
        let (digest, format, mib) = (&digest[..12], format.name(), size.div_ceil(1 << 20));
        text += &format!("{name:width$}  {digest}  {architecture:5}  {format:8}  {mib:3}\n");
    }
    Ok(output::print(text)?)
}

fn inspect(image: &Image, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(image);
    }
    let config = &image.config;
    let mut text = format!("name          {}\n", image.name);
    let mut line = |word: &str, value: &str| {
        if !value.is_empty() {
            text += &format!("{word:<12}  {}\n", output::plain(value));
        }
    };
    let stated = |word: &Option<String>| word.clone().unwrap_or_default();
    line("digest", &image.digest.to_string());
    line("base", &image.base.path.display().to_string());
    line("base digest", &image.base.digest.to_string());
    line("format", image.base.format.name());
    line("architecture", &config.architecture);
    line("entrypoint", &words(&config.entrypoint));
    line("cmd", &words(&config.cmd));
    line("workdir", &stated(&config.workdir));
    line("user", &stated(&config.user));
    line("stop signal", &stated(&config.stop_signal));
    for (name, value) in &config.env {
        line("env", &format!("{name}={value}"));
    }
    for (name, value) in &config.labels {
        line("label", &format!("{name}={value}"));
    }
    Ok(output::print(text)?)
}

/// As JSON writes them: it tells where a word ends, and what a terminal must not see.
fn words(words: &[String]) -> String {
    if words.is_empty() {
        return String::new();
    }
    serde_json::to_string(words).expect("words are valid JSON")
}

/// What an ordinary user has extracted belongs to users who exist in his user namespace alone.
fn enter_namespace(store: &Store) -> Result<(), Failure> {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root && store.directory().join("trees").exists() {
        unshare_mounts()?;
    }
    Ok(())
}

fn gc(store: &Store, json: bool) -> Result<(), Failure> {
    enter_namespace(store)?;
    let collected = store.gc()?;
    if json {
        return print_json(&collected);
    }
    let mib = collected.bytes >> 20;
    say(format_args!("removed {} bases, {mib} MiB", collected.bases));
    if collected.running > 0 {
        say(format_args!(
            "{} more stay while they run",
            collected.running
        ));
    }
    Ok(())
}

fn print_json(value: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
    Ok(output::print(serde_json::to_string_pretty(value)? + "\n")?)
}
