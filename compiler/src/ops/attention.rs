//! Scaled dot-product attention, fused: its scores are nowhere in memory.

mod next;

use proc_macro2::{Literal, TokenStream};

pub use next::Next;

use super::grad::{self, GradCall};
use super::{Backward, Emission, Emit, Mismatch, Op, Rule, Transform, room};
use crate::dim::{Dim, product};
use crate::graph::step::{NEEDS_ALL, NoStep, Step, Stepped};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

/// How queries, keys and values lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One value `[batch, rows, 3 * heads * dim]`: queries, keys and values side by side.
    Packed,
    /// `[batch, rows, heads * dim]` each.
    ByRow,
    /// `[batch, heads, rows, dim]` each, `[batch, rows, dim]` or `[rows, dim]`.
    ByHead,
}

/// `y, lse` from `qkv` or `q, k, v`, and a mask that is added to the scores where there is one.
#[derive(Clone, Debug)]
pub struct Attention {
    pub layout: Layout,
    /// The heads where the layout does not say.
    pub heads: Dim,
    /// `1 / √dim` when it is not given.
    pub scale: Option<f64>,
    pub causal: bool,
    pub mask: bool,
}

/// `d_mask` from `d_y, y, lse` and the inputs.
#[derive(Clone, Debug)]
pub struct MaskGrad(pub Attention);

/// Said of a sequence that is not causal.
const SEES_ALL: NoStep = NoStep {
    reason: "lets a position see those behind it",
    help: Some("write `is_causal = true`"),
};

/// The sizes of an attention.
struct Sizes {
    batch: Dim,
    heads: Dim,
    kv_heads: Dim,
    queries: Dim,
    keys: Dim,
    dim: Dim,
    /// The shape of the scores.
    scores: Vec<Dim>,
}

impl Attention {
    /// How many inputs are queries, keys and values.
    fn operands(&self) -> usize {
        if self.layout == Layout::Packed { 1 } else { 3 }
    }

    fn sizes(&self, inputs: &[Ty]) -> Sizes {
        let q = inputs[0].dims();
        if self.layout == Layout::ByHead {
            let k = inputs[1].dims();
            let rank = q.len();
            let axis = |dims: &[Dim], back: usize| {
                rank.checked_sub(back).map_or(Dim::lit(1), |axis| dims[axis].clone())
            };
            // Three axes are a batch without heads.
            let (batch, [heads, kv_heads]) = match rank {
                4 => (q[0].clone(), [q, k].map(|dims| dims[1].clone())),
                _ => (axis(q, 3), [Dim::lit(1), Dim::lit(1)]),
            };
            let (queries, keys, dim) = (axis(q, 2), axis(k, 2), axis(q, 1));
            let scores = [&q[..rank - 1], std::slice::from_ref(&keys)].concat();
            return Sizes { batch, heads, kv_heads, queries, keys, dim, scores };
        }
        let parts = if self.layout == Layout::Packed { 3 } else { 1 };
        let width = self.heads.times(&Dim::lit(parts));
        let dim = q[2].floor_divided_by(&width).expect("the layer knows both sizes");
        let [batch, queries] = [0, 1].map(|axis| q[axis].clone());
        let keys = inputs[self.operands() - 1].dims()[1].clone();
        let scores = vec![batch.clone(), self.heads.clone(), queries.clone(), keys.clone()];
        let (heads, kv_heads) = (self.heads.clone(), self.heads.clone());
        Sizes { batch, heads, kv_heads, queries, keys, dim, scores }
    }

