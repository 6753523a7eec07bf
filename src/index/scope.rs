//! The index of one scope: an exact tail, and a graph under it once the scope is large.
//!
//! A new vector goes to the tail and is found at once; moving it into the graph is [`tidy`]'s work,
//! done in small slices by whoever has the time. Inserting into a graph takes
//! milliseconds, and none of it happens under the lock that searches need: the lock is held for
//! appending to the tail and for declaring a batch moved. A removed vector leaves the tail, or
//! stays in the graph as a tombstone that searches step over.
//!
//! [`tidy`]: ScopeIndex::tidy

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::foresight::{Foresight, Held};
use super::hnsw::Graph;
use super::{BadVector, Neighbour, Row, best, check, flat};
use crate::embed::Vector;

/// When a scope changes its shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Vectors up to which a scope is scanned. Half of it is where a shrinking scope drops its
    /// graph again.
    pub flat: usize,
    /// Vectors that the tail above a graph may hold before they are moved.
    pub tail: usize,
    /// Share of tombstones among the points of a graph beyond which it is rebuilt.
    pub tombstones: f64,
}

impl Default for Limits {
    fn default() -> Self {
        // `benches/index.rs`, 384 dimensions, one thread of a loaded machine: a search takes by
        // scan and by graph 0.17 and 0.54 ms of 2,000 vectors, 1.8 and 1.9 of 8,000, 8.1 and 3.7 of
        // 16,000. So scans win up to some 8,000 vectors; they are exact, and cost nothing to build,
        // where a graph takes milliseconds for each vector. (Vectors that lie in the order of the
        // scan would push the crossing beyond 32,000, at the price of a second copy of each.)
        Self { flat: 8192, tail: 1024, tombstones: 0.25 }
    }
}

/// What an index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Vectors that a search can find.
    pub vectors: usize,
    /// Points of the graph, tombstones included; zero without a graph.
    pub points: usize,
    /// Removed vectors that the graph still holds.
    pub tombstones: usize,
}

/// Nearest neighbours among the vectors of one scope.
#[derive(Debug)]
pub struct ScopeIndex {
    limits: Limits,
    /// What is near what, where that is known beforehand: then there is never a graph.
    foresight: Option<Arc<Foresight>>,
    inner: RwLock<Inner>,
    /// A graph being built beside the one in use. Its lock also keeps two `tidy` calls apart.
    building: Mutex<Option<Building>>,
}

#[derive(Debug, Default)]
struct Inner {
    dimensions: Option<usize>,
    /// Rows that no graph holds, in rising order of id: scanned.
    tail: Vec<Row>,
    graph: Option<Arc<Graph>>,
    /// Rows in the graph that were not removed.
    live: HashMap<u64, Vector>,
    /// The same rows as the tail's, for an index with foresight.
    held: Held,
}

#[derive(Debug)]
struct Building {
    graph: Graph,
    rows: Vec<Row>,
    done: usize,
}

impl ScopeIndex {
    pub fn new(limits: Limits) -> Self {
        Self { limits, foresight: None, inner: RwLock::default(), building: Mutex::default() }
    }

    /// An index that finds, without scanning, what an exact scan would find.
    pub fn with_foresight(foresight: Arc<Foresight>) -> Self {
        let limits = Limits { flat: usize::MAX, ..Limits::default() };
        Self { foresight: Some(foresight), ..Self::new(limits) }
    }

    /// Adds a vector; a search finds it from now on. Ids must rise from call to call, which makes
    /// the tail a sorted list; they are given by the store, from one counter.
    pub fn insert(&self, id: u64, vector: Vector) -> Result<(), BadVector> {
        check(&vector)?;
        let mut inner = self.write();
        if *inner.dimensions.get_or_insert(vector.len()) != vector.len() {
            return Err(BadVector::Dimensions);
        }
        debug_assert!(inner.tail.last().is_none_or(|(last, _)| *last < id), "ids rise");
        if let Some(foresight) = &self.foresight {
            inner.held.insert(foresight, id, &vector);
        }
        inner.tail.push((id, vector));
        Ok(())
    }

    /// Takes a vector out of every later search. Whether it was there.
    pub fn remove(&self, id: u64) -> bool {
        let mut inner = self.write();
        if let Ok(place) = inner.tail.binary_search_by_key(&id, |(id, _)| *id) {
            let (_, vector) = inner.tail.remove(place);
            if let Some(foresight) = &self.foresight {
                inner.held.remove(foresight, id, &vector);
            }
            return true;
        }
        inner.live.remove(&id).is_some()
    }

    /// The `k` vectors nearest to `query`, most similar first.
    pub fn search(&self, query: &Vector, k: usize) -> Result<Vec<Neighbour>, BadVector> {
        check(query)?;
        let inner = self.read();
        if inner.dimensions.is_some_and(|dimensions| dimensions != query.len()) {
            return Err(BadVector::Dimensions);
        }
        if let Some(foresight) = &self.foresight {
            return Ok(inner.held.search(foresight, query, k));
        }
        let mut found = flat::search(&inner.tail, query, k);
        if let Some(graph) = &inner.graph {
            found.extend(inner.search_graph(graph, query, k));
            found = best(found, k);
        }
        Ok(found)
    }

    pub fn sizes(&self) -> Sizes {
        let inner = self.read();
        let points = inner.points();
        Sizes {
            vectors: inner.tail.len() + inner.live.len(),
            points,
            tombstones: points.saturating_sub(inner.live.len()),
        }
    }

    /// Whether the scope holds nothing to be found.
    pub fn is_empty(&self) -> bool {
        let inner = self.read();
        inner.tail.is_empty() && inner.live.is_empty()
    }

