//! From the text of a kernel to code for one GPU, kept on disk from program to program.

use std::ffi::{CStr, CString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use cudarc::nvrtc::{result, sys};

use super::error::{Context, CudaError};
use super::recording::CudaKernel;

/// What every kernel starts with.
const PRELUDE: &str = include_str!("prelude.cuh");

/// Compiles kernels for one architecture.
#[derive(Debug)]
pub(super) struct Compiler {
    /// `sm_90`
    arch: String,
    /// Where code is kept; nowhere when there is no such folder.
    folder: Option<PathBuf>,
    /// Whether the log tells what a kernel needs.
    reports: bool,
}

impl Compiler {
    pub fn new((major, minor): (i32, i32)) -> Self {
        Self { arch: format!("sm_{major}{minor}"), folder: folder(), reports: false }
    }

    /// Compiles for reports alone.
    pub fn reporting(arch: &str) -> Self {
        Self { arch: arch.to_string(), folder: None, reports: true }
    }

    /// What the compiler says of a kernel.
    pub fn report(&self, kernel: &CudaKernel) -> Result<String, CudaError> {
        Ok(self.build(&name(kernel), &text(kernel))?.log())
    }

    /// The code of a kernel.
    pub fn compile(&self, kernel: &CudaKernel) -> Result<Vec<u8>, CudaError> {
        let (name, whole) = (name(kernel), text(kernel));
        let file = self.folder.as_ref().map(|folder| {
            let mut hasher = DefaultHasher::new();
            (&whole, &self.arch, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
            folder.join(format!("{name}-{:016x}.{}.cubin", hasher.finish(), self.arch))
        });
        if let Some(code) = file.as_ref().and_then(|file| kept(file)) {
            return Ok(code);
        }
        let code = self.build(&name, &whole)?.code()?;
        if let Some(file) = file {
            // A folder that cannot be written costs time at the next start, and nothing else.
            let _ = crate::files::replace(&file, |to| std::io::Write::write_all(to, &code));
        }
        Ok(code)
    }

    fn build(&self, name: &str, text: &str) -> Result<Program, CudaError> {
        let text = CString::new(text).to("read a kernel")?;
        let program = Program::new(&text)?;
        let mut options = vec![format!("--gpu-architecture={}", self.arch), "--std=c++17".into()];
        if self.reports {
            options.push("--ptxas-options=-v".into());
        }
        // SAFETY: `program` is open.
        let built = unsafe { result::compile_program(program.0, &options) };
        if built.is_err() {
            let (kernel, arch) = (name.to_string(), self.arch.clone());
            return Err(CudaError::Compile { kernel, arch, log: program.log() });
        }
        Ok(program)
    }
}

/// The code in a file, if it is one.
fn kept(file: &Path) -> Option<Vec<u8>> {
    let (mut file, _) = crate::files::open(file).ok()?;
    let mut code = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut code).ok()?;
    Some(code)
}

fn name(kernel: &CudaKernel) -> String {
    format!("{}-{}", kernel.room, kernel.function)
}

/// All that is compiled.
fn text(kernel: &CudaKernel) -> String {
    let CudaKernel { defines, library, text, function, .. } = kernel;
    format!("{PRELUDE}\n{defines}\n{library}\n{text}\nEXPORT({function})\n")
}

/// A program of the compiler's, closed in the end.
struct Program(sys::nvrtcProgram);

impl Program {
    fn new(text: &CStr) -> Result<Self, CudaError> {
        result::create_program(text, None).map(Self).to("start its compiler")
    }

    fn log(&self) -> String {
        // SAFETY: the program is open; the log ends with a zero.
        let log = unsafe { result::get_program_log(self.0) };
        let bytes: Vec<u8> =
            log.unwrap_or_default().into_iter().map(|c| c as u8).take_while(|c| *c != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn code(&self) -> Result<Vec<u8>, CudaError> {
        let mut len = 0;
        // SAFETY: the program is open and compiled.
        unsafe { sys::nvrtcGetCUBINSize(self.0, &raw mut len) }.result().to("compile a kernel")?;
        let mut code = vec![0_u8; len];
        // SAFETY: `code` has room for as many bytes as the program says.
        unsafe { sys::nvrtcGetCUBIN(self.0, code.as_mut_ptr().cast()) }
            .result()
            .to("compile a kernel")?;
        Ok(code)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: the program is open, and nobody uses it any more.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

/// `$XDG_CACHE_HOME/gradiron` or `$HOME/.cache/gradiron`, made if it is not there.
fn folder() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let folder =
        std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?.join("gradiron");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder)
}
