//! The words by which `ttl` tells what ages. Lower case; a phrase matches whole words.

/// Each says that the present is meant, whatever the request.
#[rustfmt::skip]
pub const NOW: [&str; 75] = [
    // Days and hours relative to now.
    "today", "today's", "todays", "tonight", "tonight's", "yesterday", "yesterday's", "tomorrow",
    "tomorrow's", "this morning", "this afternoon", "this evening", "this week", "this week's",
    "this weekend", "this month", "this month's", "this year", "this year's", "this season", "this spring",
    "this summer", "this autumn", "this winter",
    "this quarter", "last night", "currently", "at the moment", "at present", "as of now",
    "right now", "nowadays", "these days", "so far this", "time is it", "local time", "what day is",
    "day is it", "day of the week is it", "what's the date", "what is the date", "date is it",
    "what year is it", "what month is it", "what week is it", "near me", "where is my",
    "where's my", "track my order", "track my parcel", "track my package", "track my shipment",
    "my balance", "balance of my account", "account balance", "in my savings account",
    "in my account", "order status", "latest news", "breaking news", "latest developments",
    "recent developments", "recent news",
    // German.
    "heute", "heutige", "heutigen", "gestern", "jetzt", "aktuell", "aktuelle", "aktuellen",
    "aktueller", "momentan", "derzeit", "uhrzeit",
];

/// Each names what changes from day to day: a request that asks for it asks for the present. One
/// that asks how it works, or to have something made of it, does not.
#[rustfmt::skip]
pub const TOPICS: [&str; 245] = [
    // What is to come, and what stands where.
    "when will the", "when will my", "when will our", "how long will the", "do i still",
    "do i have any", "status of", "latest on", "any update", "any updates", "updates on",
    "live updates", "live stream", "the news", "people saying", "polls say",
    "in the polls", "how's the", "how's my", "how's traffic", "how is traffic", "how busy",
    "how crowded", "how full", "the queue", "queue at", "the line at", "waiting time", "which gate",
    "what gate", "which platform", "make landfall", "around here", "near here",
    "what's for", "deal of the day", "special of the day", "menu of the day", "soup of the day",
    "showing at", "kick off", "who scored",
    // Air, water, light.
    "cold outside", "cold is it", "hot is it", "warm is it", "windy is it", "water temperature",
    "temperature be", "pollen count", "uv index", "high tide", "low tide", "water level",
    "snow depth", "sun set", "sun rise", "when is sunset", "when is sunrise",
    "take a jacket", "take a coat", "take an umbrella", "bring a jacket", "bring a coat",
    "bring an umbrella", "need a coat", "need a jacket",
    // Markets, records, places at the top.
    "close at", "closed at", "rent for", "rents in", "going up", "going down", "richest person",
    "richest man", "richest woman", "world record", "who leads", "who runs", "who heads",
    "who chairs", "in charge of",
    // Times to come and gone by.
    "what time", "the time in", "next friday", "next saturday", "next sunday",
    "last week", "last month", "last year", "next week", "next month", "next year",
    "how many days until", "how many days till", "days are left", "days left",
    // What is new.
    "latest", "newest", "most recent", "recent", "recently", "lately", "over the weekend",
    "upcoming", "up to date", "breaking", "news", "headlines", "top stories", "trending",
    "what's happening", "what is happening", "what's going on", "what's new", "what is new in",
    "real time", "realtime", "yet",
    // Weather and traffic.
    "weather", "forecast", "humidity", "raining", "snowing", "will it rain", "will it snow",
    "will it be sunny", "going to rain", "going to snow", "going to be sunny", "need an umbrella",
    "how hot will", "how cold will", "how warm will", "temperature in", "temperature outside",
    "temperature is it", "wind like", "air quality", "earthquakes", "traffic on", "traffic in",
    "traffic to", "traffic jam", "traffic jams", "congested", "any delays", "delays on",
    "flight status", "flights to", "flights from", "flights are there", "next train", "next bus",
    "next flight", "next ferry", "last train", "last bus", "outage", "outages", "wait time",
    "how long is the wait", "having problems", "seats left", "tickets left", "still open",
    // Prices and markets.
    "price of", "prices of", "price for", "prices for", "prices", "share price", "stock price",
    "stock market", "stock quote", "stocks", "shares of", "in stock", "trading at", "stock doing",
    "doing against", "exchange rate", "exchange rates", "interest rate", "interest rates",
    "mortgage rate", "mortgage rates", "inflation rate", "unemployment rate", "market cap",
    "nasdaq", "dow jones", "bitcoin price", "crypto market", "cheapest flight", "cheapest flights",
    // Games and shows.
    "the score", "live score", "live scores", "final score", "standings", "league table",
    "leaderboard", "who is winning", "who's winning", "who is leading", "who's leading",
    "who is top of", "who's top of", "next game", "next match", "next race", "when is the next",
    "play next", "when's the next", "on tv", "in the cinema", "in cinemas", "are playing",
    // German, Spanish, French, Italian.
    "neueste", "neuesten", "wetter", "nachrichten", "wie spät", "wie viel kostet", "was kostet",
    "wechselkurs", "aktienkurs", "regnet", "schneit", "tiempo hace", "va a llover", "che tempo fa",
    "pleut", "quel temps fera", "le cours de", "quanto está", "a cómo está", "sta piovendo",
    "vai chover", "quem ganhou", "quién ganó", "qui a gagné", "chi ha vinto", "wer hat gewonnen",
];

