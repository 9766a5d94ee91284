//! Images out of images: with a layer more, or as an archive.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::Store;
use super::staged::Staged;
use crate::image::config::ImageConfig;
use crate::image::error::{ImageError, SourceError};
use crate::image::name::Name;
use crate::image::source::Files;
use crate::image::spool::Spool;
use crate::image::tree::Tree;
use crate::image::{Format, Image, ResolveOptions, erofs, export, layer};

impl Store {
    /// The image `parent` with the layer whose tar archive is `tar` on top, to be run as `config`
    /// says.
    ///
    /// # Errors
    /// `parent` is a disk image, `tar` is no layer, or the store cannot take the result.
    pub fn add_layer(
        &self,
        parent: &Image,
        tar: impl Read,
        config: ImageConfig,
        options: &ResolveOptions,
    ) -> Result<Image, ImageError> {
        let _adding = self.adding()?;
        let mut tree = tree_of(parent)?;
        let failed = |source| ImageError::Import {
            path: parent.base.path.clone(),
            source,
        };
        let spool = Staged::new(&self.directory).and_then(Staged::into_anonymous);
        let spool = spool.map_err(SourceError::io("cannot write to the store"));
        let mut spool = Spool::new(spool.map_err(failed)?, options.max_size);
        layer::apply(&mut tree, 1, tar, &mut spool).map_err(|error| {
            failed(SourceError::Layer {
                number: 1,
                source: error.into(),
            })
        })?;
        let base = self.put_files(Files::Tree(tree)).map_err(failed)?;
        self.put_record(&parent.name, None, base, config)
    }

    /// Writes `image` to `file` as an OCI layout in a tar archive. The same image gives the same
    /// bytes.
    ///
    /// # Errors
    /// There is a file already, it cannot be written, or `image` is a disk image.
    pub fn export(&self, image: &Image, file: &Path) -> Result<(), ImageError> {
        let tree = tree_of(image)?;
        let _adding = self.adding()?;
        let failed = |source| ImageError::Export {
            path: file.to_owned(),
            source,
        };
        let layer = Staged::new(&self.directory).and_then(Staged::into_anonymous);
        let out = Staged::beside(file).map_err(failed)?;
        let layer = layer.map_err(failed)?;
        export::write(image, &tree, &layer, out.file()).map_err(failed)?;
        out.create(file).map_err(failed)
    }

    /// An error if another image has `name` and is to keep it: to be found out before the work.
    ///
    /// # Errors
    /// The name is taken.
    pub fn check_free(&self, name: &Name, replace: bool) -> Result<(), ImageError> {
        match self.digest_of(name)? {
            Some(_) if !replace => Err(ImageError::Taken(name.clone())),
            _ => Ok(()),
        }
    }
}

/// The tree that the base of `image` was made of.
fn tree_of(image: &Image) -> Result<Tree, ImageError> {
    let disk = || ImageError::Disk(image.name.clone(), image.base.path.clone());
    if image.base.format != Format::Erofs {
        return Err(disk());
    }
    let read = |file: File| -> io::Result<Tree> { erofs::read(&Arc::new(file)) };
    File::open(&image.base.path)
        .and_then(read)
        .map_err(|_| disk())
}
