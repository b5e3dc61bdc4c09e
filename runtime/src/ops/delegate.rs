//! What follows from the trait of a room, so that its kernels are written down once.

/// Defines the kernel trait of a room, and the kernel sets that hand its calls on to others:
/// [`TinyKernels`](crate::device::TinyKernels), whose small passes use the kernels for all sizes, and
/// [`EitherKernels`](crate::device::EitherKernels).
///
/// Methods have a body, or a semicolon; small passes keep the body, since it calls kernels that may have a
/// small form. They are generic over nothing, over the axes `R`, or over a chain `E`, which has to be
/// written as in [`Map`](crate::ops::elementwise::Map). `#[tiny]` before the trait says that the room has
/// small kernels of its own.
macro_rules! kernels {
    (#[tiny] $(#[$meta:meta])* pub trait $Room:ident $(: $Super:ident)? { $($body:tt)* }) => {
        $(#[$meta])*
        pub trait $Room $(: $Super)? { $($body)* }
        $crate::ops::delegate! { @read (either) $Room [] [] $($body)* }
    };
    ($(#[$meta:meta])* pub trait $Room:ident $(: $Super:ident)? { $($body:tt)* }) => {
        $(#[$meta])*
        pub trait $Room $(: $Super)? { $($body)* }
        $crate::ops::delegate! { @read (either tiny) $Room [] [] $($body)* }
    };
}

/// The second half of [`kernels!`]: reads one method after another, those with a body and those without,
/// and writes the impls.
macro_rules! delegate {
    (
        @read $to:tt $Room:ident $with_body:tt $without:tt
        $(#[$meta:meta])* fn $kernel:ident(&mut self $(, $arg:ident: $ty:ty)* $(,)?) $($rest:tt)*
    ) => {
        $crate::ops::delegate! {
            @body $to $Room $with_body $without { $kernel [] [] ($($arg: $ty),*) } $($rest)*
        }
    };
    (
        @read $to:tt $Room:ident $with_body:tt $without:tt
        $(#[$meta:meta])*
        fn $kernel:ident<const R: usize>(&mut self $(, $arg:ident: $ty:ty)* $(,)?) $($rest:tt)*
    ) => {
        $crate::ops::delegate! {
            @body $to $Room $with_body $without
            { $kernel [<const R: usize>] [::<R>] ($($arg: $ty),*) } $($rest)*
        }
    };
    (
        @read $to:tt $Room:ident $with_body:tt $without:tt
        $(#[$meta:meta])*
        fn $kernel:ident<
            E: Elementwise<IN, OUT, S>, const IN: usize, const OUT: usize, const S: usize, const R: usize $(,)?
        >(&mut self $(, $arg:ident: $ty:ty)* $(,)?) $($rest:tt)*
    ) => {
        $crate::ops::delegate! {
            @body $to $Room $with_body $without {
                $kernel
                [<
                    E: Elementwise<IN, OUT, S>,
                    const IN: usize, const OUT: usize, const S: usize, const R: usize,
                >]
                [::<E, IN, OUT, S, R>] ($($arg: $ty),*)
            } $($rest)*
        }
    };
    (@read $to:tt $Room:ident $with_body:tt $without:tt) => {
        $crate::ops::delegate! { @write $to $Room $with_body $without }
    };

    (
        @body $to:tt $Room:ident $with_body:tt [$($without:tt)*] $method:tt ; $($rest:tt)*
    ) => {
        $crate::ops::delegate! { @read $to $Room $with_body [$($without)* $method] $($rest)* }
    };
    (
        @body $to:tt $Room:ident [$($with_body:tt)*] $without:tt $method:tt { $($body:tt)* } $($rest:tt)*
    ) => {
        $crate::ops::delegate! { @read $to $Room [$($with_body)* $method] $without $($rest)* }
    };

    (@write (either tiny) $Room:ident $with_body:tt [$($method:tt)*]) => {
        impl<V: $crate::math::Vector> $Room for $crate::device::TinyKernels<'_, V> {
            $($crate::ops::delegate! { @to_whole $method })*
        }
        $crate::ops::delegate! { @write (either) $Room $with_body [$($method)*] }
    };
    (@write (either) $Room:ident [$($with_body:tt)*] [$($without:tt)*]) => {
        impl<OfFirst: $Room, OfSecond: $Room> $Room
            for $crate::device::EitherKernels<'_, OfFirst, OfSecond>
        {
            $($crate::ops::delegate! { @to_either $without })*
            $($crate::ops::delegate! { @to_either $with_body })*
        }
    };

    (@to_whole {
        $kernel:ident [$($generics:tt)*] [$($given:tt)*] ($($arg:ident: $ty:ty),*)
    }) => {
        #[inline(always)]
        #[allow(clippy::too_many_arguments)]
        fn $kernel $($generics)* (&mut self $(, $arg: $ty)*) {
            self.whole().$kernel $($given)* ($($arg),*);
        }
    };
    (@to_either {
        $kernel:ident [$($generics:tt)*] [$($given:tt)*] ($($arg:ident: $ty:ty),*)
    }) => {
        #[allow(clippy::too_many_arguments)]
        fn $kernel $($generics)* (&mut self $(, $arg: $ty)*) {
            match self {
                Self::First(kernels) => kernels.$kernel $($given)* ($($arg),*),
                Self::Second(kernels) => kernels.$kernel $($given)* ($($arg),*),
            }
        }
    };
}

pub(crate) use {delegate, kernels};
