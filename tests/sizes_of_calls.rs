//! Sizes that each call binds, behind the first axis too: one block for every image, one network
//! for images of several sizes and texts of several lengths.

use gradiron::prelude::*;

model! {
    /// Written once, for planes of all sizes.
    #[allow(bias_before_batch_norm)]
    struct Double<const IN: usize, const OUT: usize> {
        conv1: Conv2d(IN -> OUT, kernel = 3, padding = 1),
        norm1: BatchNorm2d(OUT),
        conv2: Conv2d(OUT -> OUT, kernel = 3, padding = 1),
    }

    fn forward(&self, x: [batch, IN, h, w]) -> [batch, OUT, h, w] {
        let x = self.norm1(self.conv1(x)).relu();
        self.conv2(x).relu()
    }

    /// O. Ronneberger, P. Fischer, T. Brox, "U-Net", 2015.
    struct UNet {
        down1: Double<1, 4>,
        down2: Double<4, 8>,
        middle: Double<8, 16>,
        up2: Double<24, 8>,
        up1: Double<12, 4>,
        head: Conv2d(4 -> 1, kernel = 1),
    }

    fn forward(&self, image: [batch, 1, h, w]) -> [batch, 1, h, w] {
        let a = self.down1(image);
        let b = self.down2(a.max_pool2d(2));
        let c = self.middle(b.max_pool2d(2));
        let b = self.up2(cat([c.interpolate(2), b], dim = 1));
        let a = self.up1(cat([b.interpolate(2), a], dim = 1));
        self.head(a)
    }

    fn loss(&self, image: [batch, 1, h, w], mask: [batch, 1, h, w]) -> [] {
        mse_loss(self.forward(image), mask)
    }

    /// The same for images of one size.
    struct Fixed {
        net: UNet,
    }

    fn forward(&self, image: [batch, 1, 8, 12]) -> [batch, 1, 8, 12] {
        self.net(image)
    }

    fn loss(&self, image: [batch, 1, 8, 12], mask: [batch, 1, 8, 12]) -> [] {
        self.net.loss(image, mask)
    }
}

fn floats(seed: u64, len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i as u64 * 37 + seed * 101) % 64) as f32 / 32.0 - 1.0).collect()
}

/// The same parameters in another network.
fn same<A: Model, B: Model>(from: &A, mut to: B) -> B {
    to.params_mut().copy_from_slice(from.params());
    to
}

#[test]
fn a_network_for_images_of_several_sizes() {
    let mut net = UNet::init(Seed(1));
    let mut fixed = same(&net, Fixed::init(Seed(2)));
    let mut ws = UNet::workspace(3, 32, 24).expect("it is small");
    let mut own = Fixed::workspace(2).expect("it is small");
    let (image, mask) = (floats(1, 192), floats(2, 192));
    let view = |floats| TensorView::new(floats, [2, 1, 8, 12]).expect("as many");
    let y = net.forward(&mut ws, &view(&image)).expect("it fits");
    assert_eq!(y.sizes(), [2, 1, 8, 12]);
    let (images, masks) = (
        gradiron::view::samples(&image).expect("as many"),
        gradiron::view::samples(&mask).expect("as many"),
    );
    let expected = fixed.forward(&mut own, images).expect("it fits");
    assert_eq!(y.as_slice(), gradiron::view::flat(expected));
    let (mut sgd, mut sgd_fixed) =
        (Sgd::new(&net, 0.1).expect("a rate"), Sgd::new(&fixed, 0.1).expect("a rate"));
    for _ in 0..3 {
        let loss = net.loss_grad(&mut ws, &view(&image), &view(&mask)).expect("it fits");
        let expected = fixed.loss_grad(&mut own, images, masks).expect("it fits");
        assert_eq!(loss, expected);
        sgd.step(&mut net, ws.grads());
        sgd_fixed.step(&mut fixed, own.grads());
        assert_eq!(net.params(), fixed.params());
    }
    let error = net.forward(&mut ws, &[[[[0.0; 12]; 10]]]).expect_err("10 is no multiple of 4");
    println!("{error}");
    let error = net.forward(&mut ws, &[[[[0.0; 12]; 40]]]).expect_err("too high");
    println!("{error}");
}

