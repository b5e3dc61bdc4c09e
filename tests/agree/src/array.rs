//! Arrays of the interpreter.

/// Floats under a shape. Class indices and positions are whole floats.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Array {
    pub dims: Vec<usize>,
    pub data: Vec<f64>,
    /// What an operation keeps for its derivative: the arrays that it was given.
    pub kept: Vec<Array>,
}

impl Array {
    pub fn new(dims: impl Into<Vec<usize>>, data: Vec<f64>) -> Self {
        let dims = dims.into();
        assert_eq!(dims.iter().product::<usize>(), data.len(), "an array of shape {dims:?}");
        Self { dims, data, kept: Vec::new() }
    }

    pub fn zeros(dims: impl Into<Vec<usize>>) -> Self {
        let dims = dims.into();
        let len = dims.iter().product();
        Self { dims, data: vec![0.0; len], kept: Vec::new() }
    }

    /// Memory that holds arrays instead of floats.
    pub fn keeping(kept: &[Array]) -> Self {
        Self { kept: kept.to_vec(), ..Self::default() }
    }

    pub fn indices(&self) -> Vec<u32> {
        self.data.iter().map(|index| *index as u32).collect()
    }

    pub fn reshaped(&self, dims: impl Into<Vec<usize>>) -> Self {
        Self::new(dims, self.data.clone())
    }

    /// `(product before, size, product behind)` of an axis.
    pub fn around(&self, axis: usize) -> (usize, usize, usize) {
        let [before, behind] = [&self.dims[..axis], &self.dims[axis + 1..]];
        (before.iter().product(), self.dims[axis], behind.iter().product())
    }

    /// Repeated to a larger shape, by PyTorch's broadcasting.
    pub fn broadcast(&self, dims: &[usize]) -> Self {
        let extra = dims.len() - self.dims.len();
        let (to, from) = (strides_of(dims), strides_of(&self.dims));
        let place = |at: usize| -> usize {
            let own = self.dims.iter().enumerate().filter(|(_, size)| **size > 1);
            own.map(|(k, size)| at / to[k + extra] % size * from[k]).sum()
        };
        let len = dims.iter().product();
        Self::new(dims, (0..len).map(|at| self.data[place(at)]).collect())
    }
}

/// From an element of each axis to the next.
pub fn strides_of(dims: &[usize]) -> Vec<usize> {
    (0..dims.len()).map(|axis| dims[axis + 1..].iter().product()).collect()
}
