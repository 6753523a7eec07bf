//! The thread that learns. What happens is put on its desk, never waited for; what does not fit is
//! dropped and counted. It writes everything down before it counts, and goes on in memory where the
//! file fails.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::Students;
use super::archive::{Archive, Contents, Fault};
use super::label::{Label, Opinion};
use super::opinions;
use super::probe::Capability;
use super::scholar::{KEPT, Scholar, Unknown, VERSIONS};
use super::school::School;
use super::version::{Number, Version};
use crate::cache::learn::Lane;
use crate::now::Now;
use crate::route::evidence::shift::Watched;

/// Notes that wait at most: labels come once in a while, and learning from them takes seconds.
const WAITING: usize = 4096;

/// How long the end of the gateway waits for what is still to be written.
const LAST: Duration = Duration::from_secs(3);

/// Every so many labels of a lane the file is relieved of what is not kept any more.
const PRUNE: i64 = 500;

/// What happened.
#[derive(Debug)]
pub enum Note {
    Label { lane: Lane, pair: Arc<str>, label: Box<Label> },
    Opinion { lane: Lane, opinion: Opinion },
    Alarm { lane: Lane, watched: Watched },
    Probed(Box<Capability>),
    School(Box<School>),
    RollBack { lane: Lane, to: u32, reply: SyncSender<Result<u32, Unknown>> },
    History(SyncSender<Vec<(Lane, Vec<Version>)>>),
    Settle(SyncSender<()>),
}

/// The desk, and whoever sits at it until it is dropped.
#[derive(Debug)]
pub struct Desk {
    notes: Mutex<Option<SyncSender<Note>>>,
    /// Hears that the thread has come to its end.
    ended: Mutex<Option<Receiver<()>>>,
}

impl Desk {
    pub(super) fn open(
        school: School,
        archive: Option<Archive>,
        students: Arc<Students>,
        positions: Arc<ArcSwap<HashMap<Arc<str>, f64>>>,
        now: Now,
    ) -> Self {
        let (notes, waiting) = sync_channel(WAITING);
        let mut reader =
            Reader { school, archive, students, positions, scholars: HashMap::new(), last: 0 };
        // Before the first request, so that a restart forgets nothing.
        reader.restore();
        let (finished, ended) = sync_channel(1);
        let thread = Builder::new().name("semgate-router".into()).spawn(move || {
            reader.renew(now.wall);
            reader.run(&waiting);
            // The file is whoever's who comes next.
            drop(reader);
            // Whoever waited may have given up.
            let _ = finished.send(());
        });
        let thread = thread.inspect_err(|error| {
            tracing::error!(%error, "no thread for the router to learn on: it learns nothing");
        });
        let ended = Mutex::new(thread.ok().map(|_| ended));
        Self { notes: Mutex::new(Some(notes)), ended }
    }

    /// Puts a note down. False: there was no room for it.
    pub fn take(&self, note: Note) -> bool {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.as_ref().is_some_and(|notes| notes.try_send(note).is_ok())
    }

    fn ask<T>(&self, note: impl FnOnce(SyncSender<T>) -> Note) -> Option<T> {
        let (reply, answer) = sync_channel(1);
        // A clone, so that those who only put down notes do not wait behind those who wait.
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        notes.send(note(reply)).ok()?;
        answer.recv().ok()
    }

    pub fn settle(&self) {
        self.ask(Note::Settle);
    }

    pub fn history(&self) -> Vec<(Lane, Vec<Version>)> {
        self.ask(Note::History).unwrap_or_default()
    }

    pub fn roll_back(&self, lane: &Lane, to: u32) -> Result<u32, Unknown> {
        let answer = self.ask(|reply| Note::RollBack { lane: lane.clone(), to, reply });
        answer.unwrap_or(Err(Unknown(to)))
    }
}

/// What was put down is still written, unless that takes too long: a fit may take seconds.
impl Drop for Desk {
    fn drop(&mut self) {
        drop(self.notes.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(ended) = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // An error is a thread that has panicked, which was logged as it happened.
            let _ = ended.recv_timeout(LAST);
        }
    }
}

/// Who reads the notes.
struct Reader {
    school: School,
    archive: Option<Archive>,
    students: Arc<Students>,
    positions: Arc<ArcSwap<HashMap<Arc<str>, f64>>>,
    scholars: HashMap<Lane, Scholar>,
    /// The last label's number.
    last: Number,
}

impl Reader {
    fn run(&mut self, notes: &Receiver<Note>) {
        while let Ok(note) = notes.recv() {
            let at = Now::read().wall;
            self.read(note, at);
        }
    }

