//! A labelled stream of prompts, with vectors, profiles and neighbourhoods, ready to be run many
//! times.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use semgate::cache::verify::Profile;
use serde::Deserialize;

/// Neighbours kept of each row. A run that needs more looks through everything it has stored.
const KEPT: usize = 400;

/// Cosine below which nothing is a candidate.
pub const FLOOR: f32 = 0.5;

pub const DIMENSIONS: usize = 384;

#[derive(Debug, Deserialize)]
struct Row {
    prompt: String,
    answer_id: String,
}

/// Rows in order; everything by row.
#[derive(Debug)]
pub struct Stream {
    pub name: String,
    pub prompts: Vec<String>,
    pub answers: Vec<u32>,
    pub profiles: Vec<Profile>,
    vectors: Vec<f32>,
    /// Earlier rows above the floor, nearest first, at most [`KEPT`].
    near: Vec<Vec<(u32, f32)>>,
}

impl Stream {
    /// `vectors`: unit vectors of the prompts, one after the other.
    pub fn load(path: &Path, limit: usize, vectors: Vec<f32>) -> Result<Self, String> {
        let rows = read(path)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.trim_end_matches(".jsonl.gz").to_owned();
        let mut numbers = HashMap::new();
        let rows: Vec<Row> = rows.into_iter().take(limit).collect();
        let answers = rows.iter().map(|row| {
            let next = numbers.len() as u32;
            *numbers.entry(row.answer_id.clone()).or_insert(next)
        });
        let answers = answers.collect();
        let profiles = rows.iter().map(|row| Profile::of(&row.prompt)).collect();
        let prompts: Vec<String> = rows.into_iter().map(|row| row.prompt).collect();
        if vectors.len() < prompts.len() * DIMENSIONS {
            return Err(format!("{name}: vectors are missing"));
        }
        let near = neighbourhoods(&vectors, prompts.len());
        Ok(Self { name, prompts, answers, profiles, vectors, near })
    }

    pub fn len(&self) -> usize {
        self.prompts.len()
    }

    pub fn cosine(&self, a: usize, b: usize) -> f32 {
        dot(row(&self.vectors, a), row(&self.vectors, b))
    }

    /// The `k` nearest of the stored earlier rows above the floor.
    pub fn nearest(&self, query: usize, stored: &[bool], k: usize) -> Vec<(usize, f32)> {
        let near = &self.near[query];
        let known = near.iter().filter(|(other, _)| stored[*other as usize]);
        let found: Vec<_> = known.take(k).map(|(other, cos)| (*other as usize, *cos)).collect();
        if found.len() == k || near.len() < KEPT {
            return found;
        }
        let mut all: Vec<(usize, f32)> = (0..query)
            .filter(|other| stored[*other])
            .map(|other| (other, self.cosine(query, other)))
            .filter(|(_, cos)| *cos >= FLOOR)
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(k);
        all
    }

    /// Shares of rows whose answer an earlier row has.
    pub fn oracle(&self) -> f64 {
        let distinct = self.answers.iter().collect::<std::collections::HashSet<_>>().len();
        1.0 - distinct as f64 / self.len() as f64
    }
}

fn read(path: &Path) -> Result<Vec<Row>, String> {
    let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(|error| fault(&error))?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).map_err(|error| fault(&error))?;
    text.lines().map(|line| serde_json::from_str(line).map_err(|error| fault(&error))).collect()
}

fn row(vectors: &[f32], row: usize) -> &[f32] {
    &vectors[row * DIMENSIONS..(row + 1) * DIMENSIONS]
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    for (a, b) in a.chunks_exact(16).zip(b.chunks_exact(16)) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

fn neighbourhoods(vectors: &[f32], rows: usize) -> Vec<Vec<(u32, f32)>> {
    let file = format!("/tmp/lab/near-{rows}.bin"); // LAB
    if let Ok(raw) = std::fs::read(&file) { // LAB
        let mut out = Vec::with_capacity(rows); let mut at = 0; // LAB
        let word = |at: usize| u32::from_le_bytes(raw[at..at + 4].try_into().unwrap()); // LAB
        while at < raw.len() { let n = word(at) as usize; at += 4; // LAB
            out.push((0..n).map(|k| (word(at + 8 * k), f32::from_bits(word(at + 8 * k + 4)))).collect()); at += 8 * n; } // LAB
        return out; // LAB
    } // LAB
    let out = neighbourhoods_(vectors, rows); // LAB
    let mut raw = Vec::new(); // LAB
    for r in &out { raw.extend((r.len() as u32).to_le_bytes()); for (a, b) in r { raw.extend(a.to_le_bytes()); raw.extend(b.to_bits().to_le_bytes()); } } // LAB
    std::fs::write(file, raw).unwrap(); // LAB
    out // LAB
} // LAB
fn neighbourhoods_(vectors: &[f32], rows: usize) -> Vec<Vec<(u32, f32)>> { // LAB
    (0..rows)
        .map(|query| {
            let own = row(vectors, query);
            let all = (0..query).map(|other| (other as u32, dot(own, row(vectors, other))));
            let mut near: Vec<(u32, f32)> = all.filter(|(_, cos)| *cos >= FLOOR).collect();
            near.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            near.truncate(KEPT);
            near.shrink_to_fit();
            near
        })
        .collect()
}
