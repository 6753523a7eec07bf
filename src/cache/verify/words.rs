//! The word lists of the verifier: what a negation, a number word, a unit, a day or a pair of
//! opposites is. Here those of English; `abroad` has the other languages, `unspaced` reads text
//! without spaces, `english` tells what is English.

use std::collections::HashSet;
use std::sync::LazyLock;

pub(super) mod abroad;
mod context;
pub(super) mod english;
pub(super) mod unspaced;

pub(super) use context::{
    bare, compound, goes_without_saying, idle_negations, month_in_context, rank, roman,
};

/// Words that turn a statement around; besides these, every word that ends in `n't`.
pub(super) fn is_negation(word: &str) -> bool {
    word.ends_with("n't") || NEGATIONS.contains(&word)
}

/// A number word as digits. Not *one*, *second*, *third* and *half*, which mostly count nothing.
pub(super) fn number(word: &str) -> Option<&'static str> {
    find(NUMBERS, word)
}

/// The unit that a word is a name of, where it follows a number.
pub(super) fn unit(word: &str) -> Option<&'static str> {
    find(UNITS, word)
}

/// Whether a word means a unit without a number before it too (`in miles`, `how many days`).
pub(super) fn is_long_unit(word: &str) -> bool {
    UNITS_ALONE.binary_search(&word).is_ok()
}

/// The unit that a sign stands for.
pub(super) fn symbol_unit(symbol: char) -> Option<&'static str> {
    match symbol {
        '$' => Some("dollar"),
        '€' => Some("euro"),
        '£' => Some("pound"),
        '¥' => Some("yen"),
        '₹' => Some("rupee"),
        '%' => Some("percent"),
        '°' => Some("degree"),
        _ => None,
    }
}

/// A word that fixes a time: a week day, a part of the day, a day relative to today, or a month by
/// its first three letters (not *may* and *march*, which are other words as well).
pub(super) fn day(word: &str) -> Option<&str> {
    let word = word.strip_suffix("'s").unwrap_or(word);
    let month =
        MONTHS.iter().any(|month| *month == word || (word.len() == 3 && month.starts_with(word)));
    if month || word == "sept" {
        return Some(&word[..3]);
    }
    let short = match word {
        "tue" | "tues" => "tuesday",
        "thu" | "thur" | "thurs" => "thursday",
        "fri" => "friday",
        _ => word,
    };
    if short != word {
        return Some(short);
    }
    let single = word.strip_suffix('s').unwrap_or(word);
    [word, single].into_iter().find(|day| DAYS.contains(day))
}

/// Whether one word is the opposite of the other.
pub(super) fn are_antonyms(a: &str, b: &str) -> bool {
    let pair = if a < b { (a, b) } else { (b, a) };
    ANTONYMS.binary_search(&pair).is_ok()
}

/// Whether any word is its opposite.
pub(super) fn has_opposite(word: &str) -> bool {
    static OPPOSED: LazyLock<HashSet<&str>> =
        LazyLock::new(|| ANTONYMS.iter().flat_map(|(a, b)| [*a, *b]).collect());
    OPPOSED.contains(word)
}

/// Opposites that are little words: they stand against each other in texts that have nothing to do
/// with each other, and mean something only where nothing else differs (`flights from Oslo`, `flights
/// to Oslo`).
pub(super) fn is_little(word: &str) -> bool {
    is_stop_word(word) || LITTLE.contains(&word)
}

/// What a question asks for, where its question word says so: a person, a time, a place, a reason.
/// Not *what*, *which* and *how*, which can ask for any of them.
pub(super) fn asks_for(word: &str) -> Option<&'static str> {
    match word.strip_suffix("'s").unwrap_or(word) {
        "who" | "whom" | "whose" => Some("who"),
        "when" => Some("when"),
        "where" => Some("where"),
        "why" => Some("why"),
        _ => None,
    }
}

/// Words that are written with a capital wherever they stand, and name nothing.
pub(super) fn is_pronoun_i(word: &str) -> bool {
    matches!(word, "i" | "i'm" | "i've" | "i'd" | "i'll")
}

