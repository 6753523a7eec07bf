//! Answer groups: which entries are known to have the same answer, what the judge said of them so
//! far, and whether a group may be trusted. Pure.
//!
//! Groups are never merged whole: with a judge that errs one false *same* would join two answers for
//! good. Entries move one at a time, when enough verdicts speak for it (as Boyer and Moore's
//! majority counter).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::judged::{Errors, Verdict};

/// Number of an answer group within a tenant and route.
pub type Group = u32;

/// Verdicts *different* in a row that retire a group: the stored answer is no longer the answer.
const STRIKES: u8 = 3;

/// An unverified group after an alarm is retired sooner.
const STRIKES_UNVERIFIED: u8 = 2;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Groups {
    entries: HashMap<u64, Member>,
    groups: HashMap<Group, Standing>,
    next: Group,
    /// Alarms so far: what was verified before the last one counts no more.
    alarms: u32,
}

/// What is known of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub group: Group,
    /// Verdicts *same* and *different* on it as a candidate.
    pub right: u16,
    pub wrong: u16,
    /// The largest cosine at which it was judged different; −1: never.
    pub wrong_at: f32,
    /// The group that it may belong to instead, and the votes for that.
    rival: Group,
    votes: u8,
}

/// What is known of one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub entries: u32,
    pub right: u32,
    pub wrong: u32,
    /// Verdicts *different* above the line in a row; not zero: suspect.
    strikes: u8,
    /// Verdicts *same* as best candidate since the alarm numbered `since`.
    verified: u8,
    since: u32,
}

/// Whether what a group says may be served without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    Trusted,
    /// Its last answer above the line was judged different.
    Suspect,
    /// Not seen right since the last alarm.
    Unverified,
}

/// One compared candidate of a lookup.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    pub entry: u64,
    /// The entry's group when it was looked up: it may be gone by now, replaced by the new answer.
    pub group: Option<Group>,
    /// Log-odds that its answer is the query's.
    pub z: f32,
    pub similarity: f32,
    pub verdict: Verdict,
    /// Verdicts that this one sums up.
    pub panel: u8,
}

impl Groups {
    /// What is known of an entry; one that is not known is alone and without a record.
    pub fn member(&self, entry: u64) -> Option<&Member> {
        self.entries.get(&entry)
    }

    pub fn standing(&self, group: Group) -> Standing {
        self.groups.get(&group).copied().unwrap_or_default()
    }

    pub fn trust(&self, group: Group, errors: &Errors) -> Trust {
        let standing = self.standing(group);
        if standing.strikes > 0 {
            Trust::Suspect
        } else if self.alarms > 0 && standing.verified_since(self.alarms) < errors.need() {
            Trust::Unverified
        } else {
            Trust::Trusted
        }
    }

    /// Where a compared candidate belongs, or belonged while it was here.
    pub fn home(&self, compared: &Compared) -> Option<Group> {
        let member = self.entries.get(&compared.entry).map(|member| member.group);
        member.or(compared.group.filter(|group| self.groups.contains_key(group)))
    }

    /// Counts a candidate's verdict into its record and its group's.
    pub fn record(&mut self, compared: &Compared) {
        let Some(home) = self.home(compared) else { return };
        let standing = self.groups.entry(home).or_default();
        match compared.verdict {
            Verdict::Same => standing.right += 1,
            Verdict::Different => standing.wrong += 1,
            Verdict::CannotTell => {}
        }
        let Some(member) = self.entries.get_mut(&compared.entry) else { return };
        match compared.verdict {
            Verdict::Same => member.right = member.right.saturating_add(1),
            Verdict::Different => {
                member.wrong = member.wrong.saturating_add(1);
                member.wrong_at = member.wrong_at.max(compared.similarity);
            }
            Verdict::CannotTell => {}
        }
    }

    /// The verdict on the best candidate of a lookup, above the line or not. Returns the group if it
    /// is to be retired.
    pub fn trial(&mut self, best: &Compared, above: bool, errors: &Errors) -> Option<Group> {
        let group = self.home(best)?;
        let alarms = self.alarms;
        let standing = self.groups.entry(group).or_default();
        match best.verdict {
            Verdict::Same => {
                standing.strikes = 0;
                standing.verified = standing.verified_since(alarms).saturating_add(1);
                standing.since = alarms;
                None
            }
            Verdict::Different if above => {
                standing.strikes = standing.strikes.saturating_add(1);
                let unverified = alarms > 0 && standing.verified_since(alarms) < errors.need();
                let most = if unverified { STRIKES_UNVERIFIED } else { STRIKES };
                (standing.strikes >= most).then_some(group)
            }
            _ => None,
        }
    }

