//! An OCI image layout (image-layout.md): from `index.json` to a manifest, a configuration, layers.

use oci_spec::image::{Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType};

use super::layers::{self, Layer};
use super::members::Members;
use super::{Image, Wanted};
use crate::image::config::ImageConfig;
use crate::image::digest::Digest;
use crate::image::error::SourceError;
use crate::image::platform::Platform;

/// The file that tells a layout.
pub(super) const MARK: &str = "oci-layout";
/// Where a layout begins.
pub(super) const INDEX: &str = "index.json";

/// An index in an index in an index: nobody needs more.
const DEPTH_MAX: usize = 4;
/// The most manifests and indexes that are looked at.
const ENTRIES_MAX: usize = 1000;
/// The longest name of an image.
const NAME_MAX: usize = 255;

/// The names that tools give a manifest in a layout, in the order of our liking.
const NAME_ANNOTATIONS: [&str; 2] = [
    "org.opencontainers.image.ref.name",
    "io.containerd.image.name",
];

/// A manifest that may be the one.
struct Candidate {
    descriptor: Descriptor,
    names: Vec<String>,
}

/// Chooses the image that is wanted from the layout in `members`.
pub(super) fn choose(members: &Members, wanted: &Wanted<'_>) -> Result<Image, SourceError> {
    let index: ImageIndex = parse(INDEX, &members.document(INDEX)?)?;
    let mut search = Search {
        members,
        left: ENTRIES_MAX,
        found: Vec::new(),
    };
    search.collect(&index, &[], DEPTH_MAX)?;
    let mut found = search.found;
    if let Some(tag) = wanted.tag {
        let called = |name: &String| name == tag || name.ends_with(&format!(":{tag}"));
        let names = listed(found.iter().flat_map(|one| &one.names));
        found.retain(|one| one.names.iter().any(called));
        if found.is_empty() {
            let text = format!("it has no image called '{tag}', but {names}");
            return Err(SourceError::Choice(text));
        }
    }
    let images = found.iter().map(|one| read(members, &one.descriptor));
    let images = images.collect::<Result<Vec<_>, _>>()?;
    one_of(images, &found, wanted.platform)
}

/// The way through indexes in indexes, which may name each other however they like.
struct Search<'a> {
    members: &'a Members,
    /// How many entries may still come.
    left: usize,
    found: Vec<Candidate>,
}

impl Search<'_> {
    /// Adds the manifests of `index` and of those within to what was found.
    fn collect(
        &mut self,
        index: &ImageIndex,
        names: &[String],
        depth: usize,
    ) -> Result<(), SourceError> {
        let endless = || malformed(INDEX, "it has more indexes in indexes than any image");
        for descriptor in index.manifests() {
            self.left = self.left.checked_sub(1).ok_or_else(endless)?;
            let names = [names, &names_of(descriptor)?].concat();
            match descriptor.media_type() {
                MediaType::ImageIndex => {}
                MediaType::Other(text) if text == DOCKER_LIST => {}
                _ => {
                    let descriptor = descriptor.clone();
                    self.found.push(Candidate { descriptor, names });
                    continue;
                }
            }
            let deeper = depth.checked_sub(1).ok_or_else(endless)?;
            let (what, bytes) = blob(self.members, descriptor)?;
            self.collect(&parse(&what, &bytes)?, &names, deeper)?;
        }
        Ok(())
    }
}

const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const DOCKER_LAYERS: [&str; 4] = [
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
];

fn names_of(descriptor: &Descriptor) -> Result<Vec<String>, SourceError> {
    let annotations = descriptor.annotations().as_ref();
    let named = |key| annotations.and_then(|all| all.get(key)).cloned();
    let names: Vec<String> = NAME_ANNOTATIONS.into_iter().filter_map(named).collect();
    match names.iter().any(|name| name.len() > NAME_MAX) {
        true => Err(malformed(
            INDEX,
            "it has a name that is no name of an image",
        )),
        false => Ok(names),
    }
}

/// The one image for `platform`.
fn one_of(
    images: Vec<Option<Image>>,
    found: &[Candidate],
    platform: &Platform,
) -> Result<Image, SourceError> {
    let there = listed(
        images
            .iter()
            .flatten()
            .map(|image| image.platform.to_string()),
    );
    let takes = |image: &Image| {
        let Platform {
            os,
            architecture,
            variant,
        } = &image.platform;
        platform.takes(os, architecture, variant.as_deref())
    };
    let names = listed(found.iter().flat_map(|one| &one.names));
    let mut fitting: Vec<Image> = images.into_iter().flatten().filter(takes).collect();
    fitting.dedup_by_key(|image| image.digest);
    match fitting.len() {
        1 => Ok(fitting.remove(0)),
        0 if there.is_empty() => Err(SourceError::Choice("it has no image at all".to_owned())),
        0 => Err(SourceError::Choice(format!(
            "it is for {there}, not for {platform}: --platform takes another"
        ))),
        _ if names.is_empty() => Err(SourceError::Choice(format!(
            "it has several images for {platform}, and no names to tell them apart"
        ))),
        _ => Err(SourceError::Choice(format!(
            "it has several images: name one of {names} behind a colon, as in PATH:NAME"
        ))),
    }
}

