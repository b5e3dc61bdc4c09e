//! Elementwise nodes fused into one pass over memory.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::format_ident;

use super::elementwise::Constant;
use super::{Emission, Emit, Mismatch, Op, Rule, Transform, dims, room};
use crate::dim::{Dim, Shape};
use crate::graph::Ty;
use crate::hygiene::{quote, variable};

/// Where a step of a chain takes a value from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// An input of the chain.
    Input(usize),
    /// An earlier step.
    Step(usize),
}

/// One function of a chain.
#[derive(Clone, Debug)]
pub struct Step {
    pub func: &'static str,
    pub constants: Vec<Constant>,
    pub operands: Vec<Operand>,
}

/// `steps` on each element; the results of the steps `outputs` are kept.
#[derive(Clone, Debug)]
pub struct Chain {
    pub steps: Vec<Step>,
    pub outputs: Vec<usize>,
    pub shape: Shape,
    pub inputs: usize,
}

impl Chain {
    /// `t0 = add(x0, x1); t1 = relu(t0); t1`
    pub fn text(&self) -> String {
        self.write(ToString::to_string)
    }

    /// The same with the constants that are known at run time as `c0`, `c1`, …
    fn source(&self) -> String {
        let next = std::cell::Cell::new(0);
        self.write(|constant| match constant {
            Constant::Literal(_) => constant.to_string(),
            _ => format!("c{}", next.replace(next.get() + 1)),
        })
    }

    fn write(&self, constant: impl Fn(&Constant) -> String) -> String {
        let operand = |o: &Operand| match o {
            Operand::Input(i) => format!("x{i}"),
            Operand::Step(s) => format!("t{s}"),
        };
        let step = |(s, step): (usize, &Step)| {
            let constants = step.constants.iter().map(&constant);
            let args: Vec<_> = step.operands.iter().map(operand).chain(constants).collect();
            format!("t{s} = {}({})", step.func, args.join(", "))
        };
        let steps: Vec<_> = self.steps.iter().enumerate().map(step).collect();
        let outputs: Vec<_> = self.outputs.iter().map(|s| format!("t{s}")).collect();
        format!("{}; {}", steps.join("; "), outputs.join(", "))
    }

