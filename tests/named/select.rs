//! What each form of a choice selects, and what is done with it.

use gradiron::module::{Model, ParamSpec, Select, Selection};
use gradiron::prelude::*;

use crate::{ALL, Net, Outcome, X, Y};

fn names(net: &Net, what: impl Select<Net>) -> Vec<String> {
    net.select(what).expect("it names parameters").names().map(str::to_owned).collect()
}

fn starting<'a>(starts: &'a [&str]) -> impl Iterator<Item = &'static str> + 'a {
    let all = ALL.into_iter().chain(["scale", "gain"]);
    all.filter(|name| starts.iter().any(|start| name.starts_with(start)))
}

#[test]
fn names_prefixes_and_stars() {
    let net = Net::init(Seed(1));
    let all: Vec<_> = starting(&[""]).collect();
    assert_eq!(names(&net, "*"), all);
    for form in ["encoder", "encoder."] {
        assert_eq!(names(&net, form), starting(&["encoder."]).collect::<Vec<_>>());
    }
    assert_eq!(names(&net, "head.weight"), ["head.weight"]);
    assert_eq!(names(&net, "gain"), ["gain"]);
    let norms = ["encoder.blocks.0.norm", "encoder.blocks.1.norm"];
    assert_eq!(names(&net, "encoder.blocks.*.norm"), starting(&norms).collect::<Vec<_>>());
    let rest = starting(&["encoder.bl", "encoder.bn", "gain", "scale"]).collect::<Vec<_>>();
    assert_eq!(names(&net, except(["head", "encoder.stem"])), rest);
    assert_eq!(names(&net, ["scale", "head"]), starting(&["head", "scale"]).collect::<Vec<_>>());
    assert_eq!(names(&net, vec!["scale".to_owned(), "scale".to_owned()]), ["scale"]);
    let wide = |param: &ParamSpec| param.shape == [8, 4];
    let up = ["encoder.blocks.0.up.weight", "encoder.blocks.1.up.weight"];
    assert_eq!(names(&net, wide), up);
    let chosen: Selection<Net> = Net::selection("head").expect("it is there");
    assert_eq!(names(&net, &chosen), ["head.weight", "head.bias"]);
    assert_eq!(names(&net, except(chosen.clone())).len(), 16);
    assert_eq!((chosen.count(), chosen.specs().len()), (10, 2));
}

#[test]
fn a_name_that_matches_nothing_lists_near_ones() {
    let net = Net::init(Seed(1));
    let error = |what: &str| net.select(what).map(drop).unwrap_err().to_string();
    let text = "`encodr.` names no parameter, nor what stands before a dot in the name of one; the nearest \
                names are `encoder`, `encoder.bn`";
    assert!(error("encodr.").starts_with(text), "{}", error("encodr."));
    // A part of a name is none, and neither is a name with more behind it.
    assert!(error("enc").contains("`enc` names no parameter"));
    assert!(error("head.weight.0").contains("`head.weight`"));
    assert!(error("").contains("`` names no parameter"));
    assert!(
        net.select(["head", "haed"]).unwrap_err().to_string().contains("nearest names are `head`")
    );
    assert!(net.select(except("haed")).is_err());
    let state = net.select_state("encoder.bm").map(drop).unwrap_err().to_string();
    assert!(state.starts_with("`encoder.bm` names no tensor of the state"), "{state}");
    assert!(state.contains("`encoder.bn`"), "{state}");
    // A condition may choose nothing.
    let nothing = net.select(|_: &ParamSpec| false).expect("no name is wrong");
    assert!(nothing.is_empty() && nothing.count() == 0 && nothing.norm() == 0.0);
    let one = net.select("head").expect("it is there");
    assert!(one.get("head.bais").unwrap_err().to_string().contains("`head.bias`"));
}

#[test]
fn floats_are_those_of_the_parameters() -> Outcome {
    let mut net = Net::init(Seed(1));
    assert_eq!(net.select("*")?.count(), Net::PARAMS);
    for (tensor, spec) in net.select("*")?.iter().zip(Net::param_specs()) {
        assert_eq!((tensor.name(), tensor.shape()), (&*spec.name, &spec.shape[..]));
        assert_eq!(tensor.floats(), &net.params()[spec.start..spec.start + spec.len()]);
    }
    let head = net.select("head")?;
    assert_eq!(head.get("head.weight")?.floats(), net.head().weight().as_flattened());

    // What is not selected stays.
    let before = net.clone();
    net.select_mut("encoder.blocks.*.up.bias")?.fill(0.5);
    let mut changed = 0;
    for spec in Net::param_specs() {
        let range = spec.start..spec.start + spec.len();
        let floats = &net.params()[range.clone()];
        let up = spec.name.ends_with("up.bias");
        assert!(if up { floats == [0.5; 8] } else { floats == &before.params()[range] });
        changed += usize::from(up);
    }
    assert_eq!(changed, 2);
    let mut head = net.select_mut("head")?;
    head.get_mut("head.bias")?.floats_mut().copy_from_slice(&[3.0, 4.0]);
    assert!(head.get_mut("head.wait").is_err());
    head.scale(2.0);
    assert_eq!(head.get("head.bias")?.norm(), 10.0);
    for mut tensor in net.select_mut(["scale", "gain"])?.iter_mut() {
        tensor.floats_mut()[0] = 7.0;
    }
    assert_eq!((net.scale()[0], *net.gain(), net.head().bias()[1]), (7.0, 7.0, 8.0));
    Ok(())
}

