//! Damage to a text: tokens that are gone, twice there, somewhere else, or others.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

use crate::generate::dice::Dice;

/// Tokens that mean something somewhere.
const ODD: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "18446744073709551615",
    "18446744073709551616",
    "1e39",
    "1e-50",
    "0.5",
    "1_u8",
    "\"text\"",
    "'c'",
    "b\"x\"",
    "true",
    "none",
    "self",
    "Self",
    "mut",
    "ref",
    "r#match",
    "r#type",
    "_",
    "__",
    "batch",
    "x",
    "n",
    "N",
    "D",
    "k",
    "fn",
    "struct",
    "let",
    "pub",
    "where",
    "as",
    "in",
    "if",
    "match",
    "return",
    "const",
    "static",
    "dyn",
    "impl",
    "use",
    "mod",
    "crate",
    "super",
    "async",
    "move",
    "#",
    "!",
    "?",
    "$",
    "@",
    "&",
    "*",
    "+",
    "-",
    "/",
    "%",
    "=",
    "==",
    "=>",
    "->",
    "..",
    "::",
    ":",
    ";",
    ",",
    ".",
    "<",
    ">",
    "<<",
    "|",
    "'a",
    "[]",
    "()",
    "{}",
    "[2]",
    "[batch]",
    "(2, 3)",
    "[batch, 2]",
    "Linear",
    "Linear(4 -> 4)",
    "Conv2d",
    "Softmax",
    "Flatten",
    "Relu",
    "Param",
    "LSTM",
    "Classes",
    "Classes[batch]",
    "forward",
    "loss",
    "relu()",
    ".relu()",
    "-> []",
    "bias = false",
    "dim = 1",
    "#[step(4)]",
    "#[name = \"a\"]",
    "#[doc = \"d\"]",
    "#[cfg(test)]",
    "f32",
    "usize",
    "u8",
    "Vec",
    "size_of::<f32>()",
    "usize::MAX",
    "f32::NAN",
    "std::f32::consts::PI",
    "params",
    "workspace",
    "init",
    "PARAMS",
    "new",
    "drop",
    "clone",
    "default",
    "Kernels__",
    "Block",
];

/// A text with one to four places of damage; some tokens are those of `donor`.
pub fn damaged(dice: &mut Dice, mut text: TokenStream, donor: &TokenStream) -> TokenStream {
    let times = [1, 1, 1, 2, 2, 3, 4][dice.below(7)];
    for _ in 0..times {
        let count = count(&text);
        if count == 0 {
            break;
        }
        let mut at = dice.below(count);
        let own = leaves(&text);
        let other = leaves(donor);
        text = edited(text, &mut at, &mut |trees, at| edit(dice, trees, at, &own, &other));
    }
    text
}

/// All trees, those in groups too.
fn count(tokens: &TokenStream) -> usize {
    let of = |tree: TokenTree| match tree {
        TokenTree::Group(group) => 1 + count(&group.stream()),
        _ => 1,
    };
    tokens.clone().into_iter().map(of).sum()
}

fn leaves(tokens: &TokenStream) -> Vec<TokenTree> {
    let of = |tree: TokenTree| match tree {
        TokenTree::Group(ref group) => {
            let mut all = leaves(&group.stream());
            all.push(tree);
            all
        }
        _ => vec![tree],
    };
    tokens.clone().into_iter().flat_map(of).collect()
}

/// The tokens with an edit at the tree of this number.
fn edited(
    tokens: TokenStream,
    at: &mut usize,
    edit: &mut dyn FnMut(&mut Vec<TokenTree>, usize),
) -> TokenStream {
    let mut trees: Vec<TokenTree> = tokens.into_iter().collect();
    for i in 0..trees.len() {
        if *at == 0 {
            // No other tree has this number.
            *at = usize::MAX;
            edit(&mut trees, i);
            break;
        }
        *at -= 1;
        if let TokenTree::Group(group) = &trees[i] {
            let inner = count(&group.stream());
            if *at < inner {
                let stream = edited(group.stream(), at, edit);
                trees[i] = TokenTree::Group(Group::new(group.delimiter(), stream));
                break;
            }
            *at -= inner;
        }
    }
    trees.into_iter().collect()
}

fn edit(
    dice: &mut Dice,
    trees: &mut Vec<TokenTree>,
    at: usize,
    own: &[TokenTree],
    other: &[TokenTree],
) {
    let any = |dice: &mut Dice| -> Vec<TokenTree> {
        let odd = |dice: &mut Dice| {
            let text = dice.pick(ODD).expect("there are odd tokens");
            text.parse::<TokenStream>().map(|odd| odd.into_iter().collect()).unwrap_or_default()
        };
        match dice.below(4) {
            0 => odd(dice),
            1 => dice.pick(other).cloned().into_iter().collect(),
            _ => dice.pick(own).cloned().into_iter().collect(),
        }
    };
    match dice.below(13) {
        0 => drop(trees.remove(at)),
        1 => trees.insert(at, trees[at].clone()),
        2 if at + 1 < trees.len() => trees.swap(at, at + 1),
        3 => {
            let to = dice.below(trees.len());
            trees.swap(at, to);
        }
        4 => {
            let tokens = any(dice);
            trees.splice(at..at, tokens);
        }
        5 => {
            // Its parts without their brackets, or in others.
            if let TokenTree::Group(group) = trees[at].clone() {
                let delimiters =
                    [Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace, Delimiter::None];
                match dice.below(2) {
                    0 => drop(trees.splice(at..=at, group.stream())),
                    _ => {
                        let delimiter = delimiters[dice.below(3)];
                        trees[at] = TokenTree::Group(Group::new(delimiter, group.stream()));
                    }
                }
            } else {
                let inner = TokenStream::from(trees[at].clone());
                let delimiter = [Delimiter::Parenthesis, Delimiter::Bracket][dice.below(2)];
                trees[at] = TokenTree::Group(Group::new(delimiter, inner));
            }
        }
        6 => {
            // Another number or name of the same kind.
            let alike = |tree: &&TokenTree| {
                std::mem::discriminant(*tree) == std::mem::discriminant(&trees[at])
            };
            let alike: Vec<_> = own.iter().chain(other).filter(alike).cloned().collect();
            if let Some(tree) = dice.pick(&alike) {
                trees[at] = tree.clone();
            }
        }
        7 => {
            // The rest of the piece is gone.
            let end = (at + 1 + dice.below(4)).min(trees.len());
            trees.drain(at..end);
        }
        8 => {
            let end = (at + 1 + dice.below(6)).min(trees.len());
            let again: Vec<_> = trees[at..end].to_vec();
            trees.splice(end..end, again);
        }
        9 => match &trees[at] {
            TokenTree::Ident(name) => {
                let names =
                    [format!("{name}_"), format!("r#{name}"), name.to_string().to_uppercase()];
                let name = &names[dice.below(3)];
                if let Ok(name) = syn::parse_str::<Ident>(name) {
                    trees[at] = TokenTree::Ident(name);
                }
            }
            TokenTree::Literal(_) => {
                let number = [0, 1, 2, 3, 5, 7, 8, 16, 100, 1 << 20, usize::MAX][dice.below(11)];
                trees[at] = TokenTree::Literal(Literal::usize_unsuffixed(number));
            }
            _ => {
                let name = Ident::new("x", Span::call_site());
                trees[at] = TokenTree::Ident(name);
            }
        },
        _ => {
            let tokens = any(dice);
            trees.splice(at..=at, tokens);
        }
    }
}
