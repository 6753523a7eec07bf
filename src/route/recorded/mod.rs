//! Recorded outcomes: for one prompt, how well each of several models answered. What the heads are
//! trained on and the router is measured with. Reads files and embeds; what is made of the rows is
//! `fit`'s and `eval`'s.
//!
//! - [`rows`]: the files, what a row holds, which rows ask the same question, and what must not
//!   train what ships
//! - [`vectors`]: their vectors, kept between runs

pub mod rows;
pub mod vectors;

use crate::embed::Vector;

pub use rows::{FILES, Row, left_out, read};

use super::evidence::inputs::Prompt;
use super::features::Features;

/// Rows with what the router sees of their prompts, aligned.
#[derive(Debug, Clone)]
pub struct Corpus {
    pub rows: Vec<Row>,
    pub vectors: Vec<Vector>,
    pub surface: Vec<Features>,
}

impl Corpus {
    /// Of rows and their vectors; the surface features are counted here.
    pub fn new(rows: Vec<Row>, vectors: Vec<Vector>) -> Self {
        debug_assert_eq!(rows.len(), vectors.len());
        let surface = rows.iter().map(|row| Features::of_text(&row.prompt)).collect();
        Self { rows, vectors, surface }
    }

    /// What the heads read of a row.
    pub fn prompt(&self, row: usize) -> Prompt<'_> {
        Prompt {
            vector: &self.vectors[row],
            surface: self.surface[row].values(),
            chars: self.rows[row].chars,
        }
    }

    /// The places of a set's rows, in the order of the files.
    pub fn of_set(&self, set: &str) -> Vec<usize> {
        (0..self.rows.len()).filter(|row| self.rows[*row].set == set).collect()
    }
}
