//! Layers of an image, one after the other, become its tree.

use std::fs::File;
use std::io::{self, BufReader, Read};

use super::members::Members;
use crate::image::digest::{Digest, Hashing};
use crate::image::error::SourceError;
use crate::image::layer;
use crate::image::progress::Progress;
use crate::image::spool::{Limited, Spool};
use crate::image::tree::Tree;
use crate::image::unpack::unpack;

/// A layer as an image tells it.
pub(super) struct Layer {
    /// The file that it is in.
    pub(super) path: String,
    /// What the file has to be, if it is told.
    pub(super) blob: Option<Digest>,
    /// What it has to unpack to.
    pub(super) unpacked: Option<Digest>,
}

/// Applies `layers`, the lowest first; their contents go into `spool`.
pub(super) fn apply(
    members: &Members,
    layers: &[Layer],
    spool: File,
    max_size: u64,
) -> Result<Tree, SourceError> {
    let mut work = Work {
        tree: Tree::default(),
        spool: Spool::new(spool, max_size),
        left: max_size,
        progress: Progress::begin(),
    };
    for (index, layer) in layers.iter().enumerate() {
        let number = index + 1;
        let what = format!("layer {number} of {}", layers.len());
        let (blob, unpacked) = work.layer(number, &what, members.open(&layer.path)?)?;
        check(&what, layer.blob, blob)?;
        check(&format!("{what}, unpacked,"), layer.unpacked, unpacked)?;
    }
    Ok(work.tree)
}

struct Work {
    tree: Tree,
    spool: Spool,
    /// How many bytes all layers together may still unpack to.
    left: u64,
    progress: Progress,
}

impl Work {
    /// Applies one layer, which is read once; returns the digests of its file and its archive.
    fn layer(
        &mut self,
        number: usize,
        what: &str,
        file: impl Read,
    ) -> Result<(Digest, Digest), SourceError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| SourceError::Layer {
            number,
            source,
        };
        let io_failed = |error: io::Error| failed(error.into());
        let mut blob = Hashing::new(self.progress.watch(what, file));
        let unpacked = {
            let packed = BufReader::with_capacity(64 << 10, &mut blob);
            let limit = self.spool.limit();
            let limited = Limited {
                inner: unpack(packed).map_err(io_failed)?,
                left: &mut self.left,
                limit,
            };
            let mut unpacked = Hashing::new(limited);
            let mut archive = BufReader::with_capacity(128 << 10, &mut unpacked);
            let order = u32::try_from(number).unwrap_or(u32::MAX);
            layer::apply(&mut self.tree, order, &mut archive, &mut self.spool)
                .map_err(|error| failed(error.into()))?;
            io::copy(&mut archive, &mut io::sink()).map_err(io_failed)?;
            unpacked.digest()
        };
        io::copy(&mut blob, &mut io::sink()).map_err(io_failed)?;
        Ok((blob.digest(), unpacked))
    }
}

/// An error unless `found` is what was `expected`.
pub(super) fn check(
    what: &str,
    expected: Option<Digest>,
    found: Digest,
) -> Result<(), SourceError> {
    match expected {
        Some(expected) if expected != found => Err(SourceError::Damaged {
            what: what.to_owned(),
            expected,
            found,
        }),
        _ => Ok(()),
    }
}
