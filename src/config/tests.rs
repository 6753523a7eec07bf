//! Tests of the configuration as a whole: from text to settings and back.

use proptest::prelude::*;
use secrecy::ExposeSecret;
use settings::Provider;

use super::*;

mod faulty;
mod strategies;

/// Variables that every shipped file may name.
fn env() -> Env {
    let mut variables = vec![("SEMGATE_ADMIN_TOKEN", "t".repeat(32)), ("PORT", "9000".to_owned())];
    let keys = environment::all().map(|(variable, ..)| (variable, format!("key-of-{variable}")));
    variables.extend(keys);
    Env::of(variables)
}

fn parsed(text: &str) -> Loaded {
    load_text("f.yaml", text, &env(), &[]).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

/// Everything but where it came from. `Debug` hides secrets, so they are added.
fn shown(settings: &Settings) -> String {
    let secrets: Vec<&str> = settings
        .providers
        .iter()
        .flat_map(|provider| &provider.api_keys)
        .chain(&settings.server.admin_token)
        .map(|secret| secret.expose_secret())
        .collect();
    let settings = Settings { origin: Origin::Environment, ..settings.clone() };
    format!("{settings:#?}\n{secrets:?}")
}

/// The shipped configuration files by path.
fn shipped() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut files = vec![root.join("semgate.yaml")];
    for folder in ["examples", "defaults"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        files.extend(entries.map(|entry| entry.unwrap().path()));
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    files.iter().map(|path| (path.display().to_string(), read(path))).collect()
}

#[test]
fn every_shipped_file_loads_without_a_warning_and_prints_as_itself() {
    let files = shipped();
    assert!(files.len() >= 3 + environment::all().count());
    for (name, text) in files {
        let loaded = load_text(&name, &text, &env(), &[]).unwrap_or_else(|f| panic!("{f}"));
        assert_eq!(loaded.warnings, [], "{name}");
        assert_prints_as_itself(&loaded);
    }
}

fn assert_prints_as_itself(loaded: &Loaded) {
    let text = print(loaded);
    let again = parsed(&text);
    assert_eq!(shown(&again.settings), shown(&loaded.settings), "{text}");
    assert_eq!(print(&again), text);
}

#[test]
fn the_annotated_file_shows_the_defaults_of_the_code() {
    let text = include_str!("../../config/semgate.yaml");
    let (mut shown_file, mut code) = (parsed(text).settings, parsed("").settings);
    assert_eq!(code.providers.len() + code.models.len() + code.keys.len(), 0);
    // Lists are examples.
    shown_file.cache.rules.clear();
    code.routing.baseline = shown_file.routing.baseline.clone();
    code.routing.tiers = shown_file.routing.tiers.clone();
    code.routing.rules = shown_file.routing.rules.clone();
    code.routing.routes = shown_file.routing.routes.clone();
    code.providers = shown_file.providers.clone();
    code.models = shown_file.models.clone();
    assert_eq!(shown(&shown_file), shown(&code));
    // What a provider leaves out is what the file shows, but for its region.
    let bare = "providers: [{name: openai, base_url: https://api.openai.com/v1}]";
    let bare = parsed(bare).settings.providers[0].clone();
    let written = Provider { region: None, api_keys: vec![], ..(*shown_file.providers[0]).clone() };
    assert_eq!(format!("{bare:?}"), format!("{written:?}"));
}

/// Every key of the schema stands in the annotated file, as a key or in a comment.
#[test]
fn the_annotated_file_has_every_key() {
    let text = include_str!("../../config/semgate.yaml");
    let schema = schema();
    let blocks = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    let keys = blocks.filter_map(|block| block["properties"].as_object()).flat_map(|p| p.keys());
    let missing: Vec<_> = keys.filter(|key| !text.contains(&format!("{key}:"))).collect();
    assert_eq!(missing, Vec::<&String>::new());
}

#[test]
fn each_provider_key_brings_its_tiers() {
    for (variable, name, _) in environment::all() {
        let env = Env::of([(variable, "secret")]);
        let loaded = load(&Source::Environment, &env, &[]).unwrap_or_else(|f| panic!("{f}"));
        assert_eq!(loaded.warnings, [], "{name}");
        let auto = loaded.settings.route("auto").unwrap();
        assert!(auto.tiers.len() >= 2 && auto.has_thresholds(), "{name}");
        let models = &loaded.settings.models;
        assert!(models.iter().all(|model| model.price.is_some() && model.context.is_some()));
        // Cheapest first, by what a call of as many tokens in as out costs.
        let costs = auto.tiers.iter().map(|t| t.models[0].price.unwrap().of_tokens(1000, 1000));
        assert!(costs.is_sorted(), "{name}");
    }
}

#[test]
fn several_provider_keys_share_their_tiers() {
    let env = Env::of([
        ("GROQ_API_KEY", "g"),
        ("OPENAI_API_KEY", "o"),
        ("DEEPSEEK_API_KEY", "d"),
        ("OPENAI_BASE_URL", "http://localhost:1/v1/"),
        ("MISTRAL_API_KEY", ""),
    ]);
    let settings = load(&Source::Environment, &env, &[]).unwrap().settings;
    assert_eq!(settings.origin, Origin::Environment);
    assert_eq!(settings.providers[0].base_url, "http://localhost:1/v1");
    let tiers: Vec<String> = settings
        .routing
        .tiers
        .iter()
        .map(|tier| {
            let models: Vec<_> = tier.models.iter().map(|model| &*model.name).collect();
            format!("{}={}", tier.name, models.join(","))
        })
        .collect();
    assert_eq!(
        tiers,
        [
            "small=gpt-4o-mini,groq-gpt-oss-20b",
            "mid=gpt-4.1-mini,groq-gpt-oss-120b,deepseek-flash",
            "frontier=gpt-4.1,deepseek-pro",
        ]
    );
    // The openai table keeps its prices behind another address: the name says which it is.
    assert!(settings.model("gpt-4.1").unwrap().price.is_some());
}

#[test]
fn the_environment_with_every_key_prints_as_itself() {
    let loaded = load(&Source::Environment, &env(), &[]).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(loaded.settings.providers.len(), environment::all().count());
    assert_prints_as_itself(&loaded);
}

#[test]
fn without_a_key_the_environment_says_what_to_set() {
    let fault = load(&Source::Environment, &Env::empty(), &[]).unwrap_err().to_string();
    assert!(
        fault.starts_with("environment: no configuration file and no provider key; set one of")
    );
    assert!(fault.contains("OPENAI_API_KEY") && fault.contains("semgate.yaml"), "{fault}");
}

#[test]
fn the_source_is_the_flag_then_the_variable_then_the_local_file() {
    let folder = tempfile::tempdir().unwrap();
    let find = |cli: Option<&str>, env: &Env| find_below(cli.map(Path::new), env, folder.path());
    let named = Env::of([("SEMGATE_CONFIG", "/b.yaml")]);
    assert_eq!(find(Some("/a.yaml"), &named), Source::File("/a.yaml".into()));
    assert_eq!(find(None, &named), Source::File("/b.yaml".into()));
    assert_eq!(find(None, &Env::empty()), Source::Environment);
    let local = folder.path().join("semgate.yaml");
    std::fs::write(&local, "").unwrap();
    assert_eq!(find(None, &Env::of([("SEMGATE_CONFIG", "")])), Source::File(local));
}

const SMALL: &str = "
providers: [{name: p, base_url: http://h/v1/, api_keys: [\"${OPENAI_API_KEY}\"]}]
models:
  - {name: a, provider: p, id: a, price: {input: 1, output: 2}}
  - {name: b, provider: p, id: b, price: {input: 3, output: 2}, timeouts: {idle: 1s}}
routing: {tiers: [{name: s, models: [a], min_adequacy: 80%}, {name: l, models: [a, b]}]}
";

#[test]
fn overrides_replace_values_and_are_told_as_such() {
    let set = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        load_text("f.yaml", &format!("embedder: off\n{SMALL}"), &env(), &pairs)
    };
    let settings = set(&[
        ("cache.ttl.default", "1h"),
        ("routing.tiers.s.min_adequacy", "0.5"),
        ("routing.tiers.1.models", "[b]"),
        ("embedder.threads", "2"),
        ("cache.semantic", "{enabled: off, candidates: 3}"),
        ("server.listen", "127.0.0.1:${PORT}"),
    ]);
    let settings = settings.unwrap().settings;
    assert_eq!(settings.cache.ttl.default.as_secs(), 3600);
    assert_eq!(settings.routing.tiers[0].min_adequacy, Some(0.5));
    assert_eq!(settings.routing.tiers[1].models.len(), 1);
    assert_eq!(settings.embedder.unwrap().threads, 2);
    assert!(!settings.cache.semantic.enabled);
    assert_eq!(settings.server.listen.port(), 9000);
    for (key, value, fault) in [
        (
            "cache.tll.default",
            "1h",
            "--set cache.tll.default: unknown key `tll`; did you mean `ttl`?",
        ),
        ("cache.ttl.default", "1", "--set cache.ttl.default: expected a duration"),
        ("routing.tiers.x.name", "1", "--set routing.tiers.x.name: the list has no item `x`"),
        ("cache..ttl", "1", "--set cache..ttl: not a key"),
        ("cache.mode", "[", "--set cache.mode: not YAML"),
        ("server.listen", "0.0.0.0:1", "--set server.listen: 0.0.0.0:1 can be reached"),
    ] {
        let faults = set(&[(key, value)]).unwrap_err().to_string();
        assert!(faults.starts_with(fault), "{faults}");
    }
}

#[test]
fn values_are_read_as_they_are_written() {
    let text = format!(
        "{SMALL}
server: {{listen: \"127.0.0.1:${{PORT}}\", max_in_flight: \"${{PORT}}\", body_limit: 10MiB}}
embedder: false
cache: {{max_entry: 1000, semantic: {{min_similarity: -0.25}}, ttl: {{volatile: 1h30m}}}}
resilience: {{retry_budget: 0.1%}}
telemetry: {{record: {{path: r.jsonl}}}}
"
    );
    let loaded = parsed(&text);
    let settings = &loaded.settings;
    assert_eq!(settings.server.listen.port(), 9000);
    assert_eq!(settings.server.max_in_flight, 9000);
    assert_eq!(settings.server.body_limit, 10 << 20);
    assert_eq!(settings.embedder, None);
    assert_eq!(settings.cache.max_entry, 1000);
    assert_eq!(settings.cache.ttl.volatile.as_secs(), 5400);
    assert_eq!(settings.resilience.retry_budget, 0.001);
    let record = settings.telemetry.record.as_ref().unwrap();
    assert_eq!((record.max_bytes, record.keep), (1_000_000_000, 5));
    let warnings: Vec<String> = loaded.warnings.iter().map(Fault::to_string).collect();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("replay"), "{warnings:?}");
    // The dearest of the last tier: equal output, dearer input.
    assert_eq!(&*settings.routing.baseline.as_ref().unwrap().name, "b");
    assert_eq!(settings.model("b").unwrap().timeouts.idle.as_secs(), 1);
    assert_eq!(settings.model("b").unwrap().timeouts.connect.as_secs(), 3);
    assert_prints_as_itself(&loaded);
}

#[test]
fn a_route_replaces_thresholds_tier_by_tier() {
    let text = SMALL.replace(
        "routing: {",
        "routing: {routes: [{name: auto, tiers: [s, l], min_adequacy: {l: 0.3}}, {name: r, tiers: [l]}], ",
    );
    let settings = parsed(&text).settings;
    assert_eq!(settings.routing.routes.len(), 2);
    let auto = &settings.routing.routes[0];
    let values: Vec<_> = auto.tiers.iter().map(|tier| tier.min_adequacy).collect();
    assert_eq!(values, [Some(0.8), Some(0.3)]);
    assert!(!settings.route("r").unwrap().has_thresholds());
    assert_eq!(settings.tier("l").unwrap().min_adequacy, None);
}

#[test]
fn printing_withholds_secrets_and_keeps_references() {
    let text = r#"
server: {admin_token: "0123456789abcdef0123456789abcdef"}
providers:
  - {name: my-llm, base_url: http://h, api_keys: [sk-literal, "${OPENAI_API_KEY}", "${NO:-sk-default}", "sk-${PORT}"]}
cache: {rules: [{when: 'prompt == "$${x}"', then: {ttl: 1s}}]}
"#;
    let loaded = parsed(text);
    let printed = print(&loaded);
    for secret in ["sk-literal", "sk-default", "sk-9000", "sk-$", "0123456789", "key-of"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert!(printed.contains("${OPENAI_API_KEY}") && printed.contains("set MY_LLM_API_KEY to"));
    let env = Env::of([
        ("SEMGATE_ADMIN_TOKEN", "0123456789abcdef0123456789abcdef"),
        ("OPENAI_API_KEY", "key-of-OPENAI_API_KEY"),
        ("MY_LLM_API_KEY", "sk-literal"),
        ("MY_LLM_API_KEY_3", "sk-default"),
        ("MY_LLM_API_KEY_4", "sk-9000"),
    ]);
    let again = load_text("g.yaml", &printed, &env, &[]).unwrap_or_else(|f| panic!("{f}"));
    assert_eq!(shown(&again.settings), shown(&loaded.settings));
}

#[test]
fn anchors_stand_for_their_values() {
    let text = SMALL.replace("price: {input: 1", "price: &p {input: 1")
        + "
cache: {scope_fields: &f [user], ignored_fields: []}
keys: []
";
    assert_eq!(parsed(&text).settings.cache.scope_fields, ["user"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = load_text("f.yaml", &text, &Env::empty(), &[]);
    }

    /// Texts of the letters that YAML gives a meaning, and of the keys that we give one.
    #[test]
    fn no_yaml_panics(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "cache", "models", "ttl", "rules", "when", "then", "name", "provider", "tiers",
                "routing", "keys", "embedder", "off", "price", "${", "}", ":", ": ", "\n", "\n  ",
                "- ", "[", "]", "{", "&a ", "*a", "!!str ", "|", "'", "\"", "5", "1%", ",", "---\n",
                "\t", "#", "? ", "<<", "é", "-1", "99999999999999999999",
            ]),
            0..40,
        )
    ) {
        let text = parts.concat();
        if let Err(faults) = load_text("f.yaml", &text, &Env::empty(), &[]) {
            prop_assert!(!faults.0.is_empty());
            prop_assert_eq!(faults.to_string().lines().count(), faults.0.len());
        }
    }
}