    /// What says whether an angle needs a sine or a cosine of its own, where there are any.
    fn is_far(&self, xs: &[Ident], cs: &[Ident], steps: &[TokenStream]) -> TokenStream {
        let angles = self.steps.iter().filter_map(|step| match (step.func, &step.operands[..]) {
            ("sin" | "cos", [angle]) | ("sin_grad" | "cos_grad", [_, angle]) => Some(angle),
            _ => None,
        });
        let angles: Vec<_> = angles.copied().collect();
        // What stands behind the last angle plays no part.
        let needed = angles.iter().map(|angle| match angle {
            Operand::Input(_) => 0,
            Operand::Step(s) => s + 1,
        });
        let Some(needed) = needed.max() else { return TokenStream::new() };
        let (inputs, scalars, steps) = (xs.len(), cs.len(), &steps[..needed]);
        let angles = angles.iter().map(|angle| match angle {
            Operand::Input(i) => xs[*i].clone(),
            Operand::Step(s) => variable!("t{s}"),
        });
        quote! {
            const TURNS: bool = true;
            #[allow(unused_variables)]
            #[inline(always)]
            fn is_far<A: Arith>(
                [#(#xs),*]: [f32; #inputs],
                [#(#cs),*]: [f32; #scalars],
            ) -> bool {
                #(#steps)*
                #(functions::is_far(#angles))|*
            }
        }
    }

    /// Exchanges the names of two inputs.
    pub fn swap_inputs(&mut self, a: usize, b: usize) {
        for operand in self.steps.iter_mut().flat_map(|step| &mut step.operands) {
            match operand {
                Operand::Input(i) if *i == a => *i = b,
                Operand::Input(i) if *i == b => *i = a,
                _ => {}
            }
        }
    }

    /// The constants that are known only when the step runs.
    fn scalars(&self) -> Vec<&Constant> {
        let constants = self.steps.iter().flat_map(|step| &step.constants);
        constants.filter(|c| !matches!(c, Constant::Literal(_))).collect()
    }

    /// The axes of the output, neighbours merged where all operands go along or all are repeated,
    /// and for each operand the axes it has.
    fn axes(&self, inputs: &[Ty]) -> (Vec<Dim>, Vec<Vec<bool>>) {
        let rank = self.shape.rank();
        let has = |ty: &Ty, axis: usize| {
            let own = (axis + ty.shape.rank()).checked_sub(rank).map(|k| &ty.shape.0[k]);
            own.is_some_and(|dim| !dim.is_one() || self.shape.0[axis].is_one())
        };
        let mut sizes: Vec<Dim> = Vec::new();
        let mut masks: Vec<Vec<bool>> = vec![Vec::new(); inputs.len()];
        for (axis, dim) in self.shape.0.iter().enumerate() {
            if dim.is_one() && rank > 1 {
                continue;
            }
            let column: Vec<_> = inputs.iter().map(|ty| has(ty, axis)).collect();
            let merges = masks.iter().zip(&column).all(|(mask, has)| mask.last() == Some(has));
            match sizes.last_mut() {
                Some(last) if merges || inputs.is_empty() => *last = last.times(dim),
                _ => {
                    sizes.push(dim.clone());
                    masks.iter_mut().zip(column).for_each(|(mask, has)| mask.push(has));
                }
            }
        }
        if sizes.is_empty() {
            sizes.push(Dim::lit(1));
            masks.iter_mut().for_each(|mask| mask.push(true));
        }
        (sizes, masks)
    }

    /// The outputs, the inputs with the axes they have, the sizes, and the constants that are
    /// known only when the step runs.
    fn parts(
        &self,
        inputs: &[Ty],
        input_vars: &[TokenStream],
        outputs: &[TokenStream],
    ) -> [TokenStream; 4] {
        let (sizes, masks) = self.axes(inputs);
        let inputs = input_vars.iter().zip(&masks).map(|(var, mask)| quote!((#var, [#(#mask),*])));
        let scalars = self.scalars().into_iter().map(|constant| match constant {
            Constant::Over(factor, dim) => {
                let (factor, dim) = (Literal::f32_unsuffixed(*factor as f32), dim.tokens());
                quote!(#factor / (#dim) as f32)
            }
            Constant::Expr(_, tokens) => tokens.clone(),
            Constant::Literal(value) => panic!("{value} is part of the chain"),
        });
        [quote!([#(#outputs),*]), quote!([#(#inputs),*]), dims(&sizes), quote!([#(#scalars),*])]
    }

    /// What the call of another op is given to go on with this chain.
    pub fn operands(
        &self,
        inputs: &[Ty],
        input_vars: &[TokenStream],
        outputs: &[TokenStream],
    ) -> TokenStream {
        let [outputs, inputs, dims, constants] = self.parts(inputs, input_vars, outputs);
        let room = room("elementwise");
        quote! {
            #room::Operands {
                outputs: #outputs, inputs: #inputs, dims: #dims, constants: #constants,
            }
        }
    }
}

impl Op for Chain {
    fn name(&self) -> String {
        format!("chain {{ {} }}", self.text())
    }

    /// `add + relu`
    fn kind(&self) -> String {
        let funcs = self.steps.iter().map(|step| step.func).filter(|func| *func != "constant");
        let funcs: Vec<_> = funcs.collect();
        match funcs.len() {
            0 => "constant".into(),
            1..=4 => funcs.join(" + "),
            n => format!("{} + {} more", funcs[..3].join(" + "), n - 3),
        }
    }

    fn infer(&self, _: &mut Rule, _: &[Ty]) -> Result<Vec<Ty>, Mismatch> {
        Ok(vec![Ty::float(self.shape.0.clone()); self.outputs.len()])
    }
}

impl Transform for Chain {}

impl Emission for Chain {
    fn emit(&self, e: &Emit) -> TokenStream {
        let [outputs, inputs, dims, constants] =
            self.parts(&e.inputs, &e.input_vars, &e.output_vars);
        let item = &e.item;
        quote!(k.map::<#item, _, _, _, _>(#outputs, #inputs, #dims, #constants);)
    }

    fn flops(&self, _: &[Ty], _: &[Ty]) -> Dim {
        self.shape.len().times(&Dim::lit(self.steps.len()))
    }

    fn code_size(&self) -> usize {
        self.steps.len()
    }

    fn in_place(&self, _: usize, _: usize) -> bool {
        true
    }

    /// `AddRelu`
    fn item_name(&self) -> String {
        let camel = |func: &str| {
            let words = func.split('_').map(|word| {
                let (head, tail) = word.split_at(1.min(word.len()));
                head.to_uppercase() + tail
            });
            words.collect::<String>()
        };
        let funcs = self.steps.iter().map(|step| step.func).filter(|func| *func != "constant");
        let names: Vec<_> = funcs.map(camel).collect();
        match names.len() {
            0 => "Constant".into(),
            1..=4 => names.concat(),
            n => format!("{}And{}More", names[..3].concat(), n - 3),
        }
    }

    fn items(&self, name: &Ident) -> TokenStream {
        let (inputs, outputs) = (self.inputs, self.outputs.len());
        let scalars = self.scalars().len();
        let xs: Vec<_> = (0..inputs).map(|i| variable!("x{i}")).collect();
        let cs: Vec<_> = (0..scalars).map(|i| variable!("c{i}")).collect();
        let mut next = cs.iter();
        let steps = self.steps.iter().enumerate().map(|(s, step)| {
            let (result, func) = (variable!("t{s}"), format_ident!("{}", step.func));
            let operands = step.operands.iter().map(|operand| match operand {
                Operand::Input(i) => xs[*i].clone(),
                Operand::Step(s) => variable!("t{s}"),
            });
            let constants = step.constants.iter().map(|constant| match constant {
                Constant::Literal(value) => {
                    let value = Literal::f32_suffixed(*value as f32);
                    quote!(#value)
                }
                _ => {
                    let name = next.next().expect("a scalar for each such constant");
                    quote!(#name)
                }
            });
            quote!(let #result = functions::#func::<A>(#(#operands,)* #(#constants),*);)
        });
        let steps: Vec<_> = steps.collect();
        let far = self.is_far(&xs, &cs, &steps);
        let outs = self.outputs.iter().map(|s| variable!("t{s}"));
        let text = self.source();
        let doc = format!(" `{text}`");
        quote! {
            #[doc = #doc]
            pub struct #name;
            impl Elementwise<#inputs, #outputs, #scalars> for #name {
                const TEXT: &'static str = #text;
                #[inline(always)]
                fn eval<A: Arith>(
                    [#(#xs),*]: [f32; #inputs],
                    [#(#cs),*]: [f32; #scalars],
                ) -> [f32; #outputs] {
                    #(#steps)*
                    [#(#outs),*]
                }
                #far
            }
        }
    }
}
