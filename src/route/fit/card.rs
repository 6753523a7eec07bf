//! The model card beside the weights, written from the figures so that the two cannot differ.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::basis::COMPONENTS;
use super::figures::{Everyday, Figures};
use super::mixture::{RIDGE, WRITTEN_SHARE};
use crate::route::HEADS;
use crate::route::evidence::inputs::FACTORS;
use crate::route::evidence::measure::Figure;
use crate::route::heads::{HeadsFile, TIER_CLASSES};
use crate::route::recorded::rows::LEFT_OUT;

/// Everything that the card says in numbers.
#[derive(Debug)]
pub struct Card {
    pub train_rows: usize,
    pub written: usize,
    pub kinds: usize,
    /// Rows of the other part.
    pub dev: Figures,
    /// Every source by what never saw it.
    pub unseen: Figures,
    pub doubt: [f64; HEADS],
    /// Written prompts, folds by quoted text.
    pub folds: Everyday,
    /// Written prompts, whole kinds left out.
    pub kinds_left_out: Everyday,
}

impl Card {
    /// For the weights' file.
    pub fn metrics(&self) -> Value {
        json!({"written": {"folds": self.folds, "kinds_left_out": self.kinds_left_out},
            "dev": {"rows": self.dev.rows, "log_loss": self.dev.log_loss, "ece": self.dev.ece},
            "unseen": {"rows": self.unseen.rows, "log_loss": self.unseen.log_loss,
                "ece": self.unseen.ece}})
    }
}

/// The card as Markdown. The remark stands under the written prompts' figures.
pub fn render(card: &Card, file: &HeadsFile, remark: &str) -> String {
    let mut text = String::from(INTRODUCTION);
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line("\n| | |\n| --- | --- |".to_owned());
    line(format!("| embedder | `{}` |", file.embedder));
    line(format!("| hash of what predicts | `{}` |", file.hash));
    line(format!("| recorded rows trained on | {} |", card.train_rows));
    line(format!("| written prompts | {}, of {} kinds |", card.written, card.kinds));
    line(format!("| share of the written prompts in the heads' loss | {WRITTEN_SHARE} |"));
    line(format!("| ridge | {RIDGE} |"));
    line(format!("| basis | {FACTORS} factors, {COMPONENTS} components |"));
    line(format!(
        "| doubt of small, mid (standard error of the gap to frontier on sources left out) | {}, {} |\n",
        card.doubt[0], card.doubt[1]
    ));
    line(SETS.to_owned());
    for (name, why) in LEFT_OUT {
        line(format!("- `{name}`: {why}."));
    }
    line(format!("\n{WRITTEN}\n"));
    line(everyday("a quoted text on one side only", &card.folds));
    line(everyday("whole kinds left out", &card.kinds_left_out));
    line(remark.trim().to_owned());
    line(format!(
        "\n## Recorded sets, rows not trained on\n\n{} rows of `dev/`; no training row shares a \
         question with any of them. Means over sets: log loss {}, calibration error {}.\n",
        card.dev.rows, card.dev.log_loss, card.dev.ece
    ));
    line(tables(&card.dev));
    line(format!(
        "## Recorded sets, sources left out\n\nAll rows of a source, by heads and a cold score \
         fitted on the other sources without any of its questions: what unknown traffic may \
         expect. {} rows. Means over sets: log loss {}, calibration error {}.\n",
        card.unseen.rows, card.unseen.log_loss, card.unseen.ece
    ));
    line(tables(&card.unseen).trim_end().to_owned());
    text
}

fn everyday(name: &str, figures: &Everyday) -> String {
    let Everyday { prompts, thresholds: [small, mid], counts, .. } = figures;
    let percent = |share: f64| share * 100.0;
    let mut text = format!(
        "Five-fold cross-validation, {name}: {prompts} prompts at thresholds of {small} and {mid}, \
         {:.1} % get the class that was asked for; {:.1} % of the easy ones go to frontier, {:.1} % \
         of the hard ones to small; log loss {}.\n\n\
         | asked for | to small | to mid | to frontier |\n| --- | ---: | ---: | ---: |\n",
        percent(figures.right),
        percent(figures.easy_to_frontier),
        percent(figures.hard_to_small),
        figures.log_loss
    );
    for (class, [small, mid, frontier]) in TIER_CLASSES.iter().zip(counts) {
        let _ = writeln!(text, "| {class} | {small} | {mid} | {frontier} |");
    }
    text
}

