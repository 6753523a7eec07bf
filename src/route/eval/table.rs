//! The report for people: one line a figure, then what lies behind them.

use std::fmt::{self, Write};

use super::Report;
use super::labelled::Learnt;
use super::promise::Promise;

impl Report {
    /// Lines of text; a figure that was not measured has none.
    pub fn table(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("invariant: a string takes all that is written");
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let learnt = [
            ("MMLU, 200 labels", &self.mmlu_200),
            ("MMLU, 500 labels", &self.mmlu_500),
            ("MMLU, 1,500 labels", &self.mmlu_1500),
            ("MMLU, all labels", &self.mmlu_all),
            ("GSM8K, 5-fold", &self.gsm8k),
        ];
        for (name, learnt) in learnt {
            if let Some(learnt) = learnt {
                line(out, name, learnt)?;
            }
        }
        self.write_unseen(out)?;
        for promise in [&self.promise_2, &self.promise_5].into_iter().flatten() {
            write_promise(out, promise)?;
        }
        if let Some(shift) = &self.shift {
            let after =
                shift.alarm_after.map_or("more than 500".to_owned(), |after| after.to_string());
            let (runs, cried) = (shift.runs, shift.false_alarms);
            writeln!(
                out,
                "{:22} alarm after {after} requests at worst; {cried} of {runs} runs of 5,000 without a shift alarmed",
                "shift to GSM8K"
            )?;
        }
        self.write_online(out)?;
        if let (Some(p50), Some(p99)) = (self.decision_p50_us, self.decision_p99_us) {
            writeln!(out, "{:22} p50 {p50:.1} µs, p99 {p99:.1} µs", "decision")?;
        }
        for (name, cases) in
            [("LiteLLM's cases", &self.litellm_cases), ("our own cases", &self.own_cases)]
        {
            if let Some(cases) = cases {
                writeln!(out, "{name:22} {} of {} right", cases.right, cases.of)?;
            }
        }
        if !self.sets.is_empty() {
            writeln!(out, "\n{:20} {:>6} {:>6} {:>7}  length", "set", "rows", "weak", "strong")?;
        }
        for super::sets::Set { set, rows, weak, strong, length } in &self.sets {
            let length = format!("{:.3} [{:.2}, {:.2}]", length.value, length.low, length.high);
            writeln!(out, "{set:20} {rows:>6} {weak:>6.3} {strong:>7.3}  {length}")?;
        }
        Ok(())
    }

    fn write_unseen(&self, out: &mut String) -> fmt::Result {
        let Some(unseen) = &self.unseen else { return Ok(()) };
        writeln!(
            out,
            "{:22} macro APGR {:.3}; minus length {} (mean of the sets), {} (by rows); quality \
             mode abstains on {:.0} %",
            "unseen sources",
            unseen.macro_apgr,
            signed(unseen.difference_to_length, unseen.ci),
            signed(unseen.difference_by_rows, unseen.by_rows_ci),
            100.0 * unseen.abstained
        )?;
        for set in &unseen.sets {
            let difference = signed(set.difference_to_length, set.ci);
            writeln!(
                out,
                "  {:20} {:.3}  length {:.3}  {difference}",
                set.set, set.apgr, set.length
            )?;
        }
        Ok(())
    }

    fn write_online(&self, out: &mut String) -> fmt::Result {
        let Some(online) = &self.online else { return Ok(()) };
        writeln!(
            out,
            "{:22} APGR {:.3} without labels, length {:.3}; regret of always strong {:.1}, of never \
             {:.1}",
            "MMLU as a stream",
            online.cold,
            online.length,
            online.always_strong,
            online.always_weak
        )?;
        for mark in &online.marks {
            writeln!(
                out,
                "  after {:5} labels    {:.3} ± {:.3}  regret {:.1}",
                mark.labels,
                mark.apgr,
                1.96 * mark.error,
                mark.regret
            )?;
        }
        Ok(())
    }
}

fn line(out: &mut String, name: &str, learnt: &Learnt) -> fmt::Result {
    writeln!(
        out,
        "{name:22} APGR {:.3} [{:.3}, {:.3}]; length {:.3}; difference {}",
        learnt.apgr,
        learnt.ci[0],
        learnt.ci[1],
        learnt.length,
        signed(learnt.difference_to_length, learnt.difference_ci)
    )
}

fn write_promise(out: &mut String, promise: &Promise) -> fmt::Result {
    writeln!(
        out,
        "{:22} held in {:.0} % of {} splits at least; saving {:.1} %, {:.0} % of honest_save's",
        format!("loss of {:.0} points", promise.points),
        100.0 * promise.held,
        promise.splits,
        100.0 * promise.saving,
        100.0 * promise.saving_share
    )?;
    for set in &promise.sets {
        writeln!(
            out,
            "  {:20} held {:3.0} %, saves {:4.1} %; honest_save {:3.0} %, {:4.1} %",
            set.set,
            100.0 * set.held,
            100.0 * set.saving,
            100.0 * set.honest_held,
            100.0 * set.honest_saving
        )?;
    }
    Ok(())
}

fn signed(value: f64, [low, high]: [f64; 2]) -> String {
    format!("{value:+.4} [{low:+.4}, {high:+.4}]")
}
