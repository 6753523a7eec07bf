//! The model card beside the weights, written from the figures so that the two cannot differ.

use serde_json::{Value, json};

use crate::data::LEFT_OUT;
use crate::report::{
    Calibration, Line, Mix, calibration_json, calibration_table, ranking_json, ranking_table,
    round, thresholds_table,
};

/// Everything that the card says in numbers.
pub struct Card {
    pub ridge: f64,
    pub remark: String,
    pub train_rows: usize,
    /// Rows that took part, of all; the others had no vector.
    pub taken: (usize, usize),
    pub dev_rows: usize,
    pub doubt: [f64; 3],
    /// Mean log loss over sets: dev, and sources left out.
    pub losses: (f64, f64),
    pub thresholds: Vec<Mix>,
    pub dev: (Vec<Line>, Vec<Calibration>),
    pub unseen: (Vec<Line>, Vec<Calibration>),
}

impl Card {
    /// For the weights' file.
    pub fn metrics(&self) -> Value {
        json!({
            "dev": {"log_loss": round(self.losses.0), "ranking": ranking_json(&self.dev.0),
                "calibration": calibration_json(&self.dev.1)},
            "unseen": {"log_loss": round(self.losses.1), "ranking": ranking_json(&self.unseen.0),
                "calibration": calibration_json(&self.unseen.1)},
        })
    }

    /// The card as Markdown.
    pub fn render(&self, embedder: &str, hash: &str) -> String {
        let left_out: String =
            LEFT_OUT.iter().map(|(name, why)| format!("- `{name}`: {why}.\n")).collect();
        format!(
            "{INTRODUCTION}\n\
             | | |\n| --- | --- |\n\
             | embedder | `{embedder}` |\n\
             | hash of the weights | `{hash}` |\n\
             | training rows | {} |\n\
             | rows with a vector | {} of {} |\n\
             | ridge | {} |\n\
             | doubt of small, mid (standard error of the gap to frontier on sets left out) | {}, {} |\n\n\
             {SETS}\n{}\n\nLeft out of `llmrouter_multitask`:\n\n{left_out}\n\
             ## Measured on sets seen in training\n\n\
             {} rows of `dev/`; no training row shares a question with any of them. \
             Log loss, mean over sets: {:.4}. Score: predicted gain, P(frontier) − P(weaker). \
             Brackets are 95 % bootstrap intervals; 0.5 is chance.\n\n{}\n{}\n\
             Thresholds on the rows that all three tiers were recorded on (mmlu_pro and zeroeval, harder \
             than chat):\n\n{}\n\
             ## Measured on sources left out\n\n\
             All rows of a source, predicted by heads fitted on the other sources without any of its \
             questions: what unknown traffic may expect. Log loss, mean over sets: {:.4}.\n\n{}\n{}",
            self.train_rows,
            self.taken.0,
            self.taken.1,
            self.ridge,
            self.doubt[0],
            self.doubt[1],
            self.remark,
            self.dev_rows,
            self.losses.0,
            ranking_table(&self.dev.0),
            calibration_table(&self.dev.1),
            thresholds_table(&self.thresholds),
            self.losses.1,
            ranking_table(&self.unseen.0),
            calibration_table(&self.unseen.1),
        )
    }
}

const INTRODUCTION: &str = "\
# Router heads

Written by `cargo run --example fit_heads`; do not edit. Three logistic heads on the prompt's vector \
and its surface features give P(adequate) of a small, a mid and a frontier model: the expected \
quality in [0, 1] that models of the class were recorded with. They serve until a deployment has \
labels of its own.

**What they can and cannot do.** They tell kinds of task apart: recall and everyday language from \
competition mathematics and program tracing. On traffic of a kind that they have not seen, they rank single prompts no better than \
chance on most sets, and worse than the prompt's length on MMLU and GSM8K (tables below), \
and their level may be off by the doubt stated. A threshold on them is a start, to be checked with `semgate replay`; \
quality mode counts the doubt and therefore mostly abstains to the baseline. The recorded models are \
of 2023 and 2024, and today's models of each class do better than these figures. English \
multiple-choice questions dominate the training rows; chat is 1 % of them. What stands around the \
last user text (history, tools, images, output limits) was not recorded and has no weight.
";

const SETS: &str = "\
## Training sets

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
training, never for measuring.
";
