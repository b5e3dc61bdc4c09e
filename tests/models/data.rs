//! Inputs and results of models as flat floats and back, and the macro that checks a function.

use gradiron::Seed;
use gradiron::rng::Rng;

use crate::check::exact;

/// Nested arrays of floats.
pub trait Floats {
    fn push_to(&self, floats: &mut Vec<f32>);

    /// The first floats of `from`, which moves behind them.
    fn take(from: &mut &[f32]) -> Self;
}

impl Floats for f32 {
    fn push_to(&self, floats: &mut Vec<f32>) {
        floats.push(*self);
    }

    fn take(from: &mut &[f32]) -> Self {
        let (first, rest) = from.split_first().expect("as many floats as the type has");
        *from = rest;
        *first
    }
}

impl<T: Floats, const N: usize> Floats for [T; N] {
    fn push_to(&self, floats: &mut Vec<f32>) {
        self.iter().for_each(|element| element.push_to(floats));
    }

    fn take(from: &mut &[f32]) -> Self {
        std::array::from_fn(|_| T::take(from))
    }
}

/// What a function takes.
pub trait Input {
    type Arg<'a>
    where
        Self: 'a;

    fn arg(&self) -> Self::Arg<'_>;

    /// The variables that a gradient exists for.
    fn floats(&self) -> Vec<f32>;

    fn replace(&mut self, from: &mut &[f32]);
}

impl Input for f32 {
    type Arg<'a> = f32;

    fn arg(&self) -> f32 {
        *self
    }

    fn floats(&self) -> Vec<f32> {
        vec![*self]
    }

    fn replace(&mut self, from: &mut &[f32]) {
        *self = f32::take(from);
    }
}

impl<T: Floats, const N: usize> Input for [T; N] {
    type Arg<'a>
        = &'a [T; N]
    where
        T: 'a;

    fn arg(&self) -> &[T; N] {
        self
    }

    fn floats(&self) -> Vec<f32> {
        floats(self)
    }

    fn replace(&mut self, from: &mut &[f32]) {
        *self = Floats::take(from);
    }
}

impl<T: Floats> Input for Vec<T> {
    type Arg<'a>
        = &'a [T]
    where
        T: 'a;

    fn arg(&self) -> &[T] {
        self
    }

    fn floats(&self) -> Vec<f32> {
        floats(&self[..])
    }

    fn replace(&mut self, from: &mut &[f32]) {
        self.iter_mut().for_each(|element| *element = T::take(from));
    }
}

/// Class indices: not variables.
#[derive(Clone, Debug)]
pub struct Labels<T = u8>(pub Vec<T>);

impl<T> Input for Labels<T> {
    type Arg<'a>
        = &'a [T]
    where
        T: 'a;

    fn arg(&self) -> &[T] {
        &self.0
    }

    fn floats(&self) -> Vec<f32> {
        Vec::new()
    }

    fn replace(&mut self, _: &mut &[f32]) {}
}

/// What a function gives.
pub trait Output {
    /// A value of the same shape that is owned: the gradient to start from.
    type Seed: Input;

    fn values(&self) -> Vec<f32>;

    fn seed(&self, seed: u64) -> Self::Seed;
}

impl Output for f32 {
    type Seed = f32;

    fn values(&self) -> Vec<f32> {
        vec![*self]
    }

    fn seed(&self, seed: u64) -> f32 {
        random::<[f32; 1]>(seed)[0]
    }
}

impl<T: Floats> Output for &[T] {
    type Seed = Vec<T>;

    fn values(&self) -> Vec<f32> {
        floats(*self)
    }

    fn seed(&self, seed: u64) -> Vec<T> {
        batch(seed, self.len())
    }
}

impl<T: Floats, const N: usize> Output for &[T; N] {
    type Seed = [T; N];

    fn values(&self) -> Vec<f32> {
        floats(*self)
    }

    fn seed(&self, seed: u64) -> [T; N] {
        random(seed)
    }
}

/// The floats of nested arrays in their order.
pub fn floats<T: Floats>(elements: &(impl AsRef<[T]> + ?Sized)) -> Vec<f32> {
    let mut floats = Vec::new();
    elements.as_ref().iter().for_each(|element| element.push_to(&mut floats));
    floats
}

/// Numbers between −1 and 1 that perturbations keep exact; no two are near each other.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = Rng::new(Seed(seed), 1);
    // One number in each of `count` cells, so that maxima stay where they are.
    let cell = 2.0 / count as f32;
    let mut numbers: Vec<f32> = (0..count)
        .map(|i| exact(-1.0 + cell * (i as f32 + rng.uniform_range(0.35, 0.65))))
        .collect();
    rng.shuffle(&mut numbers);
    numbers
}

pub fn random<T: Floats>(seed: u64) -> T {
    T::take(&mut &numbers(seed, size_of::<T>() / 4)[..])
}

pub fn batch<T: Floats>(seed: u64, count: usize) -> Vec<T> {
    let numbers = numbers(seed, count * size_of::<T>() / 4);
    let mut rest = &numbers[..];
    (0..count).map(|_| T::take(&mut rest)).collect()
}

/// Every number moved by a function: to where another is defined, for instance.
pub fn mapped<I: Input>(mut input: I, f: impl Fn(f32) -> f32) -> I {
    let floats: Vec<f32> = input.floats().into_iter().map(|x| exact(f(x))).collect();
    input.replace(&mut &floats[..]);
    input
}

/// Seeds times results: the sum in f64, and the sum of the magnitudes.
pub fn weighed(seeds: &[f32], results: &[f32]) -> (f64, f64) {
    assert_eq!(seeds.len(), results.len(), "a seed for each result");
    let terms = || seeds.iter().zip(results).map(|(s, r)| f64::from(*s) * f64::from(*r));
    (terms().sum(), terms().map(f64::abs).sum())
}

/// The parameters of a model, where perturbations stay exact.
pub fn settle<M: gradiron::Model>(net: &mut M) {
    net.params_mut().iter_mut().for_each(|x| *x = exact(*x));
}

/// The first floats of `from` become the parameters.
pub fn replace_params<M: gradiron::Model>(net: &mut M, from: &mut &[f32]) {
    let params = net.params_mut();
    let (first, rest) = from.split_at(params.len());
    params.copy_from_slice(first);
    *from = rest;
}

pub fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|x| x.to_bits()).collect()
}

/// All floats of a result or of a tuple of results.
pub trait All {
    fn all(&self) -> Vec<f32>;
}

impl<T: Output> All for T {
    fn all(&self) -> Vec<f32> {
        self.values()
    }
}

macro_rules! all {
    ($($name:ident),+) => {
        impl<$($name: Output),+> All for ($($name,)+) {
            #[allow(non_snake_case)]
            fn all(&self) -> Vec<f32> {
                let ($($name,)+) = self;
                [$($name.values()),+].concat()
            }
        }
    };
}

all!(A, B);
all!(A, B, C);
all!(A, B, C, D);
all!(A, B, C, D, E);
