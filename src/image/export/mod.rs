//! An image as an OCI layout in a tar archive, for other tools.

mod layer;
mod member;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};

use serde_json::{Value, json};

use super::Image;
use super::config::ImageConfig;
use super::digest::{Digest, Hashing};
use super::tree::Tree;
use member::Member;

/// Writes `image`, whose files are `tree`, to `out`; `layer` is an empty file to work with.
pub(super) fn write(image: &Image, tree: &Tree, layer: &File, out: &File) -> io::Result<()> {
    let mut packed = BufWriter::with_capacity(1 << 20, Hashing::new(layer));
    layer::write(tree, &mut packed)?;
    let digest = packed
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .digest();
    let size = layer.metadata()?.len();

    let config = document(&config(&image.config, &digest));
    let manifest = document(&manifest(&config, &digest, size));
    let index = document(&index(&manifest, &image.name));

    let mut out = BufWriter::with_capacity(1 << 20, out);
    Member::file("oci-layout").small(&mut out, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Member::file("index.json").small(&mut out, &index)?;
    for blob in [&manifest, &config] {
        Member::file(path_of(&Digest::of(blob))).small(&mut out, blob)?;
    }
    let mut reader = layer;
    reader.rewind()?;
    Member::file(path_of(&digest)).content(&mut out, size, |out| {
        io::copy(&mut BufReader::with_capacity(1 << 20, reader), out).map(drop)
    })?;
    member::end(&mut out)?;
    out.flush()
}

fn config(config: &ImageConfig, layer: &Digest) -> Value {
    let env = config
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    json!({
        "architecture": config.architecture,
        "os": "linux",
        "config": {
            "Entrypoint": config.entrypoint,
            "Cmd": config.cmd,
            "Env": env.collect::<Vec<_>>(),
            "WorkingDir": config.workdir.as_deref().unwrap_or_default(),
            "User": config.user.as_deref().unwrap_or_default(),
            "StopSignal": config.stop_signal,
            "Labels": config.labels,
        },
        "rootfs": { "type": "layers", "diff_ids": [layer] },
    })
}

fn manifest(config: &[u8], layer: &Digest, size: u64) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": layer,
            "size": size,
        }],
    })
}

fn index(manifest: &[u8], name: &str) -> Value {
    let mut told = descriptor("application/vnd.oci.image.manifest.v1+json", manifest);
    let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    told["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
    json!({ "schemaVersion": 2, "manifests": [told] })
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(blob), "size": blob.len() })
}

fn document(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("words are valid JSON")
}

fn path_of(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
