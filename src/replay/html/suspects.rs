//! The hits that deserve a look, question beside question.

use super::figures::{probability, suspects};
use super::text::{clip, escape, marked, percent};
use crate::cache::Level;
use crate::replay::input::Row;
use crate::replay::trace::Trace;
use crate::replay::truth::By;

/// Hits that are shown.
const SHOWN: usize = 10;

/// Characters that are shown of a prompt and of an answer.
const PROMPT: usize = 600;
const ANSWER: usize = 400;

/// The most suspicious hits: known wrong ones first, then those that hardly passed the line.
pub fn section(rows: &[Row], traces: &[Trace]) -> String {
    let hits = suspects(traces, SHOWN);
    if hits.is_empty() {
        return "<p class=\"note\">No semantic hit, and no hit that is known to be wrong.</p>"
            .into();
    }
    hits.into_iter().map(|hit| card(rows, hit)).collect()
}

fn card(rows: &[Row], hit: &Trace) -> String {
    let asked = &rows[hit.row];
    let made = hit.maker.map(|maker| (maker, &rows[maker]));
    let (class, word) = match hit.truth {
        Some(truth) if truth.wrong => ("wrong", "wrong"),
        Some(_) => ("right", "right"),
        None => ("", "not judged"),
    };
    let by = match hit.truth.map(|truth| truth.by) {
        Some(By::Label) => " by label",
        Some(By::Judge) => " by the judge",
        None => "",
    };
    let level = hit.level.map_or("", Level::name);
    let seen = hit.seen.map_or_else(String::new, |seen| {
        format!(
            "<span>similarity {:.3}</span><span>score {:.2}, line {:.2}</span>\
             <span>predicted right {}</span>",
            seen.similarity,
            seen.score,
            seen.line,
            percent(probability(seen.score))
        )
    });
    let (question, other) = (asked.prompt(), made.map(|(_, row)| row.prompt()).unwrap_or_default());
    let (question, other) = (clip(&question, PROMPT), clip(&other, PROMPT));
    let left = side("asked", asked, hit.row, &marked(&question, &other), "its own answer");
    let right = made.map_or_else(String::new, |(number, row)| {
        side("answered as", row, number, &marked(&other, &question), "the answer served")
    });
    format!(
        "<article class=\"hit\"><header><span class=\"badge {class}\">{word}{by}</span>\
         <span>{level}</span>{seen}</header><div class=\"sides\">{left}{right}</div></article>\n"
    )
}

fn side(what: &str, row: &Row, number: usize, prompt: &str, of_answer: &str) -> String {
    let id = row.id.as_ref().map_or_else(|| (number + 1).to_string(), ToString::to_string);
    let label = row.label().map_or_else(String::new, |label| {
        format!(", label <code>{}</code>", escape(&clip(&label, 80)))
    });
    let answer = row.answer_text().map_or_else(String::new, |answer| {
        let answer = escape(&clip(answer, ANSWER));
        format!("<h4>{of_answer}</h4><p class=\"answer\" dir=\"auto\">{answer}</p>")
    });
    format!(
        "<div><h4>{what}: row <code>{}</code>{label}</h4><p dir=\"auto\">{prompt}</p>{answer}</div>",
        escape(&clip(&id, 80))
    )
}
