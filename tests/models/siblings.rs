//! Several models in one `model!`: in any order, with results that are inferred, and the same
//! numbers as the models have by themselves.

use gradiron::prelude::*;

use crate::data::{Labels, batch};

model! {
    /// Stands before the models that it is made of.
    struct Vae {
        encoder: Encoder<2>,
        decoder: Decoder,
    }

    fn forward(&self, x: [batch, 5]) -> ([batch, 5], [batch, 2]) {
        let (mean, log_var) = self.encoder(x);
        let z = mean + (0.5 * log_var).exp() * 0.25;
        (self.decoder.decode(z), mean)
    }

    fn loss(&self, x: [batch, 5]) -> [] {
        let (mean, log_var) = self.encoder(x);
        let y = self.decoder.decode(mean);
        mse_loss(y, x) - 0.5 * (1.0 + log_var - mean.square() - log_var.exp()).mean()
    }

    struct Encoder<const CODE: usize> {
        fc: Linear(5 -> 4 * CODE),
        mean: Linear(CODE),
        log_var: Linear(CODE),
    }

    fn forward(&self, x: [n, 5]) -> ([n, CODE], [n, CODE]) {
        let x = self.fc(x).tanh();
        (self.mean(x), self.log_var(x))
    }

    struct Decoder {
        fc: Linear(2 -> 5),
    }

    fn decode(&self, z: [k, 2]) -> [k, 5] {
        self.fc(z).sigmoid()
    }
}

/// The same by models of their own, whose results the calls state.
mod apart {
    use gradiron::prelude::*;

    model! {
        pub struct Encoder<const CODE: usize> {
            fc: Linear(5 -> 4 * CODE),
            mean: Linear(CODE),
            log_var: Linear(CODE),
        }

        fn forward(&self, x: [n, 5]) -> ([n, CODE], [n, CODE]) {
            let x = self.fc(x).tanh();
            (self.mean(x), self.log_var(x))
        }
    }

    model! {
        pub struct Decoder {
            fc: Linear(2 -> 5),
        }

        fn decode(&self, z: [k, 2]) -> [k, 5] {
            self.fc(z).sigmoid()
        }
    }

    model! {
        pub struct Vae {
            encoder: Encoder<2>,
            decoder: Decoder,
        }

        fn forward(&self, x: [batch, 5]) -> ([batch, 5], [batch, 2]) {
            let (mean, log_var): ([batch, 2], [batch, 2]) = self.encoder(x);
            let z = mean + (0.5 * log_var).exp() * 0.25;
            let y: [batch, 5] = self.decoder.decode(z);
            (y, mean)
        }
    }
}

#[test]
fn results_are_inferred_in_any_order() {
    let x = batch::<[f32; 5]>(3, 4);
    gradients!(
        Vae::init(Seed(1)), Vae::workspace(4),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y, mean));
    gradients!(
        Vae::init(Seed(1)), Vae::workspace(6),
        [loss, loss_grad, loss_grad_inputs], (x) -> number);
}

#[test]
fn models_together_are_those_apart() -> Result<(), Box<dyn std::error::Error>> {
    let (net, other) = (Vae::init(Seed(7)), apart::Vae::init(Seed(7)));
    assert_eq!(net.params(), other.params());
    let x = batch::<[f32; 5]>(3, 4);
    let (mut ws, mut other_ws) = (Vae::workspace(4)?, apart::Vae::workspace(4)?);
    let (y, mean) = net.forward(&mut ws, &x)?;
    let (other_y, other_mean) = other.forward(&mut other_ws, &x)?;
    assert_eq!((y, mean), (other_y, other_mean));
    assert_eq!(Vae::footprint(4, Target::Host).train, apart::Vae::footprint(4, Target::Host).train);
    Ok(())
}

model! {
    /// A cell whose results have other sizes than its state.
    struct Cell<const I: usize, const H: usize, const O: usize> {
        input: Linear(I -> H),
        hidden: Linear(H -> H, bias = false),
        output: Linear(H -> O),
    }

    fn forward(&self, x: [b, I], h: [b, H]) -> ([b, O], [b, H]) {
        let h = (self.input(x) + self.hidden(h)).tanh();
        (self.output(h), h)
    }

    struct Reader {
        cell: Cell<2, 4, 3>,
    }

    fn loss(&self, x: [batch, 6, 2], h: [batch, 4], label: Classes[batch]) -> [] {
        let (y, _last) = scan(self.cell, x, h);
        cross_entropy(y.mean(dim = 1), label)
    }
}

#[test]
fn a_cell_has_results_of_any_size() {
    let (x, h) = (batch::<[[f32; 2]; 6]>(5, 2), batch::<[f32; 4]>(6, 2));
    let label = Labels(vec![2, 0]);
    gradients!(
        Reader::init(Seed(1)), Reader::workspace(2),
        [loss, loss_grad, loss_grad_inputs], (x, h, label) -> number);
}

