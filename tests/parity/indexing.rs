//! Choices along axes and products of pairs, as PyTorch makes them (`parity indexing`).

use gradiron::prelude::*;
use gradiron::view::{batch, flat};
use safetensors::SafeTensors;

use crate::sequence::{assert_close, file, floats};

model! {
    fn indexing(
        x: [batch, 4, 6],
        y: [batch, 6, 5],
        index: Classes[batch, 4, 7],
    ) -> [batch, 4, 12] {
        let z = x.matmul(y);
        let z = where_(z.gt(0.5), z, z * z);
        let z = z.masked_fill(z.lt(-0.2), 0.3).cumsum(1);
        let chosen = z.gather(2, index);
        let row = z.select(1, 2).unsqueeze(1);
        let zeros = z * 0.0;
        cat([chosen, zeros + row], 2) + z.argmax(2).unsqueeze(2)
    }
}

#[test]
fn results_and_gradients() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file("indexing-run.safetensors"))?;
    let run = SafeTensors::deserialize(&bytes)?;
    let index: Vec<[[u8; 7]; 4]> =
        run.tensor("index")?.data().as_chunks::<7>().0.as_chunks::<4>().0.to_vec();
    let [x, y, d_out] = ["x", "y", "d_out"].map(|name| floats(&run, name));
    let (x, y) = (batch(&x), batch(&y));
    let mut ws = indexing_workspace(3)?;
    let out = indexing(&mut ws, x, y, &index)?;
    assert_close("in inference", flat(out), &floats(&run, "out"));
    ws.poison();
    let (out, (d_x, d_y)) = indexing_grad(&mut ws, x, y, &index, batch(&d_out))?;
    assert_close("out", flat(out), &floats(&run, "out"));
    assert_close("d_x", flat(d_x), &floats(&run, "d_x"));
    assert_close("d_y", flat(d_y), &floats(&run, "d_y"));
    Ok(())
}