/// Openings of a request to make something: the present is its matter, not its question, unless it
/// needs both a time and a topic ("write a summary of today's news").
#[rustfmt::skip]
pub const MAKES: [&str; 30] = [
    "pretend", "act as", "roleplay", "write", "rewrite", "draft", "compose", "fix", "correct",
    "proofread", "rephrase", "paraphrase", "edit", "improve", "polish", "suggest", "brainstorm",
    "design", "implement", "create", "build", "generate", "invent", "refactor", "debug",
    "help me write", "help me plan", "help me draft", "make up", "imagine",
];

/// Openings of a request to understand or to learn how: the topic is the subject, and nothing of
/// today is asked for unless it says so.
#[rustfmt::skip]
pub const EXPLAINS: [&str; 92] = [
    "tips for", "tips on", "ways to", "steps to", "best way to", "what's the best way",
    "what is the best way", "is it possible", "is it safe", "is it ok", "is it okay", "is it legal",
    "is it better", "is it normal", "is it bad", "is it good", "is it cheaper", "what kind of",
    "what kinds of", "what type of", "what types of", "what sort of", "what happens to",
    "what happens if", "what role", "what factors", "what instruments", "what is meant",
    "what is the definition", "is it true that", "in general", "who invented", "who discovered",
    "what is the history", "what is the use of", "how do i", "how do we", "how do you", "how can i",
    "how can we", "how could i", "how should i", "how to", "how does", "how do", "how did",
    "how are", "explain", "describe", "why do", "why does", "why did", "what is a", "what is an",
    "what's a", "what's an", "what are the differences", "what is the difference",
    "what's the difference", "what is the role", "what is the purpose", "what is the meaning",
    "what is the point", "what does a", "what does an", "what does the term", "what does it mean",
    "what moves", "what causes", "what caused", "what makes", "what drives", "what determines",
    "what influences", "what affects", "what should i", "what would happen", "what happens when",
    "compare", "teach me", "give me an example", "give an example", "walk me through",
    "show me how",
    // German, French, Spanish, Italian.
    "wie funktioniert", "wie erstelle ich", "was ist der unterschied", "erkläre",
    "comment fonctionne", "explique", "cómo funciona", "come funziona",
];

/// Signs that a request for the present is one of a program's: "the current date in Python".
#[rustfmt::skip]
pub const PROGRAMS: [&str; 42] = [
    "python", "javascript", "typescript", "java", "rust", "golang", "kotlin", "swift", "php",
    "ruby", "perl", "bash", "shell", "zsh", "powershell", "sql", "postgres", "postgresql", "mysql",
    "sqlite", "mongodb", "redis", "excel", "sheets", "spreadsheet", "formula", "regex", "django",
    "flask", "rails", "react", "pandas", "numpy", "git", "docker", "linux", "vim", "emacs", "api",
    "function", "query", "script",
];

/// Before and behind a time gone by that belongs to a story of the asker's own.
pub const NARRATORS: [&str; 6] = ["i", "i've", "i'm", "we", "we've", "my"];

/// Times gone by.
#[rustfmt::skip]
pub const GONE_BY: [&str; 7] = [
    "yesterday", "recently", "lately", "last night", "last week", "last month", "last year",
];

/// Offices whose holders change. "Who is the … of" asks for the present holder.
#[rustfmt::skip]
pub const OFFICES: [&str; 29] = [
    "president", "vice president", "prime minister", "chancellor", "minister", "foreign minister",
    "king", "queen", "monarch", "pope", "mayor", "governor", "senator", "ceo", "cto", "cfo",
    "chairman", "chair", "leader", "secretary", "secretary general", "secretary of state",
    "ambassador", "coach", "head coach", "manager", "champion", "speaker", "chief executive",
];

