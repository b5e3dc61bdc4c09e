//! Names in generated code.

/// `quote!` for generated code: its variables and the user's names (`n`, `args`, a size `k`) never
/// meet, while items, types and methods are found as usual.
macro_rules! quote {
    ($($tokens:tt)*) => {
        ::quote::quote_spanned!(::proc_macro2::Span::mixed_site()=> $($tokens)*)
    };
}

/// `format_ident!` for a variable of generated code.
macro_rules! variable {
    ($($text:tt)*) => {
        ::quote::format_ident!($($text)*, span = ::proc_macro2::Span::mixed_site())
    };
}

pub(crate) use {quote, variable};
