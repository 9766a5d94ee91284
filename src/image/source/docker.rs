//! A docker archive, as `docker save` writes it: `manifest.json`, configurations, layers.

use oci_spec::image::ImageConfiguration;
use serde::Deserialize;

use super::layers::Layer;
use super::members::Members;
use super::oci::{parse, platform_of};
use super::{Image, Wanted};
use crate::image::config::ImageConfig;
use crate::image::digest::Digest;
use crate::image::error::SourceError;

/// The file that tells a docker archive.
pub(super) const MARK: &str = "manifest.json";

/// An image in `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Chooses the image that is wanted from the archive in `members`.
pub(super) fn choose(members: &Members, wanted: &Wanted<'_>) -> Result<Image, SourceError> {
    let entries: Vec<Entry> = parse(MARK, &members.document(MARK)?)?;
    let entry = one_of(entries, wanted.tag)?;
    let bytes = members.document(&entry.config)?;
    let config: ImageConfiguration = parse(&entry.config, &bytes)?;
    let platform = platform_of(&config);
    if !wanted.takes(&platform) {
        return Err(SourceError::Choice(format!(
            "it is for {platform}, not for {}: --platform takes another",
            wanted.platform
        )));
    }
    Ok(Image {
        digest: Some(Digest::of(&bytes)),
        platform,
        layers: layers_of(&entry, &config)?,
        config: ImageConfig::from_oci(&config)?,
    })
}

fn one_of(mut entries: Vec<Entry>, tag: Option<&str>) -> Result<Entry, SourceError> {
    let tags = |entry: &Entry| entry.repo_tags.clone().unwrap_or_default();
    let names = entries.iter().flat_map(tags).collect::<Vec<_>>().join(", ");
    if let Some(tag) = tag {
        let called = |name: &String| name == tag || name.ends_with(&format!(":{tag}"));
        entries.retain(|entry| tags(entry).iter().any(called));
    }
    match entries.len() {
        1 => Ok(entries.remove(0)),
        0 => Err(SourceError::Choice(format!(
            "it has no such image, but {names}"
        ))),
        _ => Err(SourceError::Choice(format!(
            "it has several images: name one of {names} behind a colon, as in PATH:NAME"
        ))),
    }
}

fn layers_of(entry: &Entry, config: &ImageConfiguration) -> Result<Vec<Layer>, SourceError> {
    let malformed = |why: String| SourceError::Malformed {
        what: entry.config.clone(),
        why,
    };
    let unpacked = config.rootfs().diff_ids();
    if unpacked.len() != entry.layers.len() {
        return Err(malformed("it tells of another number of layers".to_owned()));
    }
    let both = entry.layers.iter().zip(unpacked);
    both.map(|(path, unpacked)| {
        Ok(Layer {
            path: path.clone(),
            blob: None,
            unpacked: Some(
                unpacked
                    .parse()
                    .map_err(|why| malformed(format!("{why}")))?,
            ),
        })
    })
    .collect()
}
