//! `semgate keys create`: a new key, shown once, and the line of configuration with its hash.

use rand::Rng;
use serde_json::json;

use super::{Failure, remark, say};
use crate::access;

/// Make keys for callers.
///
/// Example: semgate keys create --name web --tenant acme
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a new key once, and the YAML line with its hash; needs no running gateway
    ///
    /// Example: semgate keys create --name web --tenant acme
    Create {
        /// Name of the key in records and metrics
        #[arg(long)]
        name: String,
        /// Tenant whose cache scope and spend the key shares
        #[arg(long)]
        tenant: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let Command::Create { name, tenant, json } = &args.command;
    for (what, text) in [("--name", name), ("--tenant", tenant)] {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if text.is_empty() || !text.chars().all(plain) {
            return Err(Failure::failed(format!(
                "{what} must consist of letters, digits, `.`, `_` and `-`."
            )));
        }
    }
    let key = random_key("sg-");
    let hash = format!("sha256:{}", hex(&access::hash(&key)));
    if *json {
        say(json!({"key": key, "name": name, "tenant": tenant, "hash": hash}));
        return Ok(());
    }
    remark("This key is shown once. Put the second line below `keys:` in the configuration.");
    say(&key);
    say(format_args!("  - {{name: {name}, tenant: {tenant}, hash: \"{hash}\"}}"));
    Ok(())
}

/// A fresh secret of 256 random bits in hex behind a prefix that secret scanners can know.
pub fn random_key(prefix: &str) -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    format!("{prefix}{}", hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
