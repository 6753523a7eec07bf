//! The words by which `ttl` tells what ages. Lower case; a phrase matches whole words.

/// Each asks for the present, or carries it.
#[rustfmt::skip]
pub const VOLATILE: [&str; 156] = [
    // Days and hours relative to now.
    "today", "today's", "todays", "tonight", "tonight's", "yesterday", "yesterday's", "tomorrow",
    "tomorrow's", "this morning", "this afternoon", "this evening", "this week", "this week's",
    "this weekend", "this month", "this month's", "this year", "this year's", "this season",
    "this quarter", "last night", "last week", "last month", "last year", "next week", "next month",
    "next year", "currently", "at the moment", "at present", "as of now", "nowadays", "these days",
    "so far this", "what time", "time is it", "the time in", "local time", "what day is",
    "day is it", "what date", "what's the date", "what is the date", "date is it",
    "what year is it", "what month is it", "what week is it",
    // What is new.
    "latest", "newest", "most recent", "recent", "recently", "lately", "upcoming", "up to date",
    "breaking", "news", "headlines", "trending", "what's happening", "what is happening",
    "what's going on", "what's new", "real time", "realtime",
    // Weather and traffic.
    "weather", "forecast", "humidity", "raining", "snowing", "will it rain", "will it snow",
    "temperature in", "temperature outside", "temperature is it", "air quality", "traffic on",
    "traffic in", "traffic to", "traffic jam", "traffic jams", "flight status", "near me",
    "next train", "next bus", "next flight", "outage", "outages", "wait time",
    // Prices and markets.
    "price of", "prices of", "price for", "prices for", "prices", "share price", "stock price",
    "stock market", "stock quote", "stocks", "shares of", "in stock", "trading at", "exchange rate",
    "exchange rates", "interest rate", "interest rates", "mortgage rate", "mortgage rates",
    "inflation rate", "unemployment rate", "market cap", "nasdaq", "dow jones", "bitcoin price",
    "crypto market", "cheapest flight", "cheapest flights",
    // Games.
    "the score", "live score", "live scores", "final score", "standings", "league table",
    "leaderboard", "who is winning", "who's winning", "next game", "next match",
    // The state of the caller's own affairs.
    "where is my", "where's my", "track my", "order status", "my balance", "account balance",
    // German.
    "heute", "heutige", "heutigen", "gestern", "jetzt", "aktuell", "aktuelle", "aktuellen",
    "aktueller", "momentan", "derzeit", "neueste", "neuesten", "wetter", "nachrichten", "uhrzeit",
    "wie spät", "wie viel kostet", "was kostet", "wechselkurs", "aktienkurs",
];

/// The same, for the languages beyond English and German, and what a year in the text turns into
/// history ("who won in 1966").
#[rustfmt::skip]
pub const VOLATILE_WITHOUT_YEAR: [&str; 51] = [
    "who won", "what happened", "election results", "the results of the",
    // French.
    "aujourd'hui", "maintenant", "actuellement", "actuel", "actuelle", "en ce moment", "ce soir",
    "hier soir", "demain", "météo", "quelle heure", "quel temps", "actualités", "le prix de",
    "le prix du", "combien coûte", "combien coute", "taux de change",
    // Spanish and Portuguese.
    "hoy", "ahora", "actualmente", "en este momento", "esta noche", "mañana", "ayer",
    "el tiempo en", "el clima", "clima en", "qué hora", "que hora", "que horas", "noticias",
    "precio de", "precio del", "cuánto cuesta", "cuanto cuesta", "quanto custa", "tipo de cambio",
    "hoje", "agora",
    // Italian.
    "oggi", "adesso", "che ore", "meteo", "previsioni", "notizie", "quanto costa",
];

/// Of languages that do not separate words.
#[rustfmt::skip]
pub const UNSPACED: [&str; 14] = [
    "今天", "现在", "目前", "天气", "新闻", "最新", "几点", "多少钱", "股价", "今日", "現在", "天気", "ニュース", "何時",
];

/// Before `now` where it means the time.
#[rustfmt::skip]
pub const NOW_AFTER: [&str; 18] = [
    "right", "just", "of", "open", "happening", "available", "doing", "trading", "worth", "going",
    "is", "are", "until", "till", "to", "by", "showing", "playing",
];

