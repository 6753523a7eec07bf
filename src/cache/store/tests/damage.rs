//! Files that were damaged: whatever still comes back is right, and the file is of use again.

use std::fs;

use proptest::prelude::*;

use super::*;

/// Opens what is left of a file, as a start does, and asks for everything. Whatever comes back must
/// be right; the file must be of use afterwards.
fn survives(folder: &TempDir, now: Now) -> usize {
    let store = open(folder);
    let mut found = 0;
    if let Ok(reader) = store.reader() {
        let mut from = None;
        loop {
            let batch = match reader.batch(from, 16, now) {
                Ok(batch) => batch,
                Err(fault) => {
                    store.report(fault);
                    break;
                }
            };
            for entry in &batch.entries {
                assert_eq!(entry.answer, answer(&entry.prompt));
                assert_eq!(entry.key, CacheKey(hash(&entry.prompt)));
                assert_eq!(entry.scope, Scope(hash(&entry.tenant)));
                let angle = f32::from(hash(&entry.prompt)[1]);
                let right = [angle.cos(), angle.sin(), 0.0];
                assert!(entry.vector.as_ref().is_none_or(|vector| **vector == right));
            }
            found += batch.entries.len();
            store.discard(batch.rejected, batch.vectors);
            from = batch.next;
            if from.is_none() {
                break;
            }
        }
        if let Err(fault) = reader.find(&CacheKey(hash("question 1")), now) {
            store.report(fault);
        }
    }
    store.put(Arc::new(entry("after", "a", now)));
    // A page that only now proves to be damaged costs this one; the next file is whole.
    if !store.flush(PATIENCE) {
        store.put(Arc::new(entry("after", "a", now)));
        assert!(store.flush(PATIENCE), "{:?}", store.kept());
    }
    found
}

#[test]
fn a_file_whose_schema_is_another_is_begun_anew() {
    let now = Now::read();
    let folder = filled(24, now);
    let file = rusqlite::Connection::open(folder.path().join(FILE)).expect("a file");
    file.execute_batch("ALTER TABLE clock RENAME COLUMN seen TO sean").expect("altered");
    drop(file);
    survives(&folder, now);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn flipped_bytes_never_make_a_wrong_answer(
        places in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..12),
    ) {
        let now = Now::read();
        let folder = filled(24, now);
        let path = folder.path().join(FILE);
        let mut bytes = fs::read(&path).expect("there");
        for (place, flip) in places {
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
        }
        fs::write(&path, bytes).expect("written");
        prop_assert!(survives(&folder, now) <= 24);
    }

    #[test]
    fn a_file_cut_anywhere_never_makes_a_wrong_answer(place in any::<prop::sample::Index>()) {
        let now = Now::read();
        let folder = filled(24, now);
        let path = folder.path().join(FILE);
        let bytes = fs::read(&path).expect("there");
        fs::write(&path, &bytes[..place.index(bytes.len())]).expect("written");
        prop_assert!(survives(&folder, now) <= 24);
    }

    #[test]
    fn a_log_cut_or_flipped_anywhere_never_makes_a_wrong_answer(
        place in any::<prop::sample::Index>(), flip in any::<u8>(),
    ) {
        let now = Now::read();
        let folder = tempfile::tempdir().expect("a folder");
        // A process that died: a log that was never folded into the file.
        let store = open(&folder);
        for place in 0..24 {
            store.put(Arc::new(entry(&format!("question {place}"), "a", now)));
        }
        prop_assert!(store.flush(PATIENCE));
        let copy = tempfile::tempdir().expect("a folder");
        let [file, log, _] = files(&folder.path().join(FILE));
        let [to_file, to_log, _] = files(&copy.path().join(FILE));
        fs::copy(file, to_file).expect("copied");
        let mut bytes = fs::read(log).unwrap_or_default();
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            if flip == 0 { bytes.truncate(place) } else { bytes[place] ^= flip }
        }
        fs::write(to_log, bytes).expect("written");
        prop_assert!(survives(&copy, now) <= 24);
    }
}
