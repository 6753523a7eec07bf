//! Single-flight: equal requests that are on their way at the same time cost one upstream call.
//!
//! The first one leads: its errand (`errand`) asks upstream and pays, and tells what it learns on a
//! tape that all of them hear. The others follow: a stream follower hears the events so far and goes
//! on live; one who asked for JSON, or who came when the beginning was already forgotten, waits for
//! the end. Sharing follows the cache's own rules, since it is what the cache would do a moment later:
//!
//! - Requests share a flight only if they may share an entry (the key holds the scope), and if what
//!   bounds the leader's call bounds theirs: output limit, price ceiling, timeout.
//! - Questions that differ in form only share one, too (`alike`).
//! - An answer that admission refuses goes to nobody who has not been sent a part of it already:
//!   these ask upstream themselves, all at once, as they would have done without the flight. For a
//!   while the key is known as one that is not shared ([`PASS`]), so that the next herd does not
//!   queue for nothing.
//! - When the leader fails, one follower asks again and leads the others; the second failure is
//!   everybody's, so a herd costs two calls at most.
//! - The leader's client may leave: the errand goes on while anybody follows. When all have left it is
//!   dropped, and the upstream's connection with it.
//!
//! Not decided here: whether an answer may be stored (`cache::admission`), and how it is told to a
//! caller (`reply`, `listen`).

mod alike;
mod tape;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use moka::sync::Cache;

use crate::cache::{CacheKey, CacheVerdict, RequestDetail};
use crate::config::settings::Mode;
use crate::now::Now;
use crate::price::Money;

use super::Asked;
use super::errand::News;
use super::recall::Recall;
use alike::Wording;
use tape::{Limits, Listener, Tape};

pub use alike::Ticket;
pub use tape::{Heard, Recorded};

/// Listeners of one flight at most; further requests ask upstream themselves.
const MOST_ABOARD: usize = 2048;

/// Bytes of events that a slow follower may be behind; beyond it, its stream ends in an error.
const LAG: usize = 4 << 20;

/// How long equal requests ask side by side after an answer that nobody else could have. Then one of
/// them leads again: what is refused once need not be refused for ever.
const PASS: Duration = Duration::from_secs(60);

/// Keys known as not shared at most; beyond it some are forgotten, and the next herd waits once.
const MOST_PASSES: u64 = 4096;

const SHARDS: usize = 16;

/// What must be equal before two requests may share a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlightKey {
    exact: CacheKey,
    limit: Option<u64>,
    max_cost: Option<Money>,
    timeout: Option<Duration>,
}

impl FlightKey {
    /// `None` if the request shares no call: the cache takes no part, may not store the answer, or
    /// must not serve it; or the caller wants an answer made for this very request.
    pub fn of(asked: &Asked, memory: &Recall) -> Option<Self> {
        let keyed = memory.keyed?;
        let (cache, said) = (&asked.settings.cache, &asked.headers.cache);
        let looked = match memory.verdict {
            CacheVerdict::Miss { .. } | CacheVerdict::Stale => true,
            CacheVerdict::Request(RequestDetail::MaxAge) => said.max_age != Some(Duration::ZERO),
            _ => false,
        };
        let takes_part = cache.exact.enabled && cache.mode == Mode::Enforce;
        if !takes_part || !looked || said.no_cache || said.no_store {
            return None;
        }
        let (max_cost, timeout) = (asked.policy.max_cost, asked.policy.timeout);
        Some(Self { exact: keyed.exact, limit: keyed.limit, max_cost, timeout })
    }
}

/// The flights under way, by key.
#[derive(Debug)]
pub struct Flights {
    shards: [Shard; SHARDS],
    /// Keys whose last answer was nobody else's, and until when that counts.
    passes: Cache<FlightKey, Instant>,
    /// Requests that follow one of them.
    followers: AtomicUsize,
}

impl Default for Flights {
    fn default() -> Self {
        let passes = Cache::builder().max_capacity(MOST_PASSES).time_to_live(PASS).build();
        Self { shards: Default::default(), passes, followers: AtomicUsize::default() }
    }
}

type Shard = Mutex<HashMap<FlightKey, Weak<Flight>>>;

