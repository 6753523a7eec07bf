//! One pass over a prompt's text that counts what the surface features are made of. It knows
//! nothing of their names and scales (`features`), nor of the request around the text.
//!
//! O(n) in the text and bounded: at most [`MAX_CHARS`] characters are read.

mod word;

use super::lexicon::{Group, group_of};
use word::Word;

/// Characters examined; what follows them is not seen. Long enough for a difficulty estimate, short
/// enough that a pasted book costs no more than a page.
pub const MAX_CHARS: usize = 4_096;

/// Bits of the sketch that estimates how many different words there are.
const SKETCH_BITS: usize = 2_048;

/// Raw counts over the examined text.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scan {
    pub chars: usize,
    pub letters: usize,
    pub upper: usize,
    pub digits: usize,
    /// Runs of digits.
    pub numbers: usize,
    pub longest_number: usize,
    pub spaces: usize,
    pub lines: usize,
    pub paragraphs: usize,
    pub longest_line: usize,
    pub indented_lines: usize,
    pub bullet_lines: usize,
    /// Lines or fragments that open an answer option: `A. `, `B) `, `(C) `.
    pub options: usize,
    pub words: usize,
    pub word_chars: usize,
    pub long_words: usize,
    pub longest_word: usize,
    pub distinct_words: usize,
    pub sentences: usize,
    pub questions: usize,
    pub exclamations: usize,
    pub commas: usize,
    pub colons: usize,
    pub semicolons: usize,
    pub quotes: usize,
    pub parentheses: usize,
    pub brackets: usize,
    pub braces: usize,
    pub pipes: usize,
    pub hashes: usize,
    pub currency: usize,
    pub percents: usize,
    pub operators: usize,
    pub math_symbols: usize,
    pub latex_commands: usize,
    pub dollars: usize,
    pub carets: usize,
    pub underscores: usize,
    pub blanks: usize,
    pub backticks: usize,
    pub code_pairs: usize,
    pub camel_words: usize,
    pub accented: usize,
    pub cjk: usize,
    pub other_script: usize,
    pub groups: [usize; Group::COUNT],
    /// Group of the first word, if it has one.
    pub first: Option<Group>,
    pub ends_with_question: bool,
    pub ends_with_colon: bool,
    pub links: usize,
}

impl Scan {
    /// Reads the text once.
    pub fn of(text: &str) -> Self {
        let mut reader = Reader::default();
        for character in text.chars().take(MAX_CHARS) {
            reader.step(character);
        }
        reader.finish()
    }

    /// Words of the group.
    pub fn group(&self, group: Group) -> usize {
        self.groups[group as usize]
    }
}

/// The state that the pass carries from one character to the next.
struct Reader {
    scan: Scan,
    previous: char,
    before_previous: char,
    last_visible: char,
    word: Word,
    number_run: usize,
    underscore_run: usize,
    line_chars: usize,
    line_indent: usize,
    line_is_blank: bool,
    in_paragraph: bool,
    sketch: [u64; SKETCH_BITS / 64],
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            scan: Scan::default(),
            previous: '\n',
            before_previous: '\n',
            last_visible: ' ',
            word: Word::default(),
            number_run: 0,
            underscore_run: 0,
            line_chars: 0,
            line_indent: 0,
            line_is_blank: true,
            in_paragraph: false,
            sketch: [0; SKETCH_BITS / 64],
        }
    }
}

impl Reader {
    fn step(&mut self, character: char) {
        self.scan.chars += 1;
        self.option_mark(character);
        if character.is_alphabetic() || (character == '\'' && self.word.length > 0) {
            self.end_number();
            self.letter(character);
        } else {
            self.end_word();
            self.other(character);
        }
        self.layout(character);
        self.before_previous = self.previous;
        self.previous = character;
        if !character.is_whitespace() {
            self.last_visible = character;
        }
    }

    fn letter(&mut self, character: char) {
        if character == '\'' {
            self.word.push(character);
            return;
        }
        self.scan.letters += 1;
        if self.previous == '\\' {
            self.scan.latex_commands += 1;
        }
        if !character.is_ascii() {
            self.script(character);
        } else if character.is_ascii_uppercase() {
            self.scan.upper += 1;
        }
        self.word.push(character);
    }

    fn script(&mut self, character: char) {
        match u32::from(character) {
            0x00C0..=0x024F => self.scan.accented += 1,
            0x2E80..=0x9FFF | 0xAC00..=0xD7AF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF => {
                self.scan.cjk += 1;
            }
            // Greek letters in other text are formulas more often than Greek.
            0x0370..=0x03FF | 0x2100..=0x214F => self.scan.math_symbols += 1,
            _ => self.scan.other_script += 1,
        }
    }

