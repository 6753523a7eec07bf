//! The words of the judge: how answers announce a result, number words, units, and what says
//! nothing. Lower case throughout.

/// What announces a final answer, in the languages that we know; the result follows, perhaps after
/// a copula or a colon. Longer ones first where one holds another.
#[rustfmt::skip]
pub const ANNOUNCEMENTS: &[&str] = &[
    "the final answer is", "final answer is", "final answer", "the correct answer is",
    "the right answer is", "the best answer is", "the correct option is", "the correct choice is",
    "the best option is", "correct answer is", "correct option is", "correct choice is",
    "the answer should be", "the answer would be", "the answer must be", "the answer to the question is",
    "the answer is", "answer is", "our answer is", "the solution is", "the result is",
    "final result", "final value", "correct answer", "correct option", "correct choice", "answer",
    "ans", "solution", "result",
    // German, French, Spanish, Italian, Portuguese, Dutch.
    "die antwort ist", "die antwort lautet", "die lösung ist", "das ergebnis ist", "antwort",
    "ergebnis", "lösung", "la réponse est", "la bonne réponse est", "réponse", "résultat",
    "la respuesta es", "la respuesta correcta es", "respuesta", "resultado", "la risposta è",
    "la risposta corretta è", "risposta", "a resposta é", "resposta", "het antwoord is", "antwoord",
    // Polish, Turkish, Russian.
    "odpowiedź", "cevap", "ответ",
    // Chinese, Japanese, Korean.
    "答案", "正确选项", "故选", "答え", "答えは", "正解", "정답", "답",
];

/// The announcements that need a colon, an equals sign or a copula after them: as plain words of a
/// sentence they announce nothing ("this answer depends on …").
#[rustfmt::skip]
pub const NEED_COLON: &[&str] = &[
    "final answer", "final result", "final value", "correct answer", "correct option",
    "correct choice", "answer", "ans", "solution", "result", "antwort", "ergebnis", "lösung",
    "réponse", "résultat", "respuesta", "resultado", "risposta", "resposta", "antwoord",
    "odpowiedź", "cevap", "ответ", "答え", "正解", "정답", "답",
];

/// Between an announcement and its result.
#[rustfmt::skip]
pub const COPULAS: &[&str] = &[
    "is", "was", "are", "should be", "would be", "must be", "will be", "therefore", "thus", "ist",
    "lautet", "est", "es", "è", "é", "to", "это", "应该是", "应为", "是", "为", "は", "은",
];

/// Keys of an object under which a final answer stands.
#[rustfmt::skip]
pub const ANSWER_KEYS: &[&str] = &[
    "answer", "final_answer", "final answer", "finalanswer", "correct_answer", "result", "output",
    "solution", "prediction", "label", "choice", "response", "antwort", "réponse", "respuesta",
    "risposta", "答案", "答え",
];

/// Keys of an object that hold prose about the answer: two of them never agree word by word.
#[rustfmt::skip]
pub const PROSE_KEYS: &[&str] = &[
    "reasoning", "reason", "reasons", "rationale", "explanation", "explanations", "explain",
    "thought", "thoughts", "thinking", "analysis", "steps", "step", "step_by_step", "work",
    "chain_of_thought", "cot", "justification", "notes", "note", "comment", "comments",
    "description", "summary", "confidence", "evidence", "scratchpad", "推理", "解析", "begründung",
];

/// A question with one of these asks for a number.
#[rustfmt::skip]
pub const ASKS_NUMBER: &[&str] = &[
    "how many", "how much", "how old", "how long", "how far", "how tall", "how fast", "how big",
    "how often", "how high", "how deep", "how wide", "how heavy", "what is the value", "what percent",
    "what is the total", "what is the sum", "what is the number", "what is the average",
    "what was the", "what is the probability", "what fraction", "what number", "which number",
    "find", "calculate", "compute", "determine", "evaluate", "simplify", "solve", "bigger",
    "smaller", "larger", "greater", "lesser", "which is", "which one", "total", "minimum",
    "maximum", "smallest", "largest", "what is", "wie viel", "wie viele", "wie alt", "wie lange",
    "berechne", "combien", "calcule", "cuánto", "cuántos", "cuánta", "cuántas", "quanti", "quanto",
    "quantos", "сколько", "多少", "几", "いくつ",
];