/// The image of a manifest; `None` for what is no image, such as an attestation.
fn read(members: &Members, descriptor: &Descriptor) -> Result<Option<Image>, SourceError> {
    let told = descriptor.platform().as_ref();
    if told.is_some_and(|told| told.os().to_string() == "unknown") {
        return Ok(None);
    }
    match descriptor.media_type() {
        MediaType::ImageManifest => {}
        MediaType::Other(text) if text == DOCKER_MANIFEST => {}
        other => return Err(unknown("the index", other)),
    }
    let (what, bytes) = blob(members, descriptor)?;
    let manifest: ImageManifest = parse(&what, &bytes)?;
    match manifest.config().media_type() {
        MediaType::ImageConfig => {}
        MediaType::Other(text) if text == DOCKER_CONFIG => {}
        other => return Err(unknown(&what, other)),
    }
    let (what, config) = blob(members, manifest.config())?;
    let config: ImageConfiguration = parse(&what, &config)?;
    Ok(Some(Image {
        digest: Some(Digest::of(&bytes)),
        platform: platform_of(&config),
        layers: layers_of(&manifest, &config)?,
        config: ImageConfig::from_oci(&config)?,
    }))
}

/// What the configuration says that the files are for.
pub(super) fn platform_of(config: &ImageConfiguration) -> Platform {
    Platform {
        os: config.os().to_string(),
        architecture: config.architecture().to_string(),
        variant: config.variant().clone(),
    }
}

fn layers_of(
    manifest: &ImageManifest,
    config: &ImageConfiguration,
) -> Result<Vec<Layer>, SourceError> {
    let unpacked = config.rootfs().diff_ids();
    if unpacked.len() != manifest.layers().len() {
        let why = "it has not as many layers as its configuration tells";
        return Err(malformed("the manifest", why));
    }
    let both = manifest.layers().iter().zip(unpacked);
    both.map(|(descriptor, unpacked)| {
        match descriptor.media_type() {
            MediaType::ImageLayer | MediaType::ImageLayerGzip | MediaType::ImageLayerZstd => {}
            MediaType::ImageLayerNonDistributable
            | MediaType::ImageLayerNonDistributableGzip
            | MediaType::ImageLayerNonDistributableZstd => {}
            MediaType::Other(text) if DOCKER_LAYERS.contains(&text.as_str()) => {}
            other => return Err(unknown("the manifest", other)),
        }
        let digest = digest_of(descriptor)?;
        Ok(Layer {
            path: path_of(&digest),
            blob: Some(digest),
            unpacked: Some(
                unpacked
                    .parse()
                    .map_err(|why| malformed("the configuration", why))?,
            ),
        })
    })
    .collect()
}

/// The document that `descriptor` tells of, and what to call it.
fn blob(members: &Members, descriptor: &Descriptor) -> Result<(String, Vec<u8>), SourceError> {
    let digest = digest_of(descriptor)?;
    let path = path_of(&digest);
    let bytes = members.document(&path)?;
    layers::check(&path, Some(digest), Digest::of(&bytes))?;
    Ok((path, bytes))
}

fn digest_of(descriptor: &Descriptor) -> Result<Digest, SourceError> {
    let text = descriptor.digest().to_string();
    text.parse().map_err(|why| malformed("a descriptor", why))
}

fn path_of(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// Understands the document `bytes`.
pub(super) fn parse<T: serde::de::DeserializeOwned>(
    what: &str,
    bytes: &[u8],
) -> Result<T, SourceError> {
    serde_json::from_slice(bytes).map_err(|why| malformed(what, why))
}

fn malformed(what: &str, why: impl ToString) -> SourceError {
    SourceError::Malformed {
        what: what.to_owned(),
        why: why.to_string(),
    }
}

fn unknown(what: &str, media_type: &MediaType) -> SourceError {
    malformed(
        what,
        format!("it names the media type {media_type}, which is no part of an image"),
    )
}

/// Words with commas between, each once.
fn listed<T: ToString>(words: impl Iterator<Item = T>) -> String {
    let words: std::collections::BTreeSet<String> = words.map(|word| word.to_string()).collect();
    words.into_iter().collect::<Vec<_>>().join(", ")
}