    fn spec(&self, s: &Sizes) -> TokenStream {
        let room = room("attention");
        let [batch, heads, kv_heads, queries, keys, dim] =
            [&s.batch, &s.heads, &s.kv_heads, &s.queries, &s.keys, &s.dim].map(Dim::tokens);
        let scale = match self.scale {
            Some(scale) => {
                let scale = Literal::f32_suffixed(scale as f32);
                quote!(#scale)
            }
            None => quote!(1.0 / ((#dim) as f32).sqrt()),
        };
        let causal = match self.causal {
            true => quote!(::core::option::Option::Some(0)),
            false => quote!(::core::option::Option::None),
        };
        quote! {
            #room::AttentionSpec {
                batch: #batch, heads: #heads, kv_heads: #kv_heads, queries: #queries,
                keys: #keys, dim: #dim, scale: #scale, causal: #causal,
            }
        }
    }

    /// Queries, keys and values, or their gradients, in `vars`.
    fn views(&self, s: &Sizes, vars: &[TokenStream]) -> Vec<TokenStream> {
        let sides = [(&s.queries, &s.heads), (&s.keys, &s.kv_heads), (&s.keys, &s.kv_heads)];
        let views = sides.into_iter().enumerate().map(|(part, (rows, heads))| {
            let width = heads.times(&s.dim);
            match self.layout {
                Layout::Packed => {
                    let row = width.times(&Dim::lit(3));
                    let start = width.times(&Dim::lit(part));
                    view(&vars[0], [&start, &rows.times(&row), &s.dim, &row])
                }
                _ => self.plain_view(s, &vars[part], rows, heads),
            }
        });
        views.collect()
    }

    /// A whole value in this layout.
    fn plain_view(&self, s: &Sizes, var: &TokenStream, rows: &Dim, heads: &Dim) -> TokenStream {
        let (width, zero) = (heads.times(&s.dim), Dim::lit(0));
        let batch = rows.times(&width);
        match self.layout {
            Layout::ByHead => view(var, [&zero, &batch, &rows.times(&s.dim), &s.dim]),
            _ => view(var, [&zero, &batch, &s.dim, &width]),
        }
    }

    /// `d_y` and `y`.
    fn made(&self, s: &Sizes, vars: [&TokenStream; 2]) -> [TokenStream; 2] {
        let by_row = match self.layout {
            Layout::Packed => Self { layout: Layout::ByRow, ..self.clone() },
            _ => self.clone(),
        };
        vars.map(|var| by_row.plain_view(s, var, &s.queries, &s.heads))
    }

    fn given(&self, s: &Sizes, inputs: &[Ty], vars: &[TokenStream]) -> TokenStream {
        let room = room("attention");
        let views = self.views(s, vars);
        let (q, k, v) = (&views[0], &views[1], &views[2]);
        let mask = match self.mask {
            true => {
                let at = self.operands();
                let strides = mask_strides(inputs[at].dims(), &s.scores);
                let stride = |back: usize| {
                    s.scores
                        .len()
                        .checked_sub(back)
                        .map_or(Dim::lit(0), |axis| strides[axis].clone())
                };
                let (batch, head) = match s.scores.len() {
                    4 => (stride(4), stride(3)),
                    _ => (stride(3), Dim::lit(0)),
                };
                let mask = view(&vars[at], [&Dim::lit(0), &batch, &head, &stride(2)]);
                quote!(::core::option::Option::Some(#mask))
            }
            false => quote!(::core::option::Option::None),
        };
        quote!(#room::Inputs { q: #q, k: #k, v: #v, mask: #mask })
    }

    fn check(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<(), Mismatch> {
        if self.layout == Layout::ByHead {
            let (q, k, v) = (&inputs[0], &inputs[1], &inputs[2]);
            let rank = q.shape.rank();
            let fits = (2..=4).contains(&rank)
                && k.shape.rank() == rank
                && rule.equal_shapes(&k.shape, &v.shape)
                && rule.equal(&q.dims()[rank - 1], &k.dims()[rank - 1])
                && (rank < 3 || rule.equal(&q.dims()[0], &k.dims()[0]));
            if !fits {
                let text = format!(
                    "expects queries [batch, heads, rows, size] and keys and values like them, but \
                     receives {q}, {k} and {v}"
                );
                return Err(Mismatch::new(text));
            }
            if let (4, Some(heads), Some(kv)) = (rank, q.dims()[1].as_lit(), k.dims()[1].as_lit())
                && (kv == 0 || heads % kv != 0)
            {
                let text = format!("shares {kv} heads of keys among {heads} heads of queries");
                return Err(Mismatch::new(text).help("the first has to divide the second"));
            }
            if rank == 4 && !rule.divides(&k.dims()[1], &q.dims()[1]) {
                let (heads, kv) = (&q.dims()[1], &k.dims()[1]);
                let text = format!("shares {kv} heads of keys among {heads} heads of queries");
                return Err(Mismatch::new(text).help("the first has to divide the second"));
            }
        }
        if !self.mask {
            return Ok(());
        }
        let (mask, scores) = (&inputs[self.operands()], self.sizes(inputs).scores);
        let aligned = scores.iter().rev().zip(mask.dims().iter().rev());
        let fits = mask.shape.rank() <= scores.len()
            && mask.shape.rank() > 0
            && aligned
                .enumerate()
                .all(|(back, (score, mask))| mask.is_one() && back > 0 || rule.equal(score, mask));
        if fits {
            return Ok(());
        }
        let scores = crate::dim::Shape(scores);
        Err(Mismatch::new(format!("adds a mask to scores {scores}, but receives {mask}"))
            .help("sizes must be equal or 1, counted from the last, which is that of the keys"))
    }
}

/// The strides of a mask along the axes of the scores: 0 where it is repeated.
fn mask_strides(mask: &[Dim], scores: &[Dim]) -> Vec<Dim> {
    let mut strides = vec![Dim::lit(0); scores.len()];
    for (axis, _) in mask.iter().enumerate().filter(|(_, dim)| !dim.is_one()) {
        strides[scores.len() - mask.len() + axis] = product(&mask[axis + 1..]);
    }
    strides
}

fn view(buf: &TokenStream, strides: [&Dim; 4]) -> TokenStream {
    let (room, [start, batch, head, row]) = (room("attention"), strides.map(Dim::tokens));
    quote! {
        #room::View {
            buf: #buf,
            strides: #room::Strides { start: #start, batch: #batch, head: #head, row: #row },
        }
    }
}

impl Op for Attention {
    fn name(&self) -> String {
        let causal = if self.causal { "<causal>" } else { "" };
        format!("attention{causal}")
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        self.check(rule, inputs)?;
        let s = self.sizes(inputs);
        let mut y = inputs[0].dims().to_vec();
        if self.layout == Layout::Packed {
            y[2] = s.heads.times(&s.dim);
        }
        let lse = Ty::float([s.batch.times(&s.heads).times(&s.queries)]);
        Ok(vec![Ty::float(y), Ty { kind: Kind::Saved, ..lse }])
    }
}

impl Transform for Attention {
    fn backward(&self, b: &mut Backward) {
        let made = [b.d_y(), b.outputs[0], b.outputs[1]];
        let inputs: Vec<_> = made.into_iter().chain(b.inputs.clone()).collect();
        let mask = self.operands();
        if self.mask && b.wants(mask) {
            let d_mask = b.op(mask, MaskGrad(self.clone()), &inputs);
            b.set(mask, d_mask);
        }
        let of: Vec<_> = (0..mask).collect();
        grad::add(b, self, &of, &inputs);
    }

    fn step(&self, s: &mut Step) -> Stepped {
        let operands = self.operands();
        let axis = match self.layout {
            Layout::ByHead => s.whole[0].shape.rank() - 2,
            _ => 1,
        };
        let is_cross = operands == 3 && s.axes[1].is_none() && s.axes[2].is_none();
        let own = if is_cross { 1 } else { operands };
        let fits = s.axes.iter().enumerate().all(|(i, a)| *a == (i < own).then_some(axis));
        match (fits, self.causal, self.mask) {
            (true, false, false) if is_cross => return s.same(self.clone(), axis),
            (true, true, false) if !is_cross => {}
            (true, false, _) => return Err(SEES_ALL),
            _ => return Err(NEEDS_ALL),
        }
        let sizes = self.sizes(&s.whole);
        let cache = [sizes.batch, sizes.kv_heads, sizes.keys.clone(), sizes.dim];
        let caches = [s.cache(cache.to_vec()), s.cache(cache.to_vec())];
        let inputs: Vec<_> = s.inputs.iter().copied().chain(caches).collect();
        let y = s.apply(Next(self.clone(), sizes.keys), &inputs)[0];
        Ok(vec![(y, Some(axis))])
    }
}

impl Emission for Attention {
    fn emit(&self, e: &Emit) -> TokenStream {
        let s = self.sizes(&e.inputs);
        let y = e.y(0);
        let to_y = match self.layout {
            Layout::Packed => Self { layout: Layout::ByRow, ..self.clone() },
            _ => self.clone(),
        };
        let to_y = to_y.plain_view(&s, y, &s.queries, &s.heads);
        let lse = match e.used[1] {
            true => e.y(1).clone(),
            false => quote!(#y.part(0, 0)),
        };
        let (given, spec) = (self.given(&s, &e.inputs, &e.input_vars), self.spec(&s));
        quote!(k.attention(#to_y, #lse, #given, #spec);)
    }

    /// The two products.
    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        let s = self.sizes(inputs);
        product(&s.scores).times(&s.dim).times(&Dim::lit(4))
    }
}

impl GradCall for Attention {
    /// `d_qkv` or `d_q, d_k, d_v` from `d_y, y, lse` and the inputs.
    fn emit_grad(&self, e: &Emit) -> TokenStream {
        let (inputs, vars) = (&e.inputs[3..], &e.input_vars[3..]);
        let s = self.sizes(inputs);
        let made = self.made(&s, [e.x(0), e.x(1)]);
        let (d_qkv, lse) = (self.views(&s, &e.output_vars), e.x(2));
        let (given, spec) = (self.given(&s, inputs, vars), self.spec(&s));
        quote!(k.attention_grad([#(#d_qkv),*], [#(#made),*], #lse, #given, #spec);)
    }

    /// The two products again, and those of the gradients.
    fn grad_flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        let s = self.sizes(&inputs[3..]);
        product(&s.scores).times(&s.dim).times(&Dim::lit(10))
    }
}

impl Op for MaskGrad {
    fn name(&self) -> String {
        format!("{}.mask_grad", self.0.name())
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![inputs[3 + self.0.operands()].clone()])
    }
}

impl Transform for MaskGrad {}

impl Emission for MaskGrad {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (inputs, vars) = (&e.inputs[3..], &e.input_vars[3..]);
        let s = self.0.sizes(inputs);
        let made = self.0.made(&s, [e.x(0), e.x(1)]);
        let (d_mask, lse) = (e.y(0), e.x(2));
        let (given, spec) = (self.0.given(&s, inputs, vars), self.0.spec(&s));
        quote!(k.attention_mask_grad(#d_mask, [#(#made),*], #lse, #given, #spec);)
    }

    /// The scores again, and what their gradients are made of.
    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        let s = self.0.sizes(&inputs[3..]);
        product(&s.scores).times(&s.dim).times(&Dim::lit(4))
    }
}
