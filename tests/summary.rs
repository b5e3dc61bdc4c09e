//! What models say of themselves.

use gradiron::prelude::*;

model! {
    pub struct LeNet {
        conv1: Conv2d(1 -> 6, kernel = 5, padding = 2),
        conv2: Conv2d(6 -> 16, kernel = 5),
        fc1: Linear(400 -> 120),
        fc2: Linear(84),
        fc3: Linear(84 -> 10),
    }

    fn forward(&self, image: [batch, 1, 28, 28]) -> [batch, 10] {
        let x = self.conv1(image).relu().max_pool2d(2);
        let x = self.conv2(x).relu().max_pool2d(2).flatten();
        let x = self.fc1(x).relu();
        let x = self.fc2(x).relu();
        self.fc3(x)
    }

    fn loss(&self, image: [batch, 1, 28, 28], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(image), label)
    }
}

const LENET: &str = "\
LeNet::forward with batch = 64
layer                 output               parameters       FLOPs      bytes
conv1 + relu  Conv2d  [batch, 6, 28, 28]          156  15,654,912  1,406,152
max_pool2d            [batch, 6, 14, 14]                  301,056  1,505,280
conv2 + relu  Conv2d  [batch, 16, 10, 10]       2,416  30,924,800    729,920
max_pool2d            [batch, 16, 5, 5]                   102,400    512,000
fc1 + relu  Linear    [batch, 120]             48,120   6,159,360    530,400
fc2 + relu  Linear    [batch, 84]              10,164   1,300,992     92,880
fc3  Linear           [batch, 10]                 850     108,160     27,464
total                                          61,706  54,551,680  4,804,096
parameters: 246.8 kB
workspace: 4.0 MB for training; 1.7 MB for inference, of it 215.0 kB prepared weights
plan: 1.10 times what is alive at once at the fullest moment
";

#[test]
fn a_summary_is_a_table() {
    let summary = LeNet::summary(64).colored(false);
    assert_eq!(summary.to_string(), LENET);
    assert_eq!((summary.params(), summary.flops()), (LeNet::PARAMS, LeNet::flops(64)));
    assert_eq!(summary.footprint(), LeNet::footprint(64, Target::Host));
}

#[test]
fn colours_change_no_letter() {
    let colored = LeNet::summary(64).colored(true).to_string();
    assert!(colored.contains("\x1b[36mconv1 + relu\x1b[0m"), "{colored}");
    let parts = colored.split('\x1b').map(|part| match part.strip_prefix('[') {
        Some(part) => part.split_once('m').expect("a colour ends").1,
        None => part,
    });
    assert_eq!(parts.collect::<String>(), LENET);
}

const WIDTH: usize = 32;

model! {
    struct Block<const D: usize> {
        norm: LayerNorm(D),
        up: Linear(D -> 4 * D),
        down: Linear(4 * D -> D),
    }

    fn forward(&self, x: [batch, t, D]) -> [batch, t, D] {
        let x = x + self.down(self.up(self.norm(x)).gelu());
        self.norm(x)
    }

    struct Net {
        #[frozen]
        first: Linear(10 -> WIDTH),
        #[name = "layers.1.."]
        blocks: [Block<WIDTH>; 4],
        bn: BatchNorm1d(),
        head: Linear(WIDTH -> 3),
        later: Linear(3 -> 2),
    }

    fn forward(&self, x: [batch, t, 10]) -> [batch, 3] {
        let x = self.blocks(self.first(x)).mean(dim = 1);
        self.head(self.bn(x))
    }

    fn loss(&self, x: [batch, t, 10], y: [batch, 2]) -> [] {
        #[allow(linear_after_linear)]
        mse_loss(self.later(self.forward(x)), y)
    }
}

#[test]
fn models_in_models_are_looked_into() {
    let summary = Net::summary(8, 16).colored(false);
    assert_eq!((summary.params(), summary.flops()), (Net::PARAMS, Net::flops(8, 16)));
    let row = |name: &str| {
        let found = summary.rows().iter().find(|row| row.name == name);
        found.unwrap_or_else(|| panic!("no row is called {name}:\n{summary}"))
    };
    let blocks = row("blocks");
    assert_eq!((blocks.kind.as_str(), blocks.params), ("4 × Block<WIDTH>", Some(4 * 8416)));
    let inside = |of: fn(&gradiron::summary::Row) -> usize| blocks.inside.iter().map(of).sum();
    let (flops, bytes): (usize, usize) = (inside(|row| row.flops), inside(|row| row.bytes));
    assert_eq!((blocks.flops, blocks.bytes), (4 * flops, 4 * bytes));
    // Constants are numbers, what a run decides are names.
    let up = &blocks.inside[1];
    assert_eq!((up.name.as_str(), up.output.as_str()), ("up + gelu", "[batch, t, 128]"));
    // Parameters count once.
    let norms = blocks.inside.iter().filter(|row| row.name == "norm").map(|row| row.params);
    assert_eq!(norms.collect::<Vec<_>>(), [Some(64), None]);
    assert_eq!(row("later").kind, "not in `forward`");
    let text = summary.to_string();
    assert!(text.contains("\n  up + gelu  Linear"), "{text}");
    assert!(text.contains("352 are held fixed; state: 260 B"), "{text}");
    let shallow = summary.depth(1).to_string();
    assert!(shallow.contains("\nblocks ") && !shallow.contains("up + gelu"), "{shallow}");
}

#[derive(Module)]
struct Mlp<const D: usize>(Linear<10, D>, Relu, Linear<D, 2>);

model! {
    struct Constant {
        fc: Linear(4 -> 5),
    }

    fn forward(&self, x: [2, 4]) -> [2, 5] {
        self.fc(x)
    }

    struct Texts {
        fc: Linear(4 -> 5),
    }

    /// A name of the user's.
    fn summary(&self, x: [batch, 4]) -> [batch, 5] {
        self.fc(x)
    }
}

#[test]
fn every_model_has_one() -> Result<(), Box<dyn std::error::Error>> {
    let derived = Mlp::<6>::summary(3);
    assert_eq!((derived.params(), derived.flops()), (80, Mlp::<6>::flops(3)));
    assert_eq!(derived.rows()[0].output, "[batch, 6]");
    let constant = Constant::summary().colored(false).to_string();
    assert!(constant.starts_with("Constant::forward\n"), "{constant}");
    let (texts, mut ws) = (Texts::init(Seed(0)), Texts::workspace(2)?);
    assert_eq!(texts.summary(&mut ws, &[[0.0; 4]; 2])?.len(), 2);
    Ok(())
}

#[test]
fn sizes_beyond_all_memory_are_said() {
    let summary = LeNet::summary(usize::MAX / 2).colored(false).to_string();
    assert!(summary.contains("workspace: more than any machine has for training"), "{summary}");
}
