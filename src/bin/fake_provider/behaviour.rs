//! What a model name asks for. The language of the names stands at the top of `fake-provider.rs`;
//! what each fault looks like on the wire is left to `script` and `stream`.

use std::time::Duration;

/// The names that `GET /v1/models` lists; all others are built from them.
pub const BASES: [&str; 3] = ["fake-small", "fake-mid", "fake-frontier"];

/// How large a model pretends to be: speed and length of answer follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Small,
    Mid,
    Frontier,
}

/// A model name, understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// The whole name, as the answer gives it back.
    pub model: String,
    pub size: Size,
    /// From the request to the first token.
    pub ttft: Duration,
    /// Tokens per second after the first; `None`: all at once.
    pub rate: Option<f64>,
    /// Exact length of the answer in tokens.
    pub tokens: Option<usize>,
    /// Tokens of reasoning before the answer.
    pub reasoning: usize,
    /// Prompt tokens reported as cached.
    pub cached: u64,
    /// Whether usage is ever reported.
    pub usage: bool,
    /// `finish_reason: content_filter`.
    pub filter: bool,
    /// A refusal instead of content.
    pub refusal: bool,
    /// Time between comments while a stream has nothing to say.
    pub comments: Option<Duration>,
    /// Bytes per write of a body.
    pub bytes: Option<usize>,
    /// Lines of a stream end in CRLF.
    pub crlf: bool,
    fault: Option<Fault>,
    /// First call at fault; 1 is the first call of this very name.
    from: u64,
    /// Calls at fault from there on; `None`: all.
    fail: Option<u64>,
}

/// One way to fail. Counts are content chunks sent before it happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    Status { status: u16, retry_after: Option<String> },
    Auth,
    Quota,
    Context,
    Html { status: u16 },
    Empty,
    Garbage,
    Drop,
    Reset,
    Hang,
    Cut(usize),
    Eof(usize),
    NoDone,
    ErrorAfter(usize),
    Stall(usize),
}

/// Why a name means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadName {
    /// None of [`BASES`].
    Unknown,
    /// The knob, as written, and what is wrong with it.
    Knob(String),
}

impl Behaviour {
    /// Reads a model name. With `instant`, sizes have no latency of their own.
    pub fn parse(model: &str, instant: bool) -> Result<Self, BadName> {
        let mut parts = model.split('~');
        let size = size(parts.next().unwrap_or_default()).ok_or(BadName::Unknown)?;
        let (ttft, rate) = if instant { (0, None) } else { speed(size) };
        let mut behaviour = Self {
            model: model.to_owned(),
            size,
            ttft: Duration::from_millis(ttft),
            rate,
            tokens: None,
            reasoning: 0,
            cached: 0,
            usage: true,
            filter: false,
            refusal: false,
            comments: None,
            bytes: None,
            crlf: false,
            fault: None,
            from: 1,
            fail: None,
        };
        let mut status = None;
        let mut retry_after = None;
        for part in parts {
            let (knob, value) = part.split_once('=').unwrap_or((part, ""));
            match knob {
                "status" => status = Some(number(part, value)?),
                "retry-after" => retry_after = Some(value.to_owned()),
                _ => behaviour.turn(part, knob, value)?,
            }
        }
        behaviour.settle_status(status, retry_after)?;
        Ok(behaviour)
    }

    /// The fault of the given call (1 is the first), if that call is at fault.
    pub fn fault_at(&self, call: u64) -> Option<&Fault> {
        let past = call.checked_sub(self.from)?;
        let due = self.fail.is_none_or(|fail| past < fail);
        self.fault.as_ref().filter(|_| due)
    }

    /// When the token of that index is due, from the receipt of the request.
    pub fn due(&self, token: usize) -> Duration {
        let pace = self.rate.map_or(0.0, |rate| token as f64 / rate);
        self.ttft + Duration::from_secs_f64(pace)
    }

    fn turn(&mut self, part: &str, knob: &str, value: &str) -> Result<(), BadName> {
        match knob {
            "ttft" => self.ttft = Duration::from_millis(number(part, value)?),
            "rate" => {
                let rate: u32 = number(part, value)?;
                self.rate = (rate > 0).then_some(f64::from(rate));
            }
            "tokens" => self.tokens = Some(number(part, value)?),
            "reasoning" => self.reasoning = number(part, value)?,
            "cached" => self.cached = number(part, value)?,
            "comments" => {
                self.comments = Some(Duration::from_millis(positive(part, value)?));
            }
            "bytes" => self.bytes = Some(positive(part, value)? as usize),
            "from" => self.from = positive(part, value)?,
            "fail" => self.fail = Some(number(part, value)?),
            "no-usage" => self.usage = false,
            "filter" => self.filter = true,
            "refusal" => self.refusal = true,
            "crlf" => self.crlf = true,
            _ => self.blame(part, fault(part, knob, value)?)?,
        }
        Ok(())
    }

