//! What a program consists of: its constants, its models and their functions.

use super::dice::Dice;
use super::finish::{Ends, compiles, lead};
use super::grow::Growing;
use super::model::{Model, Param};
use super::world::{Known, Made, Size, World, guarded};
use crate::calls;
use crate::program::Program;

/// A function to be.
struct Planned {
    name: &'static str,
    ends: Ends,
    steps: bool,
}

pub fn program(dice: &mut Dice, seed: u64, accept: &dyn Fn(&Program) -> bool) -> Option<Program> {
    let mut world = World::default();
    world.sizes.insert("batch".into(), dice.from(1, 4));
    if dice.percent(25) {
        world.sizes.insert("rows".into(), dice.from(1, 4));
    }
    // Sizes that calls bind behind the first axis.
    for name in ["t", "u"].into_iter().take(dice.below(6).saturating_sub(3)) {
        world.sizes.insert(name.into(), dice.from(1, 5));
    }
    for name in ["A", "B", "C"].iter().take(dice.below(4)) {
        let value = if dice.percent(25) { 1 } else { dice.from(1, 5) };
        world.constants.insert((*name).into(), value);
    }
    let small = dice.percent(25);
    if world.sizes.keys().all(|name| name != "t") && dice.percent(12) {
        let names: Vec<_> = world.constants.keys().cloned().collect();
        let name = dice.pick(&names).filter(|_| dice.clone().percent(50)).cloned();
        world.length = Some(name.unwrap_or_else(|| dice.from(1, 5).to_string()));
    }
    let inner = if small || dice.percent(40) { 0 } else { dice.from(1, 2) };
    for name in ["First", "Second"].into_iter().take(inner) {
        let statements = dice.from(1, 5);
        let plan = inner_plan(dice, world.length.is_some());
        let Some(made) = model(dice, &world, accept, seed, name, &plan, statements, true) else {
            continue;
        };
        world.made.push(made);
    }
    let plan = outer_plan(dice, world.length.is_some());
    let statements = if small { dice.from(1, 3) } else { dice.from(3, 9) };
    let made = model(dice, &world, accept, seed, "Net", &plan, statements, false)?;
    let program = world.program(&made.model, seed);
    let right = guarded(&program.to_string(), || calls::check(&program).is_ok());
    (right && accept(&program)).then_some(program)
}

fn inner_plan(dice: &mut Dice, steps: bool) -> Vec<Planned> {
    let one = |ends| Planned { name: "forward", ends, steps };
    let mut plan = match dice.below(10) {
        0..4 => vec![one(Ends::Like)],
        4..7 => vec![one(Ends::Cell)],
        _ => vec![one(Ends::Results(1))],
    };
    plan[0].steps &= plan[0].ends != Ends::Cell;
    if dice.percent(45) {
        let ends = if dice.percent(50) { Ends::Results(1) } else { Ends::Cell };
        plan.push(Planned { name: "other", ends, steps: false });
    }
    plan
}

fn outer_plan(dice: &mut Dice, steps: bool) -> Vec<Planned> {
    let results = |name, steps| Planned { name, ends: Ends::Results(3), steps };
    let loss = || Planned { name: "loss", ends: Ends::Loss, steps: false };
    match dice.below(10) {
        0..2 => vec![results("forward", steps)],
        2..5 if !steps => vec![loss()],
        2..7 => vec![results("forward", steps), loss()],
        7 => vec![results("encode", false), results("forward", steps)],
        _ => vec![results("encode", false), results("forward", steps), loss()],
    }
}

/// A finished model.
#[allow(clippy::too_many_arguments)] // all of them are said once
fn model(
    dice: &mut Dice,
    world: &World,
    accept: &dyn Fn(&Program) -> bool,
    seed: u64,
    name: &str,
    plan: &[Planned],
    statements: usize,
    inner: bool,
) -> Option<Made> {
    let mut model = Model { name: name.into(), ..Model::default() };
    if inner && dice.percent(50) {
        for name in ["N", "M"].iter().take(dice.from(1, 2)) {
            model.params.push(Param { name: (*name).into(), value: dice.from(1, 4) });
        }
    }
    let (known, done) = (Vec::new(), Vec::new());
    let (floats, avoid) = (0, None);
    let mut growing = Growing { dice, world, model, known, floats, avoid, done, accept, seed };
    for planned in plan {
        growing.function(planned, statements)?;
    }
    let Growing { model, done, .. } = growing;
    if plan.len() > 1 && !compiles(world, &model) {
        return None;
    }
    // The state of models that are called is theirs.
    let floats = world.ask(&model, &model.functions.last()?.name)?.floats;
    Some(Made { model, functions: done, floats })
}

impl Growing<'_> {
    fn function(&mut self, planned: &Planned, statements: usize) -> Option<()> {
        let step = self.world.length.clone().filter(|_| planned.steps);
        let args = (0..8).find_map(|_| {
            let args = self.first_args(&planned.ends, step.as_deref());
            let types = args.iter().map(Known::ty).collect();
            self.begin(planned.name, step.clone(), types).then_some(())
        });
        args?;
        let mut tries = 8 * statements;
        let mut left = statements;
        while left > 0 && tries > 0 {
            tries -= 1;
            left -= usize::from(self.statement());
        }
        self.finish(&planned.ends).then_some(())
    }

    /// The arguments that a function starts with.
    fn first_args(&mut self, ends: &Ends, step: Option<&str>) -> Vec<Known> {
        let batch = lead("batch", self.world.sizes["batch"]);
        if let Some(length) = step {
            let number = self.world.number(&self.model, length).unwrap_or(1);
            let length = Size { text: length.into(), number, runs: false };
            let mut dims = vec![batch, length];
            if self.dice.percent(15) {
                dims.remove(0);
            }
            let classes = self.dice.percent(30);
            if !classes {
                dims.push(self.world.size(&self.model, self.dice, 5));
            }
            return vec![Known { name: String::new(), classes, dims }];
        }
        let mut args = Vec::new();
        if *ends == Ends::Cell {
            for _ in 0..self.dice.from(2, 3) {
                let rank = self.dice.from(2, 3);
                let mut dims = vec![batch.clone()];
                dims.extend((1..rank).map(|_| self.world.size(&self.model, self.dice, 4)));
                args.push(Known { name: String::new(), classes: false, dims });
            }
            return args;
        }
        for place in 0..self.dice.from(1, 2) {
            let rank = self.dice.below(9).clamp(1, 5).min(4);
            let mut dims = vec![batch.clone()];
            for axis in 1..rank {
                let most = if rank == 4 && axis > 1 { 6 } else { 5 };
                dims.push(self.world.size(&self.model, self.dice, most));
            }
            let within: Vec<_> = ["t", "u"]
                .into_iter()
                .filter_map(|name| Some(lead(name, *self.world.sizes.get(name)?)))
                .collect();
            for size in dims.iter_mut().skip(1) {
                if let Some(name) = self.dice.pick(&within)
                    && self.dice.percent(40)
                {
                    size.clone_from(name);
                }
            }
            let number = batch.number;
            match self.dice.below(12) {
                0 | 4 if place > 0 => dims[0] = lead("2 * batch", 2 * number),
                1 => dims[0] = self.world.size(&self.model, self.dice, 4),
                2 | 3 if place > 0 => {
                    if let Some(rows) = self.world.sizes.get("rows") {
                        dims[0] = lead("rows", *rows);
                    }
                }
                _ => {}
            }
            let classes = *ends != Ends::Like && rank < 4 && self.dice.percent(15);
            args.push(Known { name: String::new(), classes, dims });
        }
        args
    }
}
