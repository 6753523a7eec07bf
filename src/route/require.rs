//! What a request requires of a model, and which requirement a model misses. Hard constraints only;
//! which of the fitting models is asked is `plan`'s to say, and whether it is healthy is dispatch's.

use crate::config::settings::Model;
use crate::dialect::openai::ChatRequest;
use crate::policy::Policy;
use crate::price::Money;

/// Output tokens set aside in the context window, and the least that a price ceiling must afford,
/// when the caller states no limit.
pub const OUTPUT_RESERVE: u64 = 256;

/// The requirements of one request.
#[derive(Debug)]
pub(super) struct Needs<'a> {
    prompt_tokens: u64,
    max_output: Option<u64>,
    vision: bool,
    tools: bool,
    json_schema: bool,
    regions: Option<&'a [String]>,
    max_cost: Option<Money>,
}

/// How much a model's stated capabilities count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// The gateway picks: every requirement holds.
    Picked,
    /// The caller picked. Vision, tools and JSON schema are left to the upstream, because for a
    /// model outside the catalog they are defaults, not knowledge; a wrong default must not refuse
    /// what the upstream would have served.
    Named,
}

/// The first requirement that a model misses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misfit {
    Context {
        window: u64,
        needed: u64,
    },
    Vision,
    Tools,
    JsonSchema,
    Region {
        has: Option<String>,
        wanted: String,
    },
    /// Checked last: a model with this misfit fits but for its price.
    Ceiling {
        least: Option<Money>,
        ceiling: Money,
    },
}

impl<'a> Needs<'a> {
    pub fn of(policy: &'a Policy, request: &ChatRequest) -> Self {
        Self {
            prompt_tokens: request.facts.prompt_tokens,
            max_output: request.max_output,
            vision: request.facts.has_image,
            tools: request.facts.has_tools,
            json_schema: request.facts.wants_json_schema,
            regions: policy.regions.as_deref(),
            max_cost: policy.max_cost,
        }
    }

    /// Whether the model fits: the output limit to set on the request (`None`: leave it as it is),
    /// or what the model lacks.
    ///
    /// A caller's limit above the model's `max_output` is no misfit: upstreams differ in whether
    /// they refuse or clamp it, and their own error says it best.
    pub fn fit(&self, model: &Model, strictness: Strictness) -> Result<Option<u64>, Misfit> {
        self.window(model)?;
        if strictness == Strictness::Picked {
            self.capabilities(model)?;
        }
        self.region(model)?;
        self.ceiling(model)
    }

    fn window(&self, model: &Model) -> Result<(), Misfit> {
        let needed = self.prompt_tokens.saturating_add(self.max_output.unwrap_or(OUTPUT_RESERVE));
        match model.context {
            Some(window) if needed > window => Err(Misfit::Context { window, needed }),
            _ => Ok(()),
        }
    }

    fn capabilities(&self, model: &Model) -> Result<(), Misfit> {
        if self.vision && !model.vision {
            return Err(Misfit::Vision);
        }
        if self.tools && !model.tools {
            return Err(Misfit::Tools);
        }
        if self.json_schema && !model.json_schema {
            return Err(Misfit::JsonSchema);
        }
        Ok(())
    }

    /// An unknown region satisfies no constraint: better no answer than one from the wrong place.
    fn region(&self, model: &Model) -> Result<(), Misfit> {
        match self.regions {
            Some(wanted) if !is_in_region(model, self.regions) => {
                let has = model.provider.region.clone();
                Err(Misfit::Region { has, wanted: wanted.join(", ") })
            }
            _ => Ok(()),
        }
    }

    /// The whole limit must be affordable, since a model may use it up. An unknown price cannot be
    /// held against a ceiling, so it misses it.
    fn ceiling(&self, model: &Model) -> Result<Option<u64>, Misfit> {
        let Some(ceiling) = self.max_cost else { return Ok(None) };
        let Some(price) = model.price else {
            return Err(Misfit::Ceiling { least: None, ceiling });
        };
        let least = price.of_tokens(self.prompt_tokens, self.max_output.unwrap_or(OUTPUT_RESERVE));
        if least > ceiling {
            return Err(Misfit::Ceiling { least: Some(least), ceiling });
        }
        if self.max_output.is_some() || price.output <= 0 {
            return Ok(None);
        }
        let left = (ceiling - price.of_tokens(self.prompt_tokens, 0)).pico();
        let affordable = u64::try_from(left / i128::from(price.output)).unwrap_or(u64::MAX);
        // Beyond what the model can write, or what its window holds, upstreams refuse a limit.
        let room = model.context.map_or(u64::MAX, |window| window - self.prompt_tokens);
        Ok(Some(affordable.min(model.max_output.unwrap_or(u64::MAX)).min(room)))
    }
}

/// Whether the model is in one of these regions, if any are demanded. One whose region is unknown
/// is in none.
pub fn is_in_region(model: &Model, regions: Option<&[String]>) -> bool {
    let has = model.provider.region.as_ref();
    regions.is_none_or(|wanted| has.is_some_and(|has| wanted.contains(has)))
}

impl Misfit {
    /// Short name of the constraint, for the client's sentence.
    pub fn constraint(&self) -> &'static str {
        match self {
            Self::Context { .. } => "context window",
            Self::Vision => "vision",
            Self::Tools => "tools",
            Self::JsonSchema => "JSON schema",
            Self::Region { .. } => "region",
            Self::Ceiling { .. } => "price ceiling",
        }
    }
}

/// What is missing, with the numbers.
impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Context { window, needed } => {
                write!(f, "context window {window} < {needed} tokens needed")
            }
            Self::Vision => f.write_str("no vision, and the request has an image"),
            Self::Tools => f.write_str("no tools, and the request offers some"),
            Self::JsonSchema => f.write_str("no JSON schema output, and the request asks for it"),
            Self::Region { has: Some(has), wanted } => {
                write!(f, "region {has} is not among {wanted}")
            }
            Self::Region { has: None, wanted } => {
                write!(f, "region unknown, and only {wanted} is allowed")
            }
            Self::Ceiling { least: Some(least), ceiling } => {
                write!(f, "price ceiling ${ceiling} < ${least} that the request may cost")
            }
            Self::Ceiling { least: None, ceiling } => {
                write!(f, "price unknown, and the ceiling is ${ceiling}")
            }
        }
    }
}
