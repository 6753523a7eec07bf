//! What the fake provider says: content, finish reason and usage of one request. Pure, and equal for
//! equal requests. How it is put on the wire is left to `script` and `stream`.

use serde_json::{Value, json};

use super::behaviour::{Behaviour, Size};
use super::contract::{ChatRequest, text};
use super::knowledge::Knowledge;
use super::schema::{Hints, instance};

/// An answer, cut into the tokens that a stream sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub reasoning: Vec<String>,
    pub content: Content,
    pub finish: &'static str,
    pub usage: Usage,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Text(Vec<String>),
    Refusal(Vec<String>),
    ToolCall { id: String, name: String, arguments: Vec<String> },
}

/// Tokens as this provider counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub prompt: u64,
    pub cached: u64,
    pub completion: u64,
    pub reasoning: u64,
}

impl Usage {
    pub fn json(self) -> Value {
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            },
        })
    }
}

impl Content {
    /// Content chunks of a stream.
    pub fn tokens(&self) -> &[String] {
        match self {
            Self::Text(tokens) | Self::Refusal(tokens) => tokens,
            Self::ToolCall { arguments, .. } => arguments,
        }
    }
}

/// Answers a request as the behaviour asks.
pub fn reply(request: &ChatRequest, behaviour: &Behaviour, knowledge: &Knowledge) -> Reply {
    let mut finish = "stop";
    let mut content = if behaviour.refusal {
        Content::Refusal(tokens("I'm sorry, but I can't help with that."))
    } else if let Some((name, arguments)) = tool_call(request) {
        finish = "tool_calls";
        let id = format!("call_{:016x}", digest(&format!("{name}{arguments}")));
        Content::ToolCall { id, name, arguments: tokens(&arguments) }
    } else {
        Content::Text(lengthen(words(request, behaviour, knowledge), behaviour.tokens))
    };
    if let Content::Text(tokens) | Content::ToolCall { arguments: tokens, .. } = &mut content
        && let Some(limit) = request.limit
        && tokens.len() > limit
    {
        tokens.truncate(limit);
        finish = "length";
    }
    if behaviour.filter {
        finish = "content_filter";
    }
    let reasoning =
        lengthen(tokens("Let me think about this step by step. "), Some(behaviour.reasoning));
    let completion = content.tokens().len() * request.choices + reasoning.len();
    let usage = Usage {
        prompt: prompt_tokens(request),
        cached: behaviour.cached,
        completion: completion as u64,
        reasoning: reasoning.len() as u64,
    };
    Reply { reasoning, content, finish, usage }
}

/// Cuts a text into tokens: runs of white space or punctuation, and pieces of words of at most six
/// characters. Joined they are the text.
pub fn tokens(text: &str) -> Vec<String> {
    const LONGEST: usize = 6;
    let mut tokens: Vec<String> = Vec::new();
    let mut letters = 0;
    for c in text.chars() {
        let joins = c.is_alphanumeric() && letters > 0 && letters < LONGEST;
        match tokens.last_mut() {
            // One leading blank belongs to the word after it.
            Some(token) if joins || (token == " " && c.is_alphanumeric()) => token.push(c),
            _ => tokens.push(c.to_string()),
        }
        letters = match c.is_alphanumeric() {
            true if joins => letters + 1,
            true => 1,
            false => 0,
        };
    }
    tokens
}

