//! The `semgate` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    semgate::cli::run()
}
