//! How long it takes. Run with `--run-ignored all --no-capture`.

use super::*;

/// Not a test of right and wrong: how long a start takes with 100,000 entries, 2.5 KB of answer and
/// 384 dimensions each, in a hundred scopes.
#[tokio::test]
#[ignore = "a measurement; run it with --nocapture"]
#[expect(clippy::print_stdout, reason = "a measurement says what it measured")]
async fn start_with_a_hundred_thousand_entries() {
    const ENTRIES: usize = 100_000;
    let folder = folder();
    let settings = settings::Cache::default();
    let store = Store::start(folder.path(), Some(EMBEDDER), 1 << 40).expect("a thread");
    let now = Now::read();
    let begun = Now::read().mono;
    for place in 0..ENTRIES {
        let scope = format!("{}", place % 100);
        let blank = entry(&format!("{place}"), &scope, &format!("question {place}"), 0.0, now);
        let random = blake3::hash(&place.to_le_bytes());
        let mut vector: Vec<f32> = (0..384)
            .map(|axis| f32::from(random.as_bytes()[axis % 32] ^ (axis as u8)) - 127.5)
            .collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        let answer = vec![b'x'; 2500].into();
        store.put(Arc::new(Entry { vector: Some(vector.into()), answer, ..blank }));
        if place % 4096 == 0 {
            assert!(store.flush(Duration::from_secs(60)));
        }
    }
    assert!(store.close(Duration::from_secs(60)));
    drop(store);
    let ms = |since: std::time::Instant| Now::read().mono.duration_since(since).as_millis();
    let mut said = format!("written in {} ms", ms(begun));
    let begun = Now::read().mono;
    let cache = of(&settings, folder.path());
    said += &format!("; ready after {} ms", ms(begun));
    let mut asked = 1;
    while exact(&cache, "99", "question 99999", now) == MISS {
        cache.fetch(&keyed("99", "question 99999")).await;
        asked += 1;
    }
    said += &format!("; last exact key after {} ms and {asked} lookups", ms(begun));
    cache.flush();
    said += &format!("; {} in memory after {} ms", cache.entries(Level::Exact), ms(begun));
    let keeper = cache.holdings.keeper.get().expect("it has a file");
    let begun = Now::read().mono;
    keeper.shared.compare(now).expect("a file that works");
    said += &format!("; compared in {} ms", ms(begun));
    println!("{said}");
    assert!(cache.entries(Level::Semantic) > ENTRIES as u64 * 9 / 10, "{said}");
}
