//! Elementwise nodes fused into one pass over memory.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::format_ident;

use super::elementwise::{self, Constant, Func};
use super::{Emission, Emit, Mismatch, Op, Rule, Transform, dims};
use crate::dim::{Dim, Shape};
use crate::graph::Ty;
use crate::hygiene::{quote, variable};

/// Where a link of a chain takes a value from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// An input of the chain.
    Input(usize),
    /// An earlier link.
    Link(usize),
}

/// One function of a chain.
#[derive(Clone, Debug)]
pub struct Link {
    pub func: Func,
    pub constants: Vec<Constant>,
    pub operands: Vec<Operand>,
}

/// `links` on each element, one after another; the results of the links `outputs` are kept.
#[derive(Clone, Debug)]
pub struct Chain {
    pub links: Vec<Link>,
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
            Operand::Link(l) => format!("t{l}"),
        };
        let link = |(l, link): (usize, &Link)| {
            let constants = link.constants.iter().map(&constant);
            let args: Vec<_> = link.operands.iter().map(operand).chain(constants).collect();
            format!("t{l} = {}({})", link.func.name(), args.join(", "))
        };
        let links: Vec<_> = self.links.iter().enumerate().map(link).collect();
        let outputs: Vec<_> = self.outputs.iter().map(|l| format!("t{l}")).collect();
        format!("{}; {}", links.join("; "), outputs.join(", "))
    }

    /// What a device with a library of products may compute as a part of the product before: a bias
    /// that is added to it, and a ReLU behind that.
    fn epilogue(&self) -> TokenStream {
        use Operand::{Input, Link as Before};
        let is = |link: &Link, func: &'static str, operands: &[Operand]| {
            link.func == Func::Named(func) && link.operands == operands
        };
        let is_bias = |link: &Link| is(link, "add", &[Input(0), Input(1)]);
        let variant = match (&self.links[..], &self.outputs[..]) {
            ([bias], [0]) if is_bias(bias) => quote!(Bias),
            ([bias, relu], [1]) if is_bias(bias) && is(relu, "relu", &[Before(0)]) => {
                quote!(BiasRelu)
            }
            _ => return TokenStream::new(),
        };
        quote!(const EPILOGUE: Option<Epilogue> = Some(Epilogue::#variant);)
    }

    /// The chain a function at a time, for crates that are not optimised.
    fn blocks(&self) -> TokenStream {
        let mut scalars = 0..;
        let links = self.links.iter().map(|link| {
            let func = format_ident!("{}", link.func.name());
            let operands = link.operands.iter().map(|operand| match operand {
                Operand::Input(i) => quote!(X(#i)),
                Operand::Link(l) => quote!(T(#l)),
            });
            let constants: Vec<_> = link
                .constants
                .iter()
                .map(|constant| match constant {
                    Constant::Literal(value) => {
                        let value = Literal::f32_suffixed(*value as f32);
                        quote!(N(#value))
                    }
                    _ => {
                        let at: usize = scalars.next().expect("numbers do not end");
                        quote!(C(#at))
                    }
                })
                .collect();
            quote!(Link(on_blocks::#func, &[#(#operands,)* #(#constants),*]))
        });
        let (links, outputs) = (links.collect::<Vec<_>>(), &self.outputs);
        quote! {
            const BLOCKS: Option<Blocks> =
                Blocks::new(cfg!(debug_assertions), &[#(#links),*], &[#(#outputs),*]);
        }
    }

    /// What says whether an angle needs a sine or a cosine of its own, where there are any.
    fn is_far(&self, xs: &[Ident], cs: &[Ident], links: &[TokenStream]) -> TokenStream {
        let angles = self.links.iter().filter_map(|link| match link.func {
            Func::Named(name) => elementwise::angle(name).map(|at| link.operands[at]),
            _ => None,
        });
        let angles: Vec<_> = angles.collect();
        // What stands behind the last angle plays no part.
        let needed = angles.iter().map(|angle| match angle {
            Operand::Input(_) => 0,
            Operand::Link(l) => l + 1,
        });
        let Some(needed) = needed.max() else { return TokenStream::new() };
        let (inputs, scalars, links) = (xs.len(), cs.len(), &links[..needed]);
        let angles = angles.iter().map(|angle| match angle {
            Operand::Input(i) => xs[*i].clone(),
            Operand::Link(l) => variable!("t{l}"),
        });
        quote! {
            const TURNS: bool = true;
            #[allow(unused_variables)]
            #[inline(always)]
            fn is_far<A: Arith>(
                [#(#xs),*]: [f32; #inputs],
                [#(#cs),*]: [f32; #scalars],
            ) -> bool {
                #(#links)*
                #(functions::is_far(#angles))|*
            }
        }
    }

    /// Exchanges the names of two inputs.
    pub fn swap_inputs(&mut self, a: usize, b: usize) {
        for operand in self.links.iter_mut().flat_map(|link| &mut link.operands) {
            match operand {
                Operand::Input(i) if *i == a => *i = b,
                Operand::Input(i) if *i == b => *i = a,
                _ => {}
            }
        }
    }

    /// The names of the functions, but for numbers.
    fn funcs(&self) -> Vec<&'static str> {
        let links = self.links.iter().filter(|link| link.func != Func::Constant);
        links.map(|link| link.func.name()).collect()
    }

    /// The constants that are known only when the step runs.
    fn scalars(&self) -> Vec<&Constant> {
        let constants = self.links.iter().flat_map(|link| &link.constants);
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
            Constant::Literal(value) => panic!("{value} is part of the chain"),
            other => other.tokens(),
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
        quote!(__private::operands(#outputs, #inputs, #dims, #constants))
    }
}

impl Op for Chain {
    fn name(&self) -> String {
        format!("chain {{ {} }}", self.text())
    }

    /// `add + relu`
    fn kind(&self) -> String {
        let funcs = self.funcs();
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
        self.shape.len().times(&Dim::lit(self.links.len()))
    }

    fn code_size(&self) -> usize {
        self.links.len()
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
        let funcs = self.funcs();
        let names: Vec<_> = funcs.into_iter().map(camel).collect();
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
        let links = self.links.iter().enumerate().map(|(l, link)| {
            let (result, func) = (variable!("t{l}"), format_ident!("{}", link.func.name()));
            let operands = link.operands.iter().map(|operand| match operand {
                Operand::Input(i) => xs[*i].clone(),
                Operand::Link(l) => variable!("t{l}"),
            });
            let constants = link.constants.iter().map(|constant| match constant {
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
        let links: Vec<_> = links.collect();
        let blocks = self.blocks();
        let (epilogue, far) = (self.epilogue(), self.is_far(&xs, &cs, &links));
        let outs = self.outputs.iter().map(|l| variable!("t{l}"));
        let text = self.source();
        quote! {
            pub struct #name;
            impl Elementwise<#inputs, #outputs, #scalars> for #name {
                const TEXT: &'static str = #text;
                #epilogue
                #blocks
                #[inline(always)]
                fn eval<A: Arith>(
                    [#(#xs),*]: [f32; #inputs],
                    [#(#cs),*]: [f32; #scalars],
                ) -> [f32; #outputs] {
                    #(#links)*
                    [#(#outs),*]
                }
                #far
            }
        }
    }
}
