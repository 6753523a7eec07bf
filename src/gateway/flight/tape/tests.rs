//! What a tape promises its listeners, whatever order they ask in.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join_all, poll_immediate};
use futures_util::stream;
use tokio::sync::mpsc;

use super::*;

/// Every item weighs the same, and a thousand is the last word.
impl Recorded for u32 {
    fn weight(&self) -> usize {
        10
    }

    fn is_last(&self) -> bool {
        *self == 1000
    }
}

const ROOMY: Limits = Limits { replay: 1000, lag: 1000 };

/// A tape whose items are sent by hand.
fn tape(limits: Limits) -> (Arc<Tape<u32>>, mpsc::UnboundedSender<u32>) {
    let tape = Tape::new(limits);
    let (send, receive) = mpsc::unbounded_channel();
    tape.start(stream::unfold(receive, |mut r| async { Some((r.recv().await?, r)) }).boxed());
    (tape, send)
}

fn listen(tape: &Arc<Tape<u32>>) -> Listener<u32> {
    tape.listen(usize::MAX).expect("no limit")
}

async fn all(mut listener: Listener<u32>) -> Vec<u32> {
    let mut heard = Vec::new();
    while let Heard::Item(item) = listener.next().await {
        heard.push(item);
    }
    heard
}

#[tokio::test]
async fn whoever_comes_while_it_is_complete_hears_all_of_it() {
    let (tape, send) = tape(ROOMY);
    let early = tokio::spawn(all(listen(&tape)));
    (0..3).for_each(|n| send.send(n).expect("heard"));
    let mut first = listen(&tape);
    assert_eq!(first.next().await, Heard::Item(0));
    let late = tokio::spawn(all(listen(&tape)));
    (3..5).for_each(|n| send.send(n).expect("heard"));
    drop(send);
    for listener in [early, late] {
        assert_eq!(listener.await.expect("no panic"), [0, 1, 2, 3, 4]);
    }
    assert_eq!(all(first).await, [1, 2, 3, 4]);
    assert!(tape.is_over());
    assert_eq!(all(listen(&tape)).await, [0, 1, 2, 3, 4], "even after the end");
}

#[tokio::test]
async fn each_item_is_produced_once_however_many_listen() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let tape = Tape::<u32>::new(ROOMY);
    let listeners: Vec<_> = (0..100).map(|_| tokio::spawn(all(listen(&tape)))).collect();
    tokio::task::yield_now().await;
    let source = stream::unfold(0, |n| async move {
        tokio::task::yield_now().await;
        MADE.fetch_add(1, Ordering::Relaxed);
        (n < 20).then_some((n, n + 1))
    });
    tape.start(source.boxed());
    for heard in join_all(listeners).await {
        assert_eq!(heard.expect("no panic"), (0..20).collect::<Vec<_>>());
    }
    assert_eq!(MADE.load(Ordering::Relaxed), 21);
}

#[tokio::test]
async fn one_who_stops_asking_or_leaves_holds_nobody_up() {
    let (tape, send) = tape(ROOMY);
    let (mut stalled, mut leaving, mut reading) = (listen(&tape), listen(&tape), listen(&tape));
    // Both have polled the source last, and are never polled again.
    assert!(poll_immediate(reading.next()).await.is_none());
    assert!(poll_immediate(leaving.next()).await.is_none());
    assert!(poll_immediate(stalled.next()).await.is_none());
    drop(leaving);
    let reading = tokio::spawn(async move { reading.next().await });
    tokio::task::yield_now().await;
    assert!(poll_immediate(stalled.next()).await.is_none());
    send.send(7).expect("heard");
    assert_eq!(reading.await.expect("no panic"), Heard::Item(7));
    assert_eq!(stalled.next().await, Heard::Item(7));
}

#[tokio::test]
async fn one_who_takes_an_item_wakes_those_who_wait_for_it() {
    let (tape, send) = tape(ROOMY);
    let mut waiting = listen(&tape);
    let waiting = tokio::spawn(async move { waiting.next().await });
    tokio::task::yield_now().await;
    let mut quick = listen(&tape);
    send.send(7).expect("heard");
    // Polls the source before the one who was woken does.
    assert_eq!(poll_immediate(quick.next()).await, Some(Heard::Item(7)));
    assert_eq!(waiting.await.expect("no panic"), Heard::Item(7));
}