/// The same, for the languages beyond English and German, and what a year in the text turns into
/// history ("who won in 1966").
#[rustfmt::skip]
pub const VOLATILE_WITHOUT_YEAR: [&str; 56] = [
    "who won the match", "who won the game", "who won the race", "who won the fight",
    "who won the election", "who won the debate", "who won the final", "election results",
    "the results of the",
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
pub const UNSPACED: [&str; 16] = [
    "今天", "现在", "目前", "天气", "新闻", "最新", "几点", "多少钱", "股价", "今日", "下雨", "今の", "現在", "天気", "ニュース",
    "何時",
];

/// Before `now` where it means the time.
#[rustfmt::skip]
pub const NOW_AFTER: [&str; 18] = [
    "right", "just", "of", "open", "happening", "available", "doing", "trading", "worth", "going",
    "is", "are", "until", "till", "to", "by", "showing", "playing",
];

/// Behind `current` where it does not mean the time.
#[rustfmt::skip]
pub const CURRENT_IS_PLAIN_BEFORE: [&str; 28] = [
    "ratio", "account", "accounts", "asset", "assets", "liabilities", "directory", "working",
    "branch", "user", "line", "node", "element", "path", "flow", "flows", "flowing", "source",
    "density", "divider", "limiter", "draw", "transformer", "mirror", "thread", "process", "row",
    "through",
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
pub const OUTDATES: [&str; 67] = [
    "my", "our", "your", "we", "us", "i", "best", "top", "good", "better", "fair", "normal",
    "reasonable", "new", "newer", "old", "popular", "average", "typical", "rate", "rates", "salary",
    "wage", "price", "cost", "budget", "law", "laws", "legal", "tax", "taxes", "president",
    "minister", "ceo", "chancellor", "king", "queen", "pope", "population", "version", "versions",
    "release", "record", "richest", "youngest", "oldest", "fastest", "largest", "biggest",
    "highest", "tallest", "still", "anymore", "ever", "alive", "since", "deadline", "schedule",
    "open", "available", "now", "current", "stock", "market", "you", "last", "next",
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

/// What a thing can be at one moment and not at the next, wherever it stands in a question that asks
/// whether a thing is so.
#[rustfmt::skip]
pub const STATES: [&str; 44] = [
    "delayed", "blocked", "cancelled", "canceled", "congested", "crowded", "flooded", "frozen",
    "jammed", "closed", "shut", "offline", "reachable", "suspended", "postponed", "overbooked",
    "confirmed", "shipped", "dispatched", "delivered", "arrived", "landed", "departed", "boarding",
    "announced", "approved", "processed", "overdue", "resolved", "restored", "reopened", "renewed",
    "rising", "falling", "snowing", "raining", "unavailable", "heated", "booked", "queuing",
    "struggling", "recovering", "trending", "melting",
];

/// The same of words with other meanings ("open source", "left-handed"): only at the end of the
/// question, or before one of [`AFTER_A_STATE`].
#[rustfmt::skip]
pub const STATES_AT_THE_END: [&str; 20] = [
    "clear", "down", "open", "full", "busy", "left", "ready",
    "running", "working", "online", "live", "playing", "available", "free", "done", "finished",
    "fixed", "paid", "operating", "yet",
];

/// States of several words.
#[rustfmt::skip]
pub const STATES_IN_WORDS: [&str; 22] = [
    "back up", "back online", "up and running", "gone through",
    "on time", "on strike", "on fire", "on sale", "on air", "on call", "on duty", "on schedule",
    "on hold", "in stock", "in the office", "in town", "in session", "in force", "sold out",
    "out of order", "out of stock", "under way",
];

/// What follows a state.
#[rustfmt::skip]
pub const AFTER_A_STATE: [&str; 22] = [
    "or", "and", "because", "after", "due", "yet", "again", "already", "since", "until", "till",
    "today", "tonight", "now", "right", "at", "this", "normally", "late", "from", "between", "near",
];

/// What besides may follow the state of a certain thing: "Is the pass open to lorries?"
pub const AFTER_ITS_STATE: [&str; 6] = ["in", "on", "to", "for", "with", "of"];

/// What makes a thing a certain one.
pub const DEFINITE: [&str; 7] = ["the", "my", "our", "your", "this", "that", "their"];

/// Works that may be about a day without asking for it, and what leads to their matter.
#[rustfmt::skip]
pub const WORKS: [&str; 16] = [
    "song", "songs", "poem", "poems", "quote", "quotes", "story", "stories", "film", "films",
    "movie", "movies", "book", "books", "novel", "proverb",
];

/// Signs that a rule is asked for and not a moment: "Is the museum open on Mondays?"
#[rustfmt::skip]
pub const HABITS: [&str; 22] = [
    "normally", "mondays", "tuesdays", "wednesdays", "thursdays", "fridays", "saturdays", "sundays",
    "weekends", "weekdays", "holidays", "usually", "typically", "generally", "always", "often",
    "ever", "never", "every", "each", "historically", "traditionally",
];

/// What there may or may not be at a moment: "Are there any … ?"
#[rustfmt::skip]
pub const OCCASIONS: [&str; 39] = [
    "delay", "delays", "strike", "strikes", "outage", "outages", "disruption", "disruptions", "fog",
    "storm", "storms", "thunderstorm", "thunderstorms", "warning", "warnings", "alert", "alerts",
    "accident", "accidents", "crash", "closure", "closures", "roadworks", "jam", "jams", "queue",
    "queues", "seats", "tickets", "tables", "slots", "vacancies", "appointments",
    "traffic", "smog", "wildfires", "flooding", "fire", "protests",
];

/// What stands between somebody and a firm: of one's own, it is at some point of its course.
#[rustfmt::skip]
pub const AFFAIRS: [&str; 49] = [
    "order", "orders", "parcel", "parcels", "package", "packages", "shipment", "delivery", "refund",
    "payment", "payments", "balance", "account", "subscription", "invoice", "invoices", "bill",
    "booking", "reservation", "appointment", "appointments", "ticket", "tickets", "flight", "train",
    "bus", "credit", "credits", "points", "data", "usage", "allowance", "quota", "limit", "inbox",
    "messages", "claim", "application", "status", "loan", "transfer", "deposit", "tracking",
    "repair", "replacement", "return", "membership", "salary", "overdraft",
];

/// Openings that ask where one's affairs stand, and not what to do about them.
#[rustfmt::skip]
pub const ASKS_WHERE_IT_STANDS: [&str; 29] = [
    "where is", "where's", "wheres", "where are", "what is", "what's", "whats", "what are",
    "what was", "when will", "when is", "when's", "when does", "when do", "has", "have", "hasn't",
    "is", "are", "did", "how much", "how many", "how far", "check", "show", "track", "do i have",
    "why is", "why hasn't",
];

/// Openings of a question about what was: nothing of it is new, unless a time says so.
#[rustfmt::skip]
pub const HISTORY: [&str; 18] = [
    "what was", "what were", "who was", "who were", "when was", "when were", "when did",
    "where was", "where were", "which was", "how old was", "how long was", "how big was",
    "how many were", "how much was", "in which year", "in what year", "was there ever",
];

/// Behind a topic that is only the first half of a thing's name: "weather station".
#[rustfmt::skip]
pub const THINGS: [&str; 52] = [
    "app", "apps", "api", "widget", "icon", "icons", "tag", "tags", "photo", "photos", "pot",
    "shaping", "cam", "range", "board", "cycle", "sheet", "literacy", "consumption", "station",
    "stations", "vane", "balloon", "balloons", "map", "maps", "light", "lights", "sign", "signs",
    "cone", "cones", "warden", "rules", "law", "laws", "anchor", "paper", "papers", "agency",
    "agencies", "system", "systems", "theory", "elasticity", "index", "indices", "swap", "swaps",
    "exchange", "chart", "model",
];

/// Before "a" or "an" of which any one is meant: "in a forecast". Whoever wants, gets or is given one
/// wants today's.
#[rustfmt::skip]
pub const OF_ANY_ONE: [&str; 44] = [
    "in", "of", "with", "from", "on", "like", "as", "about", "into", "by", "between", "behind",
    "without", "within", "than", "or", "and", "does", "do", "can", "how", "reading", "read",
    "understand", "interpret", "interpreting", "making", "make", "made", "build", "building",
    "use", "using", "run", "running", "survive", "causes", "caused", "during", "after", "called",
    "mean", "prevent", "what",
];

/// Around `current` that flows.
#[rustfmt::skip]
pub const ELECTRICITY: [&str; 20] = [
    "resistor", "resistors", "resistance", "ohm", "ohms", "volt", "volts", "voltage", "amp", "amps",
    "ampere", "amperes", "circuit", "capacitor", "inductor", "wire", "coil", "diode", "transistor",
    "battery",
];

/// Units of a span that ends or begins now: "in the last 24 hours", "at this minute".
#[rustfmt::skip]
pub const TIMES: [&str; 12] = [
    "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks",
    "moment", "point", "time", "stage",
];

/// Days of the week: of one of them, the nearest is meant.
pub const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