    fn read(&mut self, note: Note, at: Timestamp) {
        match note {
            Note::Label { lane, pair, label } => self.label(&lane, &pair, *label, at),
            Note::Opinion { lane, opinion } => {
                self.write(|archive| {
                    archive.add_opinion(&lane, &opinion)?;
                    archive.prune_opinions(&lane, opinions::MOST)
                });
            }
            Note::Alarm { lane, watched } => {
                let school = self.school.clone();
                let version = self.scholar(&lane).fall(watched, &school, at).clone();
                self.write(|archive| archive.add_version(&lane, &version, VERSIONS));
            }
            Note::Probed(capability) => self.write(|archive| archive.add_probe(&capability)),
            Note::School(school) => self.reload(*school, at),
            Note::RollBack { lane, to, reply } => {
                let school = self.school.clone();
                let version = self.scholar(&lane).go_back(to, &school, at).cloned();
                if let Ok(version) = &version {
                    self.write(|archive| archive.add_version(&lane, version, VERSIONS));
                }
                // Whoever asked may have gone.
                let _ = reply.send(version.map(|version| version.number));
            }
            Note::History(reply) => {
                let versions = self.scholars.iter().map(|(lane, scholar)| {
                    (lane.clone(), scholar.versions().iter().cloned().collect())
                });
                let _ = reply.send(versions.collect());
            }
            Note::Settle(reply) => {
                let _ = reply.send(());
            }
        }
    }

    fn label(&mut self, lane: &Lane, pair: &str, label: Label, at: Timestamp) {
        self.last += 1;
        let number = self.last;
        self.write(|archive| archive.add_label(number, lane, pair, &label));
        let school = self.school.clone();
        let scholar = self.scholar(lane);
        scholar.add(number, pair, label);
        let oldest = scholar.oldest(pair).filter(|_| number % PRUNE == 0);
        let version = scholar.is_due(&school).then(|| scholar.learn(&school, at).clone());
        if let Some(version) = version {
            self.write(|archive| archive.add_version(lane, &version, VERSIONS));
        }
        if let Some(oldest) = oldest {
            self.write(|archive| archive.prune(lane, pair, oldest));
        }
    }

    /// Thresholds hold for what was stated when they were found.
    fn reload(&mut self, school: School, at: Timestamp) {
        self.school = school;
        for scholar in self.scholars.values_mut() {
            scholar.learn(&self.school, at);
        }
    }

    fn scholar(&mut self, lane: &Lane) -> &mut Scholar {
        let student = self.students.of(lane);
        self.scholars
            .entry(lane.clone())
            .or_insert_with(|| Scholar::new(lane.route.clone(), student))
    }

    /// Learns anew what was restored and does not fit. The file keeps its version: it may be another
    /// build's that fits again.
    fn renew(&mut self, at: Timestamp) {
        for scholar in self.scholars.values_mut().filter(|scholar| scholar.is_stale()) {
            scholar.learn(&self.school, at);
        }
    }

    fn restore(&mut self) {
        let Some(archive) = &self.archive else { return };
        let contents = match archive.contents() {
            Ok(contents) => contents,
            Err(fault) => {
                let path = archive.path().display().to_string();
                tracing::warn!(path, %fault, "what the router had learnt cannot be read");
                return;
            }
        };
        let Contents { labels, opinions, versions, probes } = contents;
        self.last = labels.last().map_or(0, |(number, ..)| *number);
        for (lane, opinion) in opinions {
            self.students.of(&lane).opinions().add(opinion);
        }
        let mut lanes: HashMap<Lane, Contents> = HashMap::new();
        for label in labels {
            lanes.entry(label.1.clone()).or_default().labels.push(label);
        }
        for version in versions {
            lanes.entry(version.0.clone()).or_default().versions.push(version);
        }
        let school = self.school.clone();
        for (lane, contents) in lanes {
            self.scholar(&lane).restore(contents, &school);
        }
        let places = probes.into_iter().map(|probe| (probe.model, probe.position));
        self.positions.store(Arc::new(places.collect()));
    }

    /// Writes to the file, where there is one. A fault is told and costs what was to be written.
    fn write(&self, write: impl FnOnce(&Archive) -> Result<(), Fault>) {
        let Some(archive) = &self.archive else { return };
        if let Err(fault) = write(archive) {
            let path = archive.path().display();
            tracing::warn!(%path, %fault, "what the router learns is not written down");
        }
    }
}

const _: () = assert!(KEPT as i64 >= PRUNE);
