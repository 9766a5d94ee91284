//! A report in a real browser, headless: what its readers see, by light and by dark, on a desk and
//! on a phone. Skipped where there is no Chromium; scripts/setup installs one.

#![allow(clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod browser;
mod picture;

use browser::{Browser, Scheme};
use picture::Picture;
use vmm::report::{Format, example, references::REFERENCES, write};

const DESK: u32 = 1280;
const PHONE: u32 = 400;

/// The report of the bench that never was.
fn report() -> String {
    let mut page = Vec::new();
    let (summary, record) = (example::summary(), example::record());
    write(Format::Html, &summary, &record, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// The browser, or a line that says why there is none.
fn browser() -> Option<Browser> {
    let found = Browser::found();
    if found.is_none() {
        println!("skipped: there is no Chromium on PATH: scripts/setup installs one");
    }
    found
}

/// Each plot shows more than a few colours on the page's own.
fn assert_plots_are_seen(browser: &Browser, page: &str, width: u32, scheme: Scheme) -> Picture {
    let layout = browser.layout(page, width);
    let picture = browser.picture(page, (width, layout.height), scheme);
    assert!(layout.plots.len() > 10, "{layout:?}");
    for plot in &layout.plots {
        let inside = picture.part(plot);
        assert!(inside.colours() >= 8, "{plot:?}: {}", inside.colours());
        assert!(inside.ink() > 0.01, "{plot:?}: {}", inside.ink());
    }
    picture
}

#[test]
fn by_light_the_page_is_light_and_its_plots_are_there() {
    let Some(browser) = browser() else { return };
    let picture = assert_plots_are_seen(&browser, &report(), DESK, Scheme::Light);
    assert!(picture.paper() > 0.9, "{}", picture.paper());
}

#[test]
fn by_dark_the_page_is_dark_and_its_plots_are_there() {
    let Some(browser) = browser() else { return };
    let picture = assert_plots_are_seen(&browser, &report(), DESK, Scheme::Dark);
    assert!(picture.paper() < 0.1, "{}", picture.paper());
}

#[test]
fn on_a_phone_nothing_is_wider_than_the_screen() {
    let Some(browser) = browser() else { return };
    assert_plots_are_seen(&browser, &report(), PHONE, Scheme::Light);
    let layout = browser.layout(&report(), PHONE);
    assert!(layout.width <= PHONE, "{layout:?}");
    let plots = layout.plots.iter();
    assert!(
        plots.clone().all(|plot| plot.x + plot.width <= PHONE),
        "{layout:?}"
    );
}

#[test]
fn a_page_asks_no_network_for_anything() {
    let Some(browser) = browser() else { return };
    let asked = browser.asked_for(&report());
    assert_eq!(asked, Vec::<String>::new());
}

#[test]
fn only_citations_lead_elsewhere() {
    let page = report();
    let addresses = page.match_indices("http").map(|(at, _)| &page[at..]);
    for address in addresses.filter(|rest| !rest.starts_with("http-equiv")) {
        let is_citation = REFERENCES
            .iter()
            .any(|one| address.starts_with(one.paper.address));
        let is_name = address.starts_with("http://www.w3.org/2000/svg\"");
        assert!(is_citation || is_name, "{}", &address[..60]);
    }
}

#[test]
fn what_a_guest_wrote_runs_nowhere() {
    let hostile =
        "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    let mut summary = example::summary();
    let record = example::record();
    summary.begin.caveats.push(hostile.into());
    summary.begin.command.push(hostile.into());
    summary.begin.environment[0].value = hostile.into();
    summary.targets[4] = hostile.into();
    summary.missing[0].reason = hostile.into();
    summary.warnings.push(hostile.into());
    summary.explanations[0].sentence = hostile.into();
    summary.densities[0].target = hostile.into();
    summary.rows[2].workload = hostile.into();
    summary.rows[3].cells[3].failures = Some((1, hostile.into()));
    let mut page = Vec::new();
    write(Format::Html, &summary, &record, &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script") && !page.contains("<img"));
    let Some(browser) = browser() else { return };
    let layout = browser.layout(&page, DESK);
    assert_eq!((layout.scripts, layout.images, layout.owned), (0, 0, false));
}
