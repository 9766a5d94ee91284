//! The store: bases by the digest of their content, and the names that users gave them.
//!
//! ```text
//! bases/HEX.FORMAT   a read-only file system; whoever runs it holds a shared lock on it
//! images/HEX         what an image is: its base and its configuration, as JSON
//! names/NAME:TAG     the digest of an image
//! seen/HEX           the digest of the image that a path with this fingerprint became
//! downloads/         what has come of a registry so far
//! staging/           what is being written: appears elsewhere when it is whole, or never
//! lock               shared while something is added, exclusive while something is removed
//! ```
//!
//! Every file appears whole, by a link or a rename; so a process can end at any moment.

mod change;
mod collect;
mod directory;
mod lock;
mod names;
mod pull;
mod staged;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use collect::Collected;
pub use lock::BaseLock;
pub use names::Listed;

use lock::StoreLock;
use staged::Staged;

use super::config::ImageConfig;
use super::digest::{Digest, Hashing};
use super::error::{ImageError, SourceError};
use super::name::Reference;
use super::source::{Files, Source};
use super::tree::Tree;
use super::{Base, Format, Image, ResolveOptions, erofs};

/// Images on this host.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

/// What the store knows of an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    digest: Digest,
    base: Digest,
    format: Format,
    config: ImageConfig,
}

impl Store {
    /// The image that `reference` means: a name in the store, or a path, which is imported
    /// unless that was done before.
    ///
    /// # Errors
    /// There is no such image, or it cannot be imported.
    pub fn resolve(&self, reference: &str, options: &ResolveOptions) -> Result<Image, ImageError> {
        match Reference::of(reference) {
            Reference::Path(path) => self.import(&path, options),
            Reference::Either(name, path) => match self.named(&name) {
                Err(ImageError::Unknown(_)) if path.exists() => self.import(&path, options),
                result => result,
            },
        }
    }

    /// Makes an image of what is at `path`, unless that was done before.
    ///
    /// # Errors
    /// It is no image, is damaged or too large, or the store cannot take it.
    pub fn import(&self, path: &Path, options: &ResolveOptions) -> Result<Image, ImageError> {
        let _adding = self.adding()?;
        let failed = |source| ImageError::Import {
            path: path.to_owned(),
            source,
        };
        let name = path.display().to_string();
        let source = Source::open(path, options).map_err(failed)?;
        let seen = source.fingerprint.digest();
        if let Some(image) = self.seen(&name, &seen) {
            return Ok(image);
        }
        let settled = source.fingerprint.is_settled();
        let image = self.import_new(&name, source, options).map_err(failed)??;
        if settled {
            self.put(
                &self.directory.join("seen").join(seen.hex()),
                image.digest.to_string(),
            )?;
        }
        Ok(image)
    }

    /// The inner error is the store's, the outer one the source's.
    fn import_new(
        &self,
        name: &str,
        source: Source,
        options: &ResolveOptions,
    ) -> Result<Result<Image, ImageError>, SourceError> {
        let spool = || Staged::new(&self.directory)?.into_anonymous();
        let chosen = source.choose(options, spool)?;
        let digest = chosen.digest();
        if let Some(image) = digest.and_then(|digest| self.known(name, &digest)) {
            return Ok(Ok(image));
        }
        let (files, config) = chosen.load(options.max_size, spool)?;
        let base = self.put_files(files)?;
        Ok(self.put_record(name, digest, base, config))
    }

    /// Makes an image of the directory at `directory`, as [`Store::import`] does, with `config`.
    ///
    /// # Errors
    /// It cannot be read, or the store cannot take it.
    pub fn import_tree(
        &self,
        directory: &Path,
        config: ImageConfig,
        options: &ResolveOptions,
    ) -> Result<Image, ImageError> {
        let _adding = self.adding()?;
        let failed = |source| ImageError::Import {
            path: directory.to_owned(),
            source,
        };
        let tree = super::source::tree_of(directory, options).map_err(failed)?;
        let base = self.put_files(Files::Tree(tree)).map_err(failed)?;
        self.put_record(&directory.display().to_string(), None, base, config)
    }

