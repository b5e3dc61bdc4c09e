//! Matrix products.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::{Backward, Emission, Emit, Mismatch, Op, Prepared, Role, Rule, Transform, room};
use crate::dim::{Dim, product};
use crate::graph::step::{NEEDS_ALL, Step, Stepped};
use crate::graph::{Kind, Ty};
use crate::hygiene::quote;

/// How the operands lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `y [.., m, n] = a [.., m, k] · b [k, n]`
    NN,
    /// `y [.., m, n] = a [.., m, k] · b [n, k]ᵀ`
    NT,
    /// `y [m, n] = a [.., k, m]ᵀ · b [.., k, n]`, summed over the leading axes
    TN,
}

/// A product of matrices; leading axes of `a` count as rows.
#[derive(Clone, Copy, Debug)]
pub struct Matmul(pub Layout);

/// The packed form of `b [n, k]`.
#[derive(Clone, Copy, Debug)]
pub struct Pack;

/// `y [.., m, n] = a [.., m, k] · b [n, k]ᵀ` from `a`, `b` and its packed form.
#[derive(Clone, Copy, Debug)]
pub struct Packed;

impl Matmul {
    /// `(m, k, n)`
    fn sizes(self, a: &[Dim], b: &[Dim]) -> (Dim, Dim, Dim) {
        let rows = |dims: &[Dim]| product(&dims[..dims.len() - 1]);
        let last = |dims: &[Dim]| dims[dims.len() - 1].clone();
        match self.0 {
            Layout::NN => (rows(a), last(a), last(b)),
            Layout::NT => (rows(a), last(a), rows(b)),
            Layout::TN => (last(a), rows(a), last(b)),
        }
    }

    /// The runtime's spec.
    fn spec(self, [m, k, n]: [&Dim; 3]) -> TokenStream {
        let layout = match self.0 {
            Layout::NN => quote!(nn),
            Layout::NT => quote!(nt),
            Layout::TN => quote!(tn),
        };
        let (room, [m, inner, n]) = (room("matmul"), [m, k, n].map(Dim::tokens));
        quote!(#room::#layout(#m, #inner, #n))
    }

    /// The same for these operands.
    fn spec_of(self, inputs: &[Ty]) -> TokenStream {
        let (m, k, n) = self.sizes(inputs[0].dims(), inputs[1].dims());
        self.spec([&m, &k, &n])
    }
}

impl Op for Matmul {
    fn name(&self) -> String {
        format!("matmul.{:?}", self.0).to_lowercase()
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let (a, b) = (inputs[0].dims(), inputs[1].dims());
        let matrices = !a.is_empty() && b.len() == 2 || self.0 == Layout::TN && a.len() == b.len();
        if !matrices {
            let error = Mismatch::new(format!(
                "multiplies [.., k] by a matrix [k, n], but receives {} and {}",
                inputs[0], inputs[1]
            ));
            return Err(match b.len() {
                1 => error.help("a vector is a matrix of one column: `v.unsqueeze(1)`"),
                _ => error.help("`reshape` and `transpose` make matrices"),
            });
        }
        let inner = match self.0 {
            Layout::NN => rule.equal(&a[a.len() - 1], &b[0]),
            Layout::NT => rule.equal(&a[a.len() - 1], &b[1]),
            Layout::TN => rule.equal(&product(&a[..a.len() - 1]), &product(&b[..b.len() - 1])),
        };
        if !inner {
            let (rows, columns) = (&a[a.len() - 1], &b[0]);
            let error = Mismatch::new(format!(
                "multiplies {} by {}: {columns} rows are needed to meet {rows} columns",
                inputs[0], inputs[1]
            ));
            let fits_transposed = self.0 == Layout::NN && a[a.len() - 1] == b[1];
            return Err(error.help(match fits_transposed {
                true => "it fits the other way round: `.transpose(0, 1)` of the right one",
                false => "the last size on the left must be the first size on the right",
            }));
        }
        let (m, _, n) = self.sizes(a, b);
        let shape = match self.0 {
            Layout::TN => vec![m, n],
            _ => a[..a.len() - 1].iter().cloned().chain([n]).collect(),
        };
        Ok(vec![Ty::float(shape)])
    }

