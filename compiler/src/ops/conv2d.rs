//! Two-dimensional convolution.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::{
    Backward, Emission, Emit, Mismatch, Op, Prepared, Role, Rule, Transform, room, variant,
};
use crate::dim::{Dim, product};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

/// Kernel size, stride, padding and dilation, `[height, width]` each.
#[derive(Clone, Debug)]
pub struct Window {
    pub kernel: [Dim; 2],
    pub stride: [Dim; 2],
    pub padding: [Dim; 2],
    pub dilation: [Dim; 2],
}

impl Window {
    /// From the first to the last row or column of a window.
    fn reach(&self, axis: usize) -> Dim {
        let one = Dim::lit(1);
        self.dilation[axis].times(&self.kernel[axis].minus(&one)).plus(&one)
    }

    /// `⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1` (PyTorch's `Conv2d`).
    ///
    /// # Errors
    /// When the window does not fit into the padded input.
    pub fn output(&self, rule: &mut Rule, axis: usize, size: &Dim) -> Result<Dim, Mismatch> {
        let (one, reach) = (Dim::lit(1), self.reach(axis));
        let padded = size.plus(&self.padding[axis].times(&Dim::lit(2)));
        let side = ["high", "wide"][axis];
        if let (Some(padded), Some(reach)) = (padded.as_lit(), reach.as_lit())
            && reach > padded
        {
            return Err(Mismatch::new(format!(
                "has a window {reach} {side}, but its input with padding is {padded} {side}"
            ))
            .help(match self.dilation[axis].is_one() {
                true => format!("a kernel of {padded} or less fits, or add padding"),
                false => "use a smaller kernel, less dilation or more padding".into(),
            }));
        }
        let subject = rule.subject.clone();
        rule.at_least(&padded, &reach, || {
            format!("`{subject}` has a window that is larger than its input with padding")
        });
        let strides = padded.minus(&reach).floor_divided_by(&self.stride[axis]);
        let strides = strides.ok_or_else(|| {
            Mismatch::new(format!("slides over {size} by steps that are known only at run time"))
                .help("a stride is a constant")
        })?;
        Ok(strides.plus(&one))
    }

