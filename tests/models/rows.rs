//! Layers in rows, loops that are written out, and conditions on constants.

use gradiron::prelude::*;

use crate::data::{batch, bits};

model! {
    #[allow(linear_after_linear)]
    struct Rows {
        fc: [Linear(4 -> 4); 3],
        norm: [LayerNorm(4, bias = false); 2],
        act: [Tanh(); 2],
        stats: [BatchNorm1d(4); 2],
    }

    fn in_a_row(&self, x: [batch, 4]) -> [batch, 4] {
        self.act(self.norm(self.fc(x)))
    }

    fn by_index(&self, x: [batch, 4]) -> [batch, 4] {
        let x = self.fc[2](self.fc[1](self.fc[0](x)));
        self.act[0](self.norm[1](self.norm[0](x))).tanh()
    }

    fn in_loops(&self, x: [batch, 4]) -> [batch, 4] {
        let mut x = x;
        for fc in self.fc {
            x = linear(x, fc.weight, fc.bias);
        }
        for i in 0..2 {
            let y = self.norm[i](x);
            x = y;
        }
        for _ in 0..2 { x = x.tanh(); }
        x
    }

    fn backwards(&self, x: [batch, 4]) -> [batch, 4] {
        for fc in self.fc.rev() { x = fc(x).tanh(); }
        for i in (0..2).rev() { x = self.stats[i](x) + x; }
        x
    }

    fn backwards_by_index(&self, x: [batch, 4]) -> [batch, 4] {
        let x = self.fc[0](self.fc[1](self.fc[2](x).tanh()).tanh()).tanh();
        let x = self.stats[1](x) + x;
        self.stats[0](x) + x
    }
}

#[test]
fn rows_of_layers_are_layers() {
    let x = batch::<[f32; 4]>(1, 3);
    gradients!(
        Rows::init(Seed(1)), Rows::workspace(3),
        [in_a_row, in_a_row_grad, in_a_row_grad_inputs], (x) -> (y));
    let net = Rows::init(Seed(2));
    let d = batch::<[f32; 4]>(2, 3);
    let mut ws = Rows::workspace(3).unwrap();
    let y = net.in_a_row_grad(&mut ws, &x, &d).unwrap().to_vec();
    let grads = bits(ws.grads().as_slice());
    assert_eq!(net.by_index_grad(&mut ws, &x, &d).unwrap(), y);
    assert_eq!(bits(ws.grads().as_slice()), grads);
    assert_eq!(net.in_loops_grad(&mut ws, &x, &d).unwrap(), y);
    assert_eq!(bits(ws.grads().as_slice()), grads);
    let y = net.backwards_grad(&mut ws, &x, &d).unwrap().to_vec();
    let grads = bits(ws.grads().as_slice());
    assert_eq!(net.backwards_by_index_grad(&mut ws, &x, &d).unwrap(), y);
    assert_eq!(bits(ws.grads().as_slice()), grads);
}

#[test]
fn the_parameters_of_an_element_lie_together() {
    let names: Vec<_> = Rows::param_specs().into_iter().map(|spec| spec.name).collect();
    let of_fc = ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"];
    let of_fc = of_fc.map(|name| format!("fc.{name}"));
    assert_eq!(names[..6], of_fc);
    assert_eq!(names[6..8], ["norm.0.weight", "norm.1.weight"]);
    let of_stats = ["0.weight", "0.bias", "1.weight", "1.bias"];
    assert_eq!(names[8..], of_stats.map(|name| format!("stats.{name}")));
    let state = <Rows as gradiron::Module>::STATE;
    assert_eq!(state, 2 * (4 + 4 + 1));
}

#[test]
fn rows_are_in_files_as_module_lists_are() {
    let path = std::env::temp_dir().join(format!("gradiron-rows-{}", std::process::id()));
    let (net, mut other) = (Rows::init(Seed(1)), Rows::init(Seed(2)));
    net.save(&path).unwrap();
    other.load(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(bits(net.params()), bits(other.params()));
    let head = String::from_utf8_lossy(&bytes);
    assert!(head.contains("\"fc.2.bias\"") && head.contains("\"stats.1.running_var\""), "{head}");
}

model! {
    #[allow(linear_after_linear)]
    struct Late {
        fc: [Linear(3 -> 3); 3],
    }

    // The last layer is used first, and the second by its weight alone.
    fn forward(&self, x: [batch, 3]) -> [batch, 3] {
        linear(self.fc[0](self.fc[2](x)), self.fc[1].weight, self.fc[1].bias)
    }
}

#[test]
fn the_order_of_use_moves_nothing() {
    let names: Vec<_> = Late::param_specs().into_iter().map(|spec| spec.name).collect();
    let all = ["0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"];
    assert_eq!(names, all.map(|name| format!("fc.{name}")));
    let x = batch::<[f32; 3]>(1, 3);
    gradients!(
        Late::init(Seed(1)), Late::workspace(3), [forward, forward_grad, forward_grad_inputs],
        (x) -> (y));
}

model! {
    fn pieces(x: [batch, 12]) -> [batch, 4] {
        let mut sum = x.narrow(1, 0, 4);
        for i in 1..3 {
            let part = x.narrow(dim = 1, start = 4 * i, length = 3 + i % 2);
            let x = part.narrow(1, 0, 3);
            if i == 2 && !(i < 2) { sum += cat([x, x.narrow(1, 0, 1)], 1) * i; }
            else if i > 2 { sum = sum.relu(); }
            else {
                let x = x * 0.5;
                sum = sum + cat([x.sum(1, keepdim = true), x], 1);
            }
        }
        let y = if 2 * 3 >= 6 { x.narrow(1, 8, 4) } else { x };
        if false { y } else { sum * y }
    }

    fn pieces_in_full(x: [batch, 12]) -> [batch, 4] {
        let a = x.narrow(1, 4, 3) * 0.5;
        let b = x.narrow(1, 8, 3);
        let sum = x.narrow(1, 0, 4) + cat([a.sum(1, keepdim = true), a], 1);
        (sum + cat([b, b.narrow(1, 0, 1)], 1) * 2.0) * x.narrow(1, 8, 4)
    }
}

#[test]
fn loops_and_conditions_are_written_out() {
    let x = batch::<[f32; 12]>(1, 3);
    free_gradients!(pieces_workspace(3), [pieces, pieces_grad], (x) -> (y));
    let mut ws = pieces_workspace(3).unwrap();
    let d = batch::<[f32; 4]>(2, 3);
    let (y, d_x) = pieces_grad(&mut ws, &x, &d).unwrap();
    let (y, d_x) = (y.to_vec(), d_x.to_vec());
    let (z, d_z) = pieces_in_full_grad(&mut ws, &x, &d).unwrap();
    assert_eq!((y, d_x), (z.to_vec(), d_z.to_vec()));
}

model! {
    #[allow(linear_after_linear)]
    struct Calls {
        fc: [Linear(4 -> 4); 2],
    }

    fn twice(&self, x: [n, 4]) -> [n, 4] {
        let mut x = x;
        for fc in self.fc { x = fc(x); }
        x
    }

    // What a function binds is its own.
    fn forward(&self, x: [batch, 4]) -> [batch, 4] {
        let fc = x;
        for i in 0..2 {
            let n = self.twice(x * i);
            x = n + fc;
        }
        x
    }
}

#[test]
fn functions_are_called_in_loops() {
    let x = batch::<[f32; 4]>(1, 3);
    gradients!(
        Calls::init(Seed(1)), Calls::workspace(3, 3), [forward, forward_grad, forward_grad_inputs],
        (x) -> (y));
}
