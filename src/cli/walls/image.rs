//! The options of the jobs with images.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::parse_bytes;
use crate::image::{Name, Platform, ResolveOptions};

/// What follows the help of `vmm image`.
pub const IMAGE_HELP: &str = "\
An image is an OCI layout (directory or tar), a docker archive, a tar of a root, a directory, or
a disk image (ext4, erofs, squashfs, raw or in qcow2). The store is $VMM_STORE, else /var/lib/vmm
for root, else $XDG_DATA_HOME/vmm.

Example:
    skopeo copy docker://debian:12 oci:debian
    vmm image import ./debian debian:12";

/// Jobs with images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Make an image of what is at PATH, and call it NAME
    Import {
        /// A layout, an archive, a directory or a disk image; PATH:TAG chooses one of several.
        path: PathBuf,

        /// What to call it: NAME or NAME:TAG.
        name: Name,

        /// Take NAME from the image that has it
        #[arg(long)]
        replace: bool,

        /// What to take, and how much.
        #[command(flatten)]
        options: ImportOptions,
    },

    /// Download an image from a registry, and import it under the name that it has there
    Pull {
        /// What the registry has it as: [HOST[:PORT]/]REPOSITORY[:TAG]
        reference: String,

        /// What to call it instead.
        #[arg(long)]
        name: Option<Name>,

        /// Take NAME from the image that has it
        #[arg(long)]
        replace: bool,

        /// What to take, and how much.
        #[command(flatten)]
        options: ImportOptions,
    },

    /// List the images that have a name
    List {
        /// Print the list as JSON.
        #[arg(long)]
        json: bool,
    },

    /// Tell all that is known of an image
    Inspect {
        /// Its name.
        image: String,

        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },

    /// Forget names; `vmm image gc` removes what they named
    Remove {
        /// The names.
        #[arg(required = true)]
        names: Vec<Name>,
    },

    /// Write an image to FILE as an OCI layout in a tar archive
    Export {
        /// Its name.
        image: String,

        /// The archive, which must not be there yet.
        file: PathBuf,
    },

    /// Remove every base that no name leads to and nobody runs
    Gc {
        /// Print what was removed as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What an import takes, and how much.
#[derive(Args, Debug)]
pub struct ImportOptions {
    /// Which of several platforms to take: OS/ARCHITECTURE[/VARIANT]
    #[arg(long, default_value_t = Platform::host())]
    pub platform: Platform,

    /// The most that the image may unpack to
    #[arg(long, value_name = "SIZE", default_value = "16G", value_parser = parse_bytes)]
    pub max_size: u64,
}

impl From<ImportOptions> for ResolveOptions {
    fn from(options: ImportOptions) -> Self {
        Self {
            platform: options.platform,
            max_size: options.max_size,
        }
    }
}
