//! What the budgets count, against what the process takes. Run with `--run-ignored all --no-capture`,
//! each in a process of its own.

use super::*;

/// Bytes of memory that the process takes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = pages.split(' ').nth(1).expect("a second figure").parse().expect("a number");
    pages * 4096
}

/// A unit vector, another one for every seed.
fn vector(seed: usize) -> Vector {
    let mut reader = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    let mut bytes = [0; 384];
    reader.fill(&mut bytes);
    let raw = bytes.map(|byte| f32::from(byte) - 127.5);
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x / length).collect()
}

/// An entry as traffic makes them: a question of a line, an answer of a kilobyte, 384 dimensions.
fn usual(place: usize, scopes: usize, now: Now) -> Entry {
    let prompt =
        format!("How do I change setting {place} of the {}th gadget in the shop?", place / 7);
    let id = uuid::Uuid::from_u128(place as u128).to_string();
    let blank = entry(&id, &format!("{}", place % scopes), &prompt, 0.0, now);
    let answer = format!("{{\"choices\": [{{\"content\": \"{}\"}}]}}", "word ".repeat(200));
    let tags = BTreeMap::from([("team".to_owned(), "support".to_owned())]);
    Entry {
        vector: Some(vector(place)),
        answer: answer.into_bytes().into_boxed_slice().into(),
        tags,
        ..blank
    }
}

/// Fills a cache, and returns the bytes that the budgets count and those that the process took.
#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
fn filled(what: &str, exact: bool, semantic: bool, entries: usize, scopes: usize) {
    let mut settings = settings::Cache::default();
    (settings.exact.enabled, settings.semantic.enabled) = (exact, semantic);
    settings.semantic.max_entries = entries;
    // Nothing is to leave: what left would be counted no more, and the allocator might keep it.
    (settings.exact.max_bytes, settings.semantic.max_bytes) = (1 << 40, 1 << 40);
    let (cache, now) = (Cache::synchronous(&settings), Now::read());
    let before = resident();
    for place in 0..entries {
        cache.admit(usual(place, scopes, now));
    }
    let (counted, taken) = (cache.bytes(), resident() - before);
    let each = |bytes: u64| bytes as f64 / entries as f64;
    let share = counted as f64 / taken as f64;
    println!(
        "{what}: counted {:.0} bytes an entry, {share:.2} of {:.0}",
        each(counted),
        each(taken)
    );
    assert!(share > 0.8, "more is taken than counted");
}

#[test]
#[ignore = "a measurement"]
fn memory_of_the_exact_level() {
    filled("exact", true, false, 100_000, 100);
}

#[test]
#[ignore = "a measurement"]
fn memory_of_the_semantic_level_that_is_scanned() {
    filled("semantic, scanned", false, true, 100_000, 100);
}

#[test]
#[ignore = "a measurement"]
fn memory_of_the_semantic_level_with_its_graph() {
    filled("semantic, graph", false, true, 10_000, 1);
}

#[test]
#[ignore = "a measurement"]
fn memory_of_both_levels() {
    filled("both", true, true, 100_000, 100);
}
