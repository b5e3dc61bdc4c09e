//! Copies between networks by name, running means of networks, and parts of tensors.

use gradiron::module::{CopyError, Model, PartError};
use gradiron::prelude::*;

use crate::{Block, Encoder, Net, Outcome, X, Y};

/// A network of another type with the same encoder, whose state is not that of a new one.
fn trained() -> Result<Net, Box<dyn std::error::Error>> {
    let mut net = Net::init(Seed(5));
    let mut ws = Net::workspace(4)?;
    let mut sgd = Sgd::new(&net, 0.1)?;
    for _ in 0..3 {
        net.loss_train(&mut ws, &mut sgd, &X, &Y)?;
    }
    Ok(net)
}

#[test]
fn a_part_goes_to_a_network_of_another_type_and_back() -> Outcome {
    let net = trained()?;
    let mut encoder = Encoder::init(Seed(6));
    encoder.select_mut("*")?.copy_from(&net.select("encoder")?.rename("encoder.", "")?)?;
    encoder.select_state_mut("*")?.copy_from(&net.select_state("*")?.rename("encoder.", "")?)?;
    assert_eq!(encoder.params(), &net.params()[..Encoder::PARAMS]);
    assert_eq!(encoder.state(), net.state());

    let mut other = Net::init(Seed(7));
    let head = *other.head().weight();
    let encoder = encoder.select("*")?.rename("", "encoder.")?;
    other.select_mut("encoder")?.copy_from(&encoder)?;
    assert_eq!(other.params()[..Encoder::PARAMS], net.params()[..Encoder::PARAMS]);
    assert_eq!(*other.head().weight(), head);

    // One block onto the other, and a block by itself.
    let second =
        net.select("encoder.blocks.1")?.rename("encoder.blocks.1.", "encoder.blocks.0.")?;
    other.select_mut("encoder.blocks.0")?.copy_from(&second)?;
    let mut block = Block::<4>::init(Seed(0));
    block.copy_from(&block.clone())?;
    block.select_mut("*")?.copy_from(&second.rename("encoder.blocks.0.", "")?)?;
    let copied = other.select("encoder.blocks.0")?;
    let floats: Vec<f32> = copied.iter().flat_map(|t| t.floats().to_vec()).collect();
    assert_eq!(floats, block.params());
    Ok(())
}

#[test]
fn a_whole_network() -> Outcome {
    let net = trained()?;
    let mut other = Net::init(Seed(7));
    other.copy_from(&net)?;
    assert_eq!((other.params(), other.state()), (net.params(), net.state()));
    let error = other.copy_from(&Encoder::init(Seed(0))).unwrap_err().to_string();
    assert!(
        error.starts_with("`encoder.stem.weight` is to be copied, and is not among"),
        "{error}"
    );
    assert_eq!((other.params(), other.state()), (net.params(), net.state()));
    Ok(())
}

#[test]
fn what_does_not_fit_copies_nothing() -> Outcome {
    let (from, mut to) = (Net::init(Seed(1)), Net::init(Seed(2)));
    let before = to.clone();
    let error = to.select_mut("head")?.copy_from(&from.select("head.weight")?).unwrap_err();
    assert!(
        matches!(&error, CopyError::Missing { tensor, .. } if tensor == "head.bias"),
        "{error}"
    );
    let error = to.select_mut("head.bias")?.copy_from(&from.select("head")?).unwrap_err();
    assert!(
        matches!(&error, CopyError::Unexpected { tensor } if tensor == "head.weight"),
        "{error}"
    );
    let bias = from.select("head.bias")?.rename("head.bias", "head.weight")?;
    let error = to.select_mut("head.weight")?.copy_from(&bias).unwrap_err();
    let text = "`head.weight`: expected shape [2, 4], found [2]; copy a part of it (`part_mut`)";
    assert_eq!(error.to_string(), text);
    let error = from.select("head")?.rename("tail.", "head.").map(drop).unwrap_err().to_string();
    assert!(error.starts_with("`tail.` names no tensor that is selected"), "{error}");
    assert_eq!(to.params(), before.params());
    Ok(())
}

