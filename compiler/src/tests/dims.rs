//! The algebra of sizes.

use quote::quote;

use crate::diagnostics::Diagnostics;
use crate::dim::{Atom, Compared, Dim, Shape, product};
use crate::lower::Siblings;
use crate::model::analyse;
use crate::ops::Statement;
use crate::syntax::parse_model;

fn lit(value: usize) -> Dim {
    Dim::lit(value)
}

fn batch() -> Dim {
    Dim::atom(Atom::Run("batch".into()))
}

fn run(name: &str) -> Dim {
    Dim::atom(Atom::Run(name.into()))
}

fn constant(name: &str) -> Dim {
    let tokens = name.parse().expect("a name");
    Dim::atom(Atom::Const(name.into(), tokens))
}

#[test]
fn sums_and_products_are_polynomials() {
    let d = constant("D");
    assert_eq!(d.times(&lit(4)), lit(4).times(&d));
    assert_eq!(d.plus(&d), lit(2).times(&d));
    assert_eq!(d.plus(&lit(1)).times(&d), d.times(&d).plus(&d));
    assert_eq!(d.minus(&d), lit(0));
    assert_eq!(d.times(&lit(0)), lit(0));
    assert_eq!(product(&[lit(2), d.clone(), lit(3)]), lit(6).times(&d));
    assert_eq!(product(&[]), lit(1));
    assert_eq!(batch().times(&d), d.times(&batch()));
    assert_ne!(constant("batch"), batch());
}

#[test]
fn only_numbers_are_literals() {
    assert_eq!(lit(7).as_lit(), Some(7));
    assert_eq!(lit(0).as_lit(), Some(0));
    assert_eq!(constant("D").as_lit(), None);
    assert_eq!(lit(3).minus(&lit(5)).as_lit(), None);
    assert!(lit(1).is_one() && !lit(2).is_one() && !constant("D").is_one());
    assert!(batch().times(&lit(2)).is_run_time() && !constant("D").is_run_time());
}

#[test]
fn division_is_exact_or_rounds_down() {
    let (d, h) = (constant("D"), constant("H"));
    let four_d = lit(4).times(&d);
    assert_eq!(four_d.divided_by(&lit(2)), Some(lit(2).times(&d)));
    assert_eq!(four_d.divided_by(&d), Some(lit(4)));
    assert_eq!(four_d.divided_by(&lit(3)), None);
    assert_eq!(four_d.divided_by(&d.plus(&lit(1))), None);
    assert_eq!(lit(7).floor_divided_by(&lit(2)), Some(lit(3)));
    assert_eq!(lit(7).floor_divided_by(&lit(0)), None);
    assert_eq!(lit(7).floor_divided_by(&batch()), None);
    assert_eq!(batch().times(&lit(2)).floor_divided_by(&lit(2)), Some(batch()));
    // Left to rustc.
    let odd = d.times(&lit(2)).minus(&lit(1));
    assert_eq!(odd.floor_divided_by(&lit(2)), Some(d.minus(&lit(1))));
    let quotient = d.floor_divided_by(&h).expect("constants divide");
    assert_eq!(quotient.to_string(), "D / H");
    assert_eq!(quotient.tokens().to_string(), quote!((D / H)).to_string());
    // ⌊(2·D + 7) / 2⌋ = D + 3, ⌊(H·D + 1) / H⌋ = D + ⌊1 / H⌋, ⌊⌊(D + 1) / 2⌋ / 2⌋ = ⌊(D + 1) / 4⌋
    assert_eq!(d.times(&lit(2)).plus(&lit(7)).floor_divided_by(&lit(2)), Some(d.plus(&lit(3))));
    let rest = lit(1).floor_divided_by(&h).expect("constants divide");
    assert_eq!(d.times(&h).plus(&lit(1)).floor_divided_by(&h), Some(d.plus(&rest)));
    let half = d.plus(&lit(1)).floor_divided_by(&lit(2)).expect("constants divide");
    assert_eq!(half.floor_divided_by(&lit(2)), d.plus(&lit(1)).floor_divided_by(&lit(4)));
    // ⌊2·D / 2·H⌋ = ⌊D / H⌋, and equal parts make equal quotients.
    assert_eq!(d.times(&lit(2)).floor_divided_by(&h.times(&lit(2))), Some(quotient.clone()));
    assert_eq!(quotient.minus(&d.floor_divided_by(&h).expect("constants divide")), lit(0));
    // A rest that may be negative is not split off: sizes are unsigned.
    let less = d.times(&h).minus(&d).floor_divided_by(&h).expect("constants divide");
    assert_eq!(less.to_string(), "(D*H - D) / H");
    // A quotient may be zero.
    assert_eq!(d.plus(&quotient).compare(&d), Compared::Unknown);
    assert_eq!(d.plus(&quotient).plus(&lit(1)).compare(&d), Compared::Different);
}

#[test]
fn comparison_knows_that_sizes_are_positive() {
    let (d, h) = (constant("D"), constant("H"));
    assert_eq!(lit(3).compare(&lit(3)), Compared::Same);
    assert_eq!(lit(3).compare(&lit(4)), Compared::Different);
    assert_eq!(d.compare(&d.plus(&lit(1))), Compared::Different);
    assert_eq!(lit(2).times(&d).compare(&d), Compared::Different);
    assert_eq!(d.compare(&h), Compared::Unknown);
    assert_eq!(d.compare(&lit(64)), Compared::Unknown);
    // A size of a run is equal to nothing but itself.
    assert_eq!(batch().compare(&batch()), Compared::Same);
    assert_eq!(batch().compare(&lit(64)), Compared::Different);
    assert_eq!(batch().compare(&d), Compared::Different);
}

