//! Convolutions; those named `plain` are without Winograd's algorithm.

use gradiron::device::Cpu;
use gradiron::ops::conv2d::{Conv2d, Conv2dSpec, Pass};

use crate::bench::{Bench, Work, operand};

/// The convolutions of LeNet, of ResNet-18 on CIFAR-10, batch 32, and of a U-Net on 64², batch 8.
pub fn run(bench: &mut Bench) {
    let same = |batch, channels, side: usize, kernel: usize| Conv2dSpec {
        padding: [kernel / 2; 2],
        ..Conv2dSpec::new(batch, channels, [side; 2], [kernel; 2])
    };
    conv(bench, "LeNet conv1", same(64, [1, 6], 28, 5));
    conv(bench, "LeNet conv2", Conv2dSpec::new(64, [6, 16], [14; 2], [5; 2]));
    let large = same(8, [64, 64], 28, 3);
    conv(bench, "64 to 64, 3x3, 28², batch 8", large);
    conv(bench, "depthwise 64, 3x3, 28², batch 8", Conv2dSpec { groups: 64, ..large });
    let cases = [
        (32, 3, 64, 32, 3, 1),
        (32, 64, 64, 32, 3, 1),
        (32, 64, 128, 32, 3, 2),
        (32, 64, 128, 32, 1, 2),
        (32, 128, 128, 16, 3, 1),
        (32, 128, 256, 16, 3, 2),
        (32, 256, 256, 8, 3, 1),
        (32, 256, 512, 8, 3, 2),
        (32, 512, 512, 4, 3, 1),
        (8, 16, 16, 64, 3, 1),
        (8, 32, 16, 64, 3, 1),
        (8, 16, 32, 32, 3, 1),
        (8, 32, 32, 32, 3, 1),
        (8, 64, 64, 16, 3, 1),
        (8, 128, 128, 8, 3, 1),
        (1, 64, 64, 32, 3, 1),
        (1, 128, 128, 16, 3, 1),
        (1, 256, 256, 8, 3, 1),
        (1, 512, 512, 4, 3, 1),
    ];
    for (batch, inputs, outputs, side, kernel, stride) in cases {
        let name = format!("{inputs} to {outputs}, {kernel}x{kernel} s{stride}, {side}², {batch}");
        let spec = same(batch, [inputs, outputs], side, kernel);
        let spec = Conv2dSpec { stride: [stride; 2], ..spec };
        conv(bench, &name, spec);
        if kernel == 3 && stride == 1 {
            let without = |cpu: Cpu| cpu.with_winograd(false);
            bench.with_cpu(without, |bench| conv(bench, &format!("{name} plain"), spec));
        }
    }
}

/// The forward pass and both gradients of a convolution.
pub fn conv(bench: &mut Bench, name: &str, spec: Conv2dSpec) {
    let x = operand(0, spec.input_len());
    let w = operand(1, spec.weight_len());
    let y = operand(2, spec.output_len());
    let (d_x, d_w) = (operand(3, x.len), operand(4, w.len));
    let flops = 2 * y.len * (w.len / spec.out_channels);
    let work = Work { flops, floats: x.len + w.len + y.len };
    let passes = [
        ("forward", Pass::Forward, y, [x, w]),
        ("input gradient", Pass::InputGrad, d_x, [y, w]),
        ("weight gradient", Pass::WeightGrad, d_w, [y, x]),
    ];
    for (title, pass, out, of) in passes {
        let scratch = operand(5, spec.scratch(pass));
        bench.time(&format!("{name} {title}"), work, |step| {
            step.conv2d(pass, out, of, scratch, spec);
        });
    }
}
