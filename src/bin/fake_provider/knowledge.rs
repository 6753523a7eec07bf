//! Questions with known answers: paraphrases share one, near-misses have their own. Everything else
//! is answered from the question's own words by `answer`.

use std::collections::HashMap;

use super::behaviour::Size;

/// The table, by normalised question.
#[derive(Debug)]
pub struct Knowledge {
    answers: Vec<Answer>,
    questions: HashMap<String, usize>,
}

#[derive(Debug, Default)]
struct Answer {
    brief: String,
    more: String,
    most: String,
}

impl Knowledge {
    /// The table in `knowledge.txt`, which explains its own format.
    pub fn shipped() -> Self {
        Self::parse(include_str!("knowledge.txt")).expect("the shipped table is checked by a test")
    }

    /// The answer to a known question, as long as a model of that size makes it.
    pub fn answer(&self, question: &str, size: Size) -> Option<String> {
        let answer = &self.answers[*self.questions.get(&normal(question))?];
        let parts = match size {
            Size::Small => [&*answer.brief, "", ""],
            Size::Mid => [&*answer.brief, &*answer.more, ""],
            Size::Frontier => [&*answer.brief, &*answer.more, &*answer.most],
        };
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Some(parts.join(" "))
    }

    fn parse(table: &str) -> Result<Self, String> {
        let mut knowledge = Self { answers: Vec::new(), questions: HashMap::new() };
        let topics = table.split("\n\n").filter(|topic| !topic.starts_with('#'));
        for topic in topics {
            let mut answer = Answer::default();
            for line in topic.lines() {
                match line.split_once(' ') {
                    Some(("?", question)) => {
                        let topic = knowledge.answers.len();
                        if knowledge
                            .questions
                            .insert(normal(question), topic)
                            .is_some_and(|t| t != topic)
                        {
                            return Err(format!("two answers to {question:?}"));
                        }
                    }
                    Some(("=", text)) => answer.brief = text.to_owned(),
                    Some(("+", text)) => answer.more = text.to_owned(),
                    Some(("++", text)) => answer.most = text.to_owned(),
                    _ => return Err(format!("not understood: {line:?}")),
                }
            }
            knowledge.answers.push(answer);
        }
        Ok(knowledge)
    }
}

/// The words in lower case, without punctuation.
fn normal(question: &str) -> String {
    let words: Vec<String> = question
        .to_lowercase()
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paraphrases_share_an_answer_and_near_misses_do_not() {
        let knowledge = Knowledge::shipped();
        let ask = |question| knowledge.answer(question, Size::Mid).unwrap();
        assert_eq!(
            ask("HOW do I reset my password"),
            ask("I forgot my password. How do I reset it?")
        );
        assert_ne!(
            ask("Can I return an item within 14 days?"),
            ask("Can I return an item within 30 days?")
        );
        assert_ne!(
            ask("Which plans include phone support?"),
            ask("Which plans don't include phone support?")
        );
        assert_eq!(knowledge.answer("Which plans include fax support?", Size::Mid), None);
    }

    #[test]
    fn every_topic_has_a_question_and_its_own_answer() {
        let knowledge = Knowledge::shipped();
        let mut briefs: Vec<&str> = knowledge.answers.iter().map(|answer| &*answer.brief).collect();
        assert!(briefs.iter().all(|brief| !brief.is_empty()));
        briefs.sort_unstable();
        briefs.dedup();
        assert_eq!(briefs.len(), knowledge.answers.len());
        let asked: std::collections::HashSet<usize> =
            knowledge.questions.values().copied().collect();
        assert_eq!(asked.len(), knowledge.answers.len());
    }

    #[test]
    fn larger_models_say_more() {
        let knowledge = Knowledge::shipped();
        let length = |size| knowledge.answer("How do I reset my password?", size).unwrap().len();
        assert!(length(Size::Small) < length(Size::Mid));
        assert!(length(Size::Mid) < length(Size::Frontier));
    }

    #[test]
    fn one_question_has_one_answer() {
        assert!(Knowledge::parse("? a b\n= 1\n\n? A, b!\n= 2").is_err());
        assert!(Knowledge::parse("? a\nanswer").is_err());
    }
}