    /// `status` alone is a fault; beside `html` it is the page's status.
    fn settle_status(
        &mut self,
        status: Option<u16>,
        retry_after: Option<String>,
    ) -> Result<(), BadName> {
        let Some(status) = status else {
            return match retry_after {
                Some(_) => Err(BadName::Knob("retry-after needs status".into())),
                None => Ok(()),
            };
        };
        if !(200..=599).contains(&status) {
            return Err(BadName::Knob(format!("status={status}: 200 to 599")));
        }
        if let Some(Fault::Html { status: page }) = &mut self.fault {
            *page = status;
            return Ok(());
        }
        self.blame("status", Fault::Status { status, retry_after })
    }

    fn blame(&mut self, part: &str, fault: Fault) -> Result<(), BadName> {
        match self.fault.replace(fault) {
            None => Ok(()),
            Some(_) => Err(BadName::Knob(format!("{part}: one fault at a time"))),
        }
    }
}

fn fault(part: &str, knob: &str, value: &str) -> Result<Fault, BadName> {
    Ok(match knob {
        "auth" => Fault::Auth,
        "quota" => Fault::Quota,
        "context" => Fault::Context,
        "html" => Fault::Html { status: 502 },
        "empty" => Fault::Empty,
        "garbage" => Fault::Garbage,
        "drop" => Fault::Drop,
        "rst" => Fault::Reset,
        "hang" => Fault::Hang,
        "cut" => Fault::Cut(number(part, value)?),
        "eof" => Fault::Eof(number(part, value)?),
        "no-done" => Fault::NoDone,
        "error-first" => Fault::ErrorAfter(0),
        "error-after" => Fault::ErrorAfter(number(part, value)?),
        "stall" => Fault::Stall(if value.is_empty() { 0 } else { number(part, value)? }),
        _ => return Err(BadName::Knob(format!("{part}: no such knob"))),
    })
}

fn size(base: &str) -> Option<Size> {
    let is = |name: &str| {
        base.strip_prefix(name).is_some_and(|label| label.is_empty() || label.starts_with('-'))
    };
    match BASES {
        [small, _, _] if is(small) => Some(Size::Small),
        [_, mid, _] if is(mid) => Some(Size::Mid),
        [_, _, frontier] if is(frontier) => Some(Size::Frontier),
        _ => None,
    }
}

/// Time to the first token in milliseconds, and tokens per second.
fn speed(size: Size) -> (u64, Option<f64>) {
    match size {
        Size::Small => (60, Some(400.0)),
        Size::Mid => (120, Some(240.0)),
        Size::Frontier => (260, Some(160.0)),
    }
}

fn number<N: std::str::FromStr>(part: &str, value: &str) -> Result<N, BadName> {
    value.parse().map_err(|_| BadName::Knob(format!("{part}: a whole number belongs after `=`")))
}

fn positive(part: &str, value: &str) -> Result<u64, BadName> {
    match number(part, value)? {
        0 => Err(BadName::Knob(format!("{part}: must be at least 1"))),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compose() {
        let name = "fake-mid-east~ttft=200~rate=50~status=503~retry-after=2~fail=3~from=2";
        let behaviour = Behaviour::parse(name, false).unwrap();
        assert_eq!(behaviour.model, name);
        assert_eq!(behaviour.size, Size::Mid);
        assert_eq!(behaviour.due(50), Duration::from_millis(1200));
        let fault = Fault::Status { status: 503, retry_after: Some("2".into()) };
        let faults: Vec<_> = (1..=6).map(|call| behaviour.fault_at(call).cloned()).collect();
        let some = Some(fault);
        assert_eq!(faults, [None, some.clone(), some.clone(), some, None, None]);
    }

    #[test]
    fn sizes_are_ordered_by_speed_and_instant_removes_it() {
        let due = |model, instant| Behaviour::parse(model, instant).unwrap().due(40);
        assert!(due("fake-small", false) < due("fake-mid", false));
        assert!(due("fake-mid", false) < due("fake-frontier", false));
        assert_eq!(due("fake-frontier", true), Duration::ZERO);
        assert_eq!(due("fake-frontier~rate=10", true), Duration::from_secs(4));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for unknown in ["gpt-4o", "fake-smaller", "fake", "", "fake-midi~ttft=1"] {
            assert_eq!(Behaviour::parse(unknown, false), Err(BadName::Unknown), "{unknown}");
        }
        for knob in [
            "fake-mid~sttaus=503",
            "fake-mid~ttft",
            "fake-mid~ttft=fast",
            "fake-mid~bytes=0",
            "fake-mid~cut=1~stall",
            "fake-mid~status=503~auth",
            "fake-mid~status=99",
            "fake-mid~retry-after=1",
            "fake-mid~",
        ] {
            let parsed = Behaviour::parse(knob, false);
            assert!(matches!(parsed, Err(BadName::Knob(_))), "{knob}: {parsed:?}");
        }
    }

    #[test]
    fn html_takes_its_status_from_the_other_knob() {
        for name in ["fake-mid~html~status=503", "fake-mid~status=503~html"] {
            let behaviour = Behaviour::parse(name, false).unwrap();
            assert_eq!(behaviour.fault_at(1), Some(&Fault::Html { status: 503 }), "{name}");
        }
    }
}