    /// Places a new entry by the candidates that its answer was compared with, and moves those that
    /// the verdicts have put in the wrong place.
    pub fn place(&mut self, entry: u64, compared: &[Compared], errors: &Errors) -> Group {
        let alike: Vec<(Compared, Group, f32)> = compared
            .iter()
            .filter_map(|compared| {
                let group = self.home(compared)?;
                let evidence = errors.of_panel(compared.panel).evidence(compared.verdict);
                Some((*compared, group, compared.z + evidence))
            })
            .collect();
        let fits = alike.iter().filter(|(_, _, odds)| *odds > 0.0);
        // A judge that knows finds several groups where one answer has been split, and the largest
        // is where they come together. With one that errs most such finds are its errors, and the
        // likeliest group is right far more often: more hits at fewer errors in the few runs that
        // compared them.
        let chosen = if errors.need() == 1 {
            fits.map(|(_, group, _)| *group)
                .max_by_key(|group| (self.standing(*group).entries, std::cmp::Reverse(*group)))
        } else {
            fits.max_by(|a, b| a.2.total_cmp(&b.2)).map(|(_, group, _)| *group)
        };
        let group = chosen.unwrap_or_else(|| self.found());
        let before = self.entries.get(&entry).map(|member| member.group);
        self.join(entry, group);
        if let Some(before) = before {
            self.leave(before);
        }
        for (compared, _, odds) in alike {
            self.vote(compared.entry, group, odds > 0.0, errors);
        }
        group
    }

    /// An entry takes the place of another of the same request: until it is placed by its own answer,
    /// it belongs where that one did.
    pub fn succeed(&mut self, old: u64, new: u64) {
        if old == new {
            return;
        }
        let group = self.entries.get(&old).map(|member| member.group);
        if let Some(group) = group.filter(|_| !self.entries.contains_key(&new)) {
            self.join(new, group);
        }
        self.forget(old);
    }

    /// Takes an entry that was evicted, purged or replaced out of its group.
    pub fn forget(&mut self, entry: u64) {
        let Some(member) = self.entries.remove(&entry) else { return };
        self.leave(member.group);
    }

    /// Puts an entry into a group of its own: a caller said that its answer is not the group's.
    pub fn split(&mut self, entry: u64) {
        let group = self.found();
        self.shift(entry, group);
    }

    /// The entries of a group.
    pub fn members(&self, group: Group) -> Vec<u64> {
        let of_group = self.entries.iter().filter(|(_, member)| member.group == group);
        let mut members: Vec<u64> = of_group.map(|(entry, _)| *entry).collect();
        members.sort_unstable();
        members
    }

    /// From now on every group must be seen right again before it is served.
    pub fn alarm(&mut self) {
        self.alarms += 1;
    }

    pub fn alarms(&self) -> usize {
        self.alarms as usize
    }

    /// Every entry that is known.
    pub fn entries(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().copied()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn found(&mut self) -> Group {
        let group = self.next;
        self.next = self.next.wrapping_add(1);
        group
    }

    fn join(&mut self, entry: u64, group: Group) {
        let member = Member { group, right: 0, wrong: 0, wrong_at: -1.0, rival: group, votes: 0 };
        self.entries.insert(entry, member);
        let alarms = self.alarms;
        let standing = self.groups.entry(group).or_default();
        // A group founded after an alarm has an answer from after it.
        if standing.entries == 0 {
            standing.since = alarms;
            standing.verified = u8::MAX;
        }
        standing.entries += 1;
    }

    fn leave(&mut self, group: Group) {
        let Some(standing) = self.groups.get_mut(&group) else { return };
        standing.entries = standing.entries.saturating_sub(1);
        if standing.entries == 0 {
            self.groups.remove(&group);
        }
    }

    /// A compared candidate that has the chosen group's answer but is not in it earns a vote for
    /// that group, one that is in it loses one.
    fn vote(&mut self, entry: u64, chosen: Group, same: bool, errors: &Errors) {
        let Some(member) = self.entries.get_mut(&entry) else { return };
        if !same {
            return;
        }
        if member.group == chosen || (member.votes > 0 && member.rival != chosen) {
            member.votes = member.votes.saturating_sub(1);
            return;
        }
        member.rival = chosen;
        member.votes += 1;
        if member.votes >= errors.need() {
            member.votes = 0;
            self.shift(entry, chosen);
        }
    }

    fn shift(&mut self, entry: u64, to: Group) {
        let Some(member) = self.entries.get_mut(&entry) else { return };
        let from = std::mem::replace(&mut member.group, to);
        self.groups.entry(to).or_default().entries += 1;
        self.leave(from);
    }
}

impl Standing {
    pub fn is_suspect(&self) -> bool {
        self.strikes > 0
    }

    fn verified_since(&self, alarms: u32) -> u8 {
        if self.since == alarms { self.verified } else { 0 }
    }
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