/// `B` and `C` are the same number, and stay so in products with a size of a run.
#[test]
fn rows_of_two_constants_have_a_derivative() {
    let text = "struct Net { f: Linear(4 -> 2) }
        fn forward(&self, z: [batch, B, 2], x: [batch, C, 4]) -> [batch, B, 2] { z + self.f(x) }
        fn flat(&self, z: [batch, B, 2], x: [batch, C, 4]) -> [batch, B, 2] {
            let y = z.reshape([batch * B, 2]) + self.f(x).reshape([batch * C, 2]);
            y.reshape([batch, B, 2])
        }";
    let mut diagnostics = Diagnostics::default();
    let item = parse_model(text.parse().expect("balanced brackets"), &mut diagnostics);
    let model = analyse(&item, &Siblings::default(), &mut diagnostics, &mut |_| {});
    assert_eq!(super::rendered(&diagnostics), "");
    let equal = model.deferred.iter().filter_map(|deferred| match &deferred.what {
        Statement::Equal(b, c) => Some((b, c)),
        _ => None,
    });
    assert_eq!(equal.collect::<Vec<_>>(), [(&constant("B"), &constant("C"))]);
}

#[test]
fn texts_and_tokens() {
    let d = constant("D");
    let dims = [
        (lit(0), "0", "0"),
        (lit(12), "12", "12"),
        (d.clone(), "D", "D"),
        (lit(4).times(&d).plus(&lit(1)), "4*D + 1", "(1 + 4 * D)"),
        (d.minus(&lit(2)), "D - 2", "(D - 2)"),
        (lit(2).times(&batch()).times(&d), "2*batch*D", "(2 * batch_size * D)"),
        (d.times(&d), "D*D", "(D * D)"),
    ];
    for (dim, text, tokens) in dims {
        assert_eq!((dim.to_string().as_str(), dim.tokens().to_string().as_str()), (text, tokens));
    }
    assert_eq!(Shape(vec![batch(), lit(3), d]).to_string(), "[batch, 3, D]");
    assert_eq!(Shape::default().to_string(), "[]");
    assert_eq!(Shape::default().len(), lit(1));
}

#[test]
fn sizes_beyond_every_memory_stay_so() {
    let large = lit(usize::MAX);
    let larger = product(&[large.clone(), large.clone(), large.clone()]);
    assert_eq!(larger.as_lit(), None);
    assert_eq!(larger.compare(&large), Compared::Different);
    assert!(larger.is_out_of_range() && larger.minus(&larger).as_lit() == Some(0));
    assert_eq!(larger.saturating_tokens().to_string(), usize::MAX.to_string());
    assert!(!large.times(&constant("D")).times(&constant("D")).times(&lit(0)).is_out_of_range());
    assert!(large.times(&constant("D")).is_out_of_range());
}

#[test]
fn sizes_of_a_run_are_divided() {
    let (h, w) = (run("h"), run("w"));
    let half = |dim: &Dim| dim.floor_divided_by(&lit(2)).expect("by a number");
    // ⌊⌊h / 2⌋ / 2⌋ = ⌊h / 4⌋
    assert_eq!(Some(half(&half(&h))), h.floor_divided_by(&lit(4)));
    assert_eq!(half(&h).times(&lit(2)).compare(&h), Compared::Unknown);
    assert_eq!(half(&half(&h)).times(&lit(2)).compare(&half(&h)), Compared::Unknown);
    // A stride of 2 over odd sizes, and back.
    let strided = half(&h.minus(&lit(1))).plus(&lit(1));
    assert_eq!(strided.times(&lit(2)).compare(&h), Compared::Unknown);
    assert_eq!(strided.times(&lit(2)).minus(&lit(1)).compare(&h), Compared::Unknown);
    // Other names, other factors and numbers are other sizes.
    assert_eq!(half(&h).compare(&half(&w)), Compared::Different);
    assert_eq!(half(&h).compare(&h), Compared::Different);
    assert_eq!(half(&h).times(&half(&w)).compare(&lit(49)), Compared::Different);
    assert_eq!(h.compare(&w), Compared::Different);
}

#[test]
fn what_falls_with_a_size_is_found() {
    let (h, w, d) = (run("h"), run("w"), constant("D"));
    assert_eq!(h.minus(&lit(2)).falls_with(), None);
    assert_eq!(h.times(&d).minus(&h).falls_with(), None);
    assert_eq!(h.minus(&w).falls_with(), Some(&Atom::Run("w".into())));
    assert_eq!(lit(512).minus(&h).falls_with(), Some(&Atom::Run("h".into())));
    let half = h.minus(&w).floor_divided_by(&lit(2)).expect("by a number");
    assert_eq!(half.falls_with(), Some(&Atom::Run("w".into())));
}

#[test]
fn lower_bounds_count_constants_as_nothing() {
    let (h, d) = (run("h"), constant("D"));
    assert_eq!(h.minus(&lit(1)).lower_bound(), Some(0));
    assert_eq!(h.plus(&d).lower_bound(), Some(1));
    assert_eq!(lit(512).minus(&h).lower_bound(), None);
}
