//! What one thread has run: a tree of everything that has a name, and a list of slices of time.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Thread, ThreadId};
use std::time::{Duration, Instant};

use super::{Cost, PassOps, Phase, Timed};
use crate::arena::Sizes;

/// The most slices that are kept, of 40 bytes each.
const MAX_EVENTS: usize = 1 << 19;
/// Room for so many is there before the first run.
const FIRST_EVENTS: usize = 1 << 12;

/// The times of all slices count from the first record on.
pub(super) static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The record of one thread.
pub(crate) struct Track {
    pub thread: ThreadId,
    pub name: String,
    /// What the trace calls the thread.
    pub number: usize,
    /// From runs over passes and models to operations: each behind the one that it is in.
    pub sites: Vec<Site>,
    /// The outermost sites.
    tops: Vec<usize>,
    /// What is under way, the innermost last.
    stack: Vec<Frame>,
    /// The costs of the operations of all passes under way.
    costs: Vec<[usize; 2]>,
    /// The model of a row of models that is next.
    item: Option<usize>,
    /// In the order of their ends; none when no trace will be asked for.
    pub events: Option<Vec<Event>>,
    pub events_left_out: usize,
    pub runs: u64,
    pub steps: u64,
    /// The time of runs and of optimizer steps.
    pub inside: Duration,
    /// From the start of the first of them to the end of the last.
    span: Option<(Instant, Instant)>,
}

/// Something that has a name and runs again and again.
pub(crate) struct Site {
    /// The model whose function is run: `Mlp`.
    pub model: &'static str,
    /// `encoder.blocks.3.fc1 + gelu`
    pub name: String,
    pub kind: String,
    pub phase: Phase,
    /// By number; [`NONE`] where one has not run yet.
    children: Vec<usize>,
    /// How often it ran as an operation.
    pub calls: u64,
    pub time: Duration,
    pub flops: u64,
    pub bytes: u64,
}

const NONE: usize = usize::MAX;

/// Something under way.
struct Frame {
    site: usize,
    start: Instant,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Run,
    /// A pass, the first of its costs, and whether it has a slice of its own.
    Pass(&'static PassOps, usize, bool),
    /// An operation, or a call of another model once a pass has begun in it.
    Op(Cost),
    Call,
}

/// A slice of time, in nanoseconds.
pub(crate) struct Event {
    pub site: usize,
    pub start: u64,
    pub time: u64,
    pub flops: usize,
    pub bytes: usize,
}

impl Track {
    pub fn new(thread: &Thread, keeps_events: bool) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self {
            thread: thread.id(),
            name: thread.name().unwrap_or_default().to_owned(),
            number: COUNT.fetch_add(1, Ordering::Relaxed),
            sites: Vec::with_capacity(64),
            tops: Vec::new(),
            stack: Vec::with_capacity(16),
            costs: Vec::with_capacity(64),
            item: None,
            events: keeps_events.then(|| Vec::with_capacity(FIRST_EVENTS)),
            events_left_out: 0,
            runs: 0,
            steps: 0,
            inside: Duration::ZERO,
            span: None,
        }
    }

    /// From the first run to the last.
    pub fn whole(&self) -> Duration {
        self.span.map_or(Duration::ZERO, |(first, last)| last - first)
    }

    /// A run of the function `name` begins.
    pub fn begin(&mut self, name: &'static str, phase: Phase, now: Instant) {
        // What a panic has left behind.
        self.stack.clear();
        self.costs.clear();
        let site = self.top(name, phase, "");
        self.stack.push(Frame { site, start: now, what: What::Run });
    }

    /// The run ends.
    pub fn end(&mut self, now: Instant) {
        if let Some(run) = self.stack.pop() {
            let timed = Timed { start: run.start, time: now - run.start };
            self.event(run.site, timed, Cost::default());
            self.count(timed);
            self.runs += 1;
        }
    }

    /// A run of a small function that is one piece ends now.
    pub fn add_run(&mut self, name: &'static str, phase: Phase, start: Instant, flops: usize) {
        let timed = Timed { start, time: start.elapsed() };
        let site = self.top(name, phase, "one piece");
        self.add(site, timed, Cost { flops, bytes: 0 });
        self.count(timed);
        self.runs += 1;
    }

    /// A step of an optimizer.
    pub fn add_step(&mut self, name: &'static str, timed: Timed, cost: Cost) {
        let site = self.top(name, Phase::Step, "optimizer");
        self.add(site, timed, cost);
        self.count(timed);
        self.steps += 1;
    }

