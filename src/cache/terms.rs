//! Which stored answers a request may be given, whatever they say: young enough for its caller, not
//! too long past their expiry, made by a model that is still configured. Pure; whether an answer
//! fits the question is `verify`'s business.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::semantic::Found;
use super::{Directives, Entry};
use crate::config::settings::Model;
use crate::now::Now;
use crate::policy::Choice;

/// What a request demands of any entry.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    pub directives: Directives,
    /// How long past its expiry an answer may still be given.
    grace: Duration,
    makers: Makers<'a>,
    pub now: Now,
}

/// The models whose answers may be given, by the id that was asked for. Another dated snapshot under
/// the same id does not end the life of older answers: providers serve two of them side by side for
/// weeks, and the operator who named an alias accepted that. A purge by model is there for whoever did
/// not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Makers<'a> {
    /// `None`: anybody's.
    models: Option<&'a [Arc<Model>]>,
    /// A model that the caller named and the configuration need not know.
    named: Option<&'a Model>,
}

/// Whether an entry meets the terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fitness {
    /// It may be given: fresh, or past its expiry by less than the grace.
    Fits {
        fresh: bool,
    },
    Expired,
    /// Older than the caller's `max-age`.
    TooOld,
    /// Its maker's name or id is no longer configured.
    Superseded,
}

/// What is put before the verifier.
#[derive(Debug)]
pub enum Selected<'f> {
    These(Cow<'f, [Found]>),
    /// Nothing: only what is too old for the caller would answer.
    TooOld,
}

impl<'a> Terms<'a> {
    /// Terms of a request at `now`. A caller who says how old an answer may be wants none that has
    /// expired (RFC 9111, section 5.2.1.1), so `max-age` ends the grace.
    pub fn new(directives: Directives, grace: Duration, makers: Makers<'a>, now: Now) -> Self {
        let grace = if directives.max_age.is_some() { Duration::ZERO } else { grace };
        Self { directives, grace, makers, now }
    }

    pub fn fitness(&self, entry: &Entry) -> Fitness {
        if !self.makers.include(entry) {
            Fitness::Superseded
        } else if !entry.is_usable(self.now, self.grace) {
            Fitness::Expired
        } else if self.directives.max_age.is_some_and(|oldest| entry.age(self.now) > oldest) {
            Fitness::TooOld
        } else {
            Fitness::Fits { fresh: entry.is_fresh(self.now) }
        }
    }

    pub fn allow(&self, entry: &Entry) -> bool {
        matches!(self.fitness(entry), Fitness::Fits { .. })
    }

    /// Which neighbours to put before the verifier: the fresh ones; with those in their grace, if
    /// only then one of them answers. And whether one that is too old for the caller would have
    /// answered where none of these does, so that the verdict can name the directive. `answers` says
    /// whether one of some neighbours would be served; usually all are fresh, and it is not asked.
    pub fn select<'f>(
        &self,
        found: &'f [Found],
        answers: impl Fn(&[Found]) -> bool,
    ) -> Selected<'f> {
        let chosen = |accept: &[Fitness]| -> Vec<Found> {
            let chosen = found.iter().filter(|found| accept.contains(&self.fitness(&found.entry)));
            chosen.cloned().collect()
        };
        let (fresh, late) = (Fitness::Fits { fresh: true }, Fitness::Fits { fresh: false });
        if found.iter().all(|found| self.fitness(&found.entry) == fresh) {
            return Selected::These(Cow::Borrowed(found));
        }
        let young = chosen(&[fresh]);
        let usable = chosen(&[fresh, late]);
        let all = chosen(&[fresh, late, Fitness::TooOld]);
        if all.len() > young.len() && !answers(&young) {
            if usable.len() > young.len() && answers(&usable) {
                return Selected::These(Cow::Owned(usable));
            }
            if all.len() > usable.len() && answers(&all) {
                return Selected::TooOld;
            }
        }
        Selected::These(Cow::Owned(young))
    }
}

impl<'a> Makers<'a> {
    /// Those of the configuration, and whoever the caller named. An entry knows its maker by the
    /// name in `models:` and by provider and upstream id: a name that now stands for another model
    /// has a new maker.
    pub fn of(models: &'a [Arc<Model>], choice: &'a Choice) -> Self {
        let named = match choice {
            Choice::Named { model, .. } => Some(&**model),
            _ => None,
        };
        Self { models: Some(models), named }
    }

    fn include(&self, entry: &Entry) -> bool {
        let Some(models) = self.models else { return true };
        let made = |model: &Model| *model.name == *entry.model && model.is_labelled(&entry.target);
        self.named.is_some_and(made) || models.iter().any(|model| made(model))
    }
}

#[cfg(test)]
#[path = "terms_tests.rs"]
mod tests;