/// Of these, what cannot ask for anything else.
#[rustfmt::skip]
pub const ASKS_AMOUNT: &[&str] = &[
    "how many", "how much", "how old", "how far", "how tall", "how fast", "what percent",
    "what is the value", "what is the total", "what is the sum", "what is the average",
    "what is the probability", "wie viel", "wie viele", "combien", "cuánto", "cuántos", "cuánta",
    "cuántas", "quanti", "quantos", "сколько", "多少", "いくつ",
];

/// Number words up to a hundred, and what multiplies.
#[rustfmt::skip]
pub const NUMBER_WORDS: &[(&str, f64)] = &[
    ("zero", 0.0), ("one", 1.0), ("two", 2.0), ("three", 3.0), ("four", 4.0), ("five", 5.0),
    ("six", 6.0), ("seven", 7.0), ("eight", 8.0), ("nine", 9.0), ("ten", 10.0), ("eleven", 11.0),
    ("twelve", 12.0), ("thirteen", 13.0), ("fourteen", 14.0), ("fifteen", 15.0), ("sixteen", 16.0),
    ("seventeen", 17.0), ("eighteen", 18.0), ("nineteen", 19.0), ("twenty", 20.0), ("thirty", 30.0),
    ("forty", 40.0), ("fifty", 50.0), ("sixty", 60.0), ("seventy", 70.0), ("eighty", 80.0),
    ("ninety", 90.0), ("fourty", 40.0), ("dozen", 12.0), ("none", 0.0), ("half", 0.5),
];

/// Words that multiply the number before them.
#[rustfmt::skip]
pub const MULTIPLIERS: &[(&str, f64)] = &[
    ("hundred", 1e2), ("thousand", 1e3), ("million", 1e6), ("millions", 1e6), ("billion", 1e9),
    ("billions", 1e9), ("trillion", 1e12), ("mio", 1e6), ("mrd", 1e9), ("tausend", 1e3),
    ("millionen", 1e6), ("milliarde", 1e9), ("milliarden", 1e9), ("mille", 1e3), ("mil", 1e3),
    ("millón", 1e6), ("millones", 1e6), ("milioni", 1e6), ("miliardi", 1e9), ("milhões", 1e6),
    ("百", 1e2), ("千", 1e3), ("万", 1e4), ("萬", 1e4), ("亿", 1e8), ("億", 1e8),
];