#[test]
fn running_means_of_networks() -> Outcome {
    let net = trained()?;
    let start = Net::init(Seed(9));
    for weight in [0.001_f32, 0.3, 0.5, 0.9, 1.0] {
        let mut mean = start.clone();
        mean.lerp(&net, weight);
        for ((mean, from), to) in mean.params().iter().zip(start.params()).zip(net.params()) {
            let (from, to) = (f64::from(*from), f64::from(*to));
            let want = from + f64::from(weight) * (to - from);
            assert!((f64::from(*mean) - want).abs() <= 1e-6 * (from.abs() + to.abs()), "{weight}");
        }
        assert_eq!(mean.state(), net.state());
        let mut head = start.clone();
        head.select_mut("head")?.lerp(&net.select("head")?, weight)?;
        assert_eq!(head.head().weight(), mean.head().weight());
        assert_eq!(head.scale(), start.scale());
    }
    let mut mean = start.clone();
    mean.lerp(&net, 1.0);
    assert_eq!(mean.params(), net.params());
    Ok(())
}

model! {
    struct Conv<const IN: usize, const OUT: usize> {
        conv: Conv2d(IN -> OUT, kernel = 3),
    }

    fn forward(&self, x: [batch, IN, 4, 4]) -> [batch, OUT, 2, 2] {
        self.conv(x)
    }
}

/// Channels in the middle of others, against loops over the indices.
#[test]
fn parts_of_a_tensor() -> Outcome {
    let (small, mut large) = (Conv::<2, 3>::init(Seed(1)), Conv::<4, 5>::init(Seed(2)));
    let before = large.clone();
    let from = small.select("conv.weight")?;
    let from = from.get("conv.weight")?;
    let part = from.part([1..3, 0..2, 0..3, 1..3])?;
    assert_eq!(part.shape(), [2, 2, 3, 2]);
    let mut weight = large.select_mut("conv.weight")?;
    let mut weight = weight.get_mut("conv.weight")?;
    weight.part_mut([2..4, 1..3, 0..3, 0..2])?.copy_from(&part)?;
    let at = |shape: [usize; 4], [a, b, c, d]: [usize; 4]| {
        ((a * shape[1] + b) * shape[2] + c) * shape[3] + d
    };
    let mut copied = 0;
    for (a, b, c, d) in (0..5).flat_map(|a| {
        (0..4).flat_map(move |b| (0..3).flat_map(move |c| (0..3).map(move |d| (a, b, c, d))))
    }) {
        let place = at([5, 4, 3, 3], [a, b, c, d]);
        let inside = (2..4).contains(&a) && (1..3).contains(&b) && d < 2;
        let want = match inside {
            true => small.params()[at([3, 2, 3, 3], [a - 1, b - 1, c, d + 1])],
            false => before.params()[place],
        };
        assert_eq!(weight.floats()[place], want, "{a} {b} {c} {d}");
        copied += usize::from(inside);
    }
    assert_eq!(copied, part.to_vec().len());
    weight.part_mut([0..1, 0..4, 0..3, 0..3])?.fill(0.0);
    assert_eq!(weight.floats()[..36], [0.0; 36]);
    let one = weight.part_mut([4..5, 3..3, 0..3, 0..3])?;
    assert!(one.to_vec().is_empty());

    let error = weight.part_mut([0..5, 0..4, 0..3]).unwrap_err().to_string();
    let text = "`conv.weight` has shape [5, 4, 3, 3]: expected a range within each of its axes, found \
                [0..5, 0..4, 0..3]";
    assert_eq!(error, text);
    assert!(matches!(weight.part([0..6, 0..4, 0..3, 0..3]), Err(PartError::Outside { .. })));
    let error = weight.part_mut([0..1, 0..2, 0..3, 0..3])?.copy_from(&part).unwrap_err();
    let text = "a part [1, 2, 3, 3] of `conv.weight` takes one of the same sizes, found [2, 2, 3, 2] of \
                `conv.weight`";
    assert_eq!(error.to_string(), text);
    // A number has no axes.
    let gain = Net::init(Seed(1));
    assert_eq!(gain.select("gain")?.get("gain")?.part([])?.to_vec(), [1.0]);
    Ok(())
}