/// 64 bits that depend on every byte of the text.
pub fn digest(text: &str) -> u64 {
    let hash = blake3::hash(text.as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes"))
}

fn words(request: &ChatRequest, behaviour: &Behaviour, knowledge: &Knowledge) -> Vec<String> {
    let plain = match request.last_role() {
        "tool" | "function" => {
            let last = request.body["messages"].as_array().and_then(|messages| messages.last());
            format!(
                "The tool says: {}",
                last.map(|last| text(&last["content"])).unwrap_or_default()
            )
        }
        _ => knowledge
            .answer(&request.prompt, behaviour.size)
            .unwrap_or_else(|| unknown(request, behaviour.size)),
    };
    let format = &request.body.get("response_format").cloned().unwrap_or_default();
    let said = match format["type"].as_str() {
        Some("json_object") => json!({"answer": plain}).to_string(),
        Some("json_schema") => {
            let hints =
                Hints { text: Some(plain), number: Hints::from_prompt(&request.prompt).number };
            instance(&format["json_schema"]["schema"], "answer", &hints).to_string()
        }
        _ => plain,
    };
    let cut = request.stop.iter().filter(|stop| !stop.is_empty());
    let end = cut.filter_map(|stop| said.find(stop.as_str())).min().unwrap_or(said.len());
    tokens(&said[..end])
}

/// An answer to a question that is not in the table: its opening words, then sentences chosen by a
/// hash of the whole conversation, then the hash, so that another question never gets this answer.
fn unknown(request: &ChatRequest, size: Size) -> String {
    const SENTENCES: [&str; 12] = [
        "The short version is that it depends on two things, and both are easy to check.",
        "Start from what is known for certain and leave the rest open for the moment.",
        "Most people begin with the simplest case, because it already shows the pattern.",
        "The order of the steps matters here: the second one relies on the first.",
        "It helps to write the intermediate result down before going on.",
        "A small example makes this clear, and a larger one confirms it.",
        "There is one exception, which is rare, and it can be treated separately.",
        "Check the result against a case whose answer you already know.",
        "If the two disagree, the assumption made at the beginning is the likely cause.",
        "The same reasoning carries over to the general case without a change.",
        "Keep the units consistent throughout, and the remaining steps follow.",
        "What is left is a matter of taste rather than of correctness.",
    ];
    let seed = digest(&request.body["messages"].to_string());
    let (asks, count) = match size {
        Size::Small => (8, 1),
        Size::Mid => (12, 5),
        Size::Frontier => (16, 11),
    };
    let opening: Vec<&str> = request.prompt.split_whitespace().take(asks).collect();
    let mut said = format!("About \"{}\":", opening.join(" "));
    for step in 0..count {
        let index = (seed >> (step * 5)) as usize + step;
        said.push(' ');
        said.push_str(SENTENCES[index % SENTENCES.len()]);
    }
    said.push_str(&format!(" [{:08x}]", seed as u32));
    said
}

/// Name and arguments of the tool that the request asks for: the one named in `tool_choice`; any for
/// `required`; else one whose name shares a word of four letters or more with the prompt.
fn tool_call(request: &ChatRequest) -> Option<(String, String)> {
    let functions: Vec<&Value> = request
        .body
        .get("tools")?
        .as_array()?
        .iter()
        .map(|tool| &tool["function"])
        .filter(|function| function["name"].is_string())
        .collect();
    let choice = request.body.get("tool_choice").cloned().unwrap_or_default();
    let prompt = request.prompt.to_lowercase();
    let mentioned = |function: &&&Value| {
        let name = function["name"].as_str().unwrap_or_default().to_lowercase();
        prompt.contains(&name)
            || name
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word.len() > 3 && prompt.contains(word))
    };
    let function = match choice["function"]["name"].as_str() {
        Some(named) => functions.iter().find(|function| function["name"] == named),
        None if choice == "none" || request.last_role() != "user" => None,
        None if choice == "required" => functions.iter().find(mentioned).or(functions.first()),
        None => functions.iter().find(mentioned),
    }?;
    let arguments =
        instance(&function["parameters"], "arguments", &Hints::from_prompt(&request.prompt));
    Some((function["name"].as_str()?.to_owned(), arguments.to_string()))
}

/// Repeats the tokens, or cuts them, to an exact count.
fn lengthen(tokens: Vec<String>, exact: Option<usize>) -> Vec<String> {
    match exact {
        Some(count) => tokens.iter().cycle().take(count).cloned().collect(),
        None => tokens,
    }
}

