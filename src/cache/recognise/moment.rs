//! Signs of a question about this moment that are more than a word: how a thing stands, whose office it
//! is, what something costs. Each is a form of words with its exceptions.

use super::super::words::{
    AFFAIRS, AFTER_A_STATE, AFTER_ITS_STATE, ASKS_WHERE_IT_STANDS, CURRENT_IS_PLAIN_AFTER,
    CURRENT_IS_PLAIN_BEFORE, DEFINITE, ELECTRICITY, HABITS, NOW_AFTER, OCCASIONS, OFFICES, STATES,
    STATES_AT_THE_END, STATES_IN_WORDS, TIMES, WEEKDAYS,
};
use super::{Words, starts_with};

/// Words of a question that asks how a thing stands, at most: a longer one tells a story.
const SHORT: usize = 14;

/// Words within which a question comes to the affair that it is about.
const FAR: usize = 8;

impl Words<'_> {
    /// "Is it down?", "Has it passed yet?", "Are there any delays?"
    pub(super) fn asks_for_a_state(&self) -> bool {
        let request = self.request();
        let Some((first, rest)) = request.split_first() else { return false };
        let habitual = rest.iter().any(|word| HABITS.contains(word));
        if habitual || self.names_a_year() || request.len() > SHORT {
            return false;
        }
        let there = matches!(rest.first(), Some(&("there" | "any")));
        match *first {
            "is" | "are" | "isn't" | "aren't" | "will" => {
                is_in_a_state(rest) || there && rest.iter().any(|word| OCCASIONS.contains(word))
            }
            "any" => rest.iter().any(|word| OCCASIONS.contains(word)),
            "has" | "hasn't" => !matches!(rest.first(), Some(&("any" | "anyone" | "there"))),
            "have" | "haven't" => rest.first().is_some_and(|first| DEFINITE.contains(first)),
            "which" | "how" | "what" | "where" => {
                let is = rest.iter().position(|word| matches!(*word, "is" | "are"));
                is.is_some_and(|at| at > 0 && is_in_a_state(&rest[at..]))
            }
            "who's" => {
                rest.first().is_some_and(|first| is_under_way(first)) || is_in_a_state(request)
            }
            "who" => matches!(rest, ["is" | "are", verb, ..] if is_under_way(verb)),
            "did" => rest.first() != Some(&"you") && (is_in_a_state(rest) || has_won(rest)),
            _ => false,
        }
    }

    /// "Where is my order?", "What's the balance on my account?"
    pub(super) fn asks_for_own_affairs(&self) -> bool {
        let request = self.request();
        // "What is the way to close my account?" asks for a way.
        let asked = request.iter().position(|word| matches!(*word, "to" | "options" | "reason"));
        let asked = asked.unwrap_or(request.len());
        let own = |at: usize| {
            let near = &request[at + 1..asked.min(at + 4)];
            matches!(request[at], "my" | "our") && near.iter().any(|word| AFFAIRS.contains(word))
        };
        ASKS_WHERE_IT_STANDS.iter().any(|opening| starts_with(request, opening))
            && (0..asked.min(FAR)).any(own)
    }

    /// "In the last 24 hours", "at this minute"; of a weekday, the nearest is meant.
    pub(super) fn names_a_span(&self) -> bool {
        let list = &self.list;
        (1..list.len()).any(|at| {
            let unit = TIMES.contains(&list[at]);
            let before = |back: usize| at.checked_sub(back).map(|at| list[at]);
            let spans =
                |word: Option<&str>| matches!(word, Some("last" | "past" | "next" | "coming"));
            unit && (before(1) == Some("this") && before(2) == Some("at"))
                || unit
                    && !matches!(list[at], "time" | "point" | "stage" | "moment")
                    && (spans(before(1)) || spans(before(2)))
                    && (before(2) == Some("the") || before(3) == Some("the"))
        })
    }

    /// "Is it open on Sunday?"
    pub(super) fn names_a_day(&self) -> bool {
        self.list.windows(2).any(|two| {
            matches!(two[0], "on" | "this" | "next" | "by" | "until") && WEEKDAYS.contains(&two[1])
        })
    }

    /// "Who is the president of …": whoever it is now.
    pub(super) fn asks_for_a_holder(&self) -> bool {
        let openings = ["who is the", "who's the", "who is", "who's"];
        if self.names_a_year() {
            return false;
        }
        let request = self.request();
        openings.iter().filter(|opening| self.opens_with(opening)).any(|opening| {
            let rest = &request[opening.split(' ').count()..];
            let rest = match rest.first() {
                Some(&("current" | "present" | "new" | "acting")) => &rest[1..],
                _ => rest,
            };
            OFFICES.iter().any(|office| starts_with(rest, office))
        })
    }

    /// `now` as a time ("open now?"), not as an opening ("Now explain …").
    pub(super) fn means_now(&self) -> bool {
        self.list.iter().enumerate().skip(1).any(|(at, word)| {
            *word == "now" && (at + 1 == self.list.len() || NOW_AFTER.contains(&self.list[at - 1]))
        })
    }

    /// `current` as a time, not as electricity or a programmer's "current directory".
    pub(super) fn means_current(&self) -> bool {
        self.list.iter().enumerate().any(|(at, word)| {
            let near = |at: Option<usize>, known: &[&str]| {
                at.and_then(|at| self.list.get(at)).is_some_and(|word| known.contains(word))
            };
            *word == "current"
                && self.distinct(&ELECTRICITY) == 0
                && !near(Some(at + 1), &CURRENT_IS_PLAIN_BEFORE)
                && !near(at.checked_sub(1), &CURRENT_IS_PLAIN_AFTER)
        })
    }

    pub(super) fn asks_for_the_time(&self) -> bool {
        ["what is the time", "what's the time", "whats the time"].iter().any(|phrase| {
            self.has(phrase) && !self.has("time complexity") && !self.has("time value")
        })
    }

    /// "How much is …" of a thing, not of numbers.
    pub(super) fn asks_for_a_price(&self) -> bool {
        let costs = self.list.iter().any(|word| matches!(*word, "cost" | "costs"));
        let asks = ["how much does", "how much do", "how much will", "what does", "what do"];
        if costs && asks.iter().any(|asks| self.has(asks)) {
            return true;
        }
        self.list.windows(4).any(|four| {
            four[0] == "how"
                && four[1] == "much"
                && matches!(four[2], "is" | "are" | "for")
                && !matches!(four[3], "too" | "enough")
                && !four[3].starts_with(|c: char| c.is_ascii_digit())
        })
    }

    /// "What is the pound worth?"
    pub(super) fn asks_for_a_worth(&self) -> bool {
        ["what is the", "what's the", "what are the"].iter().any(|opening| self.opens_with(opening))
            && self.list.iter().position(|word| *word == "worth").is_some_and(|at| {
                let next = self.list.get(at + 1);
                self.list[at - 1] != "net" && next.is_none_or(|next| !next.ends_with("ing"))
            })
    }
}

