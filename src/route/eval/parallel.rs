//! Work on every core: measurements are many fits that do not know of each other.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `work` of each number below `count`, in order. The numbers are handed out as threads become
/// free; what comes of them does not depend on that.
pub fn map<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(count);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    let result = work(n);
                    done.lock().expect("invariant: no holder panics").push((n, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("invariant: no holder panics");
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_order_each_once() {
        assert_eq!(map(50, |n| n * n), (0..50).map(|n| n * n).collect::<Vec<_>>());
        assert_eq!(map(0, |n| n), Vec::<usize>::new());
    }
}