/// Ranking and calibration by set.
fn tables(figures: &Figures) -> String {
    let mut text = String::from(
        "APGR from the cheapest recorded tier to the strongest; 0.5 is chance, brackets are 95 % \
         bootstrap intervals.\n\n\
         | set | rows | heads' gain | cold score | length | cold score − length |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    let cell = |f: Figure| format!("{:.3} [{:.2}, {:.2}]", f.value, f.low, f.high);
    for line in &figures.ranking {
        let [heads, cold, length, over] =
            [line.heads, line.cold, line.length, line.over_length].map(cell);
        let (set, rows) = (&line.set, line.rows);
        let _ = writeln!(text, "| {set} | {rows} | {heads} | {cold} | {length} | {over} |");
    }
    text.push_str(
        "\n| set | tier | rows | mean quality | mean prediction | ECE |\n\
         | --- | --- | ---: | ---: | ---: | ---: |\n",
    );
    for line in &figures.calibration {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.3} | {:.3} | {:.3} |",
            line.set, line.tier, line.rows, line.quality, line.predicted, line.ece
        );
    }
    text
}

const INTRODUCTION: &str = "\
# Router heads

Written by `semgate router fit`; do not edit. `router-heads.json` holds what the router knows before \
it has seen any traffic:

- three logistic *heads* on the prompt's vector and its surface features: P(adequate) of a small, a \
mid and a frontier model, for thresholds (`min_adequacy`) and for the record;
- the *cold score*: length and difficulty, to rank prompts where no label is known;
- the *basis*: the directions of the vector that are read once there are labels.

**What they can and cannot do.** The heads tell kinds of request apart: small talk, facts and edits \
from explanations and everyday code, and these from proofs, designs and diagnoses. Among prompts of one \
kind on traffic that they have not seen they rank little better than chance, and so does every \
published router that reads the prompt alone: there, the cold score is as good as length or a little \
better (tables below). A threshold is a start, to be checked with `semgate replay`; savings that can be \
relied on come from labels of the traffic itself, from rules and from the cache. The recorded models \
are of 2023 and 2024. What stands around the last user text (history, tools, images, output limits) was \
not recorded and has no weight.
";

const SETS: &str = "\
## Recorded outcomes

| set | outcomes | questions |
| --- | --- | --- |
| routellm_mmlu, routellm_gsm8k | lm-sys/RouteLLM, Apache-2.0 | MMLU, MIT; GSM8K, MIT |
| mmlu_pro | TIGER-AI-Lab/MMLU-Pro, Apache-2.0 | Apache-2.0 |
| zeroeval_gsm, zeroeval_math-l5, zeroeval_crux | WildEval/ZeroEval, Apache-2.0 | GSM8K, MATH, CRUXEval, MIT |
| llmrouter_multitask, in part | ulab-uiuc/LLMRouter, MIT | their own terms: GPQA (Rein et al.) and MBPP (Austin et al.) CC BY 4.0, the others MIT or Apache-2.0 |
| gaokao | OpenLMLab/GAOKAO-Bench, Apache-2.0 | published state examinations |
| arena_bench_v1 | lmarena/arena-hard-auto, Apache-2.0 | real users' prompts |

Each set weighs with the square root of its rows; the parts of llmrouter_multitask count as sets. A mid \
quality that was not recorded (routellm, gaokao, arena) is taken half way between small and frontier for \
training, never for measuring. Left out, beside rows marked as contaminated:
";

const WRITTEN: &str = "\
## Written prompts

Recorded outcomes are exam questions: nothing in them says what a greeting, a letter to be translated or \
a system to be designed asks for. `router-prompts.jsonl` holds requests of our own with the cheapest class \
that should do. **These levels are our judgement; no model was asked.** They enter as P(adequate) of \
0.95 / 0.97 / 0.98 for small, 0.60 / 0.93 / 0.97 for mid and 0.25 / 0.60 / 0.93 for frontier.";
