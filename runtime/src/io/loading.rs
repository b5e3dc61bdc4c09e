//! Loading: which tensors of a file become which of a model.

use std::io;
use std::path::Path;

use super::error::LoadError;
use super::file::{File, Loaded, Wanted, limits};
use super::names::near;
use super::safetensors::{Tensor, tensors};
use crate::files::open;
use crate::module::Model;

/// A file whose tensors are loaded into a network under the names that are said here: what
/// [`Model::load_from`] gives. Nothing of the network changes before [`load`](Self::load), and
/// nothing after an error.
///
/// ```
/// use gradiron::prelude::*;
///
/// model! {
///     struct Encoder {
///         stem: Linear(8 -> 4),
///         out: Linear(4 -> 4),
///     }
///
///     fn forward(&self, x: [batch, 8]) -> [batch, 4] {
///         self.out(self.stem(x).relu())
///     }
/// }
///
/// model! {
///     struct Classifier {
///         encoder: Encoder,
///         head: Linear(4 -> 10),
///     }
///
///     fn forward(&self, x: [batch, 8]) -> [batch, 10] {
///         let z: [batch, 4] = self.encoder(x);
///         self.head(z)
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let path = std::env::temp_dir().join(format!("encoder-{}", std::process::id()));
///     let encoder = Encoder::init(Seed(0));
///     encoder.save(&path)?;
///
///     let mut net = Classifier::init(Seed(1));
///     let file = net.load_from(&path)?;
///     println!("{:?}", file.names().collect::<Vec<_>>());
///     file.rename("", "encoder.").only("encoder").load()?;
///     assert_eq!(net.select("encoder")?.norm(), encoder.select("*")?.norm());
///
///     // As with `strict=False`: what is missing on either side is told.
///     let loaded = net.load_from(&path)?.rename("", "encoder.").strict(false).load()?;
///     assert_eq!(loaded.missing, ["head.weight", "head.bias"]);
///     std::fs::remove_file(&path)?;
///     Ok(())
/// }
/// ```
#[must_use = "nothing is loaded before `load`"]
pub struct Loading<'a, M> {
    net: &'a mut M,
    tensors: Vec<Tensor>,
    file: File<'a>,
    /// The file's own names, in their order.
    names: Vec<String>,
    wanted: Wanted,
    /// What went wrong as names were changed.
    failed: Option<LoadError>,
}

impl<'a, M: Model> Loading<'a, M> {
    pub(crate) fn open(net: &'a mut M, path: &Path) -> Result<Self, LoadError> {
        Self::new(net, path, || {
            let opened = open(path);
            let (file, len) =
                opened.map_err(|error| LoadError::Read { path: path.to_owned(), error })?;
            Ok((Box::new(file) as Box<_>, len))
        })
    }

    fn new(
        net: &'a mut M,
        path: &Path,
        open: impl FnOnce() -> Result<(Box<dyn super::file::Source + 'a>, u64), LoadError>,
    ) -> Result<Self, LoadError> {
        net.fetch()?;
        let tensors = tensors(net)?;
        let (source, len) = open()?;
        let file = File::new(source, len, path, limits(&tensors))?;
        let (names, wanted) = (file.found.own_names(), Wanted::default());
        Ok(Self { net, tensors, file, names, wanted, failed: None })
    }

    /// The file's own names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Takes the tensors below `prefix` alone, under what stands behind it: `"model."` for a file
    /// whose names are `model.fc.weight` where the model has `fc.weight`. At least one name must
    /// begin so.
    pub fn prefix(self, prefix: &str) -> Self {
        self.change("prefix", prefix, |name| name.strip_prefix(prefix).map(str::to_owned))
    }

    /// Names that begin with `from` begin with `to` instead, all others stay: `("gamma", "weight")`
    /// for one name, `("", "encoder.")` to put all below a part. At least one name must begin so;
    /// what several calls say is done in their order.
    pub fn rename(self, from: &str, to: &str) -> Self {
        self.change("rename", from, |name| {
            Some(match name.strip_prefix(from) {
                Some(rest) => format!("{to}{rest}"),
                None => name.to_owned(),
            })
        })
    }

    fn change(
        mut self,
        method: &'static str,
        from: &str,
        name: impl Fn(&str) -> Option<String>,
    ) -> Self {
        if self.failed.is_none() {
            let (path, now) = (self.file.path.clone(), self.file.found.names());
            if !now.iter().any(|name| name.starts_with(from)) {
                let near = near(from, now.iter().map(String::as_str));
                let from = from.to_owned();
                self.failed = Some(LoadError::Rename { path, method, from, near });
            } else if let Err(name) = self.file.found.rename(name) {
                self.failed = Some(LoadError::Renamed { path, name });
            }
        }
        self
    }

    /// Loads the model's tensors of this name, or those below it, and leaves all others of the
    /// model as they are, and those of the file unread. May be called several times.
    pub fn only(mut self, part: &str) -> Self {
        self.wanted.only.push(part.strip_suffix('.').unwrap_or(part).to_owned());
        self
    }

    /// Leaves out the tensors of this name, and those below it, of the model and of the file, as
    /// [`load_except`](Model::load_except) does. May be called several times.
    pub fn except(mut self, part: &str) -> Self {
        self.wanted.except.push(part.strip_suffix('.').unwrap_or(part).to_owned());
        self
    }

    /// Whether the file and the model must have the same tensors, as they must unless `false` is
    /// said here. With `false`, those that one side lacks are told in what `load` gives; shapes
    /// must be the same all the same.
    pub fn strict(mut self, strict: bool) -> Self {
        self.wanted.partial = !strict;
        self
    }

    /// Loads.
    ///
    /// # Errors
    /// Those of [`Model::load`]; and when a name that was said here is none of the file's or of the
    /// model's.
    pub fn load(self) -> Result<Loaded, LoadError> {
        let Self { net, tensors, file, wanted, failed, .. } = self;
        if let Some(failed) = failed {
            return Err(failed);
        }
        let (read, loaded) = file.read(tensors, &wanted)?;
        for (tensor, floats) in read {
            let all = if tensor.slice == 0 { net.params_mut() } else { net.state_mut() };
            all[tensor.range()].copy_from_slice(&floats);
        }
        Ok(loaded)
    }

    pub(crate) fn all_but(mut self, names: &[&str]) -> Result<(), LoadError> {
        self.wanted.except = names.iter().map(|name| (*name).to_owned()).collect();
        self.load().map(drop)
    }
}

impl<M> std::fmt::Debug for Loading<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loading")
            .field("path", &self.file.path)
            .field("names", &self.names)
            .finish()
    }
}

/// [`Model::load_except`] from bytes in memory, for tests of the reader.
#[doc(hidden)]
pub fn load_bytes<M: Model>(net: &mut M, bytes: &[u8], except: &[&str]) -> Result<(), LoadError> {
    let opened = || Ok((Box::new(io::Cursor::new(bytes)) as Box<_>, bytes.len() as u64));
    Loading::new(net, Path::new("bytes"), opened)?.all_but(except)
}