/// Units that we can hold against each other: name, dimension, how many of the base unit.
#[rustfmt::skip]
pub const UNITS: &[(&str, &str, f64)] = &[
    ("s", "time", 1.0), ("sec", "time", 1.0), ("secs", "time", 1.0), ("second", "time", 1.0),
    ("seconds", "time", 1.0), ("min", "time", 60.0), ("mins", "time", 60.0),
    ("minute", "time", 60.0), ("minutes", "time", 60.0), ("h", "time", 3600.0),
    ("hr", "time", 3600.0), ("hrs", "time", 3600.0), ("hour", "time", 3600.0),
    ("hours", "time", 3600.0), ("day", "time", 86400.0), ("days", "time", 86400.0),
    ("week", "time", 604800.0), ("weeks", "time", 604800.0), ("month", "month", 1.0),
    ("months", "month", 1.0), ("year", "month", 12.0), ("years", "month", 12.0),
    ("mm", "length", 0.001), ("millimeter", "length", 0.001), ("millimeters", "length", 0.001),
    ("cm", "length", 0.01), ("centimeter", "length", 0.01), ("centimeters", "length", 0.01),
    ("m", "length", 1.0), ("meter", "length", 1.0), ("meters", "length", 1.0),
    ("metre", "length", 1.0), ("metres", "length", 1.0), ("km", "length", 1000.0),
    ("kilometer", "length", 1000.0), ("kilometers", "length", 1000.0),
    ("kilometre", "length", 1000.0), ("kilometres", "length", 1000.0), ("inch", "length", 0.0254),
    ("inches", "length", 0.0254), ("ft", "length", 0.3048), ("foot", "length", 0.3048),
    ("feet", "length", 0.3048), ("yard", "length", 0.9144), ("yards", "length", 0.9144),
    ("yd", "length", 0.9144), ("mile", "length", 1609.344), ("miles", "length", 1609.344),
    ("mi", "length", 1609.344), ("mg", "mass", 1e-6), ("milligrams", "mass", 1e-6),
    ("g", "mass", 0.001), ("gram", "mass", 0.001), ("grams", "mass", 0.001), ("kg", "mass", 1.0),
    ("kilogram", "mass", 1.0), ("kilograms", "mass", 1.0), ("ton", "mass", 1000.0),
    ("tons", "mass", 1000.0), ("tonne", "mass", 1000.0), ("tonnes", "mass", 1000.0),
    ("oz", "weight", 1.0), ("ounce", "weight", 1.0), ("ounces", "weight", 1.0),
    ("lb", "weight", 16.0), ("lbs", "weight", 16.0), ("pound", "weight", 16.0),
    ("pounds", "weight", 16.0), ("ml", "volume", 0.001), ("milliliter", "volume", 0.001),
    ("milliliters", "volume", 0.001), ("l", "volume", 1.0), ("liter", "volume", 1.0),
    ("liters", "volume", 1.0), ("litre", "volume", 1.0), ("litres", "volume", 1.0),
    ("tsp", "kitchen", 1.0), ("teaspoon", "kitchen", 1.0), ("teaspoons", "kitchen", 1.0),
    ("tbsp", "kitchen", 3.0), ("tablespoon", "kitchen", 3.0), ("tablespoons", "kitchen", 3.0),
    ("cup", "kitchen", 48.0), ("cups", "kitchen", 48.0), ("cent", "money", 0.01),
    ("cents", "money", 0.01), ("dollar", "money", 1.0), ("dollars", "money", 1.0),
    ("usd", "money", 1.0), ("euro", "euro", 1.0), ("euros", "euro", 1.0), ("eur", "euro", 1.0),
    ("celsius", "celsius", 1.0), ("fahrenheit", "fahrenheit", 1.0), ("kb", "bytes", 1e3),
    ("mb", "bytes", 1e6), ("gb", "bytes", 1e9), ("tb", "bytes", 1e12), ("分钟", "time", 60.0),
    ("小时", "time", 3600.0), ("天", "time", 86400.0), ("米", "length", 1.0),
    ("厘米", "length", 0.01), ("千米", "length", 1000.0),
];

/// Words that change nothing when one answer has them and the other does not.
#[rustfmt::skip]
pub const FILLERS: &[&str] = &[
    "a", "an", "the", "is", "it", "it's", "its", "this", "that", "be", "of", "so", "thus",
    "therefore", "answer", "final", "please", "just", "very", "also", "der", "die", "das", "ein",
    "eine", "ist", "le", "la", "les", "l", "est", "el", "los", "las", "es", "il", "lo", "o", "是",
    "的", "は", "です",
];

/// What agrees, and what denies, as the first word of an answer.
#[rustfmt::skip]
pub const YES: &[&str] = &[
    "yes", "true", "correct", "yeah", "yep", "ja", "oui", "sí", "si", "sì", "sim", "да", "是", "对",
    "正确", "はい", "네",
];
#[rustfmt::skip]
pub const NO: &[&str] = &[
    "no", "false", "incorrect", "nope", "nein", "non", "não", "nee", "нет", "不", "否", "错误",
    "不是", "いいえ", "아니요",
];

/// First words of a question that is answered by yes or no.
#[rustfmt::skip]
pub const POLAR: &[&str] = &[
    "is", "are", "was", "were", "do", "does", "did", "can", "could", "will", "would", "should",
    "has", "have", "had", "may", "might", "must", "true", "ist", "sind", "war", "hat", "haben",
    "kann", "können", "wird", "est-ce", "ha", "è", "es", "são", "hay", "darf",
];

/// Words by which a question asks for one thing with a name: two names are two answers.
#[rustfmt::skip]
pub const ASKS_NAME: &[&str] = &[
    "who", "whose", "whom", "where", "when", "which", "capital", "city", "country", "name", "author",
    "president", "inventor", "director", "author", "currency", "river", "language", "state", "planet",
    "element", "wer", "wo", "wann", "welche", "welcher", "welches", "hauptstadt", "qui", "où",
    "quand", "quel", "quelle", "quién", "dónde", "cuándo", "cuál", "chi", "dove", "quale", "quem",
    "谁", "哪", "кто",
];

/// Months, for dates in words.
#[rustfmt::skip]
pub const MONTHS: &[&str] = &[
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
];