model! {
    /// A layer of an encoder: J. Devlin et al., "BERT", 2019.
    struct Block<const D: usize> {
        attention: MultiheadAttention(D, num_heads = 2),
        norm1: LayerNorm(D),
        up: Linear(D -> 4 * D),
        down: Linear(4 * D -> D),
        norm2: LayerNorm(D),
    }

    fn forward(&self, x: [batch, t, D], padding: [batch, t]) -> [batch, t, D] {
        let x = self.norm1(x + self.attention(x, key_padding_mask = padding));
        self.norm2(x + self.down(self.up(x).gelu()))
    }

    struct Bert {
        word: Embedding(50 -> 8),
        position: Param([32, 8]),
        blocks: [Block<8>; 2],
    }

    fn forward(&self, word: Classes[batch, t], padding: [batch, t]) -> [batch, 8] {
        let x = self.word(word) + self.position.narrow(0, 0, t);
        self.blocks(x, padding).select(1, 0)
    }

    fn loss(&self, word: Classes[batch, t], padding: [batch, t], y: [batch, 8]) -> [] {
        mse_loss(self.forward(word, padding), y)
    }

    struct BertOf<const T: usize> {
        word: Embedding(50 -> 8),
        position: Param([32, 8]),
        blocks: [Block<8>; 2],
    }

    fn forward(&self, word: Classes[batch, T], padding: [batch, T]) -> [batch, 8] {
        let x = self.word(word) + self.position.narrow(0, 0, T);
        self.blocks(x, padding).select(1, 0)
    }

    fn loss(&self, word: Classes[batch, T], padding: [batch, T], y: [batch, 8]) -> [] {
        mse_loss(self.forward(word, padding), y)
    }
}

