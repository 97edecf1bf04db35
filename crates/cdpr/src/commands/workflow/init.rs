//! `cdpr workflow init`: a project as CRE developers lay it out.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::refuse;
use crate::commands::unwritten;
use crate::terminal::say;
use crate::{Ending, Failure};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder of the new project; it must be empty or not there yet.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Path of the `cre` crate, which the workflow depends on.
    #[arg(long, value_name = "DIR")]
    cre: Option<PathBuf>,
}

/// Where a checkout of this repository beside the project has the SDK.
const CRE: &str = "../../cdpr/crates/cre";

const FILES: [(&str, &str); 10] = [
    ("project.yaml", include_str!("template/project.yaml")),
    ("secrets.yaml", include_str!("template/secrets.yaml")),
    (".env.example", include_str!("template/env.example")),
    (".gitignore", include_str!("template/gitignore")),
    ("my-workflow/workflow.yaml", include_str!("template/workflow.yaml")),
    ("my-workflow/config.staging.json", include_str!("template/config.staging.json")),
    ("my-workflow/config.production.json", include_str!("template/config.production.json")),
    ("my-workflow/Makefile", include_str!("template/Makefile")),
    ("my-workflow/Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("my-workflow/src/lib.rs", include_str!("template/lib.rs.in")),
];

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let folder = &arguments.folder;
    let name = folder.display();
    let is_new = folder.symlink_metadata().is_err();
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(refuse(format!("{name}: not empty"), "give a folder that is, or a new name"));
    }
    let cre = match &arguments.cre {
        Some(path) => {
            let found = fs::canonicalize(path).ok().filter(|path| path.join("Cargo.toml").exists());
            let found = found.ok_or_else(|| {
                let hint = "give the folder of the crate `cre`, which has a Cargo.toml";
                refuse(format!("{}: no crate here", path.display()), hint)
            })?;
            found.display().to_string()
        }
        None => CRE.to_owned(),
    };
    for (file, content) in FILES {
        if let Err(error) = write(&folder.join(file), &content.replace("@CRE@", &cre)) {
            // Half a project would be in the way of the next try.
            unmake(folder, is_new);
            let path = folder.join(file);
            return Err(unwritten(study::folder::Error::File { path, cause: error }));
        }
    }
    let cre_note = if arguments.cre.is_some() {
        String::new()
    } else {
        format!("  my-workflow/Cargo.toml expects the SDK at {CRE}: set the path, or use --cre\n")
    };
    let text = format!(
        "A CRE project is in {name}.\n{cre_note}\nNext:\n  cdpr workflow build {0}\n  cdpr workflow simulate {0}\n",
        folder.join("my-workflow").display()
    );
    say(text)?;
    Ok(Ending::Done)
}

/// Takes a project's files away, and of its folders those that are empty then.
fn unmake(folder: &Path, is_new: bool) {
    for (file, _) in FILES {
        let _ = fs::remove_file(folder.join(file));
    }
    for within in ["my-workflow/src", "my-workflow"] {
        let _ = fs::remove_dir(folder.join(within));
    }
    if is_new {
        let _ = fs::remove_dir(folder);
    }
}

fn write(file: &Path, content: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_finished_goes_and_nothing_else_does() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("project");
        write(&folder.join("project.yaml"), "half").unwrap();
        write(&folder.join("my-workflow/src/lib.rs"), "half").unwrap();
        write(&folder.join("my-workflow/mine"), "mine").unwrap();
        unmake(&folder, true);
        assert_eq!(fs::read_to_string(folder.join("my-workflow/mine")).unwrap(), "mine");
        assert!(!folder.join("project.yaml").exists() && !folder.join("my-workflow/src").exists());
        fs::remove_file(folder.join("my-workflow/mine")).unwrap();
        unmake(&folder, false);
        assert!(folder.exists(), "it was there before");
        unmake(&folder, true);
        assert!(!folder.exists());
    }

    #[test]
    fn a_link_to_nothing_is_refused_and_stays() {
        let place = tempfile::tempdir().unwrap();
        let link = place.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        let arguments = Arguments { folder: link.clone(), cre: None };
        assert!(matches!(run(&arguments), Err(Failure::Input(_))));
        assert!(link.symlink_metadata().is_ok());
    }
}
