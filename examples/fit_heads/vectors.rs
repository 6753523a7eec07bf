//! Vectors of the prompts, by the same embedder that the gateway runs, kept in a side file between
//! runs: one record is the BLAKE3 of the text and its components.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use semgate::embed::{DIMENSIONS, Embedder, Embedding};

type Hash = [u8; 32];

const RECORD: usize = 32 + DIMENSIONS * 4;

/// Known vectors, and the embedder for the others.
pub struct Vectors<'a> {
    embedder: &'a Embedder,
    known: HashMap<Hash, Box<[f32]>>,
    file: BufWriter<File>,
}

impl<'a> Vectors<'a> {
    /// Reads the side file, if there is one.
    pub fn open(path: &Path, embedder: &'a Embedder) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.read_to_end(&mut bytes)?;
        let known = bytes.chunks_exact(RECORD).map(record).collect();
        Ok(Self { embedder, known, file: BufWriter::new(file) })
    }

    /// Whether the text's vector is kept.
    pub fn is_known(&self, text: &str) -> bool {
        self.known.contains_key(&hash(text))
    }

    /// The texts' unit vectors, in order; a text longer than the window gives that of its
    /// beginning. Unknown ones are embedded and kept.
    pub fn of(&mut self, texts: &[String]) -> Result<Vec<Box<[f32]>>, String> {
        self.check(texts)?;
        let is_new = |text: &&String| !self.known.contains_key(&hash(text));
        let new: Vec<String> = texts.iter().filter(is_new).cloned().collect();
        for (text, vector) in new.iter().zip(self.embed(&new)?) {
            self.keep(hash(text), &vector).map_err(|fault| fault.to_string())?;
            self.known.insert(hash(text), vector);
        }
        self.file.flush().map_err(|fault| fault.to_string())?;
        Ok(texts.iter().map(|text| self.known[&hash(text)].clone()).collect())
    }

    /// A few kept vectors against the embedder's own: the file may be another embedder's.
    fn check(&self, texts: &[String]) -> Result<(), String> {
        let kept: Vec<String> = texts.iter().filter(|text| self.is_known(text)).cloned().collect();
        let some: Vec<String> = kept.iter().step_by(kept.len() / 8 + 1).cloned().collect();
        for (text, fresh) in some.iter().zip(self.embed(&some)?) {
            let cosine: f32 = self.known[&hash(text)].iter().zip(&fresh).map(|(a, b)| a * b).sum();
            if cosine < 0.9999 {
                return Err(format!("the kept vectors are another embedder's (cosine {cosine})"));
            }
        }
        Ok(())
    }

    /// The vectors from the embedder, whatever is kept.
    pub fn embed(&self, texts: &[String]) -> Result<Vec<Box<[f32]>>, String> {
        let plain = |outcome: Result<Embedding, _>| match outcome {
            Ok(embedding) => Ok(embedding.vector.to_vec().into_boxed_slice()),
            Err(fault) => Err(format!("a prompt cannot be embedded: {fault:?}")),
        };
        self.embedder.embed_blocking(texts).into_iter().map(plain).collect()
    }

    fn keep(&mut self, hash: Hash, vector: &[f32]) -> std::io::Result<()> {
        self.file.write_all(&hash)?;
        vector.iter().try_for_each(|number| self.file.write_all(&number.to_le_bytes()))
    }
}

fn hash(text: &str) -> Hash {
    *blake3::hash(text.as_bytes()).as_bytes()
}

fn record(bytes: &[u8]) -> (Hash, Box<[f32]>) {
    let (hash, numbers) = bytes.split_at(32);
    let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let hash = hash.try_into().expect("a record begins with 32 bytes");
    (hash, numbers.chunks_exact(4).map(number).collect())
}
