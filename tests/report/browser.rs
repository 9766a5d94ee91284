//! Chromium without a window. Each of its runs has a profile of its own and a deadline.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use serde::Deserialize;
use tempfile::TempDir;

use crate::picture::Picture;

const NAMES: [&str; 3] = ["chromium-headless-shell", "chromium", "google-chrome"];
/// What a browser may take, in seconds.
const DEADLINE: &str = "120";
/// What the last connection to the proxy says.
const END: &[u8] = b"END";

/// A browser that is there.
pub struct Browser(PathBuf);

/// What readers want their pages to look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

/// Where a page has what, in pixels.
#[derive(Debug, Deserialize)]
pub struct Layout {
    /// How wide it is, with what does not fit.
    pub width: u32,
    pub height: u32,
    /// Whether what a guest wrote has run.
    pub owned: bool,
    pub scripts: u32,
    pub images: u32,
    pub plots: Vec<Place>,
}

/// Where something is.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Place {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Looks at the page in its frame from outside: itself, the page may run nothing.
const PROBE: &str = "<iframe id=frame src=page.html style='border:0;width:WIDTHpx;height:600px'></iframe>
<script>
onload = () => {
  const page = frame.contentDocument, root = page.documentElement
  const place = (element) => {
    const {x, y, width, height} = element.getBoundingClientRect()
    return {x: Math.floor(x), y: Math.floor(y), width: Math.floor(width), height: Math.floor(height)}
  }
  const layout = {
    width: root.scrollWidth, height: root.scrollHeight, owned: page.title == 'owned',
    scripts: page.scripts.length, images: page.images.length,
    plots: [...page.querySelectorAll('.plot svg')].map(place),
  }
  document.body.textContent = 'LAYOUT' + JSON.stringify(layout) + 'END'
}
</script>";

impl Browser {
    /// The first that is on PATH.
    pub fn found() -> Option<Self> {
        let path = env::var_os("PATH")?;
        let places: Vec<PathBuf> = env::split_paths(&path).collect();
        let all = NAMES
            .iter()
            .flat_map(|name| places.iter().map(move |place| place.join(name)));
        all.into_iter().find(|file| file.is_file()).map(Self)
    }

    /// Where `page` has what, in a window of `width`.
    pub fn layout(&self, page: &str, width: u32) -> Layout {
        let place = in_place(page);
        let probe = place.path().join("probe.html");
        fs::write(&probe, PROBE.replace("WIDTH", &width.to_string())).unwrap();
        let options = [
            "--allow-file-access-from-files",
            "--window-size=1400,900",
            "--dump-dom",
        ];
        let printed = self.run(place.path(), &options.map(str::to_owned), &probe);
        let (_, rest) = printed.split_once("LAYOUT").expect("the probe has looked");
        let (layout, _) = rest.split_once("END").unwrap();
        serde_json::from_str(layout).unwrap()
    }

    /// What `page` looks like in a window of that size.
    pub fn picture(&self, page: &str, (width, height): (u32, u32), scheme: Scheme) -> Picture {
        let place = in_place(page);
        let file = place.path().join("picture.png");
        let mut options = vec![
            format!("--window-size={width},{height}"),
            format!("--screenshot={}", file.display()),
        ];
        if scheme == Scheme::Dark {
            options.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        self.run(place.path(), &options, &place.path().join("page.html"));
        let picture = fs::read(&file).unwrap();
        if let Some(folder) = env::var_os("VMM_TEST_PICTURES") {
            let scheme = ["light", "dark"][usize::from(scheme == Scheme::Dark)];
            let name = format!("report-{scheme}-{width}.png");
            fs::write(Path::new(&folder).join(name), &picture).unwrap();
        }
        Picture::decode(&picture)
    }

    /// All that is asked of the network while `page` is shown: it goes to a proxy that hangs up.
    pub fn asked_for(&self, page: &str) -> Vec<String> {
        let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = proxy.local_addr().unwrap();
        let place = in_place(page);
        let options = [
            format!("--proxy-server=http://{address}"),
            "--dump-dom".to_owned(),
        ];
        thread::scope(|scope| {
            let asked = scope.spawn(|| requests(&proxy));
            self.run(place.path(), &options, &place.path().join("page.html"));
            TcpStream::connect(address).unwrap().write_all(END).unwrap();
            asked.join().unwrap()
        })
    }

    /// Shows `page` and returns what is printed.
    fn run(&self, place: &Path, options: &[String], page: &Path) -> String {
        let output = Command::new("timeout")
            .args([DEADLINE.as_ref(), self.0.as_os_str()])
            // Tests run as root, where its sandbox does not; the page is our own.
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .arg(format!(
                "--user-data-dir={}",
                place.join("profile").display()
            ))
            .args(options)
            .arg(format!("file://{}", page.display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A folder with `page` in it.
fn in_place(page: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("page.html"), page).unwrap();
    place
}

/// What connections to the proxy are made for, until one says that it is the last.
fn requests(proxy: &TcpListener) -> Vec<String> {
    let request = |connection: io::Result<TcpStream>| {
        let mut request = [0; 200];
        let count = connection.unwrap().read(&mut request).unwrap_or(0);
        request[..count].to_vec()
    };
    let all = proxy.incoming().map(request);
    let asked = all.take_while(|request| request != END);
    asked
        .map(|request| String::from_utf8_lossy(&request).into_owned())
        .collect()
}
