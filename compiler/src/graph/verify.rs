//! What every pass relies on.

use super::{Dest, Graph, Phase, Source, ValueId, is_made};

impl Graph {
    /// Whether a value is made only where the gradients of the float arguments are asked for.
    fn is_at_times(&self, value: ValueId) -> bool {
        match self.values[value].source {
            Source::Node(n, _) => self.nodes[n].phase == Phase::BackwardInputs,
            _ => false,
        }
    }

    /// Checks what every phase relies on.
    ///
    /// # Errors
    /// The broken invariant, in words: a bug of the phase that ran last.
    pub fn verify(&self) -> Result<(), String> {
        let mut defined: Vec<bool> = self.values.iter().map(|v| !is_made(v.source)).collect();
        let mut phase = Phase::Prepare;
        for (n, node) in self.nodes.iter().enumerate() {
            if let Some(early) = node.inputs.iter().find(|i| !defined[**i]) {
                return Err(format!("node {n} ({}) reads %{early} too early", node.op.name()));
            }
            if let Some(absent) = node.inputs.iter().find(|i| self.is_at_times(**i))
                && node.phase < Phase::BackwardInputs
            {
                let name = node.op.name();
                return Err(format!(
                    "node {n} ({name}) reads %{absent}, which is made only at times"
                ));
            }
            if node.phase <= Phase::Forward && node.phase < phase {
                let (name, late) = (node.op.name(), node.phase);
                return Err(format!("node {n} ({name}) is {late:?} after {phase:?}"));
            }
            phase = phase.max(node.phase);
            for (k, output) in node.outputs.iter().enumerate() {
                if std::mem::replace(&mut defined[*output], true) {
                    return Err(format!("%{output} is defined twice"));
                }
                if self.values[*output].source != Source::Node(n, k) {
                    return Err(format!("%{output} does not know that node {n} makes it"));
                }
            }
        }
        let always = |dest: &Dest| !matches!(dest, Dest::DArg(_));
        if let Some((dest, v)) =
            self.outputs.iter().find(|(dest, v)| always(dest) && self.is_at_times(*v))
        {
            return Err(format!("{dest:?} is %{v}, which is made only at times"));
        }
        match self.outputs.iter().find(|(_, v)| !defined[*v]) {
            Some((dest, v)) => Err(format!("{dest:?} is %{v}, which nothing makes")),
            None => Ok(()),
        }
    }
}