fn prompt_tokens(request: &ChatRequest) -> u64 {
    const PER_MESSAGE: usize = 4;
    const PER_IMAGE: usize = 85;
    let mut count = 3;
    for message in request.body["messages"].as_array().into_iter().flatten() {
        let parts = message["content"].as_array().into_iter().flatten();
        let images = parts.filter(|part| part["type"] == "image_url").count();
        count += PER_MESSAGE + tokens(&text(&message["content"])).len() + PER_IMAGE * images;
    }
    if let Some(tools) = request.body.get("tools") {
        count += tokens(&tools.to_string()).len();
    }
    count as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(model: &str, body: Value) -> Reply {
        let mut body = body;
        body["model"] = model.into();
        let request = ChatRequest::parse(&serde_json::to_vec(&body).unwrap()).unwrap();
        reply(&request, &Behaviour::parse(model, true).unwrap(), &Knowledge::shipped())
    }

    fn say(model: &str, prompt: &str) -> String {
        let messages = json!([{"role": "user", "content": prompt}]);
        ask(model, json!({"messages": messages})).content.tokens().concat()
    }

    #[test]
    fn tokens_join_to_the_text() {
        assert_eq!(tokens("Hello, wonderful world"), ["Hello", ",", " wonder", "ful", " world"]);
        for text in ["", " ", "a  b\n\nc", "naïve 漢字漢字漢字漢字 🙂🙂", "{\"a\": [1, 22]}"]
        {
            assert_eq!(tokens(text).concat(), text);
        }
    }

    #[test]
    fn the_same_question_gets_the_same_answer_and_another_another() {
        let (a, b) = ("Prove that 7 divides 2^3 - 1.", "Prove that 7 divides 2^6 - 1.");
        assert_eq!(say("fake-mid", a), say("fake-mid", a));
        assert_ne!(say("fake-mid", a), say("fake-mid", b));
        assert!(say("fake-small", a).len() < say("fake-mid", a).len());
        assert!(say("fake-mid", a).len() < say("fake-frontier", a).len());
    }

    #[test]
    fn limits_and_stops_are_respected() {
        let messages = json!([{"role": "user", "content": "How do I reset my password?"}]);
        let short = ask("fake-mid", json!({"messages": messages, "max_tokens": 5}));
        assert_eq!((short.finish, short.usage.completion), ("length", 5));
        let stopped = ask("fake-mid", json!({"messages": messages, "stop": ["page", ", choose"]}));
        assert_eq!(
            (stopped.content.tokens().concat().as_str(), stopped.finish),
            ("Open the sign-in ", "stop")
        );
        assert_eq!(ask("fake-mid~tokens=321", json!({"messages": messages})).usage.completion, 321);
        let thought = ask("fake-mid~reasoning=7~tokens=3~cached=2", json!({"messages": messages}));
        assert_eq!(thought.usage.completion, 10);
        assert_eq!((thought.usage.reasoning, thought.usage.cached), (7, 2));
    }

    #[test]
    fn tools_are_called_when_asked_for() {
        let tools = json!([
            {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object",
                "properties": {"city": {"type": "string"}}}}},
            {"type": "function", "function": {"name": "book_table"}},
        ]);
        let call = |prompt: &str, choice: Value| {
            let messages = json!([{"role": "user", "content": prompt}]);
            let body = json!({"messages": messages, "tools": tools, "tool_choice": choice});
            let reply = ask("fake-small", body);
            match reply.content {
                Content::ToolCall { name, arguments, .. } => {
                    assert_eq!(reply.finish, "tool_calls");
                    Some((name, arguments.concat()))
                }
                _ => None,
            }
        };
        let called = |name: &str, arguments: &str| Some((name.to_owned(), arguments.to_owned()));
        let weather = called("get_weather", "{\"city\":\"Oslo\"}");
        assert_eq!(call("What is the weather in Oslo?", json!("auto")), weather);
        assert_eq!(call("What is the weather in Oslo?", json!("none")), None);
        assert_eq!(call("Say hello.", json!("auto")), None);
        assert_eq!(call("Say hello.", json!("required")).unwrap().0, "get_weather");
        let named = json!({"type": "function", "function": {"name": "book_table"}});
        assert_eq!(call("Say hello.", named), called("book_table", "{}"));
    }

    #[test]
    fn structured_answers_parse() {
        let messages = json!([{"role": "user", "content": "How do I reset my password?"}]);
        let schema = json!({"type": "object", "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}}});
        for (format, key) in [
            (json!({"type": "json_object"}), "answer"),
            (
                json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}),
                "sure",
            ),
        ] {
            let reply = ask("fake-mid", json!({"messages": messages, "response_format": format}));
            let value: Value = serde_json::from_str(&reply.content.tokens().concat()).unwrap();
            assert!(!value[key].is_null(), "{value}");
        }
    }

    #[test]
    fn a_tool_result_is_read_back() {
        let reply = ask(
            "fake-small",
            json!({"messages": [
                {"role": "user", "content": "weather?"},
                {"role": "assistant", "content": null, "tool_calls": []},
                {"role": "tool", "tool_call_id": "call_1", "content": "12 degrees"},
            ]}),
        );
        assert_eq!(reply.content.tokens().concat(), "The tool says: 12 degrees");
    }
}
