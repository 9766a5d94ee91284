//! Downloads an image by the OCI distribution protocol; what was there before a failure is kept.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use oci_client::client::{BlobResponse, ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
use serde_json::{Value, json};

use crate::image::digest::Digest;
use crate::image::platform::Platform;
use crate::image::progress::Progress;

/// How often a download that breaks off is taken up again.
const ATTEMPTS: usize = 5;
/// A registry that says nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(60);

const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

type Failure = Box<dyn Error + Send + Sync>;

/// Downloads the image that `reference` means for `platform` to the OCI layout at `layout`, unless
/// it `is_known`; returns the digest of its manifest.
pub(in crate::image) fn download(
    reference: &str,
    (platform, max_size): (&Platform, u64),
    layout: &Path,
    is_known: &dyn Fn(&Digest) -> bool,
) -> Result<Digest, Failure> {
    let reference: Reference = reference.parse()?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build()?;
    let mut pull = Pull {
        client: client_for(&reference),
        reference,
        layout,
        max_size,
        progress: Progress::begin(),
    };
    runtime.block_on(async {
        let (media_type, manifest) = pull.manifest(platform).await?;
        let digest = Digest::of(&manifest);
        if !is_known(&digest) {
            pull.image(&media_type, &manifest).await?;
        }
        Ok(digest)
    })
}

/// A registry on this host needs no encryption, and seldom has it.
fn client_for(reference: &Reference) -> Client {
    let registry = reference.resolve_registry();
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    let without = is_here.then(|| registry.to_owned());
    Client::new(ClientConfig {
        protocol: ClientProtocol::HttpsExcept(without.into_iter().collect()),
        read_timeout: Some(PATIENCE),
        connect_timeout: Some(PATIENCE),
        ..ClientConfig::default()
    })
}

struct Pull<'a> {
    client: Client,
    reference: Reference,
    layout: &'a Path,
    /// The most bytes that may come.
    max_size: u64,
    progress: Progress,
}

impl Pull<'_> {
    /// The manifest for `platform`, and its media type.
    async fn manifest(&self, platform: &Platform) -> Result<(String, Vec<u8>), Failure> {
        let accepted = [INDEXES, MANIFESTS].concat();
        let (media_type, bytes) = self.raw(&self.reference, &accepted).await?;
        if !INDEXES.contains(&media_type.as_str()) {
            return Ok((media_type, bytes));
        }
        let index: ImageIndex = serde_json::from_slice(&bytes)?;
        let fits = |descriptor: &&Descriptor| {
            descriptor.platform().as_ref().is_some_and(|told| {
                let (os, architecture) = (told.os().to_string(), told.architecture().to_string());
                platform.takes(&os, &architecture, told.variant().as_deref())
            })
        };
        let chosen = index.manifests().iter().find(fits);
        let chosen = chosen.ok_or_else(|| format!("it has nothing for {platform}"))?;
        let wanted = chosen.digest().to_string();
        let exact = self.reference.clone_with_digest(wanted.clone());
        let (media_type, bytes) = self.raw(&exact, &MANIFESTS).await?;
        if Digest::of(&bytes) != wanted.parse()? {
            return Err("the registry sent another manifest than it told of".into());
        }
        Ok((media_type, bytes))
    }

    async fn raw(
        &self,
        reference: &Reference,
        accepted: &[&str],
    ) -> Result<(String, Vec<u8>), Failure> {
        let auth = RegistryAuth::Anonymous;
        let (bytes, _) = self
            .client
            .pull_manifest_raw(reference, &auth, accepted)
            .await?;
        let document: Value = serde_json::from_slice(&bytes)?;
        // OCI lets it be missing; then what it has tells what it is.
        let guess = match document.get("manifests") {
            Some(_) => INDEXES[0],
            None => MANIFESTS[0],
        };
        let told = document.get("mediaType").and_then(Value::as_str);
        Ok((told.unwrap_or(guess).to_owned(), bytes.to_vec()))
    }

    /// Downloads all that `manifest` names, and makes a layout of it.
    async fn image(&mut self, media_type: &str, manifest: &[u8]) -> Result<(), Failure> {
        let document: ImageManifest = serde_json::from_slice(manifest)?;
        let blobs = self.layout.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        self.refuse_larger(&document)?;
        let digest = Digest::of(manifest);
        fs::write(blobs.join(digest.hex()), manifest)?;
        for descriptor in std::iter::once(document.config()).chain(document.layers()) {
            let digest: Digest = descriptor.digest().to_string().parse()?;
            self.blob(descriptor, &blobs.join(digest.hex())).await?;
        }
        let size = manifest.len();
        let told = json!({ "mediaType": media_type, "digest": digest, "size": size });
        let index = json!({ "schemaVersion": 2, "manifests": [told] });
        fs::write(self.layout.join("index.json"), index.to_string())?;
        fs::write(
            self.layout.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )?;
        Ok(())
    }

    /// What it unpacks to is looked at later; but what is larger even packed need not come.
    fn refuse_larger(&self, manifest: &ImageManifest) -> Result<(), Failure> {
        let blobs = std::iter::once(manifest.config()).chain(manifest.layers());
        let size = blobs.map(Descriptor::size).fold(0, u64::saturating_add);
        match size > self.max_size {
            true => Err(format!(
                "it has {size} bytes: --max-size allows more than {}",
                self.max_size
            )
            .into()),
            false => Ok(()),
        }
    }

    /// Downloads a blob to `path`, going on where an earlier attempt has ended.
    async fn blob(&mut self, descriptor: &Descriptor, path: &Path) -> Result<(), Failure> {
        if path.exists() {
            return Ok(());
        }
        let part = path.with_extension("part");
        let mut options = OpenOptions::new();
        let mut file = options.create(true).append(true).open(&part)?;
        let mut attempt = 1;
        while let Err(error) = self.rest(descriptor, &mut file).await {
            if attempt == ATTEMPTS {
                return Err(error);
            }
            attempt += 1;
        }
        Ok(fs::rename(&part, path)?)
    }

    /// Downloads what is missing in `file`. The import checks the digest of the whole.
    async fn rest(&mut self, descriptor: &Descriptor, file: &mut File) -> Result<(), Failure> {
        let size = descriptor.size();
        let mut there = file.metadata()?.len();
        if there >= size {
            return Ok(file.set_len(size)?);
        }
        let layer = oci_client::manifest::OciDescriptor {
            digest: descriptor.digest().to_string(),
            ..Default::default()
        };
        let response = self
            .client
            .pull_blob_stream_partial(&self.reference, &layer, there, None)
            .await?;
        let mut stream = match response {
            BlobResponse::Partial(stream) => stream,
            BlobResponse::Full(stream) => {
                file.set_len(0)?;
                there = 0;
                stream
            }
        };
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            there += chunk.len() as u64;
            if there > size {
                return Err("the registry sends more than it told of".into());
            }
            file.write_all(&chunk)?;
            self.progress.at("downloading", there);
        }
        match there == size {
            true => Ok(()),
            false => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }
}