/// One call and all who listen to it.
#[derive(Debug)]
struct Flight {
    tape: Arc<Tape<News>>,
    /// `None`: nobody can find it.
    listed: Option<Listed>,
    /// The flight that its followers went over to when it brought nothing.
    successor: Mutex<Option<Arc<Flight>>>,
}

/// Where a flight is found.
#[derive(Debug, Clone)]
struct Listed {
    key: FlightKey,
    /// By questions that differ in form only, and what they are held against.
    alike: Option<(FlightKey, Arc<Wording>)>,
    flights: Arc<Flights>,
}

/// What a request that wants an answer gets.
#[derive(Debug)]
pub enum Boarded {
    Lead(Seat),
    Follow(Passenger),
}

/// The right, and the duty, to ask upstream. Dropped unused, another one takes over.
#[derive(Debug)]
pub struct Seat(Arc<Flight>);

/// A listener of a flight, which keeps it going.
#[derive(Debug)]
pub struct Passenger {
    listener: Listener<News>,
    flight: Arc<Flight>,
    /// Of the leader: tells the errand when its caller has left. `None` makes a follower.
    presence: Option<Presence>,
}

/// Tells an errand that the caller it was begun for is still there.
#[derive(Debug, Clone)]
pub struct Aboard(Arc<AtomicBool>);

/// Held by that caller.
#[derive(Debug)]
struct Presence(Aboard);

impl Flights {
    /// Leads a new flight, or follows the one under way; asks for itself alone where an equal
    /// request's answer has just turned out to be nobody else's. `replay` is how many bytes a flight
    /// keeps for those who come later.
    pub fn board(self: &Arc<Self>, ticket: &Ticket<'_>, replay: usize, now: Instant) -> Boarded {
        let key = ticket.key;
        if self.passes.get(&key).is_some_and(|until| now < until) {
            return Boarded::Lead(Seat::alone());
        }
        if let Some(passenger) = self.follow_alike(ticket) {
            return Boarded::Follow(passenger);
        }
        // Declared before the lock and so dropped after it: a flight's end takes the lock, too.
        let mut found = None;
        let mut shard = self.shard(&key);
        if let Some(flight) = shard.get(&key).and_then(Weak::upgrade) {
            let flight = found.insert(flight);
            if !flight.tape.is_over() {
                let listener = flight.tape.listen(MOST_ABOARD);
                return listener.map_or_else(
                    || Boarded::Lead(Seat::alone()),
                    |listener| Boarded::Follow(Passenger::follow(listener, flight)),
                );
            }
        }
        let alike = ticket.alike.as_ref().map(|alike| (alike.listing, alike.wording.clone()));
        let listing = alike.as_ref().map(|(listing, _)| *listing);
        let flight = Flight::new(replay, Some(Listed { key, alike, flights: self.clone() }));
        shard.insert(key, Arc::downgrade(&flight));
        drop(shard);
        if let Some(listing) = listing {
            self.shard(&listing).insert(listing, Arc::downgrade(&flight));
        }
        Boarded::Lead(Seat(flight))
    }

    /// Follows a question that differs from this one in form only, where no equal one is under way.
    fn follow_alike(&self, ticket: &Ticket<'_>) -> Option<Passenger> {
        let alike = ticket.alike.as_ref()?;
        if self.find(&ticket.key).is_some() {
            return None;
        }
        let flight = self.find(&alike.listing)?;
        if !flight.suits(ticket) {
            return None;
        }
        let listener = flight.tape.listen(MOST_ABOARD)?;
        Some(Passenger::follow(listener, &flight))
    }

    /// The flight of that listing that is under way.
    fn find(&self, listing: &FlightKey) -> Option<Arc<Flight>> {
        // The lock is given back before the flight can be dropped: its end takes the lock, too.
        let flight = self.shard(listing).get(listing).and_then(Weak::upgrade);
        flight.filter(|flight| !flight.tape.is_over())
    }