model! {
    /// Run-time sizes of a call are those of its arguments.
    struct Head<const D: usize, const CLASSES: usize> {
        fc: Linear(D -> CLASSES),
    }

    fn forward(&self, x: [rows, D]) -> [rows, CLASSES] {
        self.fc(x)
    }

    struct Pairs {
        head: Head<{ 2 + 2 }, 3>,
    }

    fn loss(&self, x: [batch, 2, 4], label: Classes[batch]) -> [] {
        let y = self.head(x.reshape([2 * batch, 4])).reshape([batch, 2, 3]);
        cross_entropy(y.sum(dim = 1), label)
    }
}

#[test]
fn a_call_binds_its_sizes() {
    let x = batch::<[[f32; 4]; 2]>(5, 3);
    let label = Labels(vec![0, 1, 2]);
    gradients!(
        Pairs::init(Seed(2)), Pairs::workspace(3),
        [loss, loss_grad, loss_grad_inputs], (x, label) -> number);
}

model! {
    /// Flows forwards and backwards, each by two functions of its elements.
    struct Flow {
        couplings: [Coupling; 3],
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        let mut z = x;
        for coupling in self.couplings {
            z = coupling(z);
        }
        z
    }

    fn inverse(&self, z: [batch, 4]) -> [batch, 4] {
        let mut x = z;
        for coupling in self.couplings.rev() {
            x = coupling.inverse(x);
        }
        x
    }

    fn middle(&self, x: [batch, 4]) -> [batch, 4] {
        self.couplings[1].inverse(self.couplings[0](x)) * self.couplings(x)
    }

    struct Coupling {
        fc: Linear(2 -> 2),
    }

    fn forward(&self, x: [n, 4]) -> [n, 4] {
        let (a, b) = (x.narrow(1, 0, 2), x.narrow(1, 2, 2));
        cat([b + self.fc(a).tanh(), a], dim = 1)
    }

    fn inverse(&self, z: [n, 4]) -> [n, 4] {
        let (b, a) = (z.narrow(1, 0, 2), z.narrow(1, 2, 2));
        cat([a, b - self.fc(a).tanh()], dim = 1)
    }

    /// Called as a whole: one loop of the passes.
    struct Row {
        couplings: [Coupling; 3],
    }

    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        self.couplings(x)
    }
}

#[test]
fn models_of_a_row_are_called_alone() -> Result<(), Box<dyn std::error::Error>> {
    let x = batch::<[f32; 4]>(3, 5);
    gradients!(
        Flow::init(Seed(1)), Flow::workspace(5),
        [forward, forward_grad, forward_grad_inputs], (x) -> (y));
    gradients!(
        Flow::init(Seed(1)), Flow::workspace(5),
        [middle, middle_grad, middle_grad_inputs], (x) -> (y));
    let (flow, row) = (Flow::init(Seed(4)), Row::init(Seed(4)));
    let names = |specs: Vec<gradiron::module::ParamSpec>| -> Vec<String> {
        specs.into_iter().map(|spec| spec.name).collect()
    };
    assert_eq!(names(Flow::param_specs()), names(Row::param_specs()));
    assert_eq!(flow.params(), row.params());
    let (mut ws, mut row_ws) = (Flow::workspace(5)?, Row::workspace(5)?);
    let z = flow.forward(&mut ws, &x)?.to_vec();
    assert_eq!(z, row.forward(&mut row_ws, &x)?);
    for (back, x) in flow.inverse(&mut ws, &z)?.iter().zip(&x) {
        assert!(back.iter().zip(x).all(|(back, x)| (back - x).abs() < 1e-5), "{back:?} {x:?}");
    }
    Ok(())
}

model! {
    /// Cells of a row, one behind the other in depth, each over all steps.
    struct Deep {
        cells: [Elman; 2],
        head: Linear(3 -> 2),
    }

    fn loss(&self, x: [batch, 5, 3], h: [batch, 3], label: Classes[batch]) -> [] {
        let mut y = x;
        for cell in self.cells {
            let (next, _last) = scan(cell, y, h);
            y = next;
        }
        let (again, _last) = scan(self.cells[0].halved, y, h);
        cross_entropy(self.head((y + again).mean(dim = 1)), label)
    }

    struct Elman {
        input: Linear(3 -> 3),
        hidden: Linear(3 -> 3, bias = false),
    }

    fn forward(&self, x: [b, 3], h: [b, 3]) -> ([b, 3], [b, 3]) {
        let h = (self.input(x) + self.hidden(h)).tanh();
        (h, h)
    }

    fn halved(&self, x: [b, 3], h: [b, 3]) -> ([b, 3], [b, 3]) {
        let h = 0.5 * (self.input(x) + self.hidden(h)).tanh();
        (h, h)
    }
}

#[test]
fn cells_of_a_row_are_scanned_alone() {
    let (x, h) = (batch::<[[f32; 3]; 5]>(5, 2), batch::<[f32; 3]>(6, 2));
    let label = Labels(vec![1, 0]);
    gradients!(
        Deep::init(Seed(1)), Deep::workspace(2),
        [loss, loss_grad, loss_grad_inputs], (x, h, label) -> number);
}