/// Whether what follows "is" or "are" says that something is in a state of the moment.
fn is_in_a_state(rest: &[&str]) -> bool {
    let Some(first) = rest.first().filter(|first| !matches!(**first, "a" | "an")) else {
        return false;
    };
    let certain = DEFINITE.contains(first) || matches!(*first, "is" | "are" | "there");
    rest.iter().enumerate().skip(1).any(|(at, word)| {
        let next = rest.get(at + 1);
        STATES.contains(word)
            || *word == "up" && next.is_none() && at < 4
            || STATES_AT_THE_END.contains(word)
                && next.is_none_or(|next| {
                    AFTER_A_STATE.contains(next) || certain && AFTER_ITS_STATE.contains(next)
                })
            || STATES_IN_WORDS.iter().any(|state| starts_with(&rest[at..], state))
    })
}

/// "Who is playing?": what goes on at this moment.
fn is_under_way(verb: &str) -> bool {
    verb.len() > 6 && verb.ends_with("ing")
}

/// Whether what follows "did" asks for how a contest ended.
fn has_won(rest: &[&str]) -> bool {
    const CONTESTS: [&str; 7] = ["match", "game", "race", "election", "vote", "final", "fight"];
    let ends = rest.iter().position(|word| matches!(*word, "win" | "lose" | "reply" | "respond"));
    ends.is_some_and(|at| {
        at + 1 == rest.len()
            || rest[at..].iter().any(|word| CONTESTS.contains(word) || *word == "my")
    })
}
