//! What is checked: the files that git knows or would take, and the workspace's crates.

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;
use cargo_metadata::camino::Utf8Path;
use xshell::{Shell, cmd};

/// Everything that the checks look at.
pub(super) struct Checkout {
    /// All files that are text.
    pub(super) files: Vec<File>,
    /// The workspace's crates.
    pub(super) members: Vec<Member>,
    /// What `cargo tree` says of cache-core, a line per package with its depth in front.
    pub(super) core_tree: String,
}

/// A file that is text.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// From the root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

/// A crate of the workspace.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) manifest: File,
    /// The packages that it names as dependencies, of any kind, optional and target-specific ones
    /// among them.
    pub(super) dependencies: Vec<String>,
}

impl Checkout {
    pub(super) fn read(sh: &Shell) -> Result<Self> {
        Ok(Self {
            files: read_files(sh)?,
            members: read_members(sh)?,
            core_tree: cmd!(
                sh,
                "cargo tree --package cache-core --edges normal --all-features
                 --prefix depth --quiet"
            )
            .quiet()
            .read()?,
        })
    }
}

impl File {
    /// The number of the first line that begins with `start`, else 1.
    pub(super) fn line_starting(&self, start: &str) -> usize {
        let found = self.text.lines().position(|line| line.starts_with(start));
        found.map_or(1, |at| at + 1)
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

fn read_files(sh: &Shell) -> Result<Vec<File>> {
    // In a container the checkout often belongs to another user; git is only asked for names.
    let listed = cmd!(
        sh,
        "git -c safe.directory=* ls-files -z --cached --others --exclude-standard"
    )
    .quiet()
    .read()
    .context("the files to check are the ones that git lists")?;

    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        // A file that was deleted and not yet committed is still listed.
        if !sh.path_exists(path) {
            continue;
        }
        if let Ok(text) = String::from_utf8(sh.read_binary_file(path)?) {
            files.push(File {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(files)
}

fn read_members(sh: &Shell) -> Result<Vec<Member>> {
    let metadata = MetadataCommand::new()
        .current_dir(sh.current_dir())
        .no_deps()
        .exec()?;
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            Ok(Member {
                name: package.name.to_string(),
                manifest: File {
                    path: from_root(&package.manifest_path, &metadata.workspace_root)?,
                    text: sh.read_file(&package.manifest_path)?,
                },
                dependencies: package
                    .dependencies
                    .iter()
                    .map(|d| d.name.clone())
                    .collect(),
            })
        })
        .collect()
}

fn from_root(path: &Utf8Path, root: &Utf8Path) -> Result<String> {
    Ok(path.strip_prefix(root)?.as_str().replace('\\', "/"))
}