    /// The image with this digest, if the store has it whole.
    fn known(&self, name: &str, digest: &Digest) -> Option<Image> {
        let record = self.record(digest)?;
        let base = Base {
            path: self.base_path(&record.base, record.format),
            digest: record.base,
            format: record.format,
        };
        let lock = base.lock_shared().ok()?;
        Some(Image {
            name: name.to_owned(),
            digest: record.digest,
            base,
            config: record.config,
            lock,
        })
    }

    fn seen(&self, name: &str, fingerprint: &Digest) -> Option<Image> {
        let path = self.directory.join("seen").join(fingerprint.hex());
        let digest = fs::read_to_string(path).ok()?;
        self.known(name, &digest.parse().ok()?)
    }

    fn base_path(&self, digest: &Digest, format: Format) -> PathBuf {
        let file_name = format!("{}.{}", digest.hex(), format.name());
        self.directory.join("bases").join(file_name)
    }

    fn put_record(
        &self,
        name: &str,
        digest: Option<Digest>,
        (base, format): (Digest, Format),
        config: ImageConfig,
    ) -> Result<Image, ImageError> {
        let own = serde_json::to_vec(&(base, &config)).expect("words are valid JSON");
        let record = Record {
            digest: digest.unwrap_or_else(|| Digest::of(&own)),
            base,
            format,
            config,
        };
        let path = self.directory.join("images").join(record.digest.hex());
        let json = serde_json::to_string_pretty(&record).expect("words are valid JSON");
        self.put(&path, json)?;
        self.known(name, &record.digest).ok_or_else(|| {
            let source = io::Error::other("it has gone as soon as it was there");
            ImageError::Store { path, source }
        })
    }

    /// Makes a base of `files`; where there is one of the same content, it stays.
    fn put_files(&self, files: Files) -> Result<(Digest, Format), SourceError> {
        let writing = || SourceError::io("cannot write the base");
        let staged = Staged::new(&self.directory).map_err(writing())?;
        let (digest, format) = match files {
            Files::Tree(tree) => (write_tree(&tree, staged.file()), Format::Erofs),
            Files::Disk(file, format) => (copy_disk(&file, staged.file()), format),
        };
        let digest = digest.map_err(writing())?;
        let path = self.base_path(&digest, format);
        staged.publish(&path).map_err(writing())?;
        Ok((digest, format))
    }

    /// Makes the file at `path` hold `text`, from one moment to the next.
    fn put(&self, path: &Path, text: String) -> Result<(), ImageError> {
        let failed = |source| ImageError::Store {
            path: path.to_owned(),
            source,
        };
        let staged = Staged::new(&self.directory).map_err(failed)?;
        staged.file().write_all(text.as_bytes()).map_err(failed)?;
        staged.replace(path).map_err(failed)
    }

    fn adding(&self) -> Result<StoreLock, ImageError> {
        StoreLock::shared(&self.directory)
    }
}

impl Base {
    /// Keeps the base from being collected for as long as the lock lives, also in a child
    /// process that inherits it.
    ///
    /// # Errors
    /// The base has been collected already.
    pub fn lock_shared(&self) -> io::Result<BaseLock> {
        BaseLock::of(&self.path)
    }
}

fn write_tree(tree: &Tree, file: &File) -> io::Result<Digest> {
    let mut out = BufWriter::with_capacity(1 << 20, Hashing::new(file));
    erofs::write(tree, &mut out)?;
    let hashing = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(hashing.digest())
}

/// Copies a disk image; the parts that are zero take no room.
fn copy_disk(from: &File, to: &File) -> io::Result<Digest> {
    let size = from.metadata()?.len();
    let start = super::content::Part {
        file: from,
        offset: 0,
    };
    let mut reader = Hashing::new(io::Read::take(start, size));
    io::copy(&mut reader, &mut Sparse { file: to, at: 0 })?;
    to.set_len(size)?;
    Ok(reader.digest())
}

/// Leaves out what is zero.
struct Sparse<'a> {
    file: &'a File,
    at: u64,
}

impl Write for Sparse<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        if bytes.iter().any(|byte| *byte != 0) {
            self.file.write_all_at(bytes, self.at)?;
        }
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
