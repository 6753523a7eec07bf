//! Who leads, who follows, and what is left of a flight when it is over.

use futures_util::{FutureExt, StreamExt, stream};

use crate::error::GatewayError;

use super::alike::Alike;
use super::*;
use crate::cache;
use crate::cache::feedback::{Feedback, Label, Served};
use crate::dialect::Usage;
use crate::gateway::errand::{Failure, Landed, Origin};

const REPLAY: usize = 1000;

fn plain(exact: u8, limit: Option<u64>) -> FlightKey {
    FlightKey { exact: CacheKey([exact; 32]), limit, max_cost: None, timeout: None }
}

fn key(exact: u8, limit: Option<u64>) -> Ticket<'static> {
    Ticket { key: plain(exact, limit), alike: None }
}

/// The ticket of a question, in a scope of that number.
fn asking<'a>(exact: u8, scope: u8, prompt: &str, cache: &'a cache::Cache) -> Ticket<'a> {
    let key = plain(exact, None);
    Ticket { key, alike: Alike::new(key, &[scope; 32], prompt, cache) }
}

fn follows(flights: &Arc<Flights>, ticket: &Ticket<'_>) -> bool {
    matches!(flights.board(ticket, REPLAY, now()), Boarded::Follow(_))
}

/// A caller says that the one's answer was wrong for the other.
fn keep_apart(cache: &cache::Cache, asked: &Ticket<'_>, served: &Ticket<'_>) {
    let served = Served::shared("1", Some((asked.key.exact, served.key.exact)));
    let bad = Feedback {
        request: "2".into(),
        tenant: "acme".into(),
        route: "auto".into(),
        label: Label::Bad,
        served: Some(Arc::new(served)),
    };
    cache.feedback(&bad, Now::read());
}

fn failed() -> News {
    let error = GatewayError::UpstreamFailed { attempts: Vec::new() };
    let head = axum::http::HeaderMap::new();
    News::Failed(Arc::new(Failure { error, head, instead: None }))
}

fn now() -> Instant {
    Now::read().mono
}

fn landed(shareable: bool) -> News {
    let (target, request) = ("up/mini".into(), "1".into());
    let origin =
        Origin { tier: None, target, request, key: None, head: axum::http::HeaderMap::new() };
    let body = Some("{}".into());
    let (usage, closing) = (Usage::default(), "".into());
    News::Whole(Arc::new(Landed { origin, body, usage, shareable, closing }))
}

fn seat(boarded: Boarded) -> Seat {
    match boarded {
        Boarded::Lead(seat) => seat,
        Boarded::Follow(_) => panic!("it should lead"),
    }
}

fn follower(boarded: Boarded) -> Passenger {
    match boarded {
        Boarded::Follow(passenger) => passenger,
        Boarded::Lead(_) => panic!("it should follow"),
    }
}

fn depart(seat: Seat, news: Vec<News>) -> Passenger {
    seat.depart(stream::iter(news).boxed(), Aboard::new())
}

#[test]
fn equal_requests_share_and_others_do_not() {
    let flights = Arc::new(Flights::default());
    let _leading = seat(flights.board(&key(1, None), REPLAY, now()));
    let _following = follower(flights.board(&key(1, None), REPLAY, now()));
    for other in [
        key(2, None),
        key(1, Some(5)),
        Ticket { key: FlightKey { max_cost: Some(Money::ZERO), ..plain(1, None) }, alike: None },
        Ticket {
            key: FlightKey { timeout: Some(Duration::from_secs(1)), ..plain(1, None) },
            alike: None,
        },
    ] {
        let _leads = seat(flights.board(&other, REPLAY, now()));
    }
    assert_eq!(flights.len(), 1);
}

#[test]
fn nothing_is_left_when_all_have_gone() {
    let flights = Arc::new(Flights::default());
    let leading = seat(flights.board(&key(1, None), REPLAY, now()));
    let following = follower(flights.board(&key(1, None), REPLAY, now()));
    drop(leading);
    assert_eq!(flights.len(), 1, "one still listens");
    drop(following);
    assert_eq!(flights.len(), 0);
}