    /// Does up to `steps` insertions into a graph, where one is due. Returns whether more is.
    ///
    /// Searches go on meanwhile; a second `tidy` of the same scope waits.
    pub fn tidy(&self, steps: usize) -> bool {
        let mut building = lock(&self.building);
        if building.is_none() {
            *building = self.begin();
        }
        if let Some(work) = building.as_mut() {
            let end = work.rows.len().min(work.done + steps);
            for (id, vector) in &work.rows[work.done..end] {
                work.graph.insert(*id, vector);
            }
            work.done = end;
            if end < work.rows.len() {
                return true;
            }
            if let Some(work) = building.take() {
                self.put_in_place(work);
            }
        } else {
            self.move_tail(steps);
        }
        self.is_due()
    }

    /// The graph to build now, if any; or the return to a flat scan.
    fn begin(&self) -> Option<Building> {
        let inner = self.read();
        let rows: Vec<Row> = if inner.wants_flat(&self.limits) {
            drop(inner);
            self.flatten();
            return None;
        } else if inner.graph.is_none() && inner.tail.len() > self.limits.flat {
            inner.tail.clone()
        } else if inner.wants_rebuild(&self.limits) {
            let mut rows: Vec<Row> =
                inner.live.iter().map(|(id, vector)| (*id, Arc::clone(vector))).collect();
            rows.sort_unstable_by_key(|(id, _)| *id);
            rows
        } else {
            return None;
        };
        drop(inner);
        Some(Building { graph: Graph::new(rows.len() * 2), rows, done: 0 })
    }

    /// Swaps a finished graph in. Rows removed while it was built are tombstones of it.
    fn put_in_place(&self, work: Building) {
        let mut inner = self.write();
        let old = inner.graph.replace(Arc::new(work.graph));
        if old.is_none() {
            inner.move_to_graph(&work.rows);
        }
        drop(inner);
        // Freeing a large graph takes long; nobody waits for it here.
        drop(old);
    }

    /// Moves up to `steps` rows of a long tail into the graph.
    fn move_tail(&self, steps: usize) {
        let inner = self.read();
        let Some(graph) = inner.graph.clone() else { return };
        if inner.tail.len() <= self.limits.tail {
            return;
        }
        let rows: Vec<Row> = inner.tail.iter().take(steps).cloned().collect();
        drop(inner);
        // A row is in the tail and in the graph until it is declared moved; a search counts it once.
        for (id, vector) in &rows {
            graph.insert(*id, vector);
        }
        self.write().move_to_graph(&rows);
    }

    /// Drops the graph of a scope that has become small.
    fn flatten(&self) {
        let mut inner = self.write();
        let old = inner.graph.take();
        let mut rows: Vec<Row> = inner.live.drain().collect();
        rows.append(&mut inner.tail);
        rows.sort_unstable_by_key(|(id, _)| *id);
        inner.tail = rows;
        inner.live.shrink_to_fit();
        drop(inner);
        drop(old);
    }

    /// Whether [`Self::tidy`] has something to do.
    pub fn is_due(&self) -> bool {
        let inner = self.read();
        let limits = &self.limits;
        match inner.graph {
            None => inner.tail.len() > limits.flat,
            Some(_) => {
                inner.tail.len() > limits.tail
                    || inner.wants_rebuild(limits)
                    || inner.wants_flat(limits)
            }
        }
    }

    // No code that can panic runs under these locks except searches, which hold them for reading;
    // a poisoned lock still guards whole data.
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn points(&self) -> usize {
        self.graph.as_ref().map_or(0, |graph| graph.points())
    }

    fn wants_flat(&self, limits: &Limits) -> bool {
        self.graph.is_some() && self.live.len() + self.tail.len() <= limits.flat / 2
    }

    fn wants_rebuild(&self, limits: &Limits) -> bool {
        let points = self.points();
        // Rows of the tail that are being moved are points already, but few; they are not counted
        // as tombstones for longer than their batch takes.
        let tombstones = points.saturating_sub(self.live.len());
        points > 0 && tombstones as f64 > limits.tombstones * points as f64
    }

    /// Declares `rows` to be in the graph. One that was removed meanwhile is not in the tail any
    /// more and stays a tombstone.
    fn move_to_graph(&mut self, rows: &[Row]) {
        let Some((last, _)) = rows.last() else { return };
        let end = self.tail.partition_point(|(id, _)| id <= last);
        self.live.extend(self.tail.drain(..end));
    }

    /// Live neighbours from the graph. Tombstones crowd out what is wanted where a whole
    /// neighbourhood was removed, so the search widens until it has enough or is as wide as a scan.
    fn search_graph(&self, graph: &Graph, query: &Vector, k: usize) -> Vec<Neighbour> {
        let wanted = k.min(self.live.len());
        let mut breadth = k;
        loop {
            let near = graph.search(query, breadth);
            let seen = near.len();
            let mut found: Vec<Neighbour> =
                near.into_iter().filter(|near| self.live.contains_key(&near.id)).collect();
            if found.len() >= wanted {
                found.truncate(k);
                return found;
            }
            breadth = seen.max(breadth) * 4;
            if breadth >= graph.points() / 2 {
                return self.scan_live(query, k);
            }
        }
    }

    /// The exact search of last resort.
    fn scan_live(&self, query: &Vector, k: usize) -> Vec<Neighbour> {
        let found = self
            .live
            .iter()
            .map(|(id, vector)| Neighbour { id: *id, similarity: flat::cosine(query, vector) })
            .collect();
        best(found, k)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
