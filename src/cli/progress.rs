//! What is shown while a gate or a run is under way: bars on a terminal, a line for each thing that ended
//! without one, an object a line with `--json-events`.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::out::Out;
use crate::domain::verdict::Word;
use crate::report::words::harmless;
use crate::sys::clock::Clock;
use crate::view::{Event, EventView};

/// What to do with events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// For whoever watches.
    Words,
    /// The same, and all of it is in the report that follows: where that goes to the same terminal, what ended
    /// stays among the bars until then.
    Reported,
    /// Like `Words`, but a step that does not pass is left to the refusal that follows.
    Refused,
    /// One JSON object a line on stdout.
    Json,
}

/// A consumer of events.
#[derive(Debug)]
pub enum Progress {
    /// One JSON object a line on stdout, with the time of this clock.
    Json(Clock),
    /// Bars on a terminal.
    Bars(Bars),
    /// A line on stderr for what ended; none with `-q`.
    Lines(Told),
}

/// Which ends of steps are told at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// All.
    #[default]
    All,
    /// Those that passed: a refusal with the others follows.
    Passed,
}

impl Told {
    fn line(self, event: &Event, out: &Out) -> Option<String> {
        match (self, event) {
            (Self::Passed, Event::StepFinished { verdict, .. }) if *verdict != Word::Pass => None,
            (_, event) => crate::report::line(event, out.page()),
        }
    }
}

impl Progress {
    /// The consumer that fits `out`.
    pub fn new(out: &Out, events: Events) -> Self {
        match events {
            Events::Json => Self::Json(Clock),
            Events::Reported if out.watched() && out.page().width.is_some() => {
                Self::Bars(Bars { ended: Ended::Stay, ..Bars::default() })
            }
            Events::Refused if out.watched() => Self::Bars(Bars { told: Told::Passed, ..Bars::default() }),
            Events::Words | Events::Reported if out.watched() => Self::Bars(Bars::default()),
            Events::Refused => Self::Lines(Told::Passed),
            Events::Words | Events::Reported => Self::Lines(Told::All),
        }
    }

    /// Shows one event.
    pub fn on(&mut self, out: &mut Out, event: &Event) {
        match self {
            Self::Json(clock) => out.json_line(&EventView::new(event, clock.now())),
            Self::Lines(told) => {
                if let Some(line) = told.line(event, out) {
                    out.status(&line);
                }
            }
            Self::Bars(bars) => bars.on(out, event),
        }
    }

    /// Takes what is still drawn off the screen.
    pub fn finish(self) {
        match self {
            Self::Bars(bars) => bars.clear(),
            Self::Json(_) | Self::Lines(_) => {}
        }
    }
}

/// What becomes of a step's bar when the step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It goes; a line says how the step ended.
    Go,
    /// It stays until all is over, and says so itself.
    Stay,
}

/// One bar a task, or a step where there is no task.
#[derive(Debug)]
pub struct Bars {
    multi: MultiProgress,
    shown: BTreeMap<String, ProgressBar>,
    ended: Ended,
    told: Told,
}

impl Default for Bars {
    fn default() -> Self {
        Self {
            multi: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            shown: BTreeMap::new(),
            ended: Ended::Go,
            told: Told::All,
        }
    }
}

impl Bars {
    fn on(&mut self, out: &mut Out, event: &Event) {
        if let Some(line) = self.told.line(event, out) {
            if let (Event::StepFinished { task: None, step, .. }, Ended::Stay) = (event, self.ended) {
                self.stay(step, &out.coloured(&line));
                return;
            }
            self.multi.suspend(|| out.status(&line));
        }
        match event {
            Event::TaskStarted { task, title, .. } => self.open(task, title),
            Event::TaskFinished { task, .. } => self.close(task),
            Event::IterationStarted { task, iteration, limit } => {
                self.say(task, &format!("iteration {iteration} of at most {limit}"));
            }
            Event::StepStarted { task: None, step } => self.open(step, ""),
            Event::StepFinished { task: None, step, .. } => self.close(step),
            Event::StepStarted { task: Some(task), step } => self.step(task, step),
            Event::StepOutput { task: Some(task), step, line } => {
                self.say(task, &format!("{step}: {}", harmless(line)));
            }
            Event::StepOutput { task: None, step, line } => self.say(step, &harmless(line)),
            Event::StepFinished { task: Some(_), .. }
            | Event::IterationFinished { .. }
            | Event::RunStarted { .. }
            | Event::RunFinished { .. }
            | Event::Verdict { .. }
            | Event::Note { .. }
            | Event::Stopping { .. } => {}
        }
    }