/// Words that say little about what a question is about.
pub(super) fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// Characters between words that two repeats of one question may differ in. Operators and brackets
/// are not among them: in code and arithmetic they are the question.
pub(super) fn is_punctuation(c: char) -> bool {
    matches!(
        c,
        '.' | ','
            | ';'
            | ':'
            | '!'
            | '?'
            | '…'
            | '\''
            | '"'
            | '‘'
            | '’'
            | '‚'
            | '“'
            | '”'
            | '„'
            | '«'
            | '»'
            | '¿'
            | '¡'
            | '-'
            | '‐'
            | '‑'
            | '–'
            | '—'
            | '。'
            | '、'
            | '，'
            | '！'
            | '？'
    )
}

fn find(table: &'static [(&'static str, &'static str)], word: &str) -> Option<&'static str> {
    let place = table.binary_search_by_key(&word, |(word, _)| word).ok()?;
    Some(table[place].1)
}

#[rustfmt::skip]
const NEGATIONS: &[&str] = &[
    "arent", "cannot", "cant", "couldnt", "didnt", "doesnt", "dont", "except", "excluding",
    "hadnt", "hasnt", "havent", "instead", "isnt", "neither", "never", "no", "nobody", "non",
    "none", "nor", "not", "nothing", "shouldnt", "unlike", "wasnt", "werent", "without",
    "wont", "wouldnt",
];

#[rustfmt::skip]
const NUMBERS: &[(&str, &str)] = &[
    ("billion", "1000000000"), ("dozen", "12"), ("eight", "8"),
    ("eighteen", "18"), ("eighteenth", "18"), ("eighth", "8"), ("eighty", "80"),
    ("eleven", "11"), ("eleventh", "11"), ("fifteen", "15"), ("fifteenth", "15"),
    ("fifth", "5"), ("fifty", "50"), ("five", "5"), ("forty", "40"), ("four", "4"),
    ("fourteen", "14"), ("fourteenth", "14"), ("fourth", "4"), ("hundred", "100"),
    ("million", "1000000"), ("nine", "9"), ("nineteen", "19"), ("nineteenth", "19"),
    ("ninety", "90"), ("ninth", "9"), ("seven", "7"), ("seventeen", "17"),
    ("seventeenth", "17"), ("seventh", "7"), ("seventy", "70"), ("six", "6"), ("sixteen", "16"),
    ("sixteenth", "16"), ("sixth", "6"), ("sixty", "60"), ("ten", "10"), ("tenth", "10"),
    ("thirteen", "13"), ("thirteenth", "13"), ("thirtieth", "30"), ("thirty", "30"),
    ("thousand", "1000"), ("three", "3"), ("trillion", "1000000000000"),
    ("twelfth", "12"), ("twelve", "12"), ("twentieth", "20"), ("twenty", "20"),
    ("two", "2"), ("zero", "0"),
];

#[rustfmt::skip]
const UNITS: &[(&str, &str)] = &[
    ("a.m", "am"), ("acre", "acre"), ("acres", "acre"), ("am", "am"), ("amp", "amp"),
    ("ampere", "amp"), ("amperes", "amp"), ("amps", "amp"), ("bit", "bit"), ("bits", "bit"),
    ("buck", "dollar"), ("bucks", "dollar"), ("byte", "byte"), ("bytes", "byte"), ("c",
    "celsius"), ("cal", "calorie"), ("calorie", "calorie"), ("calories", "calorie"),
    ("celsius", "celsius"), ("cent", "cent"), ("centigrade", "celsius"), ("centimeter", "cm"),
    ("centimeters", "cm"), ("centimetre", "cm"), ("centimetres", "cm"), ("cents", "cent"),
    ("centuries", "century"), ("century", "century"), ("cm", "cm"), ("cup", "cup"), ("cups",
    "cup"), ("d", "day"), ("day", "day"), ("days", "day"), ("decade", "decade"), ("decades",
    "decade"), ("deg", "degree"), ("degree", "degree"), ("degrees", "degree"), ("dollar",
    "dollar"), ("dollars", "dollar"), ("eur", "euro"), ("euro", "euro"), ("euros", "euro"),
    ("f", "fahrenheit"), ("fahrenheit", "fahrenheit"), ("feet", "ft"), ("foot", "ft"), ("ft",
    "ft"), ("g", "g"), ("gal", "gallon"), ("gallon", "gallon"), ("gallons", "gallon"), ("gb",
    "gb"), ("gbp", "pound"), ("gigabyte", "gb"), ("gigabytes", "gb"), ("gram", "g"), ("grams",
    "g"), ("h", "hour"), ("ha", "hectare"), ("hectare", "hectare"), ("hectares", "hectare"),
    ("hertz", "hz"), ("hour", "hour"), ("hours", "hour"), ("hr", "hour"), ("hrs", "hour"),
    ("hz", "hz"), ("in", "inch"), ("inch", "inch"), ("inches", "inch"), ("inr", "rupee"),
    ("joule", "joule"), ("joules", "joule"), ("jpy", "yen"), ("kb", "kb"), ("kcal",
    "calorie"), ("kelvin", "kelvin"), ("kg", "kg"), ("kgs", "kg"), ("kilo", "kg"),
    ("kilobyte", "kb"), ("kilobytes", "kb"), ("kilogram", "kg"), ("kilograms", "kg"),
    ("kilometer", "km"), ("kilometers", "km"), ("kilometre", "km"), ("kilometres", "km"),
    ("kilos", "kg"), ("kilowatt", "kw"), ("kilowatts", "kw"), ("km", "km"), ("kmh", "kmh"),
    ("kms", "km"), ("kph", "kmh"), ("kw", "kw"), ("kwh", "kwh"), ("l", "l"), ("lb", "lb"),
    ("lbs", "lb"), ("liter", "l"), ("liters", "l"), ("litre", "l"), ("litres", "l"), ("m",
    "m"), ("mb", "mb"), ("megabyte", "mb"), ("megabytes", "mb"), ("meter", "m"), ("meters",
    "m"), ("metre", "m"), ("metres", "m"), ("mg", "mg"), ("mi", "mile"), ("mile", "mile"),
    ("miles", "mile"), ("milligram", "mg"), ("milligrams", "mg"), ("milliliter", "ml"),
    ("milliliters", "ml"), ("millilitre", "ml"), ("millilitres", "ml"), ("millimeter", "mm"),
    ("millimeters", "mm"), ("millimetre", "mm"), ("millimetres", "mm"), ("millisecond", "ms"),
    ("milliseconds", "ms"), ("min", "minute"), ("mins", "minute"), ("minute", "minute"),
    ("minutes", "minute"), ("ml", "ml"), ("mm", "mm"), ("month", "month"), ("months",
    "month"), ("mph", "mph"), ("ms", "ms"), ("ounce", "oz"), ("ounces", "oz"), ("oz", "oz"),
    ("p.m", "pm"), ("pct", "percent"), ("percent", "percent"), ("pint", "pint"), ("pints",
    "pint"), ("pm", "pm"), ("pound", "pound"), ("pounds", "pound"), ("rad", "radian"),
    ("radian", "radian"), ("radians", "radian"), ("rupee", "rupee"), ("rupees", "rupee"),
    ("s", "second"), ("sec", "second"), ("second", "second"), ("seconds", "second"), ("secs",
    "second"), ("tablespoon", "tbsp"), ("tablespoons", "tbsp"), ("tb", "tb"), ("tbsp",
    "tbsp"), ("teaspoon", "tsp"), ("teaspoons", "tsp"), ("terabyte", "tb"), ("terabytes",
    "tb"), ("ton", "ton"), ("tonne", "ton"), ("tonnes", "ton"), ("tons", "ton"), ("tsp",
    "tsp"), ("usd", "dollar"), ("v", "volt"), ("volt", "volt"), ("volts", "volt"), ("w",
    "watt"), ("watt", "watt"), ("watts", "watt"), ("week", "week"), ("weeks", "week"), ("wk",
    "week"), ("yard", "yard"), ("yards", "yard"), ("yd", "yard"), ("year", "year"), ("years",
    "year"), ("yen", "yen"), ("yr", "year"), ("yrs", "year"),
];

#[rustfmt::skip]
const UNITS_ALONE: &[&str] = &[
    "acres", "bits", "bytes", "calories", "celsius", "centigrade", "centimeters",
    "centimetres", "centuries", "cm", "days", "decades", "degrees", "dollars", "eur", "euro",
    "euros", "fahrenheit", "feet", "gallons", "gb", "gbp", "gigabytes", "grams", "hectares",
    "hertz", "hours", "inches", "joules", "kb", "kcal", "kelvin", "kg", "kilobytes",
    "kilogram", "kilograms", "kilometer", "kilometers", "kilometre", "kilometres",
    "kilowatts", "km", "kmh", "kms", "kph", "kwh", "lbs", "liters", "litres", "mb",
    "megabytes", "meters", "metres", "mg", "mile", "miles", "milligrams", "milliliters",
    "millilitres", "millimeters", "millimetres", "milliseconds", "minutes", "ml", "mm",
    "months", "mph", "ms", "ounces", "oz", "pct", "percent", "pounds", "radians", "rupees",
    "seconds", "tb", "terabytes", "usd", "volts", "watts", "weeks", "years", "yen",
];

#[rustfmt::skip]
const LITTLE: &[&str] = &[
    "both", "down", "either", "fewer", "first", "her", "his", "last", "left", "less", "many", "mine", "more", "most", "new",
    "next", "off", "old", "or", "out", "over", "right", "simultaneously", "take", "under", "up", "yours",
];

#[rustfmt::skip]
const DAYS: &[&str] = &[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "today",
    "tomorrow", "yesterday", "tonight", "weekday", "weekend", "morning", "afternoon",
    "evening", "noon", "night", "midnight", "summer", "autumn", "winter",
];

#[rustfmt::skip]
const MONTHS: &[&str] = &[
    "january", "february", "april", "june", "july", "august", "september", "october",
    "november", "december",
];

#[rustfmt::skip]
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "been", "being",
    "but", "by", "can", "could", "did", "do", "does", "don", "done", "find", "for", "from",
    "get", "give", "had", "has", "have", "he", "here", "him", "how", "i", "i'm", "i've", "if",
    "im", "in", "into", "is", "it", "its", "just", "know", "like", "list", "me", "my", "need",
    "now", "of", "on", "or", "our", "please", "s", "she", "should", "show", "so", "some", "t",
    "tell", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "through", "to", "too", "us", "very", "want", "was", "we", "were", "what",
    "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you",
    "your",
];

