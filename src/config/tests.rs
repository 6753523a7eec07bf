//! Tests of the configuration as a whole: from text to settings and back.

use super::*;

fn env() -> Env {
    Env::of([("OPENAI_API_KEY", "sk-openai"), ("PORT", "9000")])
}

fn faults(text: &str) -> Vec<String> {
    match load_text("f.yaml", text, &env(), &[]) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0.iter().map(Fault::to_string).collect(),
    }
}

#[test]
fn smoke() {
    let loaded = load(&Source::Environment, &env(), &[]).unwrap();
    println!("{}", print(&loaded));
    println!("{}", serde_json::to_string_pretty(&schema()).unwrap());
    for f in faults(
        "server: {listen: 0.0.0.0:80, lisen: 3, body_limit: [1]}\nembedder: off\nmodels:\n - {name: a, provider: b, id: c, price: {input: 0.1234567, output: x}}\nrouting:\n  tiers: [{name: s, models: [a, c]}, {name: s}]\nkeys: {a: b}\ncache: {ttl: {default: 5}, max_temperature: 3, mode: on, rules: [{when: 'a b', then: {}}]}\n",
    ) {
        println!("{f}");
    }
}
