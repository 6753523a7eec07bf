//! A labelled stream of prompts, with vectors, profiles and neighbourhoods, ready to be run many
//! times.

use std::collections::HashMap;
use std::path::Path;

use semgate::cache::verify::Profile;
use semgate::embed::{Embedder, Vector};
use semgate::index::flat::dot;
use semgate::replay::embed::{Shelf, embed};
use semgate::replay::input;

/// Earlier neighbours kept of each row. A run that needs more looks through everything it stored.
const KEPT: usize = 400;

/// Cosine below which nothing is a candidate.
const FLOOR: f32 = 0.5;

/// Rows in order; everything by row.
#[derive(Debug)]
pub struct Stream {
    pub name: String,
    pub prompts: Vec<String>,
    /// Rows with one number may be answered by one answer.
    pub answers: Vec<u32>,
    pub profiles: Vec<Profile>,
    vectors: Vec<Vector>,
    /// Earlier rows above the floor, nearest first, at most [`KEPT`].
    near: Vec<Vec<(u32, f32)>>,
}

impl Stream {
    /// Reads a stream in the replay format. Its vectors are made once and kept in `folder`.
    pub fn load(path: &Path, embedder: &Embedder, folder: &Path) -> Result<Self, String> {
        let rows = input::read(path, false)?.rows;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.trim_end_matches(".gz").trim_end_matches(".jsonl").to_owned();
        let shelf = Shelf {
            places: vec![folder.join(format!("{name}.vectors"))],
            identity: embedder.identity().to_owned(),
        };
        let embedded = embed(&rows, embedder, &shelf, |_| {});
        if let Some(trouble) = embedded.trouble {
            return Err(format!("{name}: {trouble}"));
        }
        let vectors: Option<Vec<Vector>> =
            embedded.vectors.into_iter().map(|found| Some(found?.vector)).collect();
        let vectors = vectors.ok_or_else(|| format!("{name}: a prompt has no vector"))?;
        let mut numbers = HashMap::new();
        let mut answers = Vec::with_capacity(rows.len());
        for row in &rows {
            let label = row.label().ok_or_else(|| format!("{name}: a row without answer_id"))?;
            let next = numbers.len() as u32;
            answers.push(*numbers.entry(label).or_insert(next));
        }
        let prompts: Vec<String> = rows.iter().map(|row| row.prompt().into_owned()).collect();
        let profiles = prompts.iter().map(|prompt| Profile::of(prompt)).collect();
        let near = neighbourhoods(&vectors);
        Ok(Self { name, prompts, answers, profiles, vectors, near })
    }

    pub fn len(&self) -> usize {
        self.prompts.len()
    }

    /// The `k` nearest of the stored earlier rows above the floor.
    pub fn nearest(&self, query: usize, stored: &[bool], k: usize) -> Vec<(usize, f32)> {
        let near = &self.near[query];
        let known = near.iter().filter(|(other, _)| stored[*other as usize]);
        let found: Vec<_> = known.take(k).map(|(other, cos)| (*other as usize, *cos)).collect();
        if found.len() == k || near.len() < KEPT {
            return found;
        }
        let earlier = (0..query).filter(|other| stored[*other]);
        let mut all: Vec<(usize, f32)> = earlier
            .map(|other| (other, dot(&self.vectors[query], &self.vectors[other])))
            .filter(|(_, cos)| *cos >= FLOOR)
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(k);
        all
    }

    /// The nearest stored row at all, for the baselines.
    pub fn nearest_one(&self, query: usize, stored: &[bool]) -> Option<(usize, f32)> {
        self.nearest(query, stored, 1).first().copied()
    }

    /// Share of rows whose answer an earlier row has.
    pub fn oracle(&self) -> f64 {
        let distinct = self.answers.iter().collect::<std::collections::HashSet<_>>().len();
        1.0 - distinct as f64 / self.len().max(1) as f64
    }
}

fn neighbourhoods(vectors: &[Vector]) -> Vec<Vec<(u32, f32)>> {
    super::parallel(vectors.len(), |query| {
        let all = (0..query).map(|other| (other as u32, dot(&vectors[query], &vectors[other])));
        let mut near: Vec<(u32, f32)> = all.filter(|(_, cos)| *cos >= FLOOR).collect();
        near.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near.truncate(KEPT);
        near.shrink_to_fit();
        near
    })
}