/// Each pair in alphabetical order.
#[rustfmt::skip]
const ANTONYMS: &[(&str, &str)] = &[
    ("above", "below"), ("accept", "decline"), ("accept", "reject"), ("activate", "deactivate"),
    ("activated", "deactivated"), ("active", "passive"), ("add", "delete"), ("add", "remove"),
    ("advantage", "disadvantage"), ("advantages", "disadvantages"), ("after", "before"),
    ("alive", "dead"), ("allow", "deny"), ("and", "or"), ("arrival", "departure"),
    ("arrive", "depart"), ("arrives", "departs"), ("arriving", "departing"), ("asc", "desc"),
    ("ascend", "descend"), ("ascending", "descending"), ("asynchronous", "synchronous"),
    ("bad", "good"), ("begin", "end"), ("benefits", "risks"), ("best", "worst"),
    ("better", "worse"), ("big", "small"), ("bigger", "smaller"), ("biggest", "smallest"),
    ("borrow", "lend"), ("borrower", "lender"), ("boy", "girl"), ("brother", "sister"),
    ("business", "personal"), ("buy", "sell"), ("buyer", "seller"), ("buying", "selling"),
    ("cause", "cure"), ("causes", "effects"), ("cheap", "expensive"), ("cheapest", "expensive"),
    ("client", "server"), ("close", "open"), ("closed", "opened"), ("closing", "opening"),
    ("cold", "hot"), ("colder", "hotter"), ("coldest", "hottest"), ("column", "row"),
    ("columns", "rows"), ("compress", "decompress"), ("connect", "disconnect"),
    ("connected", "disconnected"), ("cons", "pros"), ("create", "delete"), ("credit", "debit"),
    ("dangerous", "safe"), ("daughter", "son"), ("decode", "encode"), ("decoder", "encoder"),
    ("decrease", "increase"), ("decreasing", "increasing"), ("decrypt", "encrypt"),
    ("deep", "shallow"), ("deepest", "shallowest"), ("deposit", "withdraw"),
    ("deposit", "withdrawal"), ("different", "same"), ("disable", "enable"),
    ("disabled", "enabled"), ("divorced", "married"), ("double", "single"), ("down", "up"),
    ("download", "upload"), ("downstream", "upstream"), ("downward", "upward"),
    ("earlier", "later"), ("earliest", "latest"), ("early", "late"), ("east", "north"),
    ("east", "south"), ("east", "west"), ("eastern", "western"), ("employee", "employer"),
    ("end", "start"), ("even", "odd"), ("evening", "morning"), ("export", "import"),
    ("exports", "import"), ("external", "internal"), ("fail", "pass"), ("failed", "passed"),
    ("fake", "true"), ("fall", "spring"), ("false", "true"), ("fast", "slow"),
    ("faster", "slower"), ("fastest", "slowest"), ("father", "mother"), ("female", "male"),
    ("few", "many"), ("fewer", "more"), ("fewest", "most"), ("fire", "hire"),
    ("fired", "hired"), ("first", "last"), ("freeze", "unfreeze"), ("from", "to"),
    ("gain", "lose"), ("give", "take"), ("graduate", "undergraduate"), ("greater", "less"),
    ("guilty", "innocent"), ("he", "she"), ("heaviest", "lightest"), ("heavy", "light"),
    ("her", "him"), ("her", "his"), ("hide", "show"), ("high", "low"), ("higher", "lower"),
    ("highest", "lowest"), ("horizontal", "vertical"), ("husband", "wife"),
    ("illegal", "legal"), ("immutable", "mutable"), ("impossible", "possible"), ("in", "out"),
    ("incoming", "outgoing"), ("increase", "reduce"), ("inside", "outside"),
    ("install", "uninstall"), ("invisible", "visible"), ("king", "queen"), ("large", "small"),
    ("larger", "smaller"), ("largest", "smallest"), ("last", "next"), ("least", "most"),
    ("left", "right"), ("less", "more"), ("lock", "unlock"), ("login", "logout"),
    ("long", "short"), ("longer", "shorter"), ("longest", "shortest"), ("lose", "win"),
    ("lossless", "lossy"), ("lower", "raise"), ("major", "minor"), ("majority", "minority"),
    ("man", "woman"), ("max", "min"), ("maximum", "minimum"), ("men", "women"),
    ("mine", "yours"), ("mount", "unmount"), ("my", "your"), ("narrow", "wide"),
    ("negative", "positive"), ("new", "old"), ("newest", "oldest"), ("next", "previous"),
    ("north", "south"), ("north", "west"), ("northern", "southern"), ("off", "on"),
    ("old", "young"), ("older", "younger"), ("oldest", "youngest"),
    ("optimistic", "pessimistic"), ("optional", "required"), ("over", "under"),
    ("physical", "virtual"), ("poor", "rich"), ("poorest", "richest"), ("private", "public"),
    ("public", "secret"), ("pull", "push"), ("receive", "send"), ("received", "sent"),
    ("safe", "unsafe"), ("short", "tall"), ("shorter", "taller"), ("shortest", "tallest"),
    ("south", "west"), ("start", "stop"), ("strong", "weak"), ("strongest", "weakest"),
    ("subscribe", "unsubscribe"), ("summer", "winter"), ("symptoms", "treatment"),
    ("today", "tomorrow"), ("today", "yesterday"), ("unzip", "zip"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_are_searched_are_sorted() {
        assert!(NUMBERS.is_sorted());
        assert!(UNITS.is_sorted());
        assert!(UNITS_ALONE.is_sorted());
        assert!(STOP_WORDS.is_sorted());
        assert!(ANTONYMS.is_sorted());
        assert!(ANTONYMS.iter().all(|(a, b)| a < b));
        assert!(UNITS_ALONE.iter().all(|word| unit(word).is_some()));
    }

    #[test]
    fn days_and_months_go_by_one_name() {
        assert_eq!(day("mondays"), Some("monday"));
        assert_eq!(day("today's"), Some("today"));
        assert_eq!(day("september"), day("sept"));
        assert_eq!(day("dec"), Some("dec"));
        assert_eq!(day("march"), None);
        assert_eq!(day("decide"), None);
    }
}
