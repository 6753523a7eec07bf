//! Decision records as JSON lines in a file that rotates. One thread writes; the request path only
//! puts a record into a bounded queue, and a record that finds the queue full is counted as dropped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::config::settings::RecordFile;

use super::decision::DecisionRecord;

/// Records that may wait for the disk.
const QUEUE: usize = 4096;

/// The queue to the writing thread. Dropping it writes what waits and closes the file.
#[derive(Debug)]
pub struct RecordWriter {
    queue: Option<SyncSender<Arc<DecisionRecord>>>,
    thread: Option<JoinHandle<()>>,
}

impl RecordWriter {
    /// Opens the file (mode 0600, appending) and starts the thread.
    pub fn start(settings: &RecordFile) -> io::Result<Self> {
        let mut log = RotatingFile::open(settings)?;
        let (queue, waiting) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("semgate-record".into())
            .spawn(move || write_all(&mut log, &waiting))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands a record over; false when the queue is full or the writer is gone.
    pub fn write(&self, record: Arc<DecisionRecord>) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.try_send(record).is_ok())
    }
}

impl Drop for RecordWriter {
    fn drop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

/// Writes in batches: whatever waits goes out with one flush.
fn write_all(log: &mut RotatingFile, waiting: &Receiver<Arc<DecisionRecord>>) {
    let mut failing = false;
    while let Ok(first) = waiting.recv() {
        let batch = std::iter::once(first).chain(waiting.try_iter().take(QUEUE));
        match log.append(batch) {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::error!(path = %log.path.display(), %error, "records cannot be written");
            }
            Err(_) => {}
        }
    }
}

#[derive(Debug)]
struct RotatingFile {
    path: PathBuf,
    max_bytes: u64,
    keep: usize,
    file: BufWriter<File>,
    bytes: u64,
}

impl RotatingFile {
    fn open(settings: &RecordFile) -> io::Result<Self> {
        let file = open(&settings.path)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            path: settings.path.clone(),
            max_bytes: settings.max_bytes,
            keep: settings.keep,
            file: BufWriter::new(file),
            bytes,
        })
    }

    fn append(&mut self, batch: impl Iterator<Item = Arc<DecisionRecord>>) -> io::Result<()> {
        for record in batch {
            let mut line = serde_json::to_vec(&*record)?;
            line.push(b'\n');
            if self.bytes > 0 && self.bytes + line.len() as u64 > self.max_bytes {
                self.rotate()?;
            }
            self.file.write_all(&line)?;
            self.bytes += line.len() as u64;
        }
        self.file.flush()
    }

    /// `records.jsonl` becomes `records.jsonl.1`, that one `.2`, and so on up to `keep`.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.flush()?;
        if self.keep == 0 {
            fs::remove_file(&self.path)?;
        }
        for number in (1..=self.keep).rev() {
            let from =
                if number == 1 { self.path.clone() } else { numbered(&self.path, number - 1) };
            if from.exists() {
                fs::rename(from, numbered(&self.path, number))?;
            }
        }
        self.file = BufWriter::new(open(&self.path)?);
        self.bytes = 0;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_file_rotates_is_private_and_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("records.jsonl");
        let one =
            serde_json::to_vec(&DecisionRecord::example()).expect("serialises").len() as u64 + 1;
        let settings = RecordFile { path: path.clone(), max_bytes: 2 * one, keep: 2 };
        let writer = RecordWriter::start(&settings).expect("starts");
        for _ in 0..5 {
            assert!(writer.write(Arc::new(DecisionRecord::example())));
        }
        drop(writer);
        let lines = |path: &Path| fs::read_to_string(path).expect("readable").lines().count();
        assert_eq!(lines(&path), 1);
        assert_eq!(lines(&numbered(&path, 1)), 2);
        assert_eq!(lines(&numbered(&path, 2)), 2);
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    }
}
