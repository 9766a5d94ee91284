//! Images of a registry.

use std::fs::{self, File};

use rustix::fs::{FlockOperation, flock};

use super::Store;
use crate::image::digest::Digest;
use crate::image::error::ImageError;
use crate::image::{Image, ResolveOptions, registry};

impl Store {
    /// Downloads and imports the image that a registry has as `reference`. What was downloaded
    /// before an interruption is not downloaded again.
    ///
    /// # Errors
    /// There is no such image, it cannot be downloaded or imported, or this program was built
    /// without the feature `registry`.
    pub fn pull(&self, reference: &str, options: &ResolveOptions) -> Result<Image, ImageError> {
        let directory = self.directory.join("downloads");
        let platform = options.platform.to_string();
        let key = Digest::of(format!("{reference} {platform}").as_bytes()).hex();
        let layout = directory.join(&key);
        let failed = |source| ImageError::Store {
            path: layout.clone(),
            source,
        };
        fs::create_dir_all(&directory).map_err(failed)?;
        // Another pull of the same is waited for, and has then done the work.
        let lock = File::create(directory.join(key + ".lock")).map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|errno| failed(errno.into()))?;
        let is_known = |digest: &Digest| self.known(reference, digest).is_some();
        let digest = registry::download(
            reference,
            (&options.platform, options.max_size),
            &layout,
            &is_known,
        )
        .map_err(|source| ImageError::Pull {
            reference: reference.to_owned(),
            source,
        })?;
        if let Some(image) = self.known(reference, &digest) {
            return Ok(image);
        }
        let image = self.import(&layout, options);
        // A damaged download is not worth to go on with; a whole one is not needed any more.
        fs::remove_dir_all(&layout).map_err(failed)?;
        image
    }
}