    /// After a flight that brought nothing: leads the next one if nobody does yet whose answer this
    /// request may share. It is found by the wording of whoever leads it.
    pub fn board_next(
        self: &Arc<Self>,
        last: Passenger,
        ticket: &Ticket<'_>,
        replay: usize,
        now: Instant,
    ) -> Boarded {
        if last.flight.listed.is_none() {
            return Boarded::Lead(Seat::alone());
        }
        let mut successor = lock(&last.flight.successor);
        if let Some(next) = &*successor {
            // Two who may follow one leader may yet be kept apart from each other.
            if !next.suits(ticket) {
                return self.board(ticket, replay, now);
            }
            return match next.tape.listen(MOST_ABOARD) {
                Some(listener) => Boarded::Follow(Passenger::follow(listener, next)),
                None => Boarded::Lead(Seat::alone()),
            };
        }
        let boarded = self.board(ticket, replay, now);
        let next = match &boarded {
            Boarded::Lead(seat) => &seat.0,
            Boarded::Follow(passenger) => &passenger.flight,
        };
        // One who has to fly alone leads nobody.
        *successor = next.listed.is_some().then(|| next.clone());
        boarded
    }

    /// Remembers an answer that is nobody else's.
    fn note(&self, key: FlightKey, news: &News, now: Instant) {
        if news.is_refused() {
            self.passes.insert(key, now + PASS);
        }
    }

    /// Requests that wait for an equal one, or share its answer, at this moment.
    pub fn followers(&self) -> usize {
        self.followers.load(Ordering::Relaxed)
    }

    /// Flights on the table, for tests.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// A key's bytes are a hash: any of them spreads well.
    fn shard(&self, key: &FlightKey) -> MutexGuard<'_, HashMap<FlightKey, Weak<Flight>>> {
        lock(&self.shards[usize::from(key.exact.0[0]) % SHARDS])
    }
}

impl Flight {
    fn new(replay: usize, listed: Option<Listed>) -> Arc<Self> {
        let tape = Tape::new(Limits { replay, lag: LAG.max(replay) });
        Arc::new(Self { tape, listed, successor: Mutex::default() })
    }

    /// Whether its answer may be shared by that request: an equal one, or one that differs in form
    /// only.
    fn suits(&self, ticket: &Ticket<'_>) -> bool {
        let Some(Listed { key, alike, .. }) = &self.listed else { return false };
        let wordings = ticket.alike.as_ref().zip(alike.as_ref());
        *key == ticket.key || wordings.is_some_and(|(own, (_, leader))| own.may_follow(leader))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let Some(Listed { key, alike, flights }) = &self.listed else { return };
        for listing in std::iter::once(key).chain(alike.as_ref().map(|(listing, _)| listing)) {
            let mut shard = flights.shard(listing);
            if let Entry::Occupied(entry) = shard.entry(*listing)
                && std::ptr::eq(entry.get().as_ptr(), self)
            {
                entry.remove();
            }
        }
    }
}

impl Seat {
    /// The seat of a request that shares with nobody.
    pub fn alone() -> Self {
        Self(Flight::new(0, None))
    }

    /// Sends the errand off; `aboard` tells it whether its own caller still listens.
    pub fn depart(self, errand: BoxStream<'static, News>, aboard: Aboard) -> Passenger {
        let listener = self.0.tape.listen(usize::MAX).expect("invariant: no limit, no refusal");
        let errand = match self.0.listed.clone() {
            Some(Listed { key, flights, .. }) => {
                errand.inspect(move |news| flights.note(key, news, Now::read().mono)).boxed()
            }
            None => errand,
        };
        self.0.tape.start(errand);
        let presence = Some(Presence(aboard));
        Passenger { listener, flight: self.0.clone(), presence }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.tape.give_up();
    }
}

impl Passenger {
    fn follow(listener: Listener<News>, flight: &Arc<Flight>) -> Self {
        if let Some(Listed { flights, .. }) = &flight.listed {
            flights.followers.fetch_add(1, Ordering::Relaxed);
        }
        Self { listener, flight: flight.clone(), presence: None }
    }

    /// What the errand tells next.
    pub async fn next(&mut self) -> Heard<News> {
        self.listener.next().await
    }

    /// Whether a stream can begin now: all events are still there, and the flight has not turned out
    /// to be one that this follower must not share.
    pub fn can_stream(&self) -> bool {
        let ended_in = self.flight.tape.is_over().then(|| self.flight.tape.last()).flatten();
        self.listener.from_start && ended_in.is_none_or(|news| news.may_be_shared())
    }
}

impl Drop for Passenger {
    fn drop(&mut self) {
        if let (None, Some(Listed { flights, .. })) = (&self.presence, &self.flight.listed) {
            flights.followers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Aboard {
    pub fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub fn is_aboard(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
