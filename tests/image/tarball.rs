//! Tar archives as no tool would make them, and OCI layouts around them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use vmm::image::Digest;

/// A tar archive that is being made, field by field.
#[derive(Default)]
pub(crate) struct Tarball(Vec<u8>);

impl Tarball {
    pub(crate) fn file(self, path: &str, content: &[u8]) -> Self {
        self.member(path, b'0', "", content)
    }

    pub(crate) fn directory(self, path: &str) -> Self {
        self.member(path, b'5', "", b"")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.member(path, b'2', target, b"")
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.member(path, b'1', target, b"")
    }

    /// An extended header for the next member: `key` is `value`.
    pub(crate) fn pax(self, key: &str, value: &[u8]) -> Self {
        let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
        let length = (rest.len()..).find(|n| n - rest.len() == n.to_string().len());
        let record = [length.unwrap().to_string().as_bytes(), &rest].concat();
        self.member("pax", b'x', "", &record)
    }

    pub(crate) fn member(mut self, path: &str, kind: u8, target: &str, content: &[u8]) -> Self {
        self.0
            .extend(header(path, kind, target, content.len() as u64));
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// A header that tells of `size` bytes, and none of them.
    pub(crate) fn header_only(mut self, path: &str, kind: u8, size: u64) -> Self {
        self.0.extend(header(path, kind, "", size));
        self
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

fn header(path: &str, kind: u8, target: &str, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, path.as_bytes());
    put(100, b"0000755\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000007\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(157, target.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// An OCI layout that is being made; each part can be told wrongly.
pub(crate) struct Layout {
    pub(crate) directory: PathBuf,
    manifests: Vec<serde_json::Value>,
}

impl Layout {
    pub(crate) fn new(directory: PathBuf) -> Self {
        fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
        fs::write(
            directory.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .unwrap();
        let manifests = Vec::new();
        Self {
            directory,
            manifests,
        }
    }

    /// Adds an image for `architecture` made of `layers`.
    pub(crate) fn image(self, architecture: &str, layers: &[Vec<u8>]) -> Self {
        self.image_of(
            architecture,
            layers,
            "application/vnd.oci.image.layer.v1.tar",
        )
    }

    pub(crate) fn image_of(mut self, architecture: &str, layers: &[Vec<u8>], kind: &str) -> Self {
        let told: Vec<_> = layers.iter().map(|layer| self.blob(kind, layer)).collect();
        let unpacked: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {"Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": unpacked},
        });
        let config = self.blob("application/vnd.oci.image.config.v1+json", &encode(&config));
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": told});
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let mut manifest = self.blob(kind, &encode(&manifest));
        manifest["platform"] = json!({"os": "linux", "architecture": architecture});
        self.manifests.push(manifest);
        self
    }

    /// Puts all images so far into an index of their own.
    pub(crate) fn nested(mut self, name: &str) -> Self {
        let index = json!({"schemaVersion": 2, "manifests": self.manifests});
        let kind = "application/vnd.oci.image.index.v1+json";
        let mut index = self.blob(kind, &encode(&index));
        index["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        self.manifests = vec![index];
        self
    }

    /// Names all so far `count` times over.
    pub(crate) fn repeated(mut self, count: usize) -> Self {
        let all = self.manifests.iter().cycle();
        self.manifests = all.take(count * self.manifests.len()).cloned().collect();
        self
    }

    /// Writes the index; the layout is whole now.
    pub(crate) fn written(self) -> PathBuf {
        let index = json!({"schemaVersion": 2, "manifests": self.manifests});
        fs::write(self.directory.join("index.json"), encode(&index)).unwrap();
        self.directory
    }

    fn blob(&self, kind: &str, bytes: &[u8]) -> serde_json::Value {
        let digest = Digest::of(bytes);
        fs::write(blob_path(&self.directory, &digest), bytes).unwrap();
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    }
}

fn encode(value: &serde_json::Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

/// Where a layout has the blob with this digest.
pub(crate) fn blob_path(layout: &Path, digest: &Digest) -> PathBuf {
    layout.join("blobs/sha256").join(digest.hex())
}