    fn open(&mut self, key: &str, message: &str) {
        let style = ProgressStyle::with_template("{spinner} {prefix}  {elapsed}  {wide_msg}")
            .expect("the template is constant and a test draws it");
        let bar = self.multi.add(ProgressBar::new_spinner().with_style(style));
        bar.set_prefix(key.to_owned());
        bar.set_message(harmless(message));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.shown.insert(key.to_owned(), bar);
    }

    /// A task's step: on the task's bar, which nobody has opened where there is one task only, as in a merge.
    fn step(&mut self, task: &str, step: &str) {
        if self.shown.contains_key(task) {
            self.say(task, step);
        } else {
            self.open(task, step);
        }
    }

    fn say(&self, key: &str, message: &str) {
        if let Some(bar) = self.shown.get(key) {
            bar.set_message(message.replace(['\n', '\t'], " "));
        }
    }

    /// The step's bar says how it ended, and is not looked for by its name any more: a retry has its own.
    fn stay(&self, key: &str, line: &str) {
        if let Some(bar) = self.shown.get(key) {
            let style = ProgressStyle::with_template("{msg}").expect("the template is constant");
            bar.set_style(style);
            bar.disable_steady_tick();
            bar.abandon_with_message(line.to_owned());
        }
    }

    fn close(&mut self, key: &str) {
        if let Some(bar) = self.shown.remove(key) {
            bar.finish_and_clear();
            self.multi.remove(&bar);
        }
    }

    fn clear(self) {
        for bar in self.shown.values() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::out::Talk;
    use crate::cli::out::tests::out;

    fn events() -> Vec<Event> {
        let step = "test".to_owned();
        vec![
            Event::StepStarted { task: None, step: step.clone() },
            Event::StepOutput { task: None, step: step.clone(), line: "running 3 tests".into() },
            Event::StepFinished {
                task: None,
                step,
                verdict: Word::Pass,
                reason: None,
                millis: 1_200,
                cached: false,
            },
        ]
    }

    #[test]
    fn without_a_terminal_what_ended_is_a_line() {
        let (mut out, data, words) = out(Talk::Normal, None);
        let mut progress = Progress::new(&out, Events::Words);
        for event in &events() {
            progress.on(&mut out, event);
        }
        progress.finish();
        assert_eq!((data.text().as_str(), words.text().as_str()), ("", "+ test  1.2 s\n"));
    }

    #[test]
    fn what_a_refusal_will_say_is_not_said_before() {
        let (mut out, _, words) = out(Talk::Normal, None);
        let mut progress = Progress::new(&out, Events::Refused);
        for event in &events() {
            progress.on(&mut out, event);
        }
        let step = "lint".to_owned();
        let failed = Event::StepFinished {
            task: None,
            step,
            verdict: Word::Fail,
            reason: None,
            millis: 1,
            cached: false,
        };
        progress.on(&mut out, &failed);
        assert_eq!(words.text(), "+ test  1.2 s\n");
    }

    #[test]
    fn json_events_are_objects_on_stdout_even_when_quiet() {
        let (mut out, data, words) = out(Talk::Quiet, None);
        let mut progress = Progress::new(&out, Events::Json);
        for event in &events() {
            progress.on(&mut out, event);
        }
        let names: Vec<String> = data
            .text()
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["event"].to_string())
            .collect();
        assert_eq!(names, ["\"step_started\"", "\"step_output\"", "\"step_finished\""]);
        assert_eq!(words.text(), "");
    }

    #[test]
    fn bars_come_and_go() {
        let (mut out, _, words) = out(Talk::Normal, None);
        let mut bars =
            Bars { multi: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), ..Bars::default() };
        bars.on(&mut out, &events()[0]);
        bars.on(&mut out, &events()[1]);
        assert_eq!(bars.shown["test"].message(), "running 3 tests");
        bars.on(&mut out, &events()[2]);
        assert!(bars.shown.is_empty());
        assert_eq!(words.text(), "+ test  1.2 s\n");
    }

    #[test]
    fn a_step_of_a_task_is_shown_also_where_no_run_announced_the_task() {
        let (mut out, _, _) = out(Talk::Normal, None);
        let mut bars =
            Bars { multi: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), ..Bars::default() };
        let task = || Some("00000007".to_owned());
        bars.on(&mut out, &Event::StepStarted { task: task(), step: "test".into() });
        assert_eq!(bars.shown["00000007"].message(), "test");
        bars.on(&mut out, &Event::StepOutput { task: task(), step: "test".into(), line: "ok".into() });
        assert_eq!(bars.shown["00000007"].message(), "test: ok");
    }
}
