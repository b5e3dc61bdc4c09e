//! Sizes as users write them: numbers, constants, sums, products and quotients of them.

use super::dice::Dice;
use super::model::Model;
use super::world::{Size, World};

impl World {
    /// A size from 1 to `most`.
    pub fn size(&self, model: &Model, dice: &mut Dice, most: usize) -> Size {
        self.expression(model, dice, &|number| (1..=most).contains(&number)).unwrap_or_else(|| {
            let number = dice.from(1, most);
            Size { text: number.to_string(), number, runs: false }
        })
    }

    /// A size that is this number.
    pub fn equal(&self, model: &Model, dice: &mut Dice, number: usize) -> Size {
        let plain = Size { text: number.to_string(), number, runs: false };
        self.expression(model, dice, &|other| other == number).unwrap_or(plain)
    }

    /// An expression of constants whose number fits.
    fn expression(
        &self,
        model: &Model,
        dice: &mut Dice,
        fits: &dyn Fn(usize) -> bool,
    ) -> Option<Size> {
        if dice.percent(45) {
            return None;
        }
        let params = model.params.iter().map(|param| param.name.clone());
        let names: Vec<_> = params.chain(self.constants.keys().cloned()).collect();
        for _ in 0..4 {
            let (a, b) = (dice.pick(&names)?.clone(), dice.pick(&names)?.clone());
            let n = dice.from(1, 4);
            let text = match dice.below(12) {
                0..3 => a,
                3 => format!("{a} + {n}"),
                4 => format!("{a} + {b}"),
                5 => format!("{n} * {a}"),
                6 => format!("{a} * {b}"),
                7 => format!("{a} * {n} + {b}"),
                8 => format!("{a} / {n}"),
                9 => format!("({a} + {n}) / {b}"),
                10 => format!("({a} + {b}) / 2"),
                _ => format!("{a} + {n} - {b}"),
            };
            if let Some(number) = self.number(model, &text)
                && fits(number)
            {
                return Some(Size { text, number, runs: false });
            }
        }
        None
    }
}
