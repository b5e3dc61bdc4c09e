//! Profiles of runs on a GPU: its own clock is read between operations. Such a run is launched
//! without a graph, and waited for.

use std::time::{Duration, Instant};

use super::Shared;
use super::error::CudaError;
use super::events::Event;
use crate::arena::Sizes;
use crate::profile::{Cost, PassOps, Phase, Profile, Timed};

/// A place in a list of launches that a profile knows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    Enter(&'static PassOps, Sizes),
    Op(usize),
    Item(usize),
    Leave,
    /// The step of an optimizer begins.
    Step(&'static str, Cost),
}

/// Where a run is recorded, and what it is called.
#[derive(Clone, Copy)]
pub(super) struct Recorded<'a> {
    pub profile: &'a Profile,
    pub name: &'static str,
    pub phase: Phase,
}

/// The times of the marks of a run.
pub(super) struct Times<'a> {
    shared: &'a std::sync::Arc<Shared>,
    start: Instant,
    first: Event,
    marks: Vec<(Mark, Event)>,
}

impl<'a> Times<'a> {
    /// The GPU is idle, and the run begins.
    pub fn new(shared: &'a std::sync::Arc<Shared>) -> Result<Self, CudaError> {
        shared.synchronize()?;
        let first = Event::timed(shared)?;
        first.record_step(shared)?;
        Ok(Self { shared, start: Instant::now(), first, marks: Vec::new() })
    }

    /// The run has got to a mark. The stream is not captured.
    pub fn mark(&mut self, mark: Mark) -> Result<(), CudaError> {
        let event = Event::timed(self.shared)?;
        event.record(self.shared.stream())?;
        self.marks.push((mark, event));
        Ok(())
    }

    /// The run ends, and is recorded.
    pub fn end(self, recorded: Recorded<'_>) -> Result<(), CudaError> {
        let Self { shared, start, first, marks } = self;
        let last = Event::timed(shared)?;
        last.record_step(shared)?;
        shared.synchronize()?;
        let at = |event: &Event| {
            let millis = first.until(event)?;
            Ok::<_, CudaError>(start + Duration::from_secs_f64(f64::from(millis.max(0.0)) * 1e-3))
        };
        let end = at(&last)?;
        let marks = marks.iter().map(|(mark, event)| Ok((*mark, at(event)?)));
        let marks = marks.collect::<Result<Vec<_>, CudaError>>()?;
        let Recorded { profile, name, phase } = recorded;
        let mut track = profile.take_track();
        let mut step = None;
        // The step of an optimizer alone is no run.
        let is_run = !matches!(marks.first(), Some((Mark::Step(..), _)));
        if is_run {
            track.begin(name, phase, start);
        }
        for (mark, now) in marks {
            match mark {
                Mark::Enter(ops, n) => track.enter(ops, n, || now),
                Mark::Op(number) => track.op(number, || now),
                Mark::Item(number) => track.item(number),
                Mark::Leave => track.leave(now),
                Mark::Step(name, cost) => step = Some((name, cost, now)),
            }
        }
        if is_run {
            track.end(step.map_or(end, |(.., now)| now));
        }
        if let Some((name, cost, start)) = step {
            track.add_step(name, Timed { start, time: end - start }, cost);
        }
        profile.give_back(track);
        Ok(())
    }
}
