//! The folder that a comparison leaves its files in, found fit for them before anything is measured.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use rustix::process::getuid;

use super::journal;
use super::options::Place;
use crate::options::Unusable;
use crate::report;

/// Where comparisons go that are not told where.
const RESULTS: &str = "results";

/// The folder asked for, or a new one that `results/latest` leads to.
///
/// # Errors
/// [`Unusable`], if it can't be made or written in, or if it holds another comparison's files and
/// these are not to be replaced.
pub(super) fn prepare(place: &Place) -> anyhow::Result<PathBuf> {
    let Some(out) = &place.out else { return dated() };
    let unusable = |reason| Unusable::path("--out", out, reason);
    fs::create_dir_all(out).map_err(|error| unusable(error.to_string()))?;
    for file in [report::JSON_FILE, report::HTML_FILE, journal::FILE] {
        if !place.force && out.join(file).exists() {
            let held = format!("it holds the {file} of another comparison");
            Err(unusable(format!("{held}; name another folder, or replace it with --force")))?;
        }
    }
    writable(out).map_err(|error| unusable(error.to_string()))?;
    Ok(out.clone())
}

fn dated() -> anyhow::Result<PathBuf> {
    let name = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace(':', "");
    let out = Path::new(RESULTS).join(&name);
    let user = getuid().as_raw();
    let cant = |path: &Path| format!("can't make {} as user {user}", path.display());
    fs::create_dir_all(&out).with_context(|| cant(&out))?;
    // Made beside and moved over, so that there is never none.
    let (link, fresh) = (Path::new(RESULTS).join("latest"), out.join("latest"));
    symlink(&name, &fresh).and_then(|()| fs::rename(&fresh, &link)).with_context(|| cant(&link))?;
    Ok(out)
}

/// Permissions alone do not tell; a file that is made does, and this one has no name.
fn writable(folder: &Path) -> std::io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}
