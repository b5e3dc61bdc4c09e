//! Chains on a GPU: each becomes a kernel of its own, written here from its text. A thread computes
//! four or eight neighbouring elements where the last axis allows, and loads and stores them at once.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::LazyLock;

use super::{Elementwise, Map, functions};
use crate::device::{Arg, Buf, CudaKernel, CudaKernels, Grid, place};

/// The functions that chains are made of.
static FUNCTIONS: LazyLock<String> =
    LazyLock::new(|| include_str!("math.cuh").to_string() + &functions::SOURCE.in_c());

/// Bytes that a thread loads at once.
const BYTES: usize = 16;

/// The inputs along one axis after another: which ones have it.
struct Axes<const IN: usize> {
    /// The sizes, the outermost first, and the inputs that have them. Neighbours that the same
    /// inputs have are one.
    axes: Vec<(usize, [bool; IN])>,
}

impl<const IN: usize> Axes<IN> {
    fn new<const R: usize>(dims: [usize; R], inputs: &[(Buf, [bool; R]); IN]) -> Self {
        let mut axes: Vec<(usize, [bool; IN])> = Vec::new();
        for (axis, &size) in dims.iter().enumerate() {
            let has = inputs.each_ref().map(|(_, has)| has[axis]);
            match axes.last_mut() {
                _ if size == 1 => {}
                Some((last, of)) if *of == has => *last *= size,
                _ => axes.push((size, has)),
            }
        }
        Self { axes }
    }

    /// The elements that a thread computes: as many as it loads at once of the ranges that have the last
    /// axis.
    fn width(&self, ranges: impl Iterator<Item = Buf> + Clone) -> usize {
        let at_once = |buf: Buf| BYTES / buf.element.bytes();
        let most = ranges.clone().map(at_once).max().unwrap_or(1);
        let is_whole = self.axes.last().is_some_and(|(size, _)| size % most == 0);
        let is_aligned = ranges.clone().all(|buf| buf.start.is_multiple_of(at_once(buf)));
        if is_whole && is_aligned { most } else { 1 }
    }

    /// The place of element `i` in an input, in C.
    fn place(&self, input: usize) -> String {
        let mut step = 1;
        let distances = self.axes.iter().rev().map(|(size, has)| {
            let distance = if has[input] { step } else { 0 };
            step *= if has[input] { *size } else { 1 };
            (*size, distance)
        });
        let mut axes: Vec<_> = distances.collect();
        axes.reverse();
        place("i", &axes)
    }

    fn has_last(&self, input: usize) -> bool {
        self.axes.last().is_none_or(|(_, has)| has[input])
    }
}

/// The kernel of a chain over inputs that have these axes:
///
/// ```c
/// struct Results { float y0; };
/// DEVICE Results chain(float x0, float x1) {
///     const float t0 = f::add(x0, x1);
///     return {t0};
/// }
/// KERNEL map(y0_t* y0, const x0_t* x0, const x1_t* x1, unsigned count) {
///     const unsigned i = thread_of_grid() * WIDTH;
///     if (i >= count) return;
///     float v0[WIDTH], v1[WIDTH], w0[WIDTH];
///     load(v0, x0, i);
///     spread(v1, x1, i / 12);
/// #pragma unroll
///     for (int e = 0; e < WIDTH; ++e) {
///         const Results r = chain(v0[e], v1[e]);
///         w0[e] = r.y0;
///     }
///     store(y0, i, w0);
/// }
/// ```
fn text<const IN: usize, const OUT: usize, const S: usize>(
    chain: &str,
    axes: &Axes<IN>,
) -> Result<String, std::fmt::Error> {
    let (steps, results) = chain.rsplit_once("; ").unwrap_or(("", chain));
    let list =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>();
    let constants = list(S, &|s| format!("float c{s}"));
    let mut text = String::new();

    let fields = list(OUT, &|o| format!("float y{o};")).join(" ");
    writeln!(text, "struct Results {{ {fields} }};")?;
    let inputs = list(IN, &|i| format!("float x{i}"));
    writeln!(text, "DEVICE Results chain({}) {{", [inputs, constants.clone()].concat().join(", "))?;
    for step in steps.split("; ").filter(|step| !step.is_empty()) {
        let (name, call) = step.split_once(" = ").unwrap_or(("", step));
        writeln!(text, "    const float {name} = f::{call};")?;
    }
    writeln!(text, "    return {{{results}}};\n}}\n")?;

    let outputs = list(OUT, &|o| format!("y{o}_t* y{o}"));
    let inputs = list(IN, &|i| format!("const x{i}_t* x{i}"));
    let parameters = [outputs, inputs, constants].concat();
    writeln!(text, "KERNEL map({}, unsigned count) {{", parameters.join(", "))?;
    writeln!(
        text,
        "    const unsigned i = thread_of_grid() * WIDTH;\n    if (i >= count) return;"
    )?;
    for input in 0..IN {
        let how = if axes.has_last(input) { "load" } else { "spread" };
        writeln!(text, "    float v{input}[WIDTH];")?;
        writeln!(text, "    {how}(v{input}, x{input}, {});", axes.place(input))?;
    }
    for output in 0..OUT {
        writeln!(text, "    float w{output}[WIDTH];")?;
    }
    let given =
        [list(IN, &|i| format!("v{i}[e]")), list(S, &|s| format!("c{s}"))].concat().join(", ");
    writeln!(text, "#pragma unroll\n    for (int e = 0; e < WIDTH; ++e) {{")?;
    writeln!(text, "        const Results r = chain({given});")?;
    for output in 0..OUT {
        writeln!(text, "        w{output}[e] = r.y{output};")?;
    }
    writeln!(text, "    }}")?;
    for output in 0..OUT {
        writeln!(text, "    store(y{output}, i, w{output});")?;
    }
    writeln!(text, "}}")?;
    Ok(text)
}

impl Map for CudaKernels {
    fn map<E, const IN: usize, const OUT: usize, const S: usize, const R: usize>(
        &mut self,
        outputs: [Buf; OUT],
        inputs: [(Buf, [bool; R]); IN],
        dims: [usize; R],
        constants: [f32; S],
    ) where
        E: Elementwise<IN, OUT, S>,
    {
        let count: usize = dims.iter().product();
        let axes = Axes::new(dims, &inputs);
        let last = (0..IN).filter(|input| axes.has_last(*input)).map(|input| inputs[input].0);
        let width = axes.width(last.chain(outputs));
        let text = text::<IN, OUT, S>(E::TEXT, &axes).expect("a string takes all text");
        let (room, function) = ("elementwise", "map");
        let (text, defines) = (Cow::Owned(text), String::new());
        let kernel = CudaKernel { room, library: &FUNCTIONS, text, function, defines };
        let kernel = kernel.with("WIDTH", width);
        let names: Vec<String> = [("y", OUT), ("x", IN)]
            .iter()
            .flat_map(|(n, of)| (0..*of).map(move |i| format!("{n}{i}")))
            .collect();
        let bufs = outputs.into_iter().chain(inputs.map(|(buf, _)| buf));
        let mut args: Vec<(&str, Arg)> =
            names.iter().map(String::as_str).zip(bufs.map(Arg::Buf)).collect();
        args.extend(constants.map(|constant| ("c", constant.into())));
        args.push(("count", count.into()));
        self.launch(kernel, Grid::each(count / width), &args);
    }
}