    fn other(&mut self, character: char) {
        if character.is_numeric() {
            self.scan.digits += 1;
            self.number_run += 1;
            return;
        }
        self.end_number();
        self.underscores(character);
        let scan = &mut self.scan;
        match character {
            ' ' | '\t' | '\r' | '\n' => scan.spaces += 1,
            '.' => {}
            '?' | '？' => scan.questions += 1,
            '!' | '！' => scan.exclamations += 1,
            ',' | '，' | '、' => scan.commas += 1,
            ':' | '：' => scan.colons += 1,
            ';' | '；' => scan.semicolons += 1,
            '"' | '“' | '”' | '«' | '»' => scan.quotes += 1,
            '(' | ')' | '（' | '）' => scan.parentheses += 1,
            '[' | ']' => scan.brackets += 1,
            '{' | '}' => scan.braces += 1,
            '|' => scan.pipes += 1,
            '#' => scan.hashes += 1,
            '$' => scan.dollars += 1,
            '€' | '£' | '¥' => scan.currency += 1,
            '%' => scan.percents += 1,
            '^' => scan.carets += 1,
            '`' => scan.backticks += 1,
            '=' | '+' | '<' | '>' | '*' | '/' | '-' | '~' => scan.operators += 1,
            _ if is_math_symbol(character) => scan.math_symbols += 1,
            _ => {}
        }
        self.pairs(character);
        self.sentence(character);
    }

    /// Two-character marks of source code, and links.
    fn pairs(&mut self, character: char) {
        match (self.previous, character) {
            ('=', '=')
            | ('!', '=')
            | ('-' | '=', '>')
            | (':', ':')
            | ('(', ')')
            | ('&', '&')
            | ('|', '|')
            | ('+', '=')
            | (')', ':' | ';' | '{')
            | ('[', ']') => self.scan.code_pairs += 1,
            (':', '/') => self.scan.links += 1,
            _ => {}
        }
    }

    /// A sentence ends at `.?!` before white space; the end of the text is seen to in `finish`.
    fn sentence(&mut self, character: char) {
        let ended = character.is_whitespace() && matches!(self.previous, '.' | '?' | '!');
        if ended || matches!(character, '。' | '？' | '！') {
            self.scan.sentences += 1;
        }
    }

    /// Three or more underscores are one gap to fill in.
    fn underscores(&mut self, character: char) {
        if character == '_' {
            self.scan.underscores += 1;
            self.underscore_run += 1;
            if self.underscore_run == 3 {
                self.scan.blanks += 1;
            }
        } else {
            self.underscore_run = 0;
        }
    }

    /// `A. `, `B) ` or `(C)` with one capital from A to J standing alone.
    fn option_mark(&mut self, character: char) {
        let closes = matches!(character, '.' | ')');
        let alone = self.before_previous.is_whitespace() || self.before_previous == '(';
        if closes && alone && matches!(self.previous, 'A'..='J') {
            self.scan.options += 1;
        }
    }

    fn layout(&mut self, character: char) {
        if character == '\n' {
            self.end_line();
            return;
        }
        self.line_chars += 1;
        if self.line_is_blank {
            if character == ' ' {
                self.line_indent += 1;
                return;
            }
            if character == '\t' {
                self.line_indent += 4;
                return;
            }
            self.line_is_blank = false;
            if self.line_indent >= 2 {
                self.scan.indented_lines += 1;
            }
            if matches!(character, '-' | '*' | '•') {
                self.scan.bullet_lines += 1;
            }
            if !self.in_paragraph {
                self.in_paragraph = true;
                self.scan.paragraphs += 1;
            }
        }
    }

    fn end_line(&mut self) {
        self.scan.lines += 1;
        self.scan.longest_line = self.scan.longest_line.max(self.line_chars);
        if self.line_is_blank {
            self.in_paragraph = false;
        }
        self.line_chars = 0;
        self.line_indent = 0;
        self.line_is_blank = true;
    }

    fn end_number(&mut self) {
        if self.number_run > 0 {
            self.scan.numbers += 1;
            self.scan.longest_number = self.scan.longest_number.max(self.number_run);
            self.number_run = 0;
        }
    }

    fn end_word(&mut self) {
        if self.word.length == 0 {
            return;
        }
        let word = std::mem::take(&mut self.word);
        let scan = &mut self.scan;
        scan.words += 1;
        scan.word_chars += word.length;
        scan.longest_word = scan.longest_word.max(word.length);
        if word.length >= 8 {
            scan.long_words += 1;
        }
        if word.camel {
            scan.camel_words += 1;
        }
        let bit = (word.hash >> 32) as usize % SKETCH_BITS;
        self.sketch[bit / 64] |= 1 << (bit % 64);
        if let Some(group) = word.ascii().and_then(group_of) {
            scan.groups[group as usize] += 1;
            if scan.words == 1 {
                scan.first = Some(group);
            }
        }
    }

    fn finish(mut self) -> Scan {
        self.end_word();
        self.end_number();
        if self.line_chars > 0 {
            self.end_line();
        }
        let scan = &mut self.scan;
        if scan.words > 0 && (scan.sentences == 0 || !self.previous.is_whitespace()) {
            scan.sentences += 1;
        }
        scan.ends_with_question = matches!(self.last_visible, '?' | '？');
        scan.ends_with_colon = matches!(self.last_visible, ':' | '：');
        let set: u32 = self.sketch.iter().map(|bits| bits.count_ones()).sum();
        scan.distinct_words = (set as usize).min(scan.words);
        self.scan
    }
}

fn is_math_symbol(character: char) -> bool {
    matches!(u32::from(character), 0x00B0..=0x00B7 | 0x00D7 | 0x00F7 | 0x2032..=0x2033 | 0x2070..=0x209F | 0x2190..=0x22FF | 0x27C0..=0x27EF | 0x2900..=0x2AFF)
}
