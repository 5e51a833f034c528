//! Paths of a configuration file start at its folder; those of a resolved configuration are absolute.

use std::io;
use std::path::{Component, Path, PathBuf, absolute};

use crate::error::ConfigError;
use crate::settings::{Config, CorpusConfig};

/// Makes the paths of `config` absolute, from the folder that holds `file`.
pub(crate) fn make_absolute(config: &mut Config, file: &Path) -> Result<(), ConfigError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let corpora = config.data.train.iter_mut().chain(&mut config.data.validation);
    let training = &mut config.training;
    let models = training.from.iter_mut().chain(&mut training.alignment.agree_with);
    let others = models.chain(&mut config.data.cache);
    for path in corpora.flat_map(CorpusConfig::paths_mut).chain(others) {
        *path = resolve(folder, path).map_err(|source| ConfigError::Path { path: path.clone(), source })?;
    }
    Ok(())
}

impl CorpusConfig {
    fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.source, &mut self.target, &mut self.tsv, &mut self.jsonl, &mut self.links].into_iter().flatten()
    }
}

fn resolve(folder: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut resolved = PathBuf::new();
    for component in absolute(folder.join(path))?.components() {
        // Leaving a folder is going up by its name, unless it is a link to somewhere else.
        let real = resolved.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        if component != Component::ParentDir || !real || !resolved.pop() {
            resolved.push(component);
        }
    }
    Ok(resolved)
}