    fn role(&self) -> Role {
        Role::TakesChain
    }
}

impl Transform for Matmul {
    fn backward(&self, g: &mut Backward) {
        let (a, b, d_y) = (g.inputs[0], g.inputs[1], g.d_y());
        if g.wants(0) {
            let d_a = match self.0 {
                Layout::NN => g.op(0, Self(Layout::NT), &[d_y, b]),
                Layout::NT => g.op(0, Self(Layout::NN), &[d_y, b]),
                Layout::TN => g.op(0, Self(Layout::NT), &[b, d_y]),
            };
            g.set(0, d_a);
        }
        if g.wants(1) {
            let d_b = match self.0 {
                Layout::NN => g.op(1, Self(Layout::TN), &[a, d_y]),
                Layout::NT => g.op(1, Self(Layout::TN), &[d_y, a]),
                Layout::TN => g.op(1, Self(Layout::NN), &[a, d_y]),
            };
            g.set(1, d_b);
        }
    }

    fn step(&self, s: &mut Step) -> Stepped {
        // Leading axes of `a` count as rows.
        let axis = s.only(0)?;
        match self.0 != Layout::TN && axis + 1 < s.whole[0].shape.rank() {
            true => s.same(*self, axis),
            false => Err(NEEDS_ALL),
        }
    }

    fn prepared(&self, _: &[Ty]) -> Option<Prepared> {
        let is_linear = self.0 == Layout::NT;
        is_linear.then(|| Prepared { reads: vec![1], first: Rc::new(Pack), then: Rc::new(Packed) })
    }
}

impl Emission for Matmul {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, a, b, spec) = (e.y(0), e.x(0), e.x(1), self.spec_of(&e.inputs));
        e.call("matmul", &quote!(#y, #a, #b, #spec))
    }

    fn flops(&self, inputs: &[Ty], _: &[Ty]) -> Dim {
        let (m, k, n) = self.sizes(inputs[0].dims(), inputs[1].dims());
        Dim::lit(2).times(&m).times(&k).times(&n)
    }
}

impl Pack {
    /// For one row: the form is the same for any number of them.
    fn spec(b: &Ty) -> TokenStream {
        let [n, k] = [0, 1].map(|axis| &b.dims()[axis]);
        Matmul(Layout::NT).spec([&Dim::lit(1), k, n])
    }
}

impl Op for Pack {
    fn name(&self) -> String {
        "matmul.pack".into()
    }

    fn infer(&self, _: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        let spec = Self::spec(&inputs[0]);
        let len = Dim::expr(format!("packed {}", inputs[0]), quote!(#spec.packed_len()));
        Ok(vec![Ty { kind: Kind::Saved, ..Ty::float([len]) }])
    }
}

impl Transform for Pack {}

impl Emission for Pack {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (packed, b, spec) = (e.y(0), e.x(0), Self::spec(&e.inputs[0]));
        quote!(k.matmul_pack(#packed, #b, #spec);)
    }

    fn serves_cpu_only(&self) -> bool {
        true
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        Dim::lit(0)
    }
}

impl Op for Packed {
    fn name(&self) -> String {
        "matmul.packed".into()
    }

    fn infer(&self, rule: &mut Rule, inputs: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Matmul(Layout::NT).infer(rule, &inputs[..2])
    }

    fn role(&self) -> Role {
        Role::TakesChain
    }
}

impl Transform for Packed {}

impl Emission for Packed {
    fn emit(&self, e: &Emit) -> TokenStream {
        let (y, a, b, packed) = (e.y(0), e.x(0), e.x(1), e.x(2));
        let spec = Matmul(Layout::NT).spec_of(&e.inputs);
        e.call("matmul_packed", &quote!(#y, #a, #b, #packed, #spec))
    }

    fn flops(&self, inputs: &[Ty], outputs: &[Ty]) -> Dim {
        Matmul(Layout::NT).flops(inputs, outputs)
    }
}
