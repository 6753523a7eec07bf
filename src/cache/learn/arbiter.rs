//! What comparing leaves open may be put to a model: which pairs, and what becomes of its word.
//! Asking it, paying for it and limiting it are the business of whoever is the [`Arbiter`].

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::super::TtlClass;
use super::judges::Said;
use super::lesson::Awaited;
use super::teacher::{Shared, Work};
use super::{Lesson, Minds, number};
use crate::config::settings::Model;
use crate::dialect::openai::answer::text_of;
use crate::judge::Verdict;
use crate::judge::rates::Truth;

/// Log-odds below which a candidate is not worth a question: 5 %, where the line never comes.
const WORTH_ASKING: f32 = -3.0;

/// Two answers of one scope, to be compared by a model.
#[derive(Debug, Clone)]
pub struct OpenPair {
    pub model: Arc<Model>,
    /// Whose answers they are.
    pub tenant: Arc<str>,
    pub question: String,
    /// Texts.
    pub answers: [String; 2],
}

/// Hears a model's word. Dropped uncalled where there is none.
pub type Told = Box<dyn FnOnce(Verdict) + Send>;

/// Asks a model about a pair, beside everything else, and returns at once.
pub type Arbiter = Box<dyn Fn(OpenPair, Told) + Send + Sync>;

/// A lesson that waits for a model. It is taught when the last of its pairs is decided or given up,
/// which is when this is dropped.
struct Referred {
    lesson: Option<Lesson>,
    said: Mutex<Vec<Said>>,
    teacher: Weak<Shared>,
}

/// Has the arbiter ask about these pairs of a lesson, and the lesson taught afterwards.
pub(super) fn refer(
    teacher: &Arc<Shared>,
    arbiter: &Arbiter,
    lesson: Lesson,
    said: Vec<Said>,
    open: Vec<(usize, OpenPair)>,
) {
    let teacher = Arc::downgrade(teacher);
    let referred = Arc::new(Referred { lesson: Some(lesson), said: Mutex::new(said), teacher });
    for (place, pair) in open {
        let referred = Arc::clone(&referred);
        let told = move |verdict| {
            let mut said = referred.said.lock().unwrap_or_else(PoisonError::into_inner);
            said[place] = Said::by_model(verdict);
        };
        arbiter(pair, Box::new(told));
    }
}

impl Drop for Referred {
    fn drop(&mut self) {
        let said = std::mem::take(self.said.get_mut().unwrap_or_else(PoisonError::into_inner));
        if let (Some(teacher), Some(lesson)) = (self.teacher.upgrade(), self.lesson.take()) {
            teacher.take(Work { lesson, said: Some(said) });
        }
    }
}

impl Minds {
    /// The pairs of a lesson that a model should be asked about, by their place in what was said.
    pub(super) fn open(&self, lesson: &Lesson, said: &[Said]) -> Vec<(usize, OpenPair)> {
        match lesson {
            Lesson::Answered { pending, answer, .. } | Lesson::Shadowed { pending, answer } => {
                self.open_rivals(pending.awaited(), answer, said)
            }
            Lesson::Repeated { prompt, before, answer, judge: Some(model), .. } => {
                let is_wanted = said.first().is_some_and(|said| said.is_open)
                    && before.ttl_class != TtlClass::Volatile
                    && self.judges.wants(Truth::Same, &model.label(), number(&before.id));
                let pair = is_wanted
                    .then(|| pair(model, &before.tenant, prompt, [answer, &before.answer]));
                pair.flatten().map(|pair| (0, pair)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn open_rivals(
        &self,
        awaited: &Awaited,
        answer: &[u8],
        said: &[Said],
    ) -> Vec<(usize, OpenPair)> {
        let Some(model) = &awaited.judge else { return Vec::new() };
        let label = model.label();
        let contenders = awaited.lookup.contenders();
        let open = awaited.rivals.iter().zip(contenders).zip(said).enumerate();
        let open = open.filter(|(_, ((rival, opponent), said))| {
            let is_measure = || {
                rival.other_number && self.judges.wants(Truth::Different, &label, opponent.entry)
            };
            said.is_open && (opponent.z >= WORTH_ASKING || is_measure())
        });
        let pairs = open.filter_map(|(place, ((rival, _), _))| {
            let stored = &rival.entry;
            let pair = pair(model, &stored.tenant, &awaited.prompt, [answer, &stored.answer])?;
            Some((place, pair))
        });
        pairs.collect()
    }
}

/// `None` where one of the completions has no text.
fn pair(
    model: &Arc<Model>,
    tenant: &Arc<str>,
    question: &str,
    [a, b]: [&[u8]; 2],
) -> Option<OpenPair> {
    Some(OpenPair {
        model: Arc::clone(model),
        tenant: Arc::clone(tenant),
        question: question.to_owned(),
        answers: [text_of(a)?, text_of(b)?],
    })
}