/// Behind `current` where it does not mean the time.
#[rustfmt::skip]
pub const CURRENT_IS_PLAIN_BEFORE: [&str; 22] = [
    "directory", "working", "branch", "user", "line", "node", "element", "path", "flow", "flows",
    "flowing", "source", "density", "divider", "limiter", "draw", "transformer", "mirror", "thread",
    "process", "row", "through",
];

/// Before `current` where it does not mean the time.
#[rustfmt::skip]
pub const CURRENT_IS_PLAIN_AFTER: [&str; 8] =
    [
    "electric", "electrical", "alternating", "direct", "eddy", "ocean", "air", "induced",
];

/// Two of them are a conversion at the day's rate.
#[rustfmt::skip]
pub const CURRENCIES: [&str; 27] = [
    "dollar", "dollars", "usd", "euro", "euros", "eur", "pounds", "gbp", "sterling", "yen", "jpy",
    "yuan", "cny", "rupee", "rupees", "inr", "francs", "chf", "peso", "pesos", "won", "krw", "cad",
    "aud", "bitcoin", "btc", "ethereum",
];

/// Words that make the answer to a plain question a matter of its date.
#[rustfmt::skip]
pub const OUTDATES: [&str; 69] = [
    "my", "our", "your", "we", "us", "i", "best", "top", "good", "better", "fair", "normal",
    "reasonable", "new", "newer", "old", "popular", "average", "typical", "rate", "rates", "salary",
    "wage", "price", "cost", "budget", "law", "laws", "legal", "tax", "taxes", "president",
    "minister", "ceo", "chancellor", "king", "queen", "pope", "population", "champion", "version",
    "versions", "release", "record", "richest", "youngest", "oldest", "fastest", "largest",
    "biggest", "highest", "tallest", "still", "yet", "anymore", "ever", "alive", "since",
    "deadline", "schedule", "open", "available", "now", "current", "stock", "market", "you", "last",
    "next",
];

/// Words that turn a count of units into one from a day to another.
#[rustfmt::skip]
pub const SPANS: [&str; 10] =
    [
    "until", "till", "ago", "left", "remaining", "before", "after", "since", "between", "from",
];

/// Openings of a question whose answer stays, unless one of [`OUTDATES`] is in it.
#[rustfmt::skip]
pub const TIMELESS_OPENINGS: [&str; 20] = [
    "define", "definition of", "what is the definition of", "what's the definition of",
    "what is the meaning of", "meaning of", "what is meant by", "synonym for", "synonyms for",
    "synonyms of", "antonym of", "how do you spell", "what is the plural of",
    "what is the capital of", "what's the capital of", "who wrote", "who painted", "who composed",
    "who invented", "who discovered",
];

/// Things that stay as they are.
#[rustfmt::skip]
pub const FACTS: [&str; 14] = [
    "chemical symbol", "chemical formula", "atomic number", "atomic mass", "boiling point of",
    "freezing point of", "melting point of", "speed of light", "square root of", "cube root of",
    "derivative of", "integral of", "factorial of", "prime factors of",
];

/// Of arithmetic in words.
#[rustfmt::skip]
pub const OPERATIONS: [&str; 17] = [
    "plus", "minus", "times", "divided", "multiplied", "squared", "cubed", "percent", "root",
    "square", "cube", "power", "factorial", "mod", "modulo", "sum", "product",
];

/// Of measurement; two of them are a conversion that does not change.
#[rustfmt::skip]
pub const UNITS: [&str; 73] = [
    "mm", "millimeters", "millimetres", "cm", "centimeter", "centimeters", "centimetres", "m",
    "meter", "meters", "metre", "metres", "km", "kilometer", "kilometers", "kilometre",
    "kilometres", "inch", "inches", "foot", "feet", "ft", "yard", "yards", "mile", "miles", "mg",
    "milligrams", "g", "gram", "grams", "kg", "kilogram", "kilograms", "kilo", "kilos", "ounce",
    "ounces", "oz", "lb", "lbs", "ton", "tons", "ml", "milliliters", "liter", "liters", "litre",
    "litres", "gallon", "gallons", "cup", "cups", "pint", "pints", "celsius", "fahrenheit",
    "kelvin", "second", "seconds", "minute", "minutes", "hour", "hours", "day", "days", "week",
    "weeks", "byte", "bytes", "kilobytes", "megabytes", "gigabytes",
];
