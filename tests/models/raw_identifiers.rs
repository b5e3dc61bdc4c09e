//! Names that are words of Rust: in signatures as `r#match`, in files, messages and sizes as
//! `match`.

#![allow(non_camel_case_types, non_snake_case)]

use gradiron::prelude::*;

use crate::data::batch;

mod plain {
    use gradiron::prelude::*;

    model! {
        pub struct Kind {
            kind: Linear(4 -> 4),
            gate: Param([4]),
        }

        pub fn forward(&self, x: [n, 4]) -> [n, 4] {
            self.kind(x).tanh() * self.gate
        }
    }

    model! {
        pub struct Net {
            inner: Kind,
            block: [Kind; 2],
            norm: BatchNorm1d(4),
        }

        pub fn forward(&self, x: [n, 4], y: [n, 4]) -> [n, 4] {
            let z = self.inner(x);
            self.norm(self.block(z) + y)
        }

        pub fn loss(&self, x: [n, 4], y: [n, 4]) -> [] {
            mse_loss(self.forward(x, y), y)
        }
    }
}

mod keywords {
    use gradiron::prelude::*;

    model! {
        pub struct r#type {
            r#fn: Linear(4 -> 4),
            r#gate: Param([4]),
        }

        pub fn forward(&self, r#in: [r#for, 4]) -> [r#for, 4] {
            let r#loop = self.r#fn(r#in);
            r#loop.r#tanh() * self.gate
        }
    }

    model! {
        pub struct r#Net {
            r#impl: r#type,
            r#mod: [r#type; 2],
            r#use: BatchNorm1d(4),
        }

        pub fn r#match(&self, r#in: [r#for, 4], r#ref: [r#for, 4]) -> [r#for, 4] {
            let r#dyn = self.r#impl(r#in);
            self.r#use(self.r#mod(r#dyn) + r#ref)
        }

        pub fn r#yield(&self, r#in: [r#for, 4], r#ref: [r#for, 4]) -> [] {
            mse_loss(self.r#match(r#in, r#ref), r#ref)
        }

        #[step(6)]
        pub fn r#try(&self, r#in: [r#for, 6, 4]) -> [r#for, 6, 4] {
            (r#in * 2.0).relu()
        }
    }

    model! {
        /// A function by itself.
        pub fn r#where(r#where: [r#for, 4]) -> [r#for, 4] {
            relu(r#where)
        }
    }
}

#[derive(Module)]
#[module(input = [batch, 4], output = [batch, 4])]
struct r#struct {
    r#enum: Linear<4, 4>,
    r#Relu: Relu,
}

#[test]
fn raw_names_compute_what_others_do() {
    let (x, y) = (batch::<[f32; 4]>(1, 3), batch::<[f32; 4]>(2, 3));
    let (net, raw) = (plain::Net::init(Seed(4)), keywords::Net::init(Seed(4)));
    let mut ws = plain::Net::workspace(3).expect("memory");
    let mut raw_ws = keywords::Net::workspace(3).expect("memory");
    let made = net.forward(&mut ws, &x, &y).expect("inputs fit").to_vec();
    assert_eq!(made, raw.r#match(&mut raw_ws, &x, &y).expect("inputs fit"));
    let loss = net.loss_grad(&mut ws, &x, &y).expect("inputs fit");
    assert_eq!(loss, raw.yield_grad(&mut raw_ws, &x, &y).expect("inputs fit"));
    assert_eq!(ws.grads().as_slice(), raw_ws.grads().as_slice());
    let check = raw.try_step_check(&mut raw_ws, Seed(1)).expect("memory");
    assert_eq!(check.difference, 0.0);
    let mut alone = keywords::where_workspace(3).expect("memory");
    let made = keywords::r#where(&mut alone, &x).expect("inputs fit");
    assert!(made.as_flattened().iter().zip(x.as_flattened()).all(|(y, x)| *y == x.max(0.0)));
}

#[test]
fn files_and_messages_have_no_mark() {
    let names: Vec<_> = keywords::Net::param_specs().into_iter().map(|spec| spec.name).collect();
    assert_eq!(names[..3], ["impl.fn.weight", "impl.fn.bias", "impl.gate"]);
    assert!(
        names.contains(&"mod.1.fn.weight".to_string()) && names.contains(&"use.bias".to_string())
    );
    let derived: Vec<_> =
        gradiron::Net::<r#struct>::param_specs().into_iter().map(|spec| spec.name).collect();
    assert_eq!(derived, ["enum.weight", "enum.bias"]);
    let net = keywords::Net::init(Seed(4));
    let mut ws = keywords::Net::workspace(2).expect("memory");
    let (x, y) = (batch::<[f32; 4]>(1, 2), batch::<[f32; 4]>(2, 1));
    let error = net.r#match(&mut ws, &x, &y).expect_err("one is shorter").to_string();
    assert!(error.contains("`ref`") && !error.contains("r#"), "{error}");
    let error = keywords::Net::workspace(0).expect_err("a size of 0").to_string();
    assert!(error.contains("for") && !error.contains("r#"), "{error}");
    let part = keywords::r#type::init(Seed(4));
    let _: &[f32; 4] = part.r#gate();
    let _: &[[f32; 4]; 4] = part.r#fn().weight();
}
