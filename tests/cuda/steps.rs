//! What a step on a GPU takes: one graph, no memory, no waiting. And what becomes of parameters
//! that change there.

use gradiron::prelude::*;
use gradiron::profile::Phase;

use crate::gpu;

model! {
    pub struct Mlp {
        fc1: Linear(6 -> 64),
        fc2: Linear(64 -> 3),
    }

    fn forward(&self, x: [batch, 6]) -> [batch, 3] {
        self.fc2(self.fc1(x).relu())
    }

    fn loss(&self, x: [batch, 6], label: Classes[batch]) -> [] {
        cross_entropy(self.forward(x), label)
    }
}

const X: [[f32; 6]; 3] = [
    [0.1, 0.2, 0.3, -0.4, 0.5, 0.6],
    [0.3, -0.1, 0.2, 0.9, 0.1, 0.0],
    [1.0, 0.5, -1.0, 0.2, 0.0, 0.3],
];
const LABEL: [u8; 3] = [1, 2, 0];

#[test]
fn a_training_step_is_one_graph_and_takes_no_memory() {
    let Some(gpu) = gpu("a_training_step_is_one_graph_and_takes_no_memory") else { return };
    for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
        trains_in_one_graph(&gpu.clone().with_precision(precision));
    }
}

fn trains_in_one_graph(gpu: &Cuda) {
    let mut net = Mlp::init(Seed(0));
    let mut ws = Mlp::workspace_on(gpu.clone(), 3).unwrap();
    let mut adam = AdamW::new(&net, 1e-2).unwrap().clip_norm(1.0).unwrap();
    // Two slots of inputs take turns; each step is launched once one by one, and then captured.
    let warm: Vec<_> =
        (0..4).map(|_| net.loss_train(&mut ws, &mut adam, &X, &LABEL).unwrap()).collect();
    assert!(warm[3].value().unwrap() < warm[0].value().unwrap());
    drop(warm);
    let counts =
        || [gpu.launches(), gpu.allocations(), gpu.synchronizations(), gpu.graph_launches()];
    let before = counts();
    let mut last = None;
    for step in 0..10 {
        adam.set_learning_rate(1e-2 / (step + 1) as f32).unwrap();
        last = Some(net.loss_train(&mut ws, &mut adam, &X, &LABEL).unwrap());
    }
    let [launches, allocations, waits, graphs] = before;
    let expected = [launches, allocations, waits, graphs + 10];
    assert_eq!(counts(), expected, "launches one by one, allocations, waits, graphs");
    assert!(last.unwrap().value().unwrap().is_finite());
}

#[test]
fn parameters_come_back_when_they_are_asked_for() {
    let Some(gpu) = gpu("parameters_come_back_when_they_are_asked_for") else { return };
    let mut net = Mlp::init(Seed(0));
    let start = net.params().to_vec();
    let mut ws = Mlp::workspace_on(gpu.clone(), 3).unwrap();
    let mut sgd = Sgd::new(&net, 0.1).unwrap();
    let first = net.loss_train(&mut ws, &mut sgd, &X, &LABEL).unwrap().value().unwrap();
    // To the host: a file, a copy, the CPU.
    let (copy, trained) = (net.clone(), net.params().to_vec());
    assert_ne!(trained, start);
    let mut on_cpu = Mlp::workspace(3).unwrap();
    let on_host = copy.loss(&mut on_cpu, &X, &LABEL).unwrap();
    let on_gpu = net.loss(&mut ws, &X, &LABEL).unwrap();
    assert!(on_gpu < first && (on_host - on_gpu).abs() < 1e-6, "{first} {on_host} {on_gpu}");
    // To the GPU: what the host changes.
    net.params_mut().copy_from_slice(&start);
    let again = net.loss_train(&mut ws, &mut sgd, &X, &LABEL).unwrap().value().unwrap();
    assert_eq!(again.to_bits(), first.to_bits());
    // The two calls are the same as the one.
    let mut two = Mlp::init(Seed(0));
    two.params_mut().copy_from_slice(&start);
    let loss = two.loss_grad(&mut ws, &X, &LABEL).unwrap();
    sgd.step(&mut two, ws.grads());
    assert_eq!(loss.to_bits(), first.to_bits());
    assert_eq!(two.params(), trained);
    // A net goes from one device to another in the middle of its training.
    let second = gpu_of_its_own();
    let mut elsewhere = Mlp::workspace_on(second, 3).unwrap();
    let moved = two.loss_train(&mut elsewhere, &mut sgd, &X, &LABEL).unwrap().value().unwrap();
    assert_eq!(moved.to_bits(), on_gpu.to_bits());
}

fn gpu_of_its_own() -> Cuda {
    Cuda::new(0).expect("it was there before")
}