#[test]
fn the_state_has_names() -> Outcome {
    let mut net = Net::init(Seed(1));
    let names: Vec<_> = net.select_state("*")?.names().map(str::to_owned).collect();
    let own = ["running_mean", "running_var", "num_batches_tracked"];
    assert_eq!(names, own.map(|name| format!("encoder.bn.{name}")));
    net.select_state_mut("encoder.bn.running_mean")?.fill(2.0);
    assert_eq!(net.state()[..5], [2.0, 2.0, 2.0, 2.0, 1.0]);
    Ok(())
}

#[test]
fn typed_parameters_change_where_they_are() {
    let mut net = Net::init(Seed(1));
    net.head_mut().weight_mut()[1][2] = 5.0;
    net.head_mut().bias_mut()[0] = 6.0;
    net.scale_mut()[1] = 7.0;
    *net.gain_mut() = 8.0;
    assert_eq!(net.head().weight()[1][2], 5.0);
    assert_eq!((net.head().bias()[0], net.scale()[1], *net.gain()), (6.0, 7.0, 8.0));
    let (weight, bias) = net.head_mut().both();
    weight[0][0] = bias[0];
    assert_eq!(net.select("head").unwrap().get("head.weight").unwrap().floats()[0], 6.0);

    let mut block = crate::Block::<4>::init(Seed(1));
    block.norm_mut().weight_mut().fill(2.0);
    block.down_mut().weight_mut().as_flattened_mut_or_slice()[0] = 3.0;
    let () = block.down_mut().bias_mut();
    let weights = block.select("*").unwrap();
    assert_eq!(weights.get("norm.weight").unwrap().floats(), [2.0; 4]);
    assert_eq!(weights.get("down.weight").unwrap().floats()[0], 3.0);
}

/// Const parameters make slices of some weights, and arrays of others.
trait Flat {
    fn as_flattened_mut_or_slice(&mut self) -> &mut [f32];
}

impl Flat for [f32] {
    fn as_flattened_mut_or_slice(&mut self) -> &mut [f32] {
        self
    }
}

/// The sums of squares by hand, and a step along gradients that were changed.
#[test]
fn gradients_of_a_layer() -> Outcome {
    let mut net = Net::init(Seed(1));
    let mut ws = Net::workspace(4)?;
    net.loss_grad(&mut ws, &X, &Y)?;
    let all = ws.grads().as_slice().to_vec();
    let norm = |range: std::ops::Range<usize>| {
        all[range].iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt() as f32
    };
    let specs = Net::param_specs();
    for (tensor, spec) in ws.grads().select("*")?.iter().zip(&specs) {
        assert_eq!(tensor.floats(), &all[spec.start..spec.start + spec.len()]);
        let want = norm(spec.start..spec.start + spec.len());
        assert!((tensor.norm() - want).abs() <= 1e-6 * want);
    }
    let head = specs.iter().find(|spec| spec.name == "head.weight").unwrap().start;
    let want = norm(head..head + 10);
    assert!((ws.grads().select("head")?.norm() - want).abs() <= 1e-6 * want);

    let before = ws.grads_mut().select_mut("head")?.clip_norm(want / 2.0);
    assert!((before - want).abs() <= 1e-6 * want);
    assert!((ws.grads().select("head")?.norm() - want / 2.0).abs() <= 1e-5 * want);
    // What is short enough stays as it is.
    let short = ws.grads().as_slice().to_vec();
    ws.grads_mut().select_mut("head")?.clip_norm(1e6);
    assert_eq!(ws.grads().as_slice(), short);
    ws.grads_mut().select_mut("encoder")?.scale(0.0);
    ws.grads_mut().as_mut_slice()[head] += 1.0;
    let start = net.clone();
    Sgd::new(&net, 1.0)?.step(&mut net, ws.grads());
    for (i, (new, old)) in net.params().iter().zip(start.params()).enumerate() {
        let grad = match i {
            _ if i < head => 0.0,
            _ if i == head => short[i] + 1.0,
            _ => short[i],
        };
        assert_eq!(*new, old - grad);
    }
    // The next call makes them anew.
    start.loss_grad(&mut ws, &X, &Y)?;
    assert_eq!(ws.grads().as_slice(), all);
    // A gradient that is no number stays one.
    ws.grads_mut().as_mut_slice()[head] = f32::NAN;
    assert!(ws.grads_mut().select_mut("head")?.clip_norm(1.0).is_nan());
    assert!(ws.grads().select("head")?.iter().all(|t| t.floats().iter().all(|g| g.is_nan())));
    Ok(())
}

model! {
    struct Tied {
        token: Embedding(6 -> 4),
        head: Linear(4 -> 6, bias = false, tied = self.token),
    }

    fn forward(&self, x: Classes[batch, 2]) -> [batch, 2, 6] {
        self.head(self.token(x))
    }
}

#[test]
fn a_tied_weight_has_both_names() {
    let net = Tied::init(Seed(0));
    let of_head = net.select("head.weight").expect("it is tied");
    assert_eq!(of_head.names().collect::<Vec<_>>(), ["token.weight"]);
}
