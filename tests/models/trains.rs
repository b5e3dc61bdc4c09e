//! Losses that train some of the fields alone.

use gradiron::__private::{Function, Pass};
use gradiron::prelude::*;

use crate::data::batch;

model! {
    #[allow(bias_before_batch_norm)]
    struct Block<const D: usize> {
        up: Linear(D -> 2 * D),
        norm: BatchNorm1d(2 * D),
        drop: Dropout(0.2),
        down: Linear(2 * D -> D),
    }

    fn forward(&self, x: [batch, D]) -> [batch, D] {
        x + self.down(self.drop(self.norm(self.up(x))).gelu())
    }
}

/// A generator and a critic, in fields of all kinds, with what stands above their losses.
macro_rules! gan {
    ($(#[$more:meta])* $model:ident, [$(#[$maker:meta])*], [$(#[$critic:meta])*], [$(#[$taste:meta])*]) => {
        model! {
            $(#[$more])*
            #[allow(linear_after_linear)]
            struct $model {
                stem: Linear(4 -> 6),
                maker: [Block<6>; 2],
                scale: Param([6], init = ones),
                critic: Block<6>,
                norm: BatchNorm1d(6),
                taste: [Linear(6 -> 6); 2],
                head: Linear(6 -> 1),
            }

            fn made(&self, z: [batch, 4]) -> [batch, 6] {
                self.maker(self.stem(z)) * self.scale
            }

            fn liked(&self, x: [batch, 6]) -> [batch, 1] {
                self.head(self.taste(self.norm(self.critic(x))))
            }

            $(#[$maker])*
            fn maker_loss(&self, z: [batch, 4]) -> [] {
                (-self.liked(self.made(z))).softplus().mean()
            }

            $(#[$critic])*
            fn critic_loss(&self, z: [batch, 4], x: [batch, 6]) -> [] {
                (self.liked(self.made(z)).softplus() + (-self.liked(x)).softplus()).mean()
            }

            $(#[$taste])*
            fn taste_loss(&self, z: [batch, 4]) -> [] {
                self.liked(self.made(z)).square().mean()
            }
        }
    };
}

gan!(Gan, [#[trains(stem, maker, scale)]], [#[trains(critic, norm, taste, head)]], [#[trains(taste, scale)]]);
gan!(
    /// The same, all of which trains.
    Free, [], [], []
);

const MAKER: &[&str] = &["stem", "maker", "scale"];
const CRITIC: &[&str] = &["critic", "norm", "taste", "head"];
const TASTE: &[&str] = &["taste", "scale"];

/// Whether a field of this list has the tensor.
fn is_in(fields: &[&str], name: &str) -> bool {
    fields.iter().any(|field| name.split('.').next() == Some(field))
}

fn nets() -> (Gan, Free) {
    let (mut net, mut free) = (Gan::init(Seed(1)), Free::init(Seed(2)));
    crate::data::settle(&mut free);
    net.copy_from(&free).expect("the same tensors");
    (net, free)
}

#[test]
fn the_gradient_goes_to_what_is_named_alone() {
    let (net, free) = nets();
    let (z, x) = (batch::<[f32; 4]>(1, 5), batch::<[f32; 6]>(2, 5));
    for precision in [Precision::F32, Precision::Bf16] {
        let device = || Cpu::new().with_precision(precision);
        let mut free_ws = Free::workspace_on(device(), 7).unwrap();
        let mut ws = Gan::workspace_on(device(), 7).unwrap();
        macro_rules! compare {
            ($loss:ident, $inputs:ident, $trained:expr, $($arg:expr),+) => {{
                free_ws.manual_seed(Seed(3));
                let expected = free.$inputs(&mut free_ws, $($arg),+).unwrap();
                let (loss, expected) = (expected.0, format!("{expected:?}"));
                for with_inputs in [false, true] {
                    ws.manual_seed(Seed(3));
                    ws.poison();
                    match with_inputs {
                        false => assert_eq!(net.$loss(&mut ws, $($arg),+).unwrap(), loss),
                        true => {
                            let made = net.$inputs(&mut ws, $($arg),+).unwrap();
                            assert_eq!(format!("{made:?}"), expected);
                        }
                    }
                    let (own, all) = (ws.grads(), free_ws.grads());
                    for spec in Gan::param_specs() {
                        let range = spec.start..spec.start + spec.len();
                        let [own, all] = [own.as_slice(), all.as_slice()].map(|g| &g[range.clone()]);
                        let trains = is_in($trained, &spec.name);
                        assert_eq!(ws.grads().has(&spec), trains, "{}", spec.name);
                        match trains {
                            true => assert_eq!(own, all, "{}", spec.name),
                            false => assert!(own.iter().all(|g| *g == 0.0), "{}", spec.name),
                        }
                        assert!(free_ws.grads().has(&spec));
                    }
                    // The statistics are those of training, of all norms.
                    assert_eq!(ws.grads().state(), free_ws.grads().state());
                    assert_ne!(ws.grads().state(), net.state());
                }
            }};
        }
        compare!(maker_loss_grad, maker_loss_grad_inputs, MAKER, &z);
        compare!(critic_loss_grad, critic_loss_grad_inputs, CRITIC, &z, &x);
        compare!(taste_loss_grad, taste_loss_grad_inputs, TASTE, &z);
    }
}

/// Optimizers by name, for both models.
trait Adjust<M: Model>: Optimizer<M> {
    fn set(&mut self, name: &str, frozen: bool);
    fn state(&self) -> Vec<f32>;
}

macro_rules! adjust {
    ($($optimizer:ident),+) => {$(
        impl<M: Model> Adjust<M> for $optimizer<M> {
            fn set(&mut self, name: &str, frozen: bool) {
                self.set_frozen(name, frozen).unwrap();
            }

            fn state(&self) -> Vec<f32> {
                let all = self.state_names().into_iter();
                let floats = all.map(|name| {
                    let state = self.select_state(name, "*").unwrap();
                    state.iter().flat_map(|tensor| tensor.floats().to_vec()).collect::<Vec<_>>()
                });
                floats.flatten().collect()
            }
        }
    )+};
}

adjust!(Sgd, Adam, AdamW, Lion, RMSprop);

/// Which loss each step is along; what the user freezes lies in between.
const TURNS: &[u8] = b"mcmm.tFccmtt.UFmmccUtmc";

/// One optimizer for all losses, by two calls and by one; `Free` freezes before each step what the
/// loss of `Gan` leaves alone.
fn by_turns<A: Adjust<Gan>, B: Adjust<Free>>(own: impl Fn(&Gan) -> A, other: impl Fn(&Free) -> B) {
    let (mut net, mut free) = nets();
    let (z, x) = (batch::<[f32; 4]>(1, 5), batch::<[f32; 6]>(2, 5));
    let (mut ws, mut free_ws) = (Gan::workspace(5).unwrap(), Free::workspace(5).unwrap());
    let (mut own, mut other) = (own(&net), other(&free));
    let mut user_frozen = false;
    let fields = [MAKER, CRITIC].concat();
    for (at, turn) in TURNS.iter().enumerate() {
        let trained = match turn {
            b'm' => MAKER,
            b'c' => CRITIC,
            b't' => TASTE,
            b'F' | b'U' => {
                user_frozen = *turn == b'F';
                own.set("taste.1", user_frozen);
                continue;
            }
            _ => {
                own.set_learning_rate(1e-3).unwrap();
                other.set_learning_rate(1e-3).unwrap();
                continue;
            }
        };
        for field in &fields {
            other.set(field, !is_in(trained, field));
        }
        if user_frozen {
            other.set("taste.1", true);
        }
        // The statistics of what is frozen by an optimizer stay; here they go on.
        macro_rules! step {
            ($grad:ident, $train:ident, $($arg:expr),+) => {{
                free.$grad(&mut free_ws, $($arg),+).unwrap();
                other.update(&mut free, free_ws.grads());
                free.update_state(free_ws.grads());
                match at % 2 {
                    0 => drop(net.$train(&mut ws, &mut own, $($arg),+).unwrap()),
                    _ => {
                        net.$grad(&mut ws, $($arg),+).unwrap();
                        own.step(&mut net, ws.grads());
                    }
                }
            }};
        }
        match turn {
            b'm' => step!(maker_loss_grad, maker_loss_train, &z),
            b'c' => step!(critic_loss_grad, critic_loss_train, &z, &x),
            _ => step!(taste_loss_grad, taste_loss_train, &z),
        }
        for spec in Gan::param_specs() {
            let range = spec.start..spec.start + spec.len();
            let [a, b] = [net.params(), free.params()].map(|params| &params[range.clone()]);
            assert_eq!(a, b, "{} behind step {at}", spec.name);
        }
    }
    assert_eq!(own.state(), other.state());
}

macro_rules! by_turns {
    ($name:ident, $net:ident => $optimizer:expr) => {
        #[test]
        fn $name() {
            by_turns(|$net| $optimizer, |$net| $optimizer);
        }
    };
}

by_turns!(sgd, net => Sgd::new(net, 1e-2).unwrap().momentum(0.9).unwrap().dampening(0.3).unwrap());
by_turns!(adam, net => Adam::new(net, 1e-2).unwrap().weight_decay(0.1).unwrap());
by_turns!(adam_w, net => AdamW::new(net, 1e-2).unwrap().amsgrad(true).clip_norm(0.01).unwrap()
    .group("head", |group| group.learning_rate(0.1)).unwrap()
    .no_decay(Kind::NormsAndBiases).unwrap());
by_turns!(lion, net => Lion::new(net, 1e-3).unwrap().weight_decay(0.1).unwrap());
by_turns!(rms_prop, net => RMSprop::new(net, 1e-3).unwrap().momentum(0.5).unwrap());

#[test]
fn what_is_left_alone_has_no_decay_and_counts_no_step() {
    let (mut net, _) = nets();
    let z = batch::<[f32; 4]>(1, 5);
    let mut ws = Gan::workspace(5).unwrap();
    let before = net.clone();
    let mut adam = AdamW::new(&net, 0.1).unwrap().weight_decay(0.5).unwrap();
    for _ in 0..3 {
        net.maker_loss_train(&mut ws, &mut adam, &z).unwrap();
    }
    for spec in Gan::param_specs() {
        let [old, new] = [&before, &net].map(|net| &net.params()[spec.start..][..spec.len()]);
        assert_eq!(old != new, is_in(MAKER, &spec.name), "{}", spec.name);
    }
    let path = std::env::temp_dir().join(format!("trains-{}.safetensors", std::process::id()));
    adam.save_state(&path).unwrap();
    let saved = std::fs::read(&path).unwrap();
    // Training goes on from a file with the same bits: each parameter counts its own steps there.
    let mut again = net.clone();
    let mut loaded = AdamW::new(&again, 0.1).unwrap().weight_decay(0.5).unwrap();
    loaded.load_state(&path).unwrap();
    for (net, adam) in [(&mut net, &mut adam), (&mut again, &mut loaded)] {
        let mut ws = Gan::workspace(5).unwrap();
        net.taste_loss_train(&mut ws, adam, &z).unwrap();
        net.maker_loss_train(&mut ws, adam, &z).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(net.params(), again.params());
    assert_eq!(adam.steps(), 5);
    let text = String::from_utf8_lossy(&saved);
    assert!(text.contains("\"stem.weight.step\"") && text.contains("\"head.weight.step\""));
}

#[test]
fn parts_of_a_batch_have_what_trains_and_move_statistics() {
    let (mut net, _) = nets();
    let z = batch::<[f32; 4]>(1, 6);
    let mut ws = Gan::workspace(6).unwrap();
    let mut adam = AdamW::new(&net, 0.1).unwrap().weight_decay(0.5).unwrap();
    let start = net.clone();
    let (mut mean, mut other) = (vec![0.0; Gan::PARAMS], net.clone());
    for (part, step) in [(&z[..4], 0), (&z[4..], 1)] {
        ws.manual_seed(Seed(step));
        other.maker_loss_grad(&mut ws, part).unwrap();
        let share = part.len() as f32 / 6.0;
        mean.iter_mut().zip(ws.grads().as_slice()).for_each(|(m, g)| *m += share * g);
        other.update_state(ws.grads());
    }
    for (part, step) in [(&z[..4], 0), (&z[4..], 1)] {
        ws.manual_seed(Seed(step));
        net.maker_loss_grad(&mut ws, part).unwrap();
        ws.accumulate(&mut net, &adam, part.len()).unwrap();
    }
    assert_eq!(net.state(), other.state());
    for (a, b) in ws.grads().as_slice().iter().zip(&mean) {
        assert!((a - b).abs() <= 1e-6 * b.abs().max(1.0), "{a} {b}");
    }
    // Another loss has other gradients.
    net.critic_loss_grad(&mut ws, &z, &batch::<[f32; 6]>(2, 6)).unwrap();
    let mixed = std::panic::AssertUnwindSafe(|| ws.accumulate(&mut net, &adam, 6));
    assert!(std::panic::catch_unwind(mixed).is_err());
    ws.zero_grad();
    net.maker_loss_grad(&mut ws, &z).unwrap();
    ws.accumulate(&mut net, &adam, 6).unwrap();
    adam.step(&mut net, ws.grads());
    for spec in Gan::param_specs() {
        let [old, new] = [&start, &net].map(|net| &net.params()[spec.start..][..spec.len()]);
        assert_eq!(old != new, is_in(MAKER, &spec.name), "{}", spec.name);
    }
    // What an optimizer freezes has statistics that stay.
    let frozen = Sgd::new(&net, 0.1).unwrap().freeze(["critic", "norm"]).unwrap();
    let before = net.clone();
    net.taste_loss_grad(&mut ws, &z).unwrap();
    ws.accumulate(&mut net, &frozen, 6).unwrap();
    let of = |net: &Gan, name: &str| {
        format!(
            "{:?}",
            net.select_state(name).unwrap().iter().map(|t| t.floats().to_vec()).collect::<Vec<_>>()
        )
    };
    assert_eq!(of(&net, "critic"), of(&before, "critic"));
    assert_ne!(of(&net, "maker"), of(&before, "maker"));
}

#[test]
fn less_memory_is_planned() {
    let n = [256, 1, 1, 1];
    let floats = |pass: Pass| {
        [
            [Gan::__maker_loss.plan(n, pass), Free::__maker_loss.plan(n, pass)],
            [Gan::__critic_loss.plan(n, pass), Free::__critic_loss.plan(n, pass)],
        ]
    };
    let [maker, critic] = floats(Pass::Grad);
    assert!(maker[0] < maker[1] * 19 / 20, "{maker:?}");
    // Nothing of the maker is kept.
    assert!(critic[0] < critic[1] * 3 / 4, "{critic:?}");
}

/// What a pass of a function has planned.
trait Planned<const A: usize, const C: usize, const R: usize>: Function<A, C, R> + Sized {
    fn plan(self, n: [usize; 4], pass: Pass) -> usize {
        Self::floats(n, pass, Target::Host)
    }
}

impl<F: Function<A, C, R>, const A: usize, const C: usize, const R: usize> Planned<A, C, R> for F {}