    /// The kernel's size, and what the runtime's spec is told beside it: `.padding([2, 2])`.
    pub fn tokens(&self) -> [TokenStream; 2] {
        let pair = |[h, w]: &[Dim; 2]| {
            let (h, w) = (h.tokens(), w.tokens());
            quote!([#h, #w])
        };
        let told = |name: TokenStream, sizes: &[Dim; 2], default: usize| {
            let is_default = sizes.iter().all(|size| *size == Dim::lit(default));
            let sizes = pair(sizes);
            (!is_default).then(|| quote!(.#name(#sizes)))
        };
        let stride = told(quote!(stride), &self.stride, 1);
        let padding = told(quote!(padding), &self.padding, 0);
        let dilation = told(quote!(dilation), &self.dilation, 1);
        [pair(&self.kernel), quote!(#stride #padding #dilation)]
    }

    pub fn text(&self) -> String {
        let pair = |[h, w]: &[Dim; 2]| if h == w { h.to_string() } else { format!("{h}x{w}") };
        let mut text =
            format!("k{} s{} p{}", pair(&self.kernel), pair(&self.stride), pair(&self.padding));
        if self.dilation.iter().any(|d| !d.is_one()) {
            text.push_str(&format!(" d{}", pair(&self.dilation)));
        }
        text
    }
}

/// What a convolution computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `y [N, O, H', W'] = x [N, C, H, W] ∗ w [O, C/groups, kh, kw]`
    Forward,
    /// `d_x` from `d_y`, `w`; also the transposed convolution
    InputGrad,
    /// `d_w` from `d_y`, `x`
    WeightGrad,
}

#[derive(Clone, Debug)]
pub struct Conv2d {
    pub direction: Direction,
    pub window: Window,
    pub groups: Dim,
    /// The shape of `x`.
    pub x: Vec<Dim>,
    /// The shape of `w`.
    pub w: Vec<Dim>,
}

/// The prepared form of `w`.
#[derive(Clone, Debug)]
pub struct Prepare(pub Conv2d);

/// `y` from `x`, `w` and its prepared form.
#[derive(Clone, Debug)]
pub struct Ready(pub Conv2d);

impl Conv2d {
    fn output(&self, rule: &mut Rule) -> Result<Vec<Dim>, Mismatch> {
        Ok(vec![
            self.x[0].clone(),
            self.w[0].clone(),
            self.window.output(rule, 0, &self.x[2])?,
            self.window.output(rule, 1, &self.x[3])?,
        ])
    }

    /// The runtime's name of the direction.
    fn runtime_direction(&self) -> TokenStream {
        let (room, pass) = (room("conv2d"), variant(&self.direction));
        quote!(#room::Pass::#pass)
    }

    fn spec(&self) -> TokenStream {
        self.spec_of([0, 1, 2, 3].map(|i| self.x[i].tokens()))
    }

    /// Of one image, for the form of the weights: it is the same for any number of images, and where
    /// only a run knows their size, for any. As large as a window, they are.
    fn spec_of_weights(&self) -> TokenStream {
        let side = |axis: usize| match self.any_size() {
            true => self.window.reach(axis).tokens(),
            false => self.x[2 + axis].tokens(),
        };
        self.spec_of([quote!(1), self.x[1].tokens(), side(0), side(1)])
    }

    fn spec_of(&self, [batch, inputs, height, width]: [TokenStream; 4]) -> TokenStream {
        let room = room("conv2d");
        let (outputs, [kernel, window]) = (self.w[0].tokens(), self.window.tokens());
        let groups = (!self.groups.is_one()).then(|| {
            let groups = self.groups.tokens();
            quote!(.groups(#groups))
        });
        let any_size = self.any_size().then(|| quote!(.any_size()));
        quote! {
            #room::spec([#batch, #inputs, #height, #width], #outputs, #kernel)
                #window #groups #any_size
        }
    }

    /// Whether only a run knows the size of the planes.
    fn any_size(&self) -> bool {
        self.x[2..].iter().any(Dim::is_run_time)
    }
}

impl Op for Conv2d {
    fn name(&self) -> String {
        let pass = match self.direction {
            Direction::Forward => "conv2d",
            Direction::InputGrad => "conv2d.input_grad",
            Direction::WeightGrad => "conv2d.weight_grad",
        };
        format!("{pass}<{} g{}>", self.window.text(), self.groups)
    }

    fn infer(&self, rule: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![Ty::float(match self.direction {
            Direction::Forward => self.output(rule)?,
            Direction::InputGrad => self.x.clone(),
            Direction::WeightGrad => self.w.clone(),
        })])
    }

    fn role(&self) -> Role {
        if self.direction != Direction::WeightGrad { Role::TakesChain } else { Role::Call }
    }
}

impl Transform for Conv2d {
    fn backward(&self, b: &mut Backward) {
        let (x, w, d_y) = (b.inputs[0], b.inputs[1], b.d_y());
        // `InputGrad` runs forward as a transposed convolution: input and output change places.
        let (d_x_direction, d_w_inputs) = match self.direction {
            Direction::Forward => (Direction::InputGrad, [d_y, x]),
            Direction::InputGrad => (Direction::Forward, [x, d_y]),
            Direction::WeightGrad => return b.none(),
        };
        if b.wants(0) {
            let d_x = b.op(0, Self { direction: d_x_direction, ..self.clone() }, &[d_y, w]);
            b.set(0, d_x);
        }
        if b.wants(1) {
            let d_w =
                b.op(1, Self { direction: Direction::WeightGrad, ..self.clone() }, &d_w_inputs);
            b.set(1, d_w);
        }
    }

    fn prepared(&self, _: &[Ty]) -> Option<Prepared> {
        let split = || Prepared {
            reads: vec![1],
            first: Rc::new(Prepare(self.clone())),
            then: Rc::new(Ready(self.clone())),
        };
        (self.direction == Direction::Forward).then(split)
    }
}

impl Emission for Conv2d {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (out, a, b, scratch) = (e.y(0), e.x(0), e.x(1), e.scratch());
        let (pass, spec) = (self.runtime_direction(), self.spec());
        e.call("conv2d", &quote!(#pass, #out, [#a, #b], #scratch, #spec))
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        let output =
            self.output(&mut Rule::default()).map(|dims| product(&dims)).unwrap_or(Dim::lit(0));
        Dim::lit(2).times(&output).times(&product(&self.w[1..]))
    }

    fn scratch(&self, _: bool) -> Option<Dim> {
        let (pass, spec) = (self.runtime_direction(), self.spec());
        let call = quote!(#spec.scratch(#pass));
        Some(Dim::expr(format!("scratch of {}", self.name()), call))
    }

    fn serves_cpu_only(&self) -> bool {
        true
    }
}

impl Op for Prepare {
    fn name(&self) -> String {
        let [channels, height, width] = [1, 2, 3].map(|axis| &self.0.x[axis]);
        format!("prepare {} of [{channels}, {height}, {width}]", self.0.name())
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let spec = self.0.spec_of_weights();
        let text = format!("{} {}", self.name(), inputs[0]);
        let len = Dim::expr(text, quote!(#spec.prepared_len()));
        Ok(vec![Ty { kind: Kind::Saved, ..Ty::float([len]) }])
    }
}

impl Transform for Prepare {}

impl Emission for Prepare {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (prepared, w, spec) = (e.y(0), e.x(0), self.0.spec_of_weights());
        quote!(k.conv2d_prepare(#prepared, #w, #spec);)
    }

    fn serves_cpu_only(&self) -> bool {
        true
    }
}

impl Op for Ready {
    fn name(&self) -> String {
        format!("prepared {}", self.0.name())
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        self.0.infer(rule, &inputs[..2])
    }

    fn role(&self) -> Role {
        Role::TakesChain
    }
}

impl Transform for Ready {}

impl Emission for Ready {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, x, w, prepared) = (e.y(0), e.x(0), e.x(1), e.x(2));
        let (scratch, spec) = (e.scratch(), self.0.spec());
        e.call("conv2d_prepared", &quote!(#y, #x, [#w, #prepared], #scratch, #spec))
    }

    fn flops(&self, inputs: &[Ty], outputs: &[Ty]) -> Dim {
        self.0.flops(inputs, outputs)
    }

    fn scratch(&self, _: bool) -> Option<Dim> {
        let spec = self.0.spec();
        Some(Dim::expr(format!("scratch of {}", self.name()), quote!(#spec.prepared_scratch())))
    }

    fn serves_cpu_only(&self) -> bool {
        true
    }
}