#[test]
fn an_unused_seat_is_taken_by_one_of_those_who_wait() {
    let flights = Arc::new(Flights::default());
    let leading = seat(flights.board(&key(1, None), REPLAY, now()));
    let mut waiting: Vec<_> =
        (0..3).map(|_| follower(flights.board(&key(1, None), REPLAY, now()))).collect();
    drop(leading);
    let mut seats = Vec::new();
    let mut following = 0;
    for mut passenger in waiting.drain(..) {
        assert!(matches!(passenger.next().now_or_never(), Some(Heard::End)));
        match flights.board_next(passenger, &key(1, None), REPLAY, now()) {
            Boarded::Lead(seat) => seats.push(seat),
            Boarded::Follow(passenger) => {
                following += 1;
                drop(passenger);
            }
        }
    }
    assert_eq!((seats.len(), following), (1, 2));
}

#[test]
fn one_asks_again_after_a_failure_however_late_the_others_notice() {
    let flights = Arc::new(Flights::default());
    let leading = seat(flights.board(&key(1, None), REPLAY, now()));
    let mut waiting: Vec<_> =
        (0..3).map(|_| follower(flights.board(&key(1, None), REPLAY, now()))).collect();
    let mut leader = depart(leading, vec![failed()]);
    assert!(matches!(leader.next().now_or_never(), Some(Heard::Item(News::Failed(_)))));
    drop(leader);
    for passenger in &mut waiting {
        assert!(matches!(passenger.next().now_or_never(), Some(Heard::Item(News::Failed(_)))));
    }
    // The second call fails before the other two have turned to it.
    let second = seat(flights.board_next(waiting.remove(0), &key(1, None), REPLAY, now()));
    let mut second = depart(second, vec![failed()]);
    assert!(matches!(second.next().now_or_never(), Some(Heard::Item(News::Failed(_)))));
    assert!(matches!(second.next().now_or_never(), Some(Heard::End)));
    drop(second);
    for passenger in waiting {
        let mut passenger = follower(flights.board_next(passenger, &key(1, None), REPLAY, now()));
        assert!(matches!(passenger.next().now_or_never(), Some(Heard::Item(News::Failed(_)))));
    }
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_flight_that_is_over_is_not_boarded() {
    let flights = Arc::new(Flights::default());
    let mut leader = depart(seat(flights.board(&key(1, None), REPLAY, now())), vec![failed()]);
    while matches!(leader.next().now_or_never(), Some(Heard::Item(_))) {}
    let _next = seat(flights.board(&key(1, None), REPLAY, now()));
    drop(leader);
    assert_eq!(flights.len(), 1, "the old one does not take the new one off the table");
}

#[test]
fn beyond_the_most_everybody_flies_alone() {
    let flights = Arc::new(Flights::default());
    let _leading = seat(flights.board(&key(1, None), REPLAY, now()));
    let _aboard: Vec<_> =
        (0..MOST_ABOARD).map(|_| follower(flights.board(&key(1, None), REPLAY, now()))).collect();
    let alone = seat(flights.board(&key(1, None), REPLAY, now()));
    assert!(alone.0.listed.is_none());
}

#[test]
fn the_errand_knows_whether_its_own_caller_is_there() {
    let aboard = Aboard::new();
    let leader = Seat::alone().depart(stream::pending().boxed(), aboard.clone());
    assert!(aboard.is_aboard());
    drop(leader);
    assert!(!aboard.is_aboard());
}

#[tokio::test(start_paused = true)]
async fn after_an_answer_that_is_nobody_elses_equal_requests_ask_side_by_side_for_a_while() {
    let flights = Arc::new(Flights::default());
    let mut leader = depart(seat(flights.board(&key(1, None), REPLAY, now())), vec![landed(false)]);
    assert!(matches!(leader.next().await, Heard::Item(News::Whole(_))));
    drop(leader);
    let later = now();
    for place in 0..3 {
        let alone = seat(flights.board(&key(1, None), REPLAY, later + PASS * place / 3));
        assert!(alone.0.listed.is_none(), "nobody can follow it");
    }
    assert_eq!(flights.len(), 0);
    let _other = seat(flights.board(&key(1, Some(5)), REPLAY, later));
    let _follows = follower(flights.board(&key(1, Some(5)), REPLAY, later));
    // The next one finds out whether it is still so.
    let _leads = seat(flights.board(&key(1, None), REPLAY, later + PASS));
    let _follows = follower(flights.board(&key(1, None), REPLAY, later + PASS));
}

#[tokio::test]
async fn an_answer_for_all_and_a_failure_keep_the_herd_together() {
    let flights = Arc::new(Flights::default());
    for news in [landed(true), failed()] {
        let mut leader = depart(seat(flights.board(&key(1, None), REPLAY, now())), vec![news]);
        assert!(matches!(leader.next().await, Heard::Item(_)));
        drop(leader);
        let _leads = seat(flights.board(&key(1, None), REPLAY, now()));
        let _follows = follower(flights.board(&key(1, None), REPLAY, now()));
    }
}

#[test]
fn a_question_that_differs_in_form_only_follows() {
    let flights = Arc::new(Flights::default());
    let cache = cache::Cache::synchronous(&crate::config::settings::Cache::default());
    let ask = |exact, prompt| asking(exact, 1, prompt, &cache);
    let _leading = seat(flights.board(&ask(1, "What's the capital of France?"), REPLAY, now()));
    assert!(follows(&flights, &ask(2, "what is the capital of france, please")));
    assert!(follows(&flights, &ask(3, "WHAT'S THE CAPITAL OF FRANCE")));
    assert_eq!(flights.len(), 2, "one flight, found in two ways");
    for (exact, other) in [
        (4, "What's the capital of Spain?"),
        (5, "What isn't the capital of France?"),
        (6, "Which city is the capital of France?"),
    ] {
        assert!(!follows(&flights, &ask(exact, other)), "{other}");
    }
    let elsewhere = asking(7, 2, "What's the capital of France?", &cache);
    assert!(!follows(&flights, &elsewhere), "another scope");
    let mut limited = ask(8, "what's the capital of france");
    let alike = limited.alike.as_mut().expect("it has words");
    alike.listing.limit = Some(5);
    assert!(!follows(&flights, &limited), "another limit");
}

#[test]
fn what_a_caller_has_kept_apart_does_not_follow() {
    let flights = Arc::new(Flights::default());
    let cache = cache::Cache::synchronous(&crate::config::settings::Cache::default());
    let first = asking(1, 1, "What's the capital of France?", &cache);
    let second = asking(2, 1, "what is the capital of france", &cache);
    let _leading = seat(flights.board(&first, REPLAY, now()));
    assert!(follows(&flights, &second));
    keep_apart(&cache, &second, &first);
    assert!(!follows(&flights, &second));
}

#[test]
fn two_who_follow_one_leader_are_kept_apart_when_one_of_them_leads() {
    let flights = Arc::new(Flights::default());
    let cache = cache::Cache::synchronous(&crate::config::settings::Cache::default());
    let ask = |exact, prompt| asking(exact, 1, prompt, &cache);
    let (second, third) = (ask(2, "name a river!"), ask(3, "NAME A RIVER"));
    keep_apart(&cache, &second, &third);
    let leading = seat(flights.board(&ask(1, "Name a river"), REPLAY, now()));
    let mut waiting: Vec<_> = [&ask(1, "Name a river"), &second, &third, &third]
        .map(|ticket| follower(flights.board(ticket, REPLAY, now())))
        .into();
    drop(leading);
    let next = seat(flights.board_next(waiting.remove(1), &second, REPLAY, now()));
    let equal = flights.board_next(waiting.remove(0), &ask(1, "Name a river"), REPLAY, now());
    assert!(Arc::ptr_eq(&follower(equal).flight, &next.0));
    let own = seat(flights.board_next(waiting.remove(0), &third, REPLAY, now()));
    let with_it = follower(flights.board_next(waiting.remove(0), &third, REPLAY, now()));
    assert!(Arc::ptr_eq(&with_it.flight, &own.0), "its equals share the other call");
    assert!(follows(&flights, &second), "under its own key");
}

#[test]
fn an_equal_question_is_followed_before_one_of_its_form() {
    let flights = Arc::new(Flights::default());
    let cache = cache::Cache::synchronous(&crate::config::settings::Cache::default());
    let ask = |exact, prompt| asking(exact, 1, prompt, &cache);
    let first = seat(flights.board(&ask(1, "Name a river"), REPLAY, now()));
    let alike = follower(flights.board(&ask(2, "name a river!"), REPLAY, now()));
    assert!(Arc::ptr_eq(&alike.flight, &first.0));
    // It leads the next one, under both names.
    drop(first);
    let next = seat(flights.board_next(alike, &ask(2, "name a river!"), REPLAY, now()));
    let equal = follower(flights.board(&ask(1, "Name a river"), REPLAY, now()));
    assert!(Arc::ptr_eq(&equal.flight, &next.0));
    assert!(follows(&flights, &ask(3, "NAME A RIVER")));
    drop((next, equal));
    assert_eq!(flights.len(), 0);
}