    /// A pass begins. `now` is asked for when all is written down, which takes a moment.
    #[cold]
    #[inline(never)]
    pub fn enter(&mut self, ops: &'static PassOps, n: Sizes, now: impl Fn() -> Instant) {
        let item = self.item.take();
        let Some(around) = self.stack.last_mut() else { return };
        let (parent, start) = (around.site, around.start);
        let in_run = matches!(around.what, What::Run);
        if let What::Op(_) = around.what {
            around.what = What::Call;
        }
        let first_cost = self.costs.len();
        (ops.costs)(n, true, &mut self.costs);
        let number = item.unwrap_or(ops.phase as usize);
        let site = self.child(parent, number, ops.phase, |name| match item {
            Some(item) => (format!("{name}.{item}"), String::new()),
            None if in_run => (String::new(), String::new()),
            None => (name.to_owned(), String::new()),
        });
        let sliced = in_run || item.is_some();
        let start = if sliced { now() } else { start };
        self.stack.push(Frame { site, start, what: What::Pass(ops, first_cost, sliced) });
    }

    /// The operation `number` of the pass begins, and the one before ends.
    #[cold]
    #[inline(never)]
    pub fn op(&mut self, number: usize, now: impl Fn() -> Instant) {
        self.end_op(now());
        let Some(Frame { site, what: What::Pass(ops, first_cost, _), .. }) = self.stack.last()
        else {
            return;
        };
        let (parent, ops) = (*site, *ops);
        let [flops, bytes] = self.costs[first_cost + number];
        let site = self.child(parent, number, ops.phase, |around| {
            let (line, dot) = (ops.line(number), if around.is_empty() { "" } else { "." });
            (format!("{around}{dot}{}", line.name), line.kind.to_owned())
        });
        let what = What::Op(Cost { flops, bytes });
        self.stack.push(Frame { site, start: now(), what });
    }

    /// The next pass is that of the model `number` of a row.
    #[cold]
    #[inline(never)]
    pub fn item(&mut self, number: usize) {
        self.item = Some(number);
    }

    /// The pass ends, and its last operation before.
    #[cold]
    #[inline(never)]
    pub fn leave(&mut self, now: Instant) {
        self.end_op(now);
        if let Some(Frame { site, start, what: What::Pass(_, first_cost, sliced) }) =
            self.stack.pop()
        {
            self.costs.truncate(first_cost);
            if sliced {
                self.event(site, Timed { start, time: now - start }, Cost::default());
            }
        }
    }

    fn end_op(&mut self, now: Instant) {
        let Some(Frame { site, start, what }) = self.stack.last() else { return };
        let (site, timed) = (*site, Timed { start: *start, time: now - *start });
        match *what {
            What::Op(cost) => self.add(site, timed, cost),
            What::Call => self.event(site, timed, Cost::default()),
            What::Run | What::Pass(..) => return,
        }
        self.stack.pop();
    }

    /// An operation ran.
    #[inline(never)]
    fn add(&mut self, site: usize, timed: Timed, cost: Cost) {
        self.event(site, timed, cost);
        let site = &mut self.sites[site];
        site.calls += 1;
        site.time += timed.time;
        site.flops += cost.flops as u64;
        site.bytes += cost.bytes as u64;
    }

    fn event(&mut self, site: usize, Timed { start, time }: Timed, cost: Cost) {
        let Some(events) = &mut self.events else { return };
        if events.len() == MAX_EVENTS {
            self.events_left_out += 1;
            return;
        }
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let start = nanos(start.saturating_duration_since(*ORIGIN));
        let Cost { flops, bytes } = cost;
        events.push(Event { site, start, time: nanos(time), flops, bytes });
    }

    fn count(&mut self, Timed { start, time }: Timed) {
        self.inside += time;
        let (first, last) = self.span.unwrap_or((start, start));
        self.span = Some((first.min(start), last.max(start + time)));
    }

    /// The outermost site of this name: `Mlp::loss`.
    fn top(&mut self, name: &'static str, phase: Phase, kind: &str) -> usize {
        let same = |site: &Site| site.phase == phase && site.name == name && site.kind == kind;
        if let Some(known) = self.tops.iter().find(|site| same(&self.sites[**site])) {
            return *known;
        }
        let model = name.split_once("::").map_or("", |(model, _)| model);
        self.tops.push(self.sites.len());
        self.site(model, (name.to_owned(), kind.to_owned()), phase)
    }

    fn child(
        &mut self,
        parent: usize,
        number: usize,
        phase: Phase,
        names: impl FnOnce(&str) -> (String, String),
    ) -> usize {
        if let Some(known) = self.sites[parent].children.get(number)
            && *known != NONE
        {
            return *known;
        }
        let children = &mut self.sites[parent].children;
        if children.len() <= number {
            children.resize(number + 1, NONE);
        }
        let new = self.sites.len();
        self.sites[parent].children[number] = new;
        let Site { model, name, .. } = &self.sites[parent];
        let (model, names) = (*model, names(name));
        self.site(model, names, phase)
    }

    #[inline(never)]
    fn site(&mut self, model: &'static str, names: (String, String), phase: Phase) -> usize {
        let ((name, kind), time) = (names, Duration::ZERO);
        let (children, calls, flops, bytes) = (Vec::new(), 0, 0, 0);
        self.sites.push(Site { model, name, kind, phase, children, calls, time, flops, bytes });
        self.sites.len() - 1
    }
}
