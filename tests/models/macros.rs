//! The macros that check the gradients of a function.
//!
//! `gradients!(net, workspace, [loss, loss_grad, loss_grad_inputs], (x, label) -> number)` is for a
//! loss, `… (x) -> (y)` and `… (x) -> (a, b)` for results that start from a gradient each.
//! Inference and the training forward pass must agree in every bit: both run the same kernels in
//! the same order, fused alike or not.

macro_rules! gradients {
    ($net:expr, $ws:expr, [$f:ident, $grad:ident, $inputs:ident], ($($x:ident),+) -> number) => {{
        let mut net = $net;
        let mut ws = $ws.expect("the sizes are small");
        $crate::data::settle(&mut net);
        let inferred = net.$f(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit");
        let trained = net.$grad(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit");
        let grads = ws.grads().as_slice().to_vec();
        let (again, d_inputs) =
            net.$inputs(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit");
        let d_inputs = $crate::data::All::all(&d_inputs);
        let ran = $crate::check::Ran { inferred: &[inferred], trained: &[trained], again: &[again] };
        let size = ran.size(&[1.0]);
        assert_eq!($crate::data::bits(&grads), $crate::data::bits(ws.grads().as_slice()));
        let at = [gradiron::Model::params(&net), $(&$crate::data::Input::floats(&$x)[..]),+].concat();
        $(let mut $x = $x.clone();)+
        let name = concat!(module_path!(), "::", stringify!($f));
        $crate::check::check(name, &at, &[grads, d_inputs].concat(), size, |at| {
            let mut rest = at;
            $crate::data::replace_params(&mut net, &mut rest);
            $($crate::data::Input::replace(&mut $x, &mut rest);)+
            f64::from(net.$f(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit"))
        });
    }};
    ($net:expr, $ws:expr, [$f:ident, $grad:ident, $inputs:ident],
        ($($x:ident),+) -> ($($y:ident),+)) => {{
        let mut net = $net;
        let mut ws = $ws.expect("the sizes are small");
        $crate::data::settle(&mut net);
        let made = net.$f(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit");
        let inferred = $crate::data::All::all(&made);
        seeds!(made, ($($y),+));
        let seeds = [$($crate::data::Input::floats(&$y)),+].concat();
        let made = net.$grad(
            &mut ws, $($crate::data::Input::arg(&$x),)+ $($crate::data::Input::arg(&$y)),+);
        let trained = $crate::data::All::all(&made.expect("inputs fit"));
        let grads = ws.grads().as_slice().to_vec();
        let made = net.$inputs(
            &mut ws, $($crate::data::Input::arg(&$x),)+ $($crate::data::Input::arg(&$y)),+);
        let (again, d_inputs) = made.expect("inputs fit");
        let (again, d_inputs) = ($crate::data::All::all(&again), $crate::data::All::all(&d_inputs));
        let ran = $crate::check::Ran { inferred: &inferred, trained: &trained, again: &again };
        let size = ran.size(&seeds);
        assert_eq!($crate::data::bits(&grads), $crate::data::bits(ws.grads().as_slice()));
        let at = [gradiron::Model::params(&net), $(&$crate::data::Input::floats(&$x)[..]),+].concat();
        $(let mut $x = $x.clone();)+
        let name = concat!(module_path!(), "::", stringify!($f));
        $crate::check::check(name, &at, &[grads, d_inputs].concat(), size, |at| {
            let mut rest = at;
            $crate::data::replace_params(&mut net, &mut rest);
            $($crate::data::Input::replace(&mut $x, &mut rest);)+
            let made = net.$f(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit");
            $crate::data::weighed(&seeds, &$crate::data::All::all(&made)).0
        });
    }};
}

/// The same for functions without a model: `free_gradients!(workspace, [f, f_grad], (x) -> (y))`.
macro_rules! free_gradients {
    ($ws:expr, [$f:ident, $grad:ident], ($($x:ident),+) -> number) => {{
        let mut ws = $ws.expect("the sizes are small");
        let inferred = $f(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit");
        let (trained, d_inputs) =
            $grad(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit");
        let gradient = $crate::data::All::all(&d_inputs);
        let ran =
            $crate::check::Ran { inferred: &[inferred], trained: &[trained], again: &[trained] };
        let size = ran.size(&[1.0]);
        let at = [$(&$crate::data::Input::floats(&$x)[..]),+].concat();
        $(let mut $x = $x.clone();)+
        $crate::check::check(stringify!($f), &at, &gradient, size, |at| {
            let mut rest = at;
            $($crate::data::Input::replace(&mut $x, &mut rest);)+
            f64::from($f(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit"))
        });
    }};
    ($ws:expr, [$f:ident, $grad:ident], ($($x:ident),+) -> ($($y:ident),+)) => {{
        let mut ws = $ws.expect("the sizes are small");
        let made = $f(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit");
        let inferred = $crate::data::All::all(&made);
        seeds!(made, ($($y),+));
        let seeds = [$($crate::data::Input::floats(&$y)),+].concat();
        let made = $grad(
            &mut ws, $($crate::data::Input::arg(&$x),)+ $($crate::data::Input::arg(&$y)),+);
        let (made, d_inputs) = made.expect("inputs fit");
        let (trained, gradient) =
            ($crate::data::All::all(&made), $crate::data::All::all(&d_inputs));
        let ran =
            $crate::check::Ran { inferred: &inferred, trained: &trained, again: &trained };
        let size = ran.size(&seeds);
        let at = [$(&$crate::data::Input::floats(&$x)[..]),+].concat();
        $(let mut $x = $x.clone();)+
        $crate::check::check(stringify!($f), &at, &gradient, size, |at| {
            let mut rest = at;
            $($crate::data::Input::replace(&mut $x, &mut rest);)+
            let made = $f(&mut ws, $($crate::data::Input::arg(&$x)),+).expect("inputs fit");
            $crate::data::weighed(&seeds, &$crate::data::All::all(&made)).0
        });
    }};
}

/// A random gradient for each result, under the names given.
macro_rules! seeds {
    ($made:ident, ($y:ident)) => {
        let $y = $crate::data::Output::seed(&$made, 100);
    };
    ($made:ident, ($($y:ident),+)) => {
        let ($($y),+) = $made;
        let mut seed = 100;
        $(
            seed += 1;
            let $y = $crate::data::Output::seed(&$y, seed);
        )+
    };
}