#[tokio::test]
async fn beyond_the_replay_limit_new_listeners_begin_with_what_comes_next() {
    let (tape, send) = tape(Limits { replay: 25, lag: 1000 });
    let mut first = listen(&tape);
    (0..3).for_each(|n| send.send(n).expect("heard"));
    assert_eq!(first.next().await, Heard::Item(0));
    assert_eq!(first.next().await, Heard::Item(1));
    assert!(listen(&tape).from_start, "20 bytes are kept");
    assert_eq!(first.next().await, Heard::Item(2));
    let late = listen(&tape);
    assert!(!late.from_start, "30 are not");
    send.send(3).expect("heard");
    drop(send);
    assert_eq!(all(late).await, [3]);
    assert_eq!(all(first).await, [3]);
}

#[tokio::test]
async fn one_who_is_too_far_behind_loses_its_place_and_nobody_else_does() {
    let (tape, send) = tape(Limits { replay: 20, lag: 50 });
    let (mut slow, quick) = (listen(&tape), listen(&tape));
    assert!(poll_immediate(slow.next()).await.is_none());
    (0..9).for_each(|n| send.send(n).expect("heard"));
    drop(send);
    assert_eq!(all(quick).await, (0..9).collect::<Vec<_>>());
    assert_eq!(slow.next().await, Heard::Lost);
    assert!(tape.lock().bytes <= 50);
}

#[tokio::test]
async fn a_tape_for_one_keeps_next_to_nothing() {
    let (tape, send) = tape(Limits { replay: 0, lag: 1000 });
    let mut only = listen(&tape);
    for n in 0..50 {
        send.send(n).expect("heard");
        assert_eq!(only.next().await, Heard::Item(n));
        assert!(tape.lock().items.len() <= 1);
    }
}

#[tokio::test]
async fn the_source_goes_with_the_last_listener() {
    let (tape, send) = tape(ROOMY);
    let (one, other) = (listen(&tape), listen(&tape));
    drop(tape);
    drop(one);
    assert!(!send.is_closed());
    drop(other);
    assert!(send.is_closed());
}

#[tokio::test]
async fn one_given_up_ends_for_those_who_wait() {
    let tape = Tape::<u32>::new(ROOMY);
    let mut waiting = listen(&tape);
    let waiting = tokio::spawn(async move { waiting.next().await });
    tokio::task::yield_now().await;
    tape.give_up();
    assert_eq!(waiting.await.expect("no panic"), Heard::End);
    tape.start(stream::iter([1]).boxed());
    assert!(tape.is_over(), "it stays given up");
}

#[tokio::test]
async fn a_source_that_panics_ends_the_tape_and_no_listener() {
    let tape = Tape::<u32>::new(ROOMY);
    tape.start(
        stream::iter([1, 2]).map(|n| if n == 2 { panic!("as scripted") } else { n }).boxed(),
    );
    assert_eq!(all(listen(&tape)).await, [1]);
    assert_eq!(all(listen(&tape)).await, [1]);
}

#[tokio::test]
async fn places_are_limited() {
    let tape = Tape::<u32>::new(ROOMY);
    let first = tape.listen(2).expect("room");
    let _second = tape.listen(2).expect("room");
    assert!(tape.listen(2).is_none());
    drop(first);
    assert!(tape.listen(2).is_some());
}

#[tokio::test]
async fn the_last_word_ends_it_while_the_source_still_tidies_up() {
    let (tape, send) = tape(ROOMY);
    let mut listener = listen(&tape);
    send.send(1000).expect("heard");
    assert_eq!(listener.next().await, Heard::Item(1000));
    assert!(tape.is_over());
    assert!(poll_immediate(listener.next()).await.is_none(), "the source is not through");
    drop(send);
    assert_eq!(listener.next().await, Heard::End);
}
