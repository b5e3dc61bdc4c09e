//! Functions that call each other twice, expressions that are nested too deep, too many axes.

use gradiron::prelude::*;

model! {
    struct Twice {}

    fn f0(&self, x: [batch, 4]) -> [batch, 4] { x.relu() }
    fn f1(&self, x: [batch, 4]) -> [batch, 4] { self.f0(self.f0(x)) }
    fn f2(&self, x: [batch, 4]) -> [batch, 4] { self.f1(self.f1(x)) }
    fn f3(&self, x: [batch, 4]) -> [batch, 4] { self.f2(self.f2(x)) }
    fn f4(&self, x: [batch, 4]) -> [batch, 4] { self.f3(self.f3(x)) }
    fn f5(&self, x: [batch, 4]) -> [batch, 4] { self.f4(self.f4(x)) }
    fn f6(&self, x: [batch, 4]) -> [batch, 4] { self.f5(self.f5(x)) }
    fn f7(&self, x: [batch, 4]) -> [batch, 4] { self.f6(self.f6(x)) }
    fn f8(&self, x: [batch, 4]) -> [batch, 4] { self.f7(self.f7(x)) }
    fn f9(&self, x: [batch, 4]) -> [batch, 4] { self.f8(self.f8(x)) }
    fn f10(&self, x: [batch, 4]) -> [batch, 4] { self.f9(self.f9(x)) }
    fn f11(&self, x: [batch, 4]) -> [batch, 4] { self.f10(self.f10(x)) }
    fn f12(&self, x: [batch, 4]) -> [batch, 4] { self.f11(self.f11(x)) }
    fn f13(&self, x: [batch, 4]) -> [batch, 4] { self.f12(self.f12(x)) }
}

model! {
    pub fn deep(x: [batch, 4]) -> [batch, 4] {
        relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(
        relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(
        relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(
        relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(relu(
            x
        ))))))))))))))))
        ))))))))))))))))
        ))))))))))))))))
        ))))))))))))))))
    }
}

model! {
    pub fn axes(x: [batch, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]) -> [] {
        x.mean()
    }
}

model! {
    pub fn word(mut: [batch, 2], fn: [batch, 2]) -> [] {
        relu(mut).mean()
    }
}

fn main() {}
