//! Where CUDA's libraries are. They are found when a program runs, so that it starts, and says what
//! is missing, where there are none.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::error::CudaError;

/// The version whose libraries are used.
const NEEDED: &str = "13.0";
/// What has cuDNN as well.
#[cfg(feature = "cudnn")]
const WITH_CUDNN: &str = "13.0 with cuDNN 9";

/// Finds all libraries, once for the process.
///
/// # Errors
/// The first that is missing, and where it was looked for.
pub(super) fn load() -> Result<(), CudaError> {
    static LOADED: OnceLock<Result<(), CudaError>> = OnceLock::new();
    LOADED.get_or_init(find_all).clone()
}

/// Finds the compiler alone, once for the process.
///
/// # Errors
/// When it is missing, and where it was looked for.
pub(super) fn load_compiler() -> Result<(), CudaError> {
    static LOADED: OnceLock<Result<(), CudaError>> = OnceLock::new();
    LOADED.get_or_init(|| find_compiler(&folders())).clone()
}

fn find_all() -> Result<(), CudaError> {
    let folders = folders();
    // SAFETY: asks the loader for the driver, whose initialisers are NVIDIA's.
    if !unsafe { cudarc::driver::sys::is_culib_present() } {
        return Err(CudaError::NoDriver { library: "libcuda.so", looked: looked(&folders) });
    }
    find_compiler(&folders)?;
    // SAFETY: asks the loader for cuBLASLt, whose initialisers are NVIDIA's.
    if !unsafe { cudarc::cublaslt::sys::is_culib_present() } {
        preload(&folders, &["libcublas.so.13", "libcublasLt.so.13"]);
        // SAFETY: asks once more, since the loader knows it by its path now.
        if !unsafe { cudarc::cublaslt::sys::is_culib_present() } {
            return Err(missing("libcublasLt.so.13", NEEDED, &folders));
        }
    }
    #[cfg(feature = "cudnn")]
    find_cudnn(&folders)?;
    Ok(())
}

fn find_compiler(folders: &[PathBuf]) -> Result<(), CudaError> {
    // SAFETY: asks the loader for the library, whose initialisers are NVIDIA's.
    if !unsafe { cudarc::nvrtc::sys::is_culib_present() } {
        preload(folders, &["libnvrtc-builtins.so.13.0", "libnvrtc.so.13"]);
        // SAFETY: asks once more for the compiler, since the loader knows it by its path now.
        if !unsafe { cudarc::nvrtc::sys::is_culib_present() } {
            return Err(missing("libnvrtc.so.13", NEEDED, folders));
        }
    }
    Ok(())
}

#[cfg(feature = "cudnn")]
fn find_cudnn(folders: &[PathBuf]) -> Result<(), CudaError> {
    // SAFETY: asks the loader for the library, whose initialisers are NVIDIA's.
    if !unsafe { cudarc::cudnn::sys::is_culib_present() } {
        preload(folders, &["libcudnn.so.9"]);
        // SAFETY: asks once more for cuDNN, since the loader knows it by its path now.
        if !unsafe { cudarc::cudnn::sys::is_culib_present() } {
            return Err(missing("libcudnn.so.9", WITH_CUDNN, folders));
        }
    }
    Ok(())
}

fn missing(library: &'static str, needed: &'static str, folders: &[PathBuf]) -> CudaError {
    CudaError::NoLibrary { library, looked: looked(folders), needed }
}

fn looked(folders: &[PathBuf]) -> String {
    match folders {
        [] => "CUDA_PATH, which is not set".to_string(),
        all => all.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
    }
}

/// Folders beside those of the loader: of `CUDA_PATH` and `CUDA_HOME`, and the usual one.
fn folders() -> Vec<PathBuf> {
    let set = ["CUDA_PATH", "CUDA_HOME"].into_iter().filter_map(std::env::var_os);
    let roots = set.map(PathBuf::from).chain([PathBuf::from("/usr/local/cuda")]);
    let folders =
        roots.flat_map(|root| ["lib64", "lib", "targets/x86_64-linux/lib"].map(|f| root.join(f)));
    folders.filter(|folder| folder.is_dir()).collect()
}

/// Opens libraries by their full paths and keeps them open: the loader then finds them by name.
fn preload(folders: &[PathBuf], names: &[&str]) {
    for name in names {
        let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
        if let Some(path) = found {
            open(&path);
        }
    }
}

#[cfg(unix)]
fn open(path: &Path) {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: a library of CUDA, whose initialisers are NVIDIA's; it is never closed.
    if let Ok(library) = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        std::mem::forget(library);
    }
}

#[cfg(not(unix))]
fn open(path: &Path) {
    // SAFETY: a library of CUDA, whose initialisers are NVIDIA's; it is never closed.
    if let Ok(library) = unsafe { libloading::Library::new(path) } {
        std::mem::forget(library);
    }
}