/// The parameters in 16 bits are those that a new device makes of the parameters, whoever changed
/// these.
#[test]
fn halves_follow_the_parameters() {
    let Some(gpu) = gpu("halves_follow_the_parameters") else { return };
    let halves = gpu.clone().with_precision(Precision::Bf16);
    let mut net = Mlp::init(Seed(0));
    let mut ws = Mlp::workspace_on(halves.clone(), 3).unwrap();
    let mut in_floats = Mlp::workspace_on(gpu, 3).unwrap();
    let mut sgd = Sgd::new(&net, 0.5).unwrap().momentum(0.5).unwrap();
    let mut known = Vec::new();
    let mut check = |net: &Mlp, ws: &mut Workspace<Mlp, Cuda>| {
        let found = net.loss(ws, &X, &LABEL).unwrap();
        let mut fresh = Mlp::workspace_on(halves.clone(), 3).unwrap();
        let copy = net.clone();
        assert_eq!(found.to_bits(), copy.loss(&mut fresh, &X, &LABEL).unwrap().to_bits());
        assert!(!known.contains(&found), "the parameters changed");
        known.push(found);
    };
    check(&net, &mut ws);
    // By an optimizer, in the graph and alone.
    for _ in 0..4 {
        net.loss_train(&mut ws, &mut sgd, &X, &LABEL).unwrap();
    }
    check(&net, &mut ws);
    net.loss_grad(&mut ws, &X, &LABEL).unwrap();
    sgd.step(&mut net, ws.grads());
    check(&net, &mut ws);
    // By steps of floats, and by the host.
    for _ in 0..4 {
        net.loss_train(&mut in_floats, &mut sgd, &X, &LABEL).unwrap();
    }
    check(&net, &mut ws);
    net.params_mut().iter_mut().for_each(|p| *p *= 0.5);
    check(&net, &mut ws);
}

#[test]
fn losses_are_read_in_any_order() {
    let Some(gpu) = gpu("losses_are_read_in_any_order") else { return };
    let mut net = Mlp::init(Seed(0));
    let mut ws = Mlp::workspace_on(gpu, 3).unwrap();
    let mut sgd = Sgd::new(&net, 0.1).unwrap();
    let losses: Vec<_> =
        (0..7).map(|_| net.loss_train(&mut ws, &mut sgd, &X, &LABEL).unwrap()).collect();
    let mut values: Vec<f32> = losses.iter().rev().map(|loss| loss.value().unwrap()).collect();
    values.reverse();
    assert!(values.is_sorted_by(|a, b| a > b), "{values:?}");
}

#[test]
fn threads_share_a_gpu() {
    let Some(gpu) = gpu("threads_share_a_gpu") else { return };
    let run = |gpu: Cuda, seed: u64| {
        let mut net = Mlp::init(Seed(seed));
        let mut ws = Mlp::workspace_on(gpu, 3).unwrap();
        let mut sgd = Sgd::new(&net, 0.1).unwrap().momentum(0.5).unwrap();
        for _ in 0..20 {
            let loss = net.loss_train(&mut ws, &mut sgd, &X, &LABEL).unwrap();
            assert!(loss.value().unwrap().is_finite());
        }
        net.params().to_vec()
    };
    let alone: Vec<_> = (0..4).map(|seed| run(gpu.clone(), seed)).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                scope.spawn({
                    let gpu = gpu.clone();
                    move || run(gpu, seed)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    assert_eq!(together, alone);
}

#[test]
fn a_profile_names_what_ran() {
    let Some(gpu) = gpu("a_profile_names_what_ran") else { return };
    let profile = Profile::new();
    let gpu = gpu.with_profile(&profile);
    let mut net = Mlp::init(Seed(0));
    let mut ws = Mlp::workspace_on(gpu.clone(), 3).unwrap();
    let mut adam = Adam::new(&net, 1e-3).unwrap();
    for _ in 0..4 {
        net.loss_train(&mut ws, &mut adam, &X, &LABEL).unwrap();
    }
    net.loss_grad(&mut ws, &X, &LABEL).unwrap();
    adam.step(&mut net, ws.grads());
    assert_eq!(gpu.graph_launches(), 0);
    let table = profile.table();
    println!("{table}");
    let calls = |name: &str, phase: Phase| {
        let mut rows = table.rows().iter();
        rows.find(|row| row.name == name && row.phase == phase).map(|row| row.calls)
    };
    assert_eq!(calls("fc1 + relu", Phase::Forward), Some(5));
    assert_eq!(calls("fc1", Phase::Backward), Some(5));
    assert_eq!(calls("Adam", Phase::Step), Some(5));
    assert!(table.rows().iter().all(|row| row.time > std::time::Duration::ZERO), "{table}");

    // The numbers are those of a run that is not recorded.
    let mut plain = Mlp::workspace_on(crate::gpu("plain").unwrap(), 3).unwrap();
    let found = net.loss_grad(&mut ws, &X, &LABEL).unwrap();
    assert_eq!(net.loss_grad(&mut plain, &X, &LABEL).unwrap(), found);
}