#[test]
fn texts_of_several_lengths() {
    let net = Bert::init(Seed(1));
    let texts: [Vec<u8>; 3] = [vec![3, 1, 4, 1, 5], vec![9, 2], vec![6, 5, 3]];
    let texts = Padded::new(&texts);
    let mask: Vec<[f32; 5]> = texts
        .lengths()
        .iter()
        .map(|length| std::array::from_fn(|i| if i < *length { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    let mut ws = Bert::workspace(4, 32).expect("it is small");
    let fixed = same(&net, BertOf::<5>::init(Seed(2)));
    let mut own = BertOf::<5>::workspace(4).expect("it is small");
    let words = [[3_u8, 1, 4, 1, 5], [9, 2, 0, 0, 0], [6, 5, 3, 0, 0]];
    let expected = fixed.forward(&mut own, &words, &mask).expect("it fits");
    assert_eq!(net.forward(&mut ws, &texts, &mask).expect("it fits"), expected);
    let target = [[0.5; 8]; 3];
    let loss = net.loss_grad(&mut ws, &texts, &mask, &target).expect("it fits");
    assert_eq!(loss, fixed.loss_grad(&mut own, &words, &mask, &target).expect("it fits"));
    assert_eq!(ws.grads().as_slice(), own.grads().as_slice());
    let error = net.forward(&mut ws, &[[0_u8; 33]], &[[0.0; 33]]).expect_err("too long");
    println!("{error}");
    let error = net.forward(&mut ws, &[[0_u8; 31]], &[[0.0; 30]]).expect_err("they differ");
    println!("{error}");
}

/// A result or a gradient as floats.
trait Flat {
    fn flat(&self) -> Vec<f32>;
}

impl Flat for f32 {
    fn flat(&self) -> Vec<f32> {
        vec![*self]
    }
}

impl<const RANK: usize> Flat for TensorView<'_, RANK> {
    fn flat(&self) -> Vec<f32> {
        self.as_slice().to_vec()
    }
}

impl<T: bytemuck::Pod> Flat for &[T] {
    fn flat(&self) -> Vec<f32> {
        bytemuck::cast_slice(self).to_vec()
    }
}

impl<A: Flat, B: Flat> Flat for (A, B) {
    fn flat(&self) -> Vec<f32> {
        [self.0.flat(), self.1.flat()].concat()
    }
}

/// Compares two results: their distance by the size of the second one.
fn near(what: &str, found: &[f32], expected: &[f32], granted: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let norm = |floats: &mut dyn Iterator<Item = f32>| floats.map(|x| x * x).sum::<f32>().sqrt();
    let distance = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    let size = norm(&mut expected.iter().copied());
    assert!(size > 0.0 && distance <= granted * size, "{what}: {distance:e} of {size:e}");
}

impl<A: Flat, B: Flat, C: Flat> Flat for (A, B, C) {
    fn flat(&self) -> Vec<f32> {
        [self.0.flat(), self.1.flat(), self.2.flat()].concat()
    }
}

/// A program with sizes that a run knows, and with the same as numbers, in a workspace that is
/// larger: the same bits of the loss and of its gradients. Inference may prepare weights in other
/// forms. In bf16, functions that are small keep their values, and which are is said of one sample:
/// granted are ten roundings of 2⁻⁸.
macro_rules! agree {
    (
        $program:ident, [$($free:tt),*], [$($fixed:tt),*],
        [$($large:expr),*] of [$($own:expr),*], ($($x:ident: [$($size:expr),*]),*)
        $(, $class:ident: [$($class_size:expr),*] of $sample:ty, below $below:expr)?
    ) => {{
        $program!(Free, $($free),*);
        $program!(Fixed, $($fixed),*);
        let net = Free::init(Seed(1));
        let fixed = same(&net, Fixed::init(Seed(2)));
        let bf16 = Cpu::new().with_precision(Precision::Bf16);
        for (device, granted) in
            [(Cpu::new(), 0.0), (Cpu::with_threads(3), 0.0), (bf16, 10.0 / 256.0)]
        {
            let ws = Free::workspace_on(device.clone(), $($large),*);
            let own = Fixed::workspace_on(device, $($own),*);
            let (mut ws, mut own) = (ws.expect("it is small"), own.expect("it is small"));
            ws.poison();
            $(let $x = floats(stringify!($x).len() as u64, [$($size),*].iter().product());)*
            $(
                let $class: Vec<u8> = (0..[$($class_size),*].iter().product())
                    .map(|i: usize| (i * 7 % $below) as u8)
                    .collect();
            )?
            let found = net.loss_grad_inputs(
                &mut ws, $(&TensorView::new(&$x, [$($size),*]).expect("as many"),)*
                $(&TensorView::new(&$class, [$($class_size),*]).expect("as many"))?
            );
            let expected = fixed.loss_grad_inputs(
                &mut own, $(gradiron::view::samples(&$x).expect("as many"),)*
                $(nested::<$sample>(&$class))?
            );
            let (found, expected) = (found.expect("it fits"), expected.expect("it fits"));
            near("loss", &found.0.flat(), &expected.0.flat(), granted);
            near("inputs", &found.1.flat(), &expected.1.flat(), granted);
            near("gradients", ws.grads().as_slice(), own.grads().as_slice(), granted);
            let found = net.loss(
                &mut ws, $(&TensorView::new(&$x, [$($size),*]).expect("as many"),)*
                $(&TensorView::new(&$class, [$($class_size),*]).expect("as many"))?
            );
            let expected = fixed.loss(
                &mut own, $(gradiron::view::samples(&$x).expect("as many"),)*
                $(nested::<$sample>(&$class))?
            );
            let (found, expected) = (found.expect("it fits"), expected.expect("it fits"));
            near("inference", &[found], &[expected], granted.max(1e-6));
        }
    }};
}

/// Class indices as nested arrays.
fn nested<T: bytemuck::Pod>(classes: &[u8]) -> &[T] {
    bytemuck::cast_slice(classes)
}

macro_rules! recurrent {
    ($name:ident, $t:tt) => {
        model! {
            struct $name {
                lstm: LSTM(4 -> 5, num_layers = 2, bidirectional = true),
                gru: GRU(10 -> 3),
                head: Linear(3 -> 2),
            }

            fn loss(&self, x: [batch, $t, 4], y: [batch, $t, 2]) -> [] {
                let (x, _, _) = self.lstm(x);
                let (x, _) = self.gru(x);
                mse_loss(self.head(x).cumsum(dim = 1), y)
            }
        }
    };
}

model! {
    struct Cell { x: Linear(4 -> 5), h: Linear(5 -> 5) }

    fn forward(&self, x: [n, 4], h: [n, 5], memory: [n, s, 5]) -> ([n, 5], [n, 5]) {
        let scores = memory.matmul(h.unsqueeze(2)).squeeze(2).softmax(dim = 1);
        let seen = (memory * scores.unsqueeze(2)).sum(dim = 1);
        let h = (self.x(x) + self.h(h + seen)).tanh();
        (h, h)
    }
}

macro_rules! scanned {
    ($name:ident, $t:tt, $s:tt) => {
        model! {
            /// Looks at all of `memory` at each step.
            struct $name { cell: Cell, head: Linear(5 -> 2) }

            fn loss(&self, x: [batch, $t, 4], memory: [batch, $s, 5], y: [batch, $t, 2]) -> [] {
                let h = memory.mean(dim = 1);
                let (made, last) = scan(|x, h| self.cell(x, h, memory), x, h, out = [5]);
                mse_loss(self.head(made), y) + last.square().mean()
            }
        }
    };
}

macro_rules! attention {
    ($name:ident, $t:tt, $s:tt) => {
        model! {
            struct $name {
                encode: TransformerEncoderLayer(8, nhead = 2, dim_feedforward = 16),
                decode: TransformerDecoderLayer(8, nhead = 2, dim_feedforward = 16),
                position: PositionalEncoding(8),
                head: Linear(8 -> 5),
            }

            fn loss(&self, source: [batch, $s, 8], target: [batch, $t, 8], label: Classes[batch, $t])
                -> []
            {
                let memory = self.encode(self.position(source));
                let x = self.decode(target.rotary(), memory, tgt_is_causal = true);
                let last = x.select(1, -1) + x.slice(1, ..-1).mean(dim = 1);
                cross_entropy(self.head(x).reshape([batch * $t, 5]), label.reshape([batch * $t]))
                    + last.square().mean()
            }
        }
    };
}

macro_rules! pyramid {
    ($name:ident, $h:tt, $w:tt) => {
        model! {
            #[allow(bias_before_batch_norm)]
            struct $name {
                stem: Conv2d(3 -> 8, kernel = 3, stride = 2, padding = 1),
                norm: BatchNorm2d(8),
                down: Conv2d(8 -> 16, kernel = 3, stride = 2, padding = 1, groups = 2),
                wide: Conv2d(16 -> 16, kernel = 3, padding = 1),
                up: ConvTranspose2d(16 -> 8, kernel = 2, stride = 2),
                head: Conv2d(8 -> 4, kernel = 1),
                classes: Linear(16 -> 3),
            }

            fn loss(&self, x: [batch, 3, $h, $w], label: Classes[batch, $h, $w]) -> [] {
                let a = self.norm(self.stem(x)).relu();
                let b = self.wide(self.down(a).relu());
                let global = self.classes(b.adaptive_avg_pool2d(1).flatten());
                let b = self.up(b) + a;
                let pixels = self.head(b.max_pool2d(3, stride = 1, padding = 1).interpolate(2));
                let pixels = pixels.permute([0, 2, 3, 1]).reshape([batch * $h * $w, 4]);
                cross_entropy(pixels, label.reshape([batch * $h * $w])) + global.square().mean()
            }
        }
    };
}

#[test]
fn sequences_of_any_length() {
    agree!(recurrent, [t], [7], [4, 20] of [3], (x: [3, 7, 4], yy: [3, 7, 2]));
}

#[test]
fn loops_over_any_number_of_steps() {
    agree!(
        scanned, [t, s], [6, 3], [4, 9, 8] of [2],
        (x: [2, 6, 4], memory: [2, 3, 5], yy: [2, 6, 2]));
}

#[test]
fn attention_over_any_positions() {
    agree!(
        attention, [t, s], [6, 4], [5, 9, 17] of [2], (source: [2, 4, 8], target: [2, 6, 8]),
        label: [2, 6] of [u8; 6], below 5);
}

#[test]
fn images_of_any_size() {
    agree!(
        pyramid, [h, w], [16, 24], [3, 64, 40] of [2], (x: [2, 3, 16, 24]),
        label: [2, 16, 24] of [[u8; 24]; 16], below 4);
}

/// A struct of layers, for images of any size.
#[derive(Module)]
#[module(input = [batch, 3, h, w])]
struct Encoder {
    conv: Conv2d<3, 8, 3, 1, 1>,
    act: Relu,
    pool: MaxPool2d<2>,
}

#[test]
fn a_struct_of_layers_takes_images_of_any_size() {
    let net = Net::<Encoder>::init(Seed(1));
    let mut ws = Encoder::workspace(2, 16, 16).expect("it is small");
    let image = floats(3, 2 * 3 * 8 * 14);
    let image = TensorView::new(&image, [2, 3, 8, 14]).expect("as many");
    assert_eq!(net.forward(&mut ws, image).expect("it fits").sizes(), [2, 8, 4, 7]);
    let d_y = floats(4, 2 * 8 * 4 * 7);
    let d_y = TensorView::new(&d_y, [2, 8, 4, 7]).expect("as many");
    let (y, d_x) = net.forward_grad_inputs(&mut ws, image, d_y).expect("it fits");
    assert_eq!((y.sizes(), d_x.sizes()), ([2, 8, 4, 7], [2, 3, 8, 14]));
}

model! {
    /// What one function needs of its sizes, another one does not.
    struct Halves { scale: Param([1], init = ones) }

    fn crop(&self, x: [batch, h]) -> [batch] {
        (x.narrow(1, 0, 2 * (h / 2)) * self.scale).sum(dim = 1)
    }

    fn even(&self, x: [batch, h], y: [batch, 2 * (h / 2)]) -> [batch, h] { x + y * self.scale }

    fn odd(&self, x: [batch, h], y: [batch, 2 * (h / 2) + 1]) -> [batch, h] { x + y * self.scale }

    /// `(h - 2)·(w - 2)` values of each channel.
    fn inner(&self, x: [batch, 1, h, w]) -> [batch, (h - 2) * (w - 2)] {
        (x.avg_pool2d(3, stride = 1) * self.scale).flatten()
    }

    fn less(&self, x: [batch, h], y: [batch, h - 3]) -> [] { x.mean() + y.mean() * self.scale.sum() }
}

#[test]
fn a_function_needs_what_it_says_itself() {
    let net = Halves::init(Seed(0));
    let mut ws = Halves::workspace(1, 16, 16).expect("it is small");
    let x: [[f32; 15]; 1] = [std::array::from_fn(|i| i as f32)];
    assert_eq!(net.crop(&mut ws, &x).expect("any size"), [91.0]);
    let error = net.even(&mut ws, &x, &[[0.0; 14]]).expect_err("15 is odd").to_string();
    assert!(error.contains("`h` = 15") && error.contains("2*(h / 2) = 14"), "{error}");
    assert_eq!(net.odd(&mut ws, &x, &[[1.0; 15]]).expect("15 is odd")[[0, 14]], 15.0);
    let image = [[[[1.0; 5]; 7]]];
    assert_eq!(net.inner(&mut ws, &image).expect("it fits").sizes(), [1, 15]);
    let error = net.inner(&mut ws, &[[[[1.0; 2]; 7]]]).expect_err("a window of 3").to_string();
    assert!(error.contains("`w` = 2") && error.contains("is less than"), "{error}");
    let error = net.less(&mut ws, &[[0.0; 2]], &[[0.0; 1]]).expect_err("2 is less than 3");
    assert!(error.to_string().contains("`y` has the sizes"), "{error}");
}

model! {
    /// A block that gets what was there before at twice the sides.
    struct Skips { up: Up }

    fn forward(&self, x: [batch, 2, h, w]) -> [batch, 2, h, w] { self.up(x.avg_pool2d(2), x) }

    struct Up { conv: Conv2d(2 -> 2, kernel = 3, padding = 1) }

    fn forward(&self, x: [n, 2, h, w], skip: [n, 2, h * 2, w * 2]) -> [n, 2, h * 2, w * 2] {
        self.conv(x).interpolate(2) + skip
    }
}

#[test]
fn a_block_takes_what_has_twice_the_sides() {
    let net = Skips::init(Seed(0));
    let mut ws = Skips::workspace(1, 8, 8).expect("it is small");
    let y = net.forward(&mut ws, &[[[[1.0; 6]; 4]; 2]]).expect("even sides");
    assert_eq!(y.sizes(), [1, 2, 4, 6]);
    net.forward(&mut ws, &[[[[1.0; 6]; 5]; 2]]).expect_err("5 is odd");
    let error = net.forward(&mut ws, &[[[[1.0; 0]; 4]; 2]]).expect_err("no columns").to_string();
    assert_eq!(error, "`x` has w = 0, and sizes start at 1");
}
